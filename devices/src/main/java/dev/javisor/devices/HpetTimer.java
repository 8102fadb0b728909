package dev.javisor.devices;

import dev.javisor.base.TimeSource;

/** One timer of an HPET (IA-PC HPET 1.0a §2.3.8). Not thread-safe: the HPET guards it. */
final class HpetTimer {
    static final long NEVER = Long.MAX_VALUE;

    private static final int LEVEL = 1 << 1;
    private static final int INTERRUPT_ENABLE = 1 << 2;
    private static final int PERIODIC = 1 << 3;
    private static final int PERIODIC_CAPABLE = 1 << 4;
    private static final int SIZE_64_CAPABLE = 1 << 5;
    private static final int VALUE_SET = 1 << 6;
    private static final int MODE_32 = 1 << 8;
    private static final int ROUTE_SHIFT = 9;
    private static final int ROUTE = 0x1F << ROUTE_SHIFT;
    private static final int MESSAGE = 1 << 14;
    private static final int MESSAGE_CAPABLE = 1 << 15;

    private static final int WRITABLE =
            LEVEL | INTERRUPT_ENABLE | PERIODIC | VALUE_SET | MODE_32 | ROUTE | MESSAGE;
    private static final int CAPABLE = PERIODIC_CAPABLE | SIZE_64_CAPABLE | MESSAGE_CAPABLE;

    private final TimeSource.Timer alarm;
    private int configuration = CAPABLE;
    private long comparator = -1L;
    private long period;
    private long fsbRoute;

    /** Whether a match is ahead, and the main counter at it. */
    private boolean pending;

    private long dueCounter;

    HpetTimer(TimeSource.Timer alarm) {
        this.alarm = alarm;
    }

    TimeSource.Timer alarm() {
        return alarm;
    }

    /** VALUE_SET reads as zero. */
    long configuration() {
        return configuration & ~VALUE_SET;
    }

    void configure(int value) {
        configuration = value & WRITABLE | CAPABLE;
        if (mode32()) {
            comparator &= 0xFFFF_FFFFL;
            period &= 0xFFFF_FFFFL;
        }
    }

    boolean enabled() {
        return (configuration & INTERRUPT_ENABLE) != 0;
    }

    boolean periodic() {
        return (configuration & PERIODIC) != 0;
    }

    boolean message() {
        return (configuration & MESSAGE) != 0;
    }

    /** Messages are edges, whatever the type bit says. */
    boolean levelTriggered() {
        return (configuration & LEVEL) != 0 && !message();
    }

    private boolean mode32() {
        return (configuration & MODE_32) != 0;
    }

    int route() {
        return (configuration & ROUTE) >>> ROUTE_SHIFT;
    }

    void route(int pin) {
        configuration = configuration & ~ROUTE | pin << ROUTE_SHIFT;
    }

    long comparator() {
        return comparator;
    }

    long fsbRoute() {
        return fsbRoute;
    }

    void writeFsbRoute(long value, long mask) {
        fsbRoute = fsbRoute & ~mask | value & mask;
    }

    /**
     * In periodic mode a write sets the period, and with VALUE_SET, which it clears, also the next
     * match.
     */
    void writeComparator(long value, long mask) {
        long width = mode32() ? mask & 0xFFFF_FFFFL : mask;
        if (!periodic() || (configuration & VALUE_SET) != 0) {
            comparator = comparator & ~width | value & width;
        }
        if (periodic()) {
            period = period & ~width | value & width;
        }
        configuration &= ~VALUE_SET;
    }

    /**
     * Finds the next match from {@code counter} on. A 64-bit comparator that is behind, or more
     * than half the range ahead, matches in no lifetime.
     */
    void findDue(long counter) {
        long distance = comparator - counter;
        if (mode32()) {
            distance &= 0xFFFF_FFFFL;
        }
        dueCounter = counter + distance;
        pending = distance >= 0;
    }

    void neverDue() {
        pending = false;
    }

    /** Ticks until the match, 0 if it is due; {@link #NEVER} if none is ahead. */
    long ticksUntilDue(long counter) {
        return pending ? Math.max(dueCounter - counter, 0) : NEVER;
    }

    /** Whether a match happened by {@code counter}; if so, goes on to the next one. */
    boolean takeDue(long counter) {
        long late = counter - dueCounter;
        if (!pending || late < 0) {
            return false;
        }
        if (periodic() && period != 0) {
            long periods = Long.divideUnsigned(late, period) + 1;
            comparator += periods * period;
            if (mode32()) {
                comparator &= 0xFFFF_FFFFL;
            }
            dueCounter += periods * period;
        } else if (mode32()) {
            // The next match is a turn of the low half later.
            dueCounter += ((late >>> 32) + 1) << 32;
        } else {
            pending = false;
        }
        return true;
    }

    HpetState.Timer state() {
        return new HpetState.Timer(configuration, comparator, period, fsbRoute);
    }

    void restore(HpetState.Timer state) {
        configuration = state.configuration() & WRITABLE | CAPABLE;
        long width = mode32() ? 0xFFFF_FFFFL : -1L;
        comparator = state.comparator() & width;
        period = state.period() & width;
        fsbRoute = state.fsbRoute();
    }
}
