package dev.javisor.virtio.console;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;

/**
 * The host's end of one port: two bounded streams. A host that does not read makes the guest wait,
 * a guest that does not read makes the host wait.
 */
public final class ConsolePort {
    /** Bytes that wait in each direction before the writer does. */
    public static final int BUFFER_BYTES = 1 << 16;

    private final String name;
    private final boolean console;
    final PortBuffer toGuest;
    final PortBuffer fromGuest;
    private final InputStream output = new Output();
    private final OutputStream input = new Input();
    private volatile boolean guestOpen;

    ConsolePort(String name, boolean console, Runnable wake) {
        this.name = name;
        this.console = console;
        toGuest = new PortBuffer(BUFFER_BYTES, wake);
        fromGuest = new PortBuffer(BUFFER_BYTES, wake);
    }

    /** As under {@code /dev/virtio-ports}; empty for none. */
    public String name() {
        return name;
    }

    /** Whether it is a terminal of the guest, {@code /dev/hvc0} and so on. */
    public boolean isConsole() {
        return console;
    }

    /** Whether something in the guest has it open. */
    public boolean isGuestOpen() {
        return guestOpen;
    }

    void setGuestOpen(boolean open) {
        guestOpen = open;
    }

    /**
     * What the guest writes. Waits for the guest; ends when the guest has closed the port, and goes
     * on if it opens it again. A console's ends only with the machine. Closing it throws away what
     * the guest still writes.
     */
    public InputStream output() {
        return output;
    }

    /**
     * After the end of {@link #output}: waits until the guest opens the port again.
     *
     * @return false if the device is closed, so that it never will
     * @throws InterruptedException if interrupted while waiting
     */
    public boolean awaitGuest() throws InterruptedException {
        return fromGuest.awaitWriter();
    }

    /**
     * What the guest reads. Waits while the guest does not read. Closing it lets the guest read
     * what is left and then the end of the stream.
     */
    public OutputStream input() {
        return input;
    }

    private final class Output extends InputStream {
        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] into, int at, int sizeBytes) throws IOException {
            if (sizeBytes == 0) {
                return 0;
            }
            try {
                return fromGuest.take(into, at, sizeBytes);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("reading port " + name);
            }
        }

        @Override
        public int available() {
            return fromGuest.available();
        }

        @Override
        public void close() {
            fromGuest.discard();
        }
    }

    private final class Input extends OutputStream {
        @Override
        public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
        }

        @Override
        public void write(byte[] from, int at, int sizeBytes) throws IOException {
            try {
                if (!toGuest.put(from, at, sizeBytes)) {
                    throw new IOException("port " + name + " is closed");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("writing port " + name);
            }
        }

        @Override
        public void close() {
            toGuest.endInput();
        }
    }
}
