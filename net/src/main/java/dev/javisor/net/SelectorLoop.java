package dev.javisor.net;

import java.io.IOException;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.function.LongConsumer;

/**
 * Waits for sockets. An interface whose backend has sockets does its I/O here, so that nothing is
 * handed from thread to thread between a socket and the guest.
 */
public final class SelectorLoop implements EventLoop {
    private static final System.Logger LOG = System.getLogger(SelectorLoop.class.getName());

    /** What is called when a channel is ready. On the loop's thread; must not throw. */
    @FunctionalInterface
    public interface Ready {
        void ready(SelectionKey key);
    }

    private final Selector selector;
    private final LoopThread thread;

    /**
     * @param name of the thread
     */
    public SelectorLoop(String name) {
        try {
            selector = Selector.open();
        } catch (IOException e) {
            throw new NetException("cannot wait for sockets: " + e.getMessage(), e);
        }
        thread = new LoopThread(name, selector::wakeup);
    }

    @Override
    public void start(LongConsumer handler) {
        thread.start(handler, this::await);
    }

    private void await(boolean block) throws IOException {
        if (block) {
            selector.select(SelectorLoop::dispatch);
        } else {
            selector.selectNow(SelectorLoop::dispatch);
        }
    }

    @Override
    public void signal(long bits) {
        thread.signal(bits);
    }

    /** Whether the caller is the loop, or the loop has not started or has ended. */
    public boolean isOwner() {
        return thread.isOwner();
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

    @Override
    public void close() {
        thread.end();
        try {
            selector.close();
        } catch (IOException e) {
            throw new NetException("closing a selector: " + e.getMessage(), e);
        }
    }
}
