package dev.javisor.softcpu.run;

import dev.javisor.hypervisor.VcpuBus;

/**
 * The machine's bus with the virtual machine's doorbells in front. Belongs to one vCPU's thread.
 */
final class DoorbellBus implements VcpuBus {
    private final Doorbells doorbells;
    private final VcpuBus bus;

    DoorbellBus(Doorbells doorbells, VcpuBus bus) {
        this.doorbells = doorbells;
        this.bus = bus;
    }

    VcpuBus inner() {
        return bus;
    }

    @Override
    public int readPort(int port, int sizeBytes) {
        return bus.readPort(port, sizeBytes);
    }

    @Override
    public void writePort(int port, int sizeBytes, int value) {
        if (!doorbells.ringPort(port, sizeBytes, value)) {
            bus.writePort(port, sizeBytes, value);
        }
    }

    @Override
    public long readMemory(long address, int sizeBytes) {
        return bus.readMemory(address, sizeBytes);
    }

    @Override
    public void writeMemory(long address, int sizeBytes, long value) {
        if (!doorbells.ringMemory(address, sizeBytes, value)) {
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
