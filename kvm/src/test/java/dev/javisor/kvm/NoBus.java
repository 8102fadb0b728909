package dev.javisor.kvm;

import dev.javisor.hypervisor.VcpuBus;

/** A machine with nothing in it. */
final class NoBus implements VcpuBus {
    /** Of memory. */
    int reads;

    @Override
    public int readPort(int port, int sizeBytes) {
        return -1;
    }

    @Override
    public void writePort(int port, int sizeBytes, int value) {}

    @Override
    public long readMemory(long address, int sizeBytes) {
        reads++;
        return -1;
    }

    @Override
    public void writeMemory(long address, int sizeBytes, long value) {}

    @Override
    public int acknowledgeExternalInterrupt() {
        return -1;
    }

    @Override
    public void endOfInterrupt(int vector) {}
}
