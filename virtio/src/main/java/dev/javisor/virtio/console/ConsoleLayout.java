package dev.javisor.virtio.console;

/** Numbers of the console device's interface (VIRTIO 1.2 §5.3). */
final class ConsoleLayout {
    static final long F_SIZE = 1L;
    static final long F_MULTIPORT = 1L << 1;
    static final long F_EMERG_WRITE = 1L << 2;

    // struct virtio_console_config
    static final int COLS = 0;
    static final int ROWS = 2;
    static final int MAX_NR_PORTS = 4;
    static final int EMERG_WR = 8;
    static final int CONFIG_BYTES = 12;

    // struct virtio_console_control
    static final int CONTROL_ID = 0;
    static final int CONTROL_EVENT = 4;
    static final int CONTROL_VALUE = 6;
    static final int CONTROL_BYTES = 8;

    static final int DEVICE_READY = 0;
    static final int DEVICE_ADD = 1;
    static final int PORT_READY = 3;
    static final int CONSOLE_PORT = 4;
    static final int RESIZE = 5;
    static final int PORT_OPEN = 6;
    static final int PORT_NAME = 7;

    /** Device to driver. */
    static final int CONTROL_RECEIVE_QUEUE = 2;

    /** Driver to device. */
    static final int CONTROL_TRANSMIT_QUEUE = 3;

    private ConsoleLayout() {}

    /** Device to driver (§5.3.2). */
    static int receiveQueue(int port) {
        return port == 0 ? 0 : 2 * port + 2;
    }

    /** Driver to device. */
    static int transmitQueue(int port) {
        return receiveQueue(port) + 1;
    }
}
