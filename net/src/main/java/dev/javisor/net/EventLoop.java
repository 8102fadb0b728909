package dev.javisor.net;

import java.util.function.LongConsumer;

/** One thread that waits for what an interface's backend waits for, and for signals. */
public interface EventLoop extends AutoCloseable {
    /**
     * Starts the thread; once.
     *
     * @param handler is given the bits signalled since its last call. It runs after what was ready,
     *     which signals it if there is something for it.
     */
    void start(LongConsumer handler);

    /** Wakes the handler with {@code bits}. From any thread, never blocks, does not allocate. */
    void signal(long bits);

    /** Ends the thread after what it is doing now, and waits for that. */
    @Override
    void close();
}
