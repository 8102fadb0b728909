package dev.javisor.devices;

/**
 * The write-only console of Bochs and QEMU (ports 0xE9 and, for firmware, 0x402). Reading tells
 * that it is there. It has no state.
 */
public final class DebugConsole implements BytePorts {
    /** What port 0xE9 reads as, so that guests can find it. */
    private static final int SIGNATURE = 0xE9;

    private final SerialSink sink;

    public DebugConsole(SerialSink sink) {
        this.sink = sink;
    }

    @Override
    public int readByte(int port) {
        return SIGNATURE;
    }

    @Override
    public synchronized void writeByte(int port, int value) {
        sink.write(value);
    }
}
