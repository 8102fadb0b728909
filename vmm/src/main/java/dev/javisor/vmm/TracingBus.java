package dev.javisor.vmm;

import dev.javisor.hypervisor.VcpuBus;

/** Logs every access. Only in place while {@link TraceCategory#EXITS} is on. */
final class TracingBus implements VcpuBus {
    private final VcpuBus bus;

    TracingBus(VcpuBus bus) {
        this.bus = bus;
    }

    @Override
    public int readPort(int port, int sizeBytes) {
        int value = bus.readPort(port, sizeBytes);
        TraceCategory.EXITS.log("in  %#06x/%d -> %#x", port, sizeBytes, value);
        return value;
    }

    @Override
    public void writePort(int port, int sizeBytes, int value) {
        TraceCategory.EXITS.log("out %#06x/%d <- %#x", port, sizeBytes, value);
        bus.writePort(port, sizeBytes, value);
    }

    @Override
    public long readMemory(long address, int sizeBytes) {
        long value = bus.readMemory(address, sizeBytes);
        TraceCategory.EXITS.log("read  %#x/%d -> %#x", address, sizeBytes, value);
        return value;
    }

    @Override
    public void writeMemory(long address, int sizeBytes, long value) {
        TraceCategory.EXITS.log("write %#x/%d <- %#x", address, sizeBytes, value);
        bus.writeMemory(address, sizeBytes, value);
    }

    @Override
    public int acknowledgeExternalInterrupt() {
        int vector = bus.acknowledgeExternalInterrupt();
        TraceCategory.EXITS.log("inta -> %#x", vector);
        return vector;
    }

    @Override
    public void endOfInterrupt(int vector) {
        TraceCategory.EXITS.log("eoi %#x", vector);
        bus.endOfInterrupt(vector);
    }
}
