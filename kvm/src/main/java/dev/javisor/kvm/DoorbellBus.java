package dev.javisor.kvm;

import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.hypervisor.VirtualMachine.Space;

/** The machine's bus with the doorbells in front, for accesses that do not go through KVM. */
final class DoorbellBus implements VcpuBus {
    private final DoorbellPoller doorbells;
    private final VcpuBus bus;

    DoorbellBus(DoorbellPoller doorbells, VcpuBus bus) {
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
        if (!doorbells.ring(Space.PIO, port, sizeBytes, value & 0xFFFFFFFFL)) {
            bus.writePort(port, sizeBytes, value);
        }
    }

    @Override
    public long readMemory(long address, int sizeBytes) {
        return bus.readMemory(address, sizeBytes);
    }

    @Override
    public void writeMemory(long address, int sizeBytes, long value) {
        if (!doorbells.ring(Space.MMIO, address, sizeBytes, value)) {
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
