package dev.javisor.softcpu.run;

import dev.javisor.hypervisor.VcpuBus;

/**
 * The machine's bus with the virtual machine's doorbells in front. Belongs to one vCPU's thread.
 */
final class DoorbellBus implements VcpuBus {
    private final Doorbells doorbells;
    private final VcpuBus bus;
    long portAccesses;
    long mmioAccesses;

    /** Of both kinds of accesses, those that only rang a bell. */
    long rung;

    DoorbellBus(Doorbells doorbells, VcpuBus bus) {
        this.doorbells = doorbells;
        this.bus = bus;
    }

    VcpuBus inner() {
        return bus;
    }

    @Override
    public int readPort(int port, int sizeBytes) {
        portAccesses++;
        return bus.readPort(port, sizeBytes);
    }

    @Override
    public void writePort(int port, int sizeBytes, int value) {
        portAccesses++;
        if (doorbells.ringPort(port, sizeBytes, value)) {
            rung++;
        } else {
            bus.writePort(port, sizeBytes, value);
        }
    }

    @Override
    public long readMemory(long address, int sizeBytes) {
        mmioAccesses++;
        return bus.readMemory(address, sizeBytes);
    }

    @Override
    public void writeMemory(long address, int sizeBytes, long value) {
        mmioAccesses++;
        if (doorbells.ringMemory(address, sizeBytes, value)) {
            rung++;
        } else {
            bus.writeMemory(address, sizeBytes, value);
        }
    }

    @Override
    public int acknowledgeExternalInterrupt() {
        return bus.acknowledgeExternalInterrupt();
    }

    @Override
    public void endOfInterrupt(int vector) {
        bus.endOfInterrupt(vector);
    }
}
