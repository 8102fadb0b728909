package dev.javisor.virtio;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** An {@link IoLoop} on a platform thread of its own, which parks while there is nothing to do. */
public final class IoThread implements IoLoop {
    private static final long CLOSE = 1L << 63;

    private final String name;
    private final AtomicLong pending = new AtomicLong();
    private final Object progress = new Object();
    private volatile @Nullable Thread thread;

    /**
     * @param name of the thread
     */
    public IoThread(String name) {
        this.name = name;
    }

    @Override
    public void start(Handler handler) {
        Thread made = Thread.ofPlatform().daemon().name(name).unstarted(() -> loop(handler));
        thread = made;
        made.start();
    }

    @Override
    public void signal(long bits) {
        // Only the first bit after an idle moment pays for the wake-up.
        if (pending.getAndAccumulate(bits, (old, add) -> old | add) == 0) {
            LockSupport.unpark(thread);
        }
    }

    private void loop(Handler handler) {
        while (true) {
            long bits = pending.getAndSet(0);
            if (bits == 0) {
                LockSupport.park(this);
                continue;
            }
            if ((bits & CLOSE) != 0) {
                synchronized (progress) {
                    thread = null;
                    progress.notifyAll();
                }
                return;
            }
            handler.handle(bits);
            synchronized (progress) {
                progress.notifyAll();
            }
        }
    }

    @Override
    public void await(BooleanSupplier condition, long timeoutNanos) {
        boolean interrupted = false;
        long start = System.nanoTime();
        synchronized (progress) {
            while (thread != null && !condition.getAsBoolean()) {
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
        signal(CLOSE);
        await(() -> thread == null, FOREVER);
    }
}
