package dev.javisor.machine;

import dev.javisor.base.JavisorException;

/**
 * Hands out addresses for BARs, each aligned to its size, upwards in the machine's windows. What
 * firmware does on a real machine.
 */
public final class PciAllocator {
    private final AddressRange memory;
    private final AddressRange ports;
    private long nextMemory;
    private long nextPort;

    /**
     * @param memory below 4 GiB
     * @param ports within 0..0xFFFF
     */
    public PciAllocator(AddressRange memory, AddressRange ports) {
        this.memory = memory;
        this.ports = ports;
        nextMemory = memory.start();
        nextPort = ports.start();
    }

    /**
     * @param sizeBytes a power of two
     * @throws JavisorException if the window is full
     */
    public long allocate(PciBarKind kind, long sizeBytes) {
        boolean io = kind == PciBarKind.IO;
        AddressRange window = io ? ports : memory;
        long at = ((io ? nextPort : nextMemory) + sizeBytes - 1) & -sizeBytes;
        if (at + sizeBytes > window.end()) {
            throw new JavisorException(
                    "the PCI %s window at %#x +%#x is full: attach fewer devices"
                            .formatted(io ? "port" : "memory", window.start(), window.sizeBytes()));
        }
        if (io) {
            nextPort = at + sizeBytes;
        } else {
            nextMemory = at + sizeBytes;
        }
        return at;
    }
}
