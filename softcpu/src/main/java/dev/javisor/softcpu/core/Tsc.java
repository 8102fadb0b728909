package dev.javisor.softcpu.core;

/** One vCPU's time-stamp counter (SDM 3B §19.17): the guest clock's ticks plus an offset. */
public final class Tsc {
    private final GuestClock clock;

    /** Counter minus ticks of the guest clock. Written on the vCPU's thread. */
    private volatile long offset;

    /** IA32_TSC_ADJUST: what software added, part of the offset. */
    private long adjust;

    public Tsc(GuestClock clock) {
        this.clock = clock;
    }

    public GuestClock clock() {
        return clock;
    }

    public long now() {
        return clock.ticks() + offset;
    }

    public long offset() {
        return offset;
    }

    public void setOffset(long value) {
        offset = value;
    }

    public long adjust() {
        return adjust;
    }

    /** Restores IA32_TSC_ADJUST without moving the counter. */
    public void restoreAdjust(long value) {
        adjust = value;
    }

    /** WRMSR to IA32_TSC_ADJUST moves the counter by the difference. */
    public void setAdjust(long value) {
        offset = offset + value - adjust;
        adjust = value;
    }

    /** WRMSR to IA32_TIME_STAMP_COUNTER moves IA32_TSC_ADJUST by the same amount. */
    public void setNow(long value) {
        long delta = value - now();
        offset = offset + delta;
        adjust += delta;
    }

    /** Guest time at which the counter reaches {@code value}, which is ahead (unsigned). */
    public long clockNanosOf(long value) {
        long ticks = value - offset;
        return ticks < 0 ? Long.MAX_VALUE : clock.nanosOf(ticks);
    }
}
