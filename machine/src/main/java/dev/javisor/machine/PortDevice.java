package dev.javisor.machine;

/**
 * A device in the I/O port space. Called from any vCPU thread, so a device guards its own state.
 * Ports are absolute. Reads are zero-extended.
 */
public interface PortDevice {
    /**
     * @param sizeBytes 1, 2 or 4
     */
    int readPort(int port, int sizeBytes);

    void writePort(int port, int sizeBytes, int value);
}
