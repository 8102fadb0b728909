package dev.javisor.net.user;

import java.util.PriorityQueue;

/**
 * Deadlines of many, most of which move on before they pass. One that moves later costs nothing: it
 * is looked at when its old one passes. Belongs to the network's thread.
 */
final class Deadlines {
    /** No deadline. */
    static final long NEVER = Long.MAX_VALUE;

    /** One who has a deadline. */
    abstract static class Timed {
        private long deadlineNanos = NEVER;

        /** When the queue looks at it next. */
        private long queuedNanos = NEVER;

        final long deadlineNanos() {
            return deadlineNanos;
        }

        /** The deadline has passed and is unset. */
        abstract void due(long nowNanos);
    }

    private record Entry(Timed timed, long atNanos) implements Comparable<Entry> {
        @Override
        public int compareTo(Entry other) {
            return Long.compare(atNanos, other.atNanos);
        }
    }

    private final PriorityQueue<Entry> queue = new PriorityQueue<>();

    /** Sets a deadline, in place of an earlier one; {@link #NEVER} unsets it. */
    void set(Timed timed, long atNanos) {
        timed.deadlineNanos = atNanos;
        if (atNanos < timed.queuedNanos) {
            timed.queuedNanos = atNanos;
            queue.add(new Entry(timed, atNanos));
        }
    }

    /** When to call {@link #run} next. */
    long next() {
        Entry first = queue.peek();
        return first == null ? NEVER : first.atNanos;
    }

    /** Calls those whose deadline has passed. */
    void run(long nowNanos) {
        while (true) {
            Entry first = queue.peek();
            if (first == null || first.atNanos > nowNanos) {
                return;
            }
            queue.poll();
            Timed timed = first.timed;
            if (first.atNanos != timed.queuedNanos) {
                // An earlier entry of it has been here since.
                continue;
            }
            timed.queuedNanos = NEVER;
            long deadline = timed.deadlineNanos;
            if (deadline <= nowNanos) {
                timed.deadlineNanos = NEVER;
                timed.due(nowNanos);
            } else if (deadline != NEVER) {
                set(timed, deadline);
            }
        }
    }
}
