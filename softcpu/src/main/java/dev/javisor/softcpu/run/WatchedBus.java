package dev.javisor.softcpu.run;

import dev.javisor.hypervisor.VcpuBus;

/** An accelerator's bus that knows whether it was used. Belongs to one vCPU's thread. */
final class WatchedBus implements VcpuBus {
    final VcpuBus inner;

    /** An access was made: a device may have asked for attention. */
    boolean used;

    WatchedBus(VcpuBus inner) {
        this.inner = inner;
    }

    @Override
    public int readPort(int port, int sizeBytes) {
        used = true;
        return inner.readPort(port, sizeBytes);
    }

    @Override
    public void writePort(int port, int sizeBytes, int value) {
        used = true;
        inner.writePort(port, sizeBytes, value);
    }

    @Override
    public long readMemory(long address, int sizeBytes) {
        used = true;
        return inner.readMemory(address, sizeBytes);
    }

    @Override
    public void writeMemory(long address, int sizeBytes, long value) {
        used = true;
        inner.writeMemory(address, sizeBytes, value);
    }

    @Override
    public int acknowledgeExternalInterrupt() {
        return inner.acknowledgeExternalInterrupt();
    }

    @Override
    public void endOfInterrupt(int vector) {
        inner.endOfInterrupt(vector);
    }
}
