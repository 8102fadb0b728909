package dev.javisor.base;

/**
 * The monotonic clock and the timers of one virtual machine. Handed in everywhere, so that a test
 * or a replay can play the clock. Times are nanoseconds since an arbitrary origin that is fixed for
 * the life of the source.
 */
public interface TimeSource {
    /** Monotonic time in nanoseconds. Cheap, callable from any thread. */
    long nanos();

    /**
     * Wall clock, milliseconds since 1970-01-01T00:00:00Z, for the real time clock's start value.
     */
    long wallMillis();

    /**
     * Makes a timer, not armed.
     *
     * @param name for thread dumps and traces
     * @param action runs on the source's timer thread; must be quick and must not block
     */
    Timer timer(String name, Runnable action);

    /** A one-shot timer that can be armed again, also from within its own action. */
    interface Timer {
        /**
         * Fires at {@code deadlineNanos} (at once if in the past), replacing an earlier deadline.
         */
        void arm(long deadlineNanos);

        /** Disarms. An action already running on the timer thread is not waited for. */
        void cancel();
    }
}
