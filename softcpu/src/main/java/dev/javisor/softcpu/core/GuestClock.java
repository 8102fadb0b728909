package dev.javisor.softcpu.core;

import dev.javisor.base.TimeSource;

/**
 * Time of one virtual machine: nanoseconds of guest time, and what they are in ticks of the
 * time-stamp counter. Shared by its vCPUs; every method may be called from any thread.
 */
public final class GuestClock {
    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    private final TimeSource source;
    private final long tscHz;

    /** tscHz / 1 GHz and its inverse, 32.32 fixed point; 0 where both are one. */
    private final long ticksPerNano;

    private final long nanosPerTick;
    private volatile long originNanos;

    /**
     * @param tscHz 1 MHz to 100 GHz; 0 for 1 GHz, which makes ticks nanoseconds
     */
    public GuestClock(TimeSource source, long tscHz) {
        long hz = tscHz == 0 ? NANOS_PER_SECOND : tscHz;
        if (hz < 1_000_000 || hz > 100 * NANOS_PER_SECOND) {
            throw new IllegalArgumentException("tscHz out of range: " + tscHz);
        }
        this.source = source;
        this.tscHz = hz;
        boolean identity = hz == NANOS_PER_SECOND;
        this.ticksPerNano = identity ? 0 : ratio(hz, NANOS_PER_SECOND);
        this.nanosPerTick = identity ? 0 : ratio(NANOS_PER_SECOND, hz);
        this.originNanos = source.nanos();
    }

    private static long ratio(long a, long b) {
        long whole = a / b;
        long rest = a % b;
        return (whole << 32) + Long.divideUnsigned(rest << 32, b);
    }

    public TimeSource source() {
        return source;
    }

    public long tscHz() {
        return tscHz;
    }

    /** Guest time now. */
    public long nanos() {
        return source.nanos() - originNanos;
    }

    /** Makes guest time {@code guestNanos} now. Only while no vCPU runs. */
    public void set(long guestNanos) {
        originNanos = source.nanos() - guestNanos;
    }

    /** When guest time {@code guestNanos} is, on the time source. */
    public long deadline(long guestNanos) {
        return guestNanos + originNanos;
    }

    /** Ticks since guest time 0. */
    public long ticks() {
        return ticksOf(nanos());
    }

    public long ticksOf(long guestNanos) {
        return ticksPerNano == 0 ? guestNanos : scale(guestNanos, ticksPerNano);
    }

    /** The first guest time at which {@code ticks} ticks have passed, to a nanosecond or two. */
    public long nanosOf(long ticks) {
        if (nanosPerTick == 0) {
            return ticks;
        }
        long nanos = scale(ticks, nanosPerTick);
        // Far beyond any uptime, at TSC frequencies below 1 GHz, the product may not fit.
        boolean fits = Math.unsignedMultiplyHigh(ticks, nanosPerTick) >>> 31 == 0;
        return fits ? nanos + 1 : Long.MAX_VALUE;
    }

    private static long scale(long value, long factor) {
        return Math.unsignedMultiplyHigh(value, factor) << 32 | (value * factor) >>> 32;
    }
}
