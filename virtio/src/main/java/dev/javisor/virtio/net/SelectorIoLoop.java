package dev.javisor.virtio.net;

import dev.javisor.net.SelectorLoop;
import dev.javisor.virtio.IoLoop;
import java.util.function.BooleanSupplier;

/** An {@link IoLoop} on a {@link SelectorLoop}, for interfaces whose backend has sockets there. */
public final class SelectorIoLoop implements IoLoop {
    private final SelectorLoop loop;
    private final Object progress = new Object();
    private boolean closed;

    /**
     * @param loop not started; ended by {@link #close}
     */
    public SelectorIoLoop(SelectorLoop loop) {
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
