package dev.javisor.devices;

import dev.javisor.base.TimeSource;
import dev.javisor.machine.InterruptLine;
import dev.javisor.machine.MmioDevice;
import dev.javisor.machine.MsiSink;
import java.util.ArrayList;
import java.util.List;

/**
 * A high precision event timer (IA-PC HPET 1.0a): a 64-bit counter of 100 MHz and three 64-bit
 * timers, each periodic or one-shot, level or edge, by I/O APIC pin, message or, for the first two,
 * in place of the PIT and the RTC.
 *
 * <p>Thread-safe.
 */
public final class Hpet implements MmioDevice {
    /** Told when the PIT and RTC interrupts are replaced. */
    @FunctionalInterface
    public interface LegacyReplacement {
        void set(boolean enabled);
    }

    static final int TIMERS = 3;

    private static final int NANOS_PER_TICK = 10;

    /** Revision 1, three timers of 64 bits, legacy replacement, vendor 0x8086; femtoseconds. */
    private static final long CAPABILITIES =
            NANOS_PER_TICK * 1_000_000L << 32
                    | 0x8086_0000L
                    | 1 << 15
                    | 1 << 13
                    | TIMERS - 1 << 8
                    | 1;

    private static final int ENABLE = 1;
    private static final int LEGACY = 2;

    private static final int CAPABILITIES_OFFSET = 0x000;
    private static final int CONFIGURATION_OFFSET = 0x010;
    private static final int STATUS_OFFSET = 0x020;
    private static final int COUNTER_OFFSET = 0x0F0;
    private static final int TIMERS_OFFSET = 0x100;
    private static final int TIMER_BYTES = 0x20;

    /** The timer thread runs no more often than this for a periodic timer. */
    private static final long MIN_PERIOD_NANOS = 20_000;

    /** A match further ahead, which is decades, is not waited for. */
    private static final long MAX_WAIT_TICKS = Long.MAX_VALUE / NANOS_PER_TICK / 4;

    private final TimeSource time;
    private final List<InterruptLine> pins;
    private final long routes;
    private final InterruptLine irq0;
    private final InterruptLine irq8;
    private final MsiSink messages;
    private final LegacyReplacement legacyReplacement;
    private final HpetTimer[] timers = new HpetTimer[TIMERS];

    private int configuration;
    private int status;

    /** The counter held {@link #baseCounter} at {@link #baseNanos}, and holds it while halted. */
    private long baseCounter;

    private long baseNanos;

    /**
     * @param pins a line for each I/O APIC pin
     * @param routes which pins a timer may be routed to, bit n is pin n
     * @param irq0 of timer 0 in legacy replacement
     * @param irq8 of timer 1 in legacy replacement
     */
    public Hpet(
            TimeSource time,
            List<InterruptLine> pins,
            int routes,
            InterruptLine irq0,
            InterruptLine irq8,
            MsiSink messages,
            LegacyReplacement legacyReplacement) {
        this.time = time;
        this.pins = List.copyOf(pins);
        this.routes = Integer.toUnsignedLong(routes);
        this.irq0 = irq0;
        this.irq8 = irq8;
        this.messages = messages;
        this.legacyReplacement = legacyReplacement;
        if (routes == 0 || this.routes >>> pins.size() != 0) {
            throw new IllegalArgumentException("routes name no pin or one that is not there");
        }
        for (int i = 0; i < TIMERS; i++) {
            timers[i] = new HpetTimer(time.timer("hpet-" + i, this::timerFired));
            timers[i].route(firstRoute());
        }
    }

    private int firstRoute() {
        return Long.numberOfTrailingZeros(routes);
    }

    private boolean running() {
        return (configuration & ENABLE) != 0;
    }

    private boolean legacy() {
        return (configuration & LEGACY) != 0;
    }

    private long counter() {
        return running() ? baseCounter + (time.nanos() - baseNanos) / NANOS_PER_TICK : baseCounter;
    }

    @Override
    public synchronized long readMemory(long offset, int sizeBytes) {
        return readRegister((int) offset & ~7) >>> 8 * (offset & 7) & -1L >>> 64 - 8 * sizeBytes;
    }

    private long readRegister(int register) {
        if (register >= TIMERS_OFFSET && register < TIMERS_OFFSET + TIMERS * TIMER_BYTES) {
            sync();
            HpetTimer timer = timers[(register - TIMERS_OFFSET) / TIMER_BYTES];
            return switch (register & TIMER_BYTES - 1) {
                case 0x00 -> timer.configuration() | routes << 32;
                case 0x08 -> timer.comparator();
                case 0x10 -> timer.fsbRoute();
                default -> 0;
            };
        }
        return switch (register) {
            case CAPABILITIES_OFFSET -> CAPABILITIES;
            case CONFIGURATION_OFFSET -> configuration;
            case STATUS_OFFSET -> {
                sync();
                yield status;
            }
            case COUNTER_OFFSET -> counter();
            default -> 0;
        };
    }

    @Override
    public synchronized void writeMemory(long offset, int sizeBytes, long value) {
        // Only aligned accesses of 32 and 64 bits are defined (§2.3.2).
        if (sizeBytes < 4 || offset % sizeBytes != 0) {
            return;
        }
        sync();
        boolean high = (offset & 4) != 0;
        long mask = sizeBytes == 8 ? -1L : high ? 0xFFFF_FFFFL << 32 : 0xFFFF_FFFFL;
        writeRegister((int) offset & ~7, high ? value << 32 : value, mask);
    }

    private void writeRegister(int register, long value, long mask) {
        if (register >= TIMERS_OFFSET && register < TIMERS_OFFSET + TIMERS * TIMER_BYTES) {
            writeTimer((register - TIMERS_OFFSET) / TIMER_BYTES, register, value, mask);
            return;
        }
        switch (register) {
            case CONFIGURATION_OFFSET -> writeConfiguration((int) (value & mask), mask);
            case STATUS_OFFSET -> clearStatus((int) (value & mask));
            case COUNTER_OFFSET -> {
                setCounter(counter() & ~mask | value & mask);
                rescheduleAll();
            }
            default -> {
                // Read-only or reserved.
            }
        }
    }

    private void setCounter(long value) {
        baseCounter = value;
        baseNanos = time.nanos();
    }

    private void writeConfiguration(int value, long mask) {
        if ((mask & 1) == 0) {
            return;
        }
        long counter = counter();
        boolean wasLegacy = legacy();
        lowerLines();
        configuration = value & (ENABLE | LEGACY);
        setCounter(counter);
        if (legacy() != wasLegacy) {
            legacyReplacement.set(legacy());
        }
        raiseLines();
        rescheduleAll();
    }

    private void clearStatus(int bits) {
        for (int i = 0; i < TIMERS; i++) {
            if ((bits & status & 1 << i) != 0) {
                line(i).set(false);
            }
        }
        status &= ~bits;
        // Timers may share a pin.
        raiseLines();
    }

    private void writeTimer(int number, int register, long value, long mask) {
        HpetTimer timer = timers[number];
        switch (register & TIMER_BYTES - 1) {
            case 0x00 -> {
                if ((mask & 1) != 0) {
                    lowerLines();
                    timer.configure((int) value);
                    if ((routes >>> timer.route() & 1) == 0) {
                        timer.route(firstRoute());
                    }
                    if (!timer.levelTriggered()) {
                        status &= ~(1 << number);
                    }
                    raiseLines();
                }
            }
            case 0x08 -> timer.writeComparator(value, mask);
            case 0x10 -> {
                timer.writeFsbRoute(value, mask);
                return;
            }
            default -> {
                return;
            }
        }
        reschedule(timer);
    }

    /** Where a timer's interrupt goes when it is not a message. */
    private InterruptLine line(int number) {
        if (legacy() && number < 2) {
            return number == 0 ? irq0 : irq8;
        }
        return pins.get(timers[number].route());
    }

    private void lowerLines() {
        for (int i = 0; i < TIMERS; i++) {
            if ((status & 1 << i) != 0) {
                line(i).set(false);
            }
        }
    }

    private void raiseLines() {
        for (int i = 0; i < TIMERS; i++) {
            if ((status & 1 << i) != 0 && timers[i].enabled()) {
                line(i).set(true);
            }
        }
    }

    private void rescheduleAll() {
        for (HpetTimer timer : timers) {
            reschedule(timer);
        }
    }

    private void reschedule(HpetTimer timer) {
        long counter = counter();
        if (running()) {
            timer.findDue(counter);
        } else {
            timer.neverDue();
        }
        arm(timer, counter);
    }

    private void arm(HpetTimer timer, long counter) {
        long wait = timer.enabled() ? timer.ticksUntilDue(counter) : HpetTimer.NEVER;
        if (wait > MAX_WAIT_TICKS) {
            timer.alarm().cancel();
            return;
        }
        long deadline = baseNanos + (counter + wait - baseCounter) * NANOS_PER_TICK;
        timer.alarm()
                .arm(
                        timer.periodic()
                                ? Math.max(deadline, time.nanos() + MIN_PERIOD_NANOS)
                                : deadline);
    }

    /**
     * Lets every timer fire that is due.
     *
     * <p>DEVIATION: periods that passed unnoticed since are one interrupt.
     */
    private void sync() {
        if (!running()) {
            return;
        }
        long counter = counter();
        for (int i = 0; i < TIMERS; i++) {
            if (timers[i].takeDue(counter)) {
                fire(i);
                arm(timers[i], counter);
            }
        }
    }

    private void fire(int number) {
        HpetTimer timer = timers[number];
        if (timer.levelTriggered()) {
            status |= 1 << number;
        }
        if (!timer.enabled()) {
            return;
        }
        if (timer.message()) {
            messages.signal(timer.fsbRoute() >>> 32, (int) timer.fsbRoute());
        } else if (timer.levelTriggered()) {
            line(number).set(true);
        } else {
            line(number).pulse();
        }
    }

    private synchronized void timerFired() {
        sync();
    }

    public synchronized HpetState state() {
        sync();
        List<HpetState.Timer> saved = new ArrayList<>();
        for (HpetTimer timer : timers) {
            saved.add(timer.state());
        }
        return new HpetState(configuration, status, counter(), saved);
    }

    public synchronized void restore(HpetState state) {
        lowerLines();
        configuration = state.configuration();
        setCounter(state.counter());
        status = 0;
        for (int i = 0; i < TIMERS; i++) {
            timers[i].restore(state.timers().get(i));
            if ((routes >>> timers[i].route() & 1) == 0) {
                timers[i].route(firstRoute());
            }
            if (timers[i].levelTriggered()) {
                status |= state.status() & 1 << i;
            }
        }
        legacyReplacement.set(legacy());
        raiseLines();
        rescheduleAll();
    }
}
