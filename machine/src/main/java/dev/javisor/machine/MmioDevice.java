package dev.javisor.machine;

/** A device in the memory space. Called from any vCPU thread, so a device guards its own state. */
public interface MmioDevice {
    /**
     * @param offset bytes from the start of the claimed range
     * @param sizeBytes 1, 2, 4 or 8; never crosses an 8-byte boundary
     * @return zero-extended
     */
    long readMemory(long offset, int sizeBytes);

    void writeMemory(long offset, int sizeBytes, long value);
}
