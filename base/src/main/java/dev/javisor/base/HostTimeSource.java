package dev.javisor.base;

import java.util.PriorityQueue;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The host's clock ({@link System#nanoTime()}) less the time it was paused, and one daemon thread
 * that runs due timers in the order of their deadlines.
 */
public final class HostTimeSource implements TimeSource, AutoCloseable {
    private static final long RUNNING = Long.MIN_VALUE;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    /** Armed timers by deadline; an entry whose deadline is not its timer's any more is stale. */
    private final PriorityQueue<Entry> queue = new PriorityQueue<>();

    private final Thread thread;
    private boolean closed;

    /** A timer's action is under way. */
    private boolean acting;

    /** Nanoseconds of all pauses that are over. Written under the lock, read by anyone. */
    private volatile long pausedNanos;

    /** The time while paused, else {@link #RUNNING}. Written under the lock, read by anyone. */
    private volatile long frozenNanos = RUNNING;

    public HostTimeSource(String threadName) {
        thread = Thread.ofPlatform().daemon().name(threadName).unstarted(this::loop);
        thread.start();
    }

    @Override
    public long nanos() {
        long frozen = frozenNanos;
        return frozen != RUNNING ? frozen : System.nanoTime() - pausedNanos;
    }

    /**
     * Stops the clock, and timers with it: an action under way has ended on return (but for the
     * caller's own). The caller holds no lock that an action may want.
     */
    public void pause() {
        lock.lock();
        try {
            if (frozenNanos == RUNNING) {
                frozenNanos = System.nanoTime() - pausedNanos;
            }
            while (acting && Thread.currentThread() != thread) {
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Lets the clock go on where it stopped. */
    public void resume() {
        lock.lock();
        try {
            if (frozenNanos != RUNNING) {
                // In this order: a reader between the two sees the frozen time, which is right.
                pausedNanos = System.nanoTime() - frozenNanos;
                frozenNanos = RUNNING;
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public long wallMillis() {
        return System.currentTimeMillis();
    }

    @Override
    public Timer timer(String name, Runnable action) {
        return new HostTimer(name, action);
    }

    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            queue.clear();
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void loop() {
        while (true) {
            Runnable due;
            lock.lock();
            try {
                due = awaitDue();
                acting = due != null;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            } finally {
                lock.unlock();
            }
            if (due == null) {
                return;
            }
            try {
                due.run();
            } finally {
                acted();
            }
        }
    }

    private void acted() {
        lock.lock();
        try {
            acting = false;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** The next due action, or null when closed. Holds the lock except while waiting. */
    private @org.jspecify.annotations.Nullable Runnable awaitDue() throws InterruptedException {
        while (!closed) {
            Entry head = queue.peek();
            if (head == null) {
                changed.await();
                continue;
            }
            if (head.timer.current != head) {
                queue.poll();
                continue;
            }
            if (frozenNanos != RUNNING) {
                changed.await();
                continue;
            }
            long wait = head.deadlineNanos - nanos();
            if (wait <= 0) {
                queue.poll();
                head.timer.current = null;
                return head.timer.action;
            }
            changed.awaitNanos(wait);
        }
        return null;
    }

    private record Entry(HostTimer timer, long deadlineNanos) implements Comparable<Entry> {
        @Override
        public int compareTo(Entry other) {
            return Long.signum(deadlineNanos - other.deadlineNanos);
        }
    }

    private final class HostTimer implements Timer {
        private final String name;
        private final Runnable action;
        private @org.jspecify.annotations.Nullable Entry current;

        private HostTimer(String name, Runnable action) {
            this.name = name;
            this.action = action;
        }

        @Override
        public void arm(long deadlineNanos) {
            lock.lock();
            try {
                if (closed) {
                    return;
                }
                Entry entry = new Entry(this, deadlineNanos);
                current = entry;
                queue.add(entry);
                if (queue.size() > 4096) {
                    queue.removeIf(e -> e.timer.current != e);
                }
                if (queue.peek() == entry) {
                    changed.signalAll();
                }
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void cancel() {
            lock.lock();
            try {
                current = null;
            } finally {
                lock.unlock();
            }
        }

        @Override
        public String toString() {
            return "timer " + name;
        }
    }
}
