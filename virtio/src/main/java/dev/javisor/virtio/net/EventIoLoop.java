package dev.javisor.virtio.net;

import dev.javisor.net.EventLoop;
import dev.javisor.virtio.IoLoop;
import java.util.function.BooleanSupplier;

/** An {@link IoLoop} on an {@link EventLoop}, for interfaces whose backend is served there. */
public final class EventIoLoop implements IoLoop {
    private final EventLoop loop;
    private final Object progress = new Object();
    private boolean closed;

    /**
     * @param loop not started; ended by {@link #close}
     */
    public EventIoLoop(EventLoop loop) {
        this.loop = loop;
    }

    @Override
    public void start(Handler handler) {
        loop.start(bits -> {
            handler.handle(bits);
            synchronized (progress) {
                progress.notifyAll();
            }
        });
    }

    @Override
    public void signal(long bits) {
        loop.signal(bits);
    }

    @Override
    public void await(BooleanSupplier condition, long timeoutNanos) {
        boolean interrupted = false;
        long start = System.nanoTime();
        synchronized (progress) {
            while (!closed && !condition.getAsBoolean()) {
                long left = timeoutNanos - (System.nanoTime() - start);
                if (left <= 0) {
                    break;
                }
                try {
                    progress.wait(left / 1_000_000, (int) (left % 1_000_000));
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        loop.close();
        synchronized (progress) {
            closed = true;
            progress.notifyAll();
        }
    }
}
