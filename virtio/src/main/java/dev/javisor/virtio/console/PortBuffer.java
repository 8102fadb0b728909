package dev.javisor.virtio.console;

/**
 * A bounded queue of bytes between a port's I/O thread and a thread of the host. One side never
 * waits and is signalled instead; the other side waits. Guards itself.
 */
final class PortBuffer {
    private final byte[] ring;
    private final Runnable wake;
    private int head;
    private int count;

    /** The last write did not fit: the writer wants to know of space. */
    private boolean starved;

    /** No more bytes will come. */
    private boolean ended;

    /** Nobody will read any more: bytes vanish. */
    private boolean discarding;

    /** Gone for good: nobody waits any more. */
    private boolean closed;

    /**
     * @param wake tells the I/O thread that the host changed something; must not block
     */
    PortBuffer(int capacity, Runnable wake) {
        ring = new byte[capacity];
        this.wake = wake;
    }

    synchronized int available() {
        return count;
    }

    synchronized boolean isDrained() {
        return count == 0 && ended;
    }

    synchronized boolean isEnded() {
        return ended;
    }

    /** Adds what fits, without waiting. */
    synchronized int offer(byte[] from, int at, int sizeBytes) {
        if (discarding || closed) {
            return sizeBytes;
        }
        int n = Math.min(sizeBytes, ring.length - count);
        int tail = (head + count) % ring.length;
        int first = Math.min(n, ring.length - tail);
        System.arraycopy(from, at, ring, tail, first);
        System.arraycopy(from, at + first, ring, 0, n - first);
        count += n;
        starved = n < sizeBytes;
        if (n > 0) {
            notifyAll();
        }
        return n;
    }

    /** Takes what is there, without waiting. */
    synchronized int poll(byte[] into, int at, int sizeBytes) {
        int n = Math.min(sizeBytes, count);
        int first = Math.min(n, ring.length - head);
        System.arraycopy(ring, head, into, at, first);
        System.arraycopy(ring, 0, into, at + first, n - first);
        head = (head + n) % ring.length;
        count -= n;
        if (n > 0) {
            notifyAll();
        }
        return n;
    }

    /** The host reads: waits for at least one byte or the end, which is -1. */
    int take(byte[] into, int at, int sizeBytes) throws InterruptedException {
        int n;
        boolean tell;
        synchronized (this) {
            while (count == 0 && !ended && !closed && !discarding) {
                wait();
            }
            n = poll(into, at, sizeBytes);
            tell = starved && n > 0;
            starved = starved && !tell;
        }
        if (tell) {
            wake.run();
        }
        return n == 0 ? -1 : n;
    }

    /** The host has read the end: waits for a new writer. False if none can come any more. */
    synchronized boolean awaitWriter() throws InterruptedException {
        while (count == 0 && ended && !closed && !discarding) {
            wait();
        }
        return count > 0 || !(closed || discarding);
    }

    /**
     * The host writes: waits until all bytes are in.
     *
     * @return whether they are; false if the buffer was closed or ended
     */
    boolean put(byte[] from, int at, int sizeBytes) throws InterruptedException {
        int done = 0;
        while (done < sizeBytes) {
            synchronized (this) {
                while (count == ring.length && !ended && !closed) {
                    wait();
                }
                if (ended || closed) {
                    return false;
                }
                done += offer(from, at + done, sizeBytes - done);
            }
            wake.run();
        }
        return true;
    }

    /** Sets whether the writer has ended; a new writer may begin. */
    synchronized void setEnded(boolean now) {
        ended = now;
        notifyAll();
    }

    /** The host's writer has ended, for good. */
    void endInput() {
        setEnded(true);
        wake.run();
    }

    /** The reader has gone. */
    void discard() {
        synchronized (this) {
            discarding = true;
            count = 0;
            starved = false;
            notifyAll();
        }
        wake.run();
    }

    synchronized void clear() {
        count = 0;
        notifyAll();
    }

    /** Ends all waiting. Bytes that are there can still be read. */
    synchronized void close() {
        closed = true;
        notifyAll();
    }

    /** A copy of the bytes. */
    synchronized byte[] contents() {
        byte[] copy = new byte[count];
        for (int i = 0; i < count; i++) {
            copy[i] = ring[(head + i) % ring.length];
        }
        return copy;
    }
}
