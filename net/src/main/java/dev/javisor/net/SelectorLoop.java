package dev.javisor.net;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * One thread that waits for sockets and for signals. An interface whose backend has sockets does
 * its I/O here, so that nothing is handed from thread to thread between a socket and the guest.
 */
public final class SelectorLoop implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(SelectorLoop.class.getName());

    private static final long CLOSE = 1L << 63;

    /** What is called when a channel is ready. On the loop's thread; must not throw. */
    @FunctionalInterface
    public interface Ready {
        void ready(SelectionKey key);
    }

    private final String name;
    private final Selector selector;
    private final AtomicLong pending = new AtomicLong();
    private volatile @Nullable Thread thread;

    /** The loop is in {@code select}, or about to be: who signals must wake it. */
    private volatile boolean waiting;

    /**
     * @param name of the thread
     */
    public SelectorLoop(String name) {
        this.name = name;
        try {
            selector = Selector.open();
        } catch (IOException e) {
            throw new NetException("cannot wait for sockets: " + e.getMessage(), e);
        }
    }

    /**
     * Starts the thread; once.
     *
     * @param handler is given the bits signalled since its last call. It runs after the channels
     *     that were ready, which signal it if there is something for it.
     */
    public void start(LongConsumer handler) {
        Thread made = Thread.ofPlatform().daemon().name(name).unstarted(() -> loop(handler));
        thread = made;
        made.start();
    }

    /** Wakes the handler with {@code bits}. From any thread, never blocks, does not allocate. */
    public void signal(long bits) {
        // Sequentially consistent on both sides: either we see that it waits, or it sees the bits.
        if (pending.getAndAccumulate(bits, (old, add) -> old | add) == 0 && waiting) {
            if (Thread.currentThread() != thread) {
                selector.wakeup();
            }
        }
    }

    /** Whether the caller is the loop, or the loop has not started or has ended. */
    public boolean isOwner() {
        Thread now = thread;
        return now == null || now == Thread.currentThread();
    }

    /**
     * Watches a channel, which must be non-blocking.
     *
     * @throws IOException if the channel is closed
     */
    public SelectionKey register(SelectableChannel channel, int operations, Ready ready)
            throws IOException {
        return channel.register(selector, operations, ready);
    }

    private void loop(LongConsumer handler) {
        while (true) {
            try {
                waiting = true;
                if (pending.get() == 0) {
                    selector.select(SelectorLoop::dispatch);
                    waiting = false;
                } else {
                    waiting = false;
                    selector.selectNow(SelectorLoop::dispatch);
                }
            } catch (IOException e) {
                throw new UncheckedIOException("waiting for sockets", e);
            }
            long bits = pending.getAndSet(0);
            if ((bits & CLOSE) != 0) {
                thread = null;
                return;
            }
            if (bits != 0) {
                handler.accept(bits);
            }
        }
    }

    private static void dispatch(SelectionKey key) {
        if (!(key.attachment() instanceof Ready ready)) {
            return;
        }
        try {
            ready.ready(key);
        } catch (CancelledKeyException e) {
            // Closed by what was ready just before it.
            return;
        } catch (RuntimeException e) {
            // A defect of ours around one socket: that one is given up, the others go on.
            LOG.log(System.Logger.Level.ERROR, "socket " + key.channel(), e);
            key.cancel();
            try {
                key.channel().close();
            } catch (IOException closing) {
                LOG.log(System.Logger.Level.DEBUG, "closing a socket", closing);
            }
        }
    }

    /** Ends the thread after what it is doing now, and waits for that. */
    @Override
    public void close() {
        Thread running = thread;
        if (running != null && running != Thread.currentThread()) {
            signal(CLOSE);
            selector.wakeup();
            boolean interrupted = false;
            while (running.isAlive()) {
                try {
                    running.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        try {
            selector.close();
        } catch (IOException e) {
            throw new NetException("closing a selector: " + e.getMessage(), e);
        }
    }
}
