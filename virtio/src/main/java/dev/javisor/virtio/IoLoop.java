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

    /** Waits until the handler has made {@code condition} true. Not from the loop's own thread. */
    void await(BooleanSupplier condition);

    /** Ends the thread after the current call of the handler. */
    @Override
    void close();
}
