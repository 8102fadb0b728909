package dev.javisor.softcpu.apic;

import dev.javisor.base.TimeSource;
import dev.javisor.softcpu.core.GuestClock;
import dev.javisor.softcpu.core.Tsc;

/**
 * The local APIC's timer (SDM 3A §12.5.4). Its input clock is 1 GHz. Written by the vCPU's thread,
 * fires on the timer thread; every method holds the monitor.
 *
 * <p>Invariant: {@code armed} implies that the host timer fires at or before {@code deadlineNanos}.
 */
final class ApicTimer {
    static final int ONE_SHOT = 0;
    static final int PERIODIC = 1;
    static final int TSC_DEADLINE = 2;

    /**
     * Shortest period. DEVIATION: the counter reloads at the guest's own period, which can be far
     * below what the host's timer thread can serve.
     */
    static final long MIN_PERIOD_NANOS = 50_000;

    /** The host timer is armed at most this far ahead, and again then: sums do not overflow. */
    private static final long HORIZON_NANOS = 3_600_000_000_000L;

    private final Tsc tsc;
    private final GuestClock clock;
    private final Runnable fire;
    private final TimeSource.Timer timer;

    private int mode;
    private int divideRegister;
    private int initialCount;
    private long tscDeadline;
    private boolean armed;

    /** Guest time of the next expiry. */
    private long deadlineNanos;

    /**
     * @param fire the timer expired; called with the monitor held
     */
    ApicTimer(int id, Tsc tsc, Runnable fire) {
        this.tsc = tsc;
        this.clock = tsc.clock();
        this.fire = fire;
        this.timer = clock.source().timer("apic-timer-" + id, this::expired);
    }

    private synchronized void expired() {
        if (!armed) {
            return;
        }
        long now = clock.nanos();
        if (now < deadlineNanos) {
            // An earlier deadline than the current one: the timer was moved, or beyond the horizon.
            armHost(now);
            return;
        }
        if (mode == PERIODIC) {
            long period = Math.max(periodNanos(), MIN_PERIOD_NANOS);
            deadlineNanos += period;
            if (deadlineNanos <= now) {
                deadlineNanos = now + period - (now - deadlineNanos) % period;
            }
            armHost(now);
        } else {
            armed = false;
            tscDeadline = 0;
        }
        fire.run();
    }

    private long periodNanos() {
        return (initialCount & 0xFFFFFFFFL) * divisor();
    }

    /** Divide configuration register, bits 0, 1 and 3: 2, 4, .. 128, 1. */
    private int divisor() {
        int n = (divideRegister & 3) | ((divideRegister >>> 1) & 4);
        return n == 7 ? 1 : 2 << n;
    }

    private void arm(long guestNanos) {
        deadlineNanos = guestNanos;
        armed = true;
        armHost(clock.nanos());
    }

    private void armHost(long now) {
        timer.arm(clock.deadline(Math.min(deadlineNanos, now + HORIZON_NANOS)));
    }

    private void disarm() {
        if (armed) {
            armed = false;
            timer.cancel();
        }
    }

    /** LVT timer, bits 18..17. Changing to or from TSC-deadline mode disarms. */
    synchronized void setMode(int value) {
        if (value != mode && (value == TSC_DEADLINE || mode == TSC_DEADLINE)) {
            disarm();
            initialCount = 0;
            tscDeadline = 0;
        }
        mode = value;
    }

    synchronized void setDivide(int value) {
        long count = currentCount() & 0xFFFFFFFFL;
        divideRegister = value & 0xB;
        if (armed && mode != TSC_DEADLINE) {
            arm(clock.nanos() + count * divisor());
        }
    }

    synchronized int divide() {
        return divideRegister;
    }

    synchronized void setInitialCount(int value) {
        if (mode == TSC_DEADLINE) {
            return;
        }
        initialCount = value;
        start(value & 0xFFFFFFFFL);
    }

    private void start(long count) {
        if (count == 0) {
            disarm();
        } else {
            arm(clock.nanos() + count * divisor());
        }
    }

    synchronized int initialCount() {
        return initialCount;
    }

    synchronized int currentCount() {
        if (!armed || mode == TSC_DEADLINE) {
            return 0;
        }
        long left = deadlineNanos - clock.nanos();
        return left <= 0 ? 0 : (int) ((left + divisor() - 1) / divisor());
    }

    synchronized long tscDeadline() {
        return mode == TSC_DEADLINE ? tscDeadline : 0;
    }

    synchronized void setTscDeadline(long value) {
        if (mode != TSC_DEADLINE) {
            return;
        }
        tscDeadline = value;
        if (value == 0) {
            disarm();
        } else if (Long.compareUnsigned(tsc.now(), value) >= 0) {
            disarm();
            tscDeadline = 0;
            fire.run();
        } else {
            arm(tsc.clockNanosOf(value));
        }
    }

    /** The time-stamp counter or the guest clock was moved. */
    synchronized void clockMoved() {
        if (mode == TSC_DEADLINE) {
            if (tscDeadline != 0) {
                setTscDeadline(tscDeadline);
            }
        } else if (armed) {
            armHost(clock.nanos());
        }
    }

    synchronized void reset() {
        disarm();
        mode = ONE_SHOT;
        divideRegister = 0;
        initialCount = 0;
        tscDeadline = 0;
    }

    /** Takes over saved registers; a running countdown goes on from {@code current}. */
    synchronized void restore(int newMode, int divide, int initial, int current) {
        reset();
        mode = newMode;
        divideRegister = divide & 0xB;
        if (newMode != TSC_DEADLINE) {
            initialCount = initial;
            start(current & 0xFFFFFFFFL);
        }
    }

    /** The vCPU goes away. */
    synchronized void close() {
        disarm();
    }
}
