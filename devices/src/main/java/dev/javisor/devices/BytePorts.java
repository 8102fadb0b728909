package dev.javisor.devices;

import dev.javisor.machine.PortDevice;

/**
 * A device with 8-bit registers. A wider access is one access per byte at ascending ports, as the
 * ISA bus does it.
 */
interface BytePorts extends PortDevice {
    /** Zero-extended; 0xFF for a port that is not the device's. */
    int readByte(int port);

    void writeByte(int port, int value);

    @Override
    default int readPort(int port, int sizeBytes) {
        if (sizeBytes == 1) {
            return readByte(port);
        }
        int value = 0;
        for (int i = 0; i < sizeBytes; i++) {
            value |= (readByte(port + i) & 0xFF) << (8 * i);
        }
        return value;
    }

    @Override
    default void writePort(int port, int sizeBytes, int value) {
        for (int i = 0; i < sizeBytes; i++) {
            writeByte(port + i, (value >>> (8 * i)) & 0xFF);
        }
    }
}
