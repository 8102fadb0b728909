package dev.javisor.virtio;

import java.util.function.BooleanSupplier;

/** Where one device does its work: one thread that wakes when signalled. */
public interface IoLoop extends AutoCloseable {
    /** The work. Runs on the loop's thread, never twice at once. */
    @FunctionalInterface
    interface Handler {
        /**
         * @param signals bits signalled since the last call, at least one
         */
        void handle(long signals);
    }

    /** Starts; once. */
    void start(Handler handler);

    /** Wakes the handler with {@code bits}. From any thread, never blocks, does not allocate. */
    void signal(long bits);

    /** No limit for {@link #await}. */
    long FOREVER = Long.MAX_VALUE;

    /**
     * Waits until the handler has made {@code condition} true, the time is up or the loop is
     * closed. Not from the loop's own thread.
     */
    void await(BooleanSupplier condition, long timeoutNanos);

    /** Ends the thread after the current call of the handler. */
    @Override
    void close();
}
