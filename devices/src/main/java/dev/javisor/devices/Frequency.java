package dev.javisor.devices;

/**
 * Converts between nanoseconds and the ticks of a clock, exactly and without drift.
 *
 * @param hz 1 to 1 GHz
 */
record Frequency(long hz) {
    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    /** Whole ticks in {@code nanos}, rounded down. */
    long ticks(long nanos) {
        long seconds = Math.floorDiv(nanos, NANOS_PER_SECOND);
        return seconds * hz + (nanos - seconds * NANOS_PER_SECOND) * hz / NANOS_PER_SECOND;
    }

    /** The first nanosecond at which {@code ticks} have passed. Saturates. */
    long nanos(long ticks) {
        long seconds = Math.floorDiv(ticks, hz);
        if (seconds > Long.MAX_VALUE / NANOS_PER_SECOND - 1) {
            return Long.MAX_VALUE;
        }
        return seconds * NANOS_PER_SECOND
                + Math.ceilDiv((ticks - seconds * hz) * NANOS_PER_SECOND, hz);
    }
}
