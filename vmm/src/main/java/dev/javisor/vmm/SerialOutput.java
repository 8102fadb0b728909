package dev.javisor.vmm;

/**
 * Carries the serial port's bytes from the vCPU that sends them to the console, on a thread of its
 * own. While the buffer is full the sender waits, as it would for a slow line; not once {@link
 * #release} was called.
 */
final class SerialOutput implements AutoCloseable {
    /** The console's reader: not the vCPU's thread. */
    interface Reader {
        void output(byte[] bytes, int offset, int length);
    }

    private static final int BUFFER_BYTES = 1 << 16;

    private final Thread thread;
    private final Reader reader;

    // Guarded by this.
    private byte[] filling = new byte[BUFFER_BYTES];
    private byte[] draining = new byte[BUFFER_BYTES];
    private int filled;
    private boolean delivering;
    private boolean released;
    private boolean closing;
    private boolean abandoned;

    SerialOutput(String threadName, Reader reader) {
        this.reader = reader;
        thread = Thread.ofPlatform().daemon().name(threadName).start(this::loop);
    }

    /** On a vCPU's thread. */
    synchronized void write(int value) {
        while (filled == filling.length) {
            if (released) {
                return;
            }
            try {
                wait();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
        filling[filled++] = (byte) value;
        if (filled == 1) {
            notifyAll();
        }
    }

    /** Senders do not wait any more: what does not fit is lost. */
    synchronized void release() {
        released = true;
        notifyAll();
    }

    /** Senders wait again. */
    synchronized void hold() {
        released = false;
    }

    /** Drops what the reader has not taken yet. */
    synchronized void abandon() {
        abandoned = true;
        notifyAll();
    }

    private void loop() {
        while (true) {
            int count;
            synchronized (this) {
                while (filled == 0 && !closing && !abandoned) {
                    try {
                        wait();
                    } catch (InterruptedException e) {
                        return;
                    }
                }
                if (filled == 0 || abandoned) {
                    return;
                }
                byte[] full = filling;
                filling = draining;
                draining = full;
                count = filled;
                filled = 0;
                delivering = true;
                notifyAll();
            }
            try {
                reader.output(draining, 0, count);
            } finally {
                synchronized (this) {
                    delivering = false;
                    notifyAll();
                }
            }
        }
    }

    /** Waits until the reader has taken everything written so far, or is given up. */
    synchronized void awaitDelivered() {
        while ((filled > 0 || delivering) && !abandoned && thread.isAlive()) {
            try {
                wait(100);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    /** Delivers what is left, or gives up when {@link #abandon}ed, and ends the thread. */
    @Override
    public void close() {
        synchronized (this) {
            closing = true;
            released = true;
            notifyAll();
        }
        boolean interrupted = false;
        while (thread.isAlive()) {
            synchronized (this) {
                if (abandoned) {
                    thread.interrupt();
                }
            }
            try {
                thread.join(100);
            } catch (InterruptedException e) {
                interrupted = true;
                abandon();
            }
            synchronized (this) {
                if (abandoned) {
                    break;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
