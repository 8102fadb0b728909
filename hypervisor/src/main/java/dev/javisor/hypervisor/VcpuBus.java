package dev.javisor.hypervisor;

/**
 * The machine as a vCPU sees it. Called on the vCPU's thread, without allocation. Values are
 * zero-extended; sizes are 1, 2, 4 (and 8 for memory). Addresses nobody claims read as all ones and
 * ignore writes; the bus counts them.
 */
public interface VcpuBus {
    /**
     * @param port 0 to 0xFFFF
     */
    int readPort(int port, int sizeBytes);

    void writePort(int port, int sizeBytes, int value);

    /** Reads a guest-physical address outside RAM. Does not cross an 8-byte boundary. */
    long readMemory(long address, int sizeBytes);

    /** Writes a guest-physical address outside RAM. Does not cross an 8-byte boundary. */
    void writeMemory(long address, int sizeBytes, long value);

    /** The 8259's INTA cycle: the vector to take, 0 to 255, or -1 if none is pending any more. */
    int acknowledgeExternalInterrupt();

    /** A local APIC broadcast the EOI of a level-triggered {@code vector} (SDM 3A §12.8.5). */
    void endOfInterrupt(int vector);
}
