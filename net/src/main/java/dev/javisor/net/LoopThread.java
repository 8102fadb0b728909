package dev.javisor.net;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** The thread of an {@link EventLoop}, and the bits signalled to it. */
final class LoopThread {
    private static final long CLOSE = 1L << 63;

    /** Waits for what the loop watches, and serves it. On the loop's thread. */
    @FunctionalInterface
    interface Wait {
        /**
         * @param block false if there is something to do already
         */
        void await(boolean block) throws IOException;
    }

    private final String name;
    private final Runnable wakeUp;
    private final AtomicLong pending = new AtomicLong();
    private volatile @Nullable Thread thread;

    /** The loop waits, or is about to: who signals must wake it. */
    private volatile boolean waiting;

    /**
     * @param name of the thread
     * @param wakeUp ends the present or next wait
     */
    LoopThread(String name, Runnable wakeUp) {
        this.name = name;
        this.wakeUp = wakeUp;
    }

    void start(LongConsumer handler, Wait wait) {
        Thread made = Thread.ofPlatform().daemon().name(name).unstarted(() -> loop(handler, wait));
        thread = made;
        made.start();
    }

    void signal(long bits) {
        // Sequentially consistent on both sides: either we see that it waits, or it sees the bits.
        if (pending.getAndAccumulate(bits, (old, add) -> old | add) == 0 && waiting) {
            if (Thread.currentThread() != thread) {
                wakeUp.run();
            }
        }
    }

    /** Whether the caller is the loop, or the loop has not started or has ended. */
    boolean isOwner() {
        Thread now = thread;
        return now == null || now == Thread.currentThread();
    }

    private void loop(LongConsumer handler, Wait wait) {
        while (true) {
            try {
                waiting = true;
                boolean idle = pending.get() == 0;
                if (!idle) {
                    waiting = false;
                }
                wait.await(idle);
                waiting = false;
            } catch (IOException e) {
                throw new UncheckedIOException("waiting for input", e);
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

    /** Ends the thread after what it is doing now, and waits for that. */
    void end() {
        Thread running = thread;
        if (running == null || running == Thread.currentThread()) {
            return;
        }
        signal(CLOSE);
        wakeUp.run();
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
}
