package dev.javisor.devices;

/**
 * Where a serial port sends. Called on a vCPU thread under the port's lock: it must not wait for
 * whoever feeds the same port, and must not block for long.
 */
@FunctionalInterface
public interface SerialSink {
    /**
     * @param value 0 to 255
     */
    void write(int value);
}
