package dev.javisor.devices;

import dev.javisor.base.TimeSource;
import dev.javisor.machine.InterruptLine;
import dev.javisor.machine.PlatformLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * An MC146818A real time clock with 128 bytes of CMOS RAM at ports 0x70 and 0x71, its century at
 * 0x32 and the memory sizes where a PC's firmware leaves them. It starts at the wall clock (UTC)
 * and then follows the time source.
 *
 * <p>Flags are worked out when somebody looks; a timer runs only towards an enabled interrupt.
 *
 * <p>DEVIATION: daylight saving (DSE) and the square wave are stored bits without effect.
 *
 * <p>Thread-safe.
 */
public final class Rtc implements BytePorts {
    private static final int INDEX_PORT = 0x70;
    private static final int DATA_PORT = 0x71;

    private static final int REGISTER_A = 10;
    private static final int REGISTER_B = 11;
    private static final int REGISTER_C = 12;
    private static final int REGISTER_D = 13;

    private static final int A_UPDATE_IN_PROGRESS = 0x80;
    private static final int A_DIVIDER_RESET = 0x60;
    private static final int A_RATE = 0x0F;

    private static final int B_SET = 0x80;
    private static final int B_PERIODIC = 0x40;
    private static final int B_ALARM = 0x20;
    private static final int B_UPDATE = 0x10;
    private static final int B_SQUARE_WAVE = 0x08;

    private static final int C_REQUEST = 0x80;
    private static final int D_VALID = 0x80;

    private static final long SECOND = 1_000_000_000L;

    /** UIP is up this long before an update (MC146818A, figure 15). */
    private static final long UPDATE_WARNING_NANOS = 244_000;

    private static final Frequency DIVIDER = new Frequency(32_768);

    private final TimeSource time;
    private final InterruptLine line;
    private final TimeSource.Timer timer;
    private final int[] registers = new int[128];
    private int index;
    private boolean nmiMasked;

    /** The clock showed {@link #baseSeconds} from {@link #baseNanos} on. */
    private long baseNanos;

    private long baseSeconds;
    private int weekdayShift;

    /** The second up to which update and alarm flags are worked out. */
    private long checkedSeconds;

    /** The periodic tick up to which the periodic flag is worked out. */
    private long checkedPeriods;

    /**
     * @param line IRQ 8
     * @param ramBytes RAM of the machine, for the CMOS bytes that tell it
     */
    public Rtc(TimeSource time, InterruptLine line, long ramBytes) {
        this.time = time;
        this.line = line;
        this.timer = time.timer("rtc", this::timerFired);
        long wallMillis = time.wallMillis();
        long phase = Math.floorMod(wallMillis, 1000L) * 1_000_000;
        baseSeconds = Math.floorDiv(wallMillis, 1000L);
        baseNanos = time.nanos() - phase;
        checkedSeconds = baseSeconds;
        registers[REGISTER_A] = 0x26;
        registers[REGISTER_B] = 0x02;
        registers[REGISTER_D] = D_VALID;
        describeMemory(ramBytes);
    }

    private void describeMemory(long ramBytes) {
        long low = PlatformLayout.lowRamBytes(ramBytes);
        long high = PlatformLayout.highRamBytes(ramBytes);
        // KiB below 640 KiB; KiB between 1 and 64 MiB; 64 KiB units from 16 MiB; the same above
        // 4 GiB.
        long extended = Math.clamp((low >> 10) - 1024, 0, 0xFFFF);
        long above16 = Math.clamp((low >> 16) - 256, 0, 0xFFFF);
        put(0x15, 640, 2);
        put(0x17, extended, 2);
        put(0x30, extended, 2);
        put(0x34, above16, 2);
        put(0x5B, Math.min(high >> 16, 0xFF_FFFF), 3);
        int sum = 0;
        for (int i = 0x10; i <= 0x2D; i++) {
            sum += registers[i];
        }
        registers[0x2E] = sum >> 8 & 0xFF;
        registers[0x2F] = sum & 0xFF;
    }

    private void put(int at, long value, int sizeBytes) {
        for (int i = 0; i < sizeBytes; i++) {
            registers[at + i] = (int) (value >> 8 * i) & 0xFF;
        }
    }

    /**
     * The RESET pin: interrupts are disabled and forgotten, the time and the RAM stay (MC146818A,
     * "RESET").
     */
    public synchronized void reset() {
        long now = time.nanos();
        sync(now);
        registers[REGISTER_B] &= ~(B_PERIODIC | B_ALARM | B_UPDATE | B_SQUARE_WAVE);
        registers[REGISTER_C] = 0;
        nmiMasked = false;
        updateInterrupt(now);
    }

    /** Bit 7 of port 0x70: NMI is masked. */
    public synchronized boolean nmiMasked() {
        return nmiMasked;
    }

    @Override
    public synchronized int readByte(int port) {
        // The index is write-only, as on a PC.
        return port == DATA_PORT ? readRegister() : 0xFF;
    }

    @Override
    public synchronized void writeByte(int port, int value) {
        if (port == INDEX_PORT) {
            index = value & 0x7F;
            nmiMasked = (value & 0x80) != 0;
        } else if (port == DATA_PORT) {
            writeRegister(value);
        }
    }

    private int format() {
        return registers[REGISTER_B];
    }

    private boolean dividerReset() {
        return (registers[REGISTER_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
    }

    /** The time stands still and is what the registers hold. */
    private boolean stopped() {
        return (registers[REGISTER_B] & B_SET) != 0 || dividerReset();
    }

    private long phase(long now) {
        return Math.floorMod(now - baseNanos, SECOND);
    }

    private long seconds(long now) {
        return baseSeconds + Math.floorDiv(now - baseNanos, SECOND);
    }

    private int readRegister() {
        long now = time.nanos();
        if (RtcCalendar.isTime(index)) {
            return stopped()
                    ? registers[index]
                    : RtcCalendar.read(index, seconds(now), weekdayShift, format());
        }
        return switch (index) {
            case REGISTER_A ->
                    registers[REGISTER_A]
                            | (!stopped() && phase(now) >= SECOND - UPDATE_WARNING_NANOS
                                    ? A_UPDATE_IN_PROGRESS
                                    : 0);
            case REGISTER_C -> {
                sync(now);
                int flags = registers[REGISTER_C];
                registers[REGISTER_C] = 0;
                updateInterrupt(now);
                yield flags;
            }
            default -> registers[index];
        };
    }

    private void writeRegister(int value) {
        long now = time.nanos();
        sync(now);
        if (RtcCalendar.isTime(index)) {
            if (stopped()) {
                registers[index] = value;
            } else {
                freeze(now);
                registers[index] = value;
                thaw(now, phase(now));
            }
        } else if (index == REGISTER_A) {
            control(value & ~A_UPDATE_IN_PROGRESS, registers[REGISTER_B], now);
        } else if (index == REGISTER_B) {
            // SET aborts the update and its interrupt.
            control(registers[REGISTER_A], (value & B_SET) != 0 ? value & ~B_UPDATE : value, now);
        } else if (index != REGISTER_C && index != REGISTER_D) {
            registers[index] = value;
        }
        updateInterrupt(now);
    }

    private void control(int a, int b, long now) {
        boolean wasStopped = stopped();
        boolean wasReset = dividerReset();
        long phase = phase(now);
        if (!wasStopped && ((b & B_SET) != 0 || (a & A_DIVIDER_RESET) == A_DIVIDER_RESET)) {
            freeze(now);
        }
        registers[REGISTER_A] = a;
        registers[REGISTER_B] = b;
        if (wasReset && !dividerReset()) {
            // The first update comes half a second after the divider is let go.
            phase = SECOND / 2;
            baseNanos = now - phase;
        }
        if (wasStopped && !stopped()) {
            thaw(now, phase);
        }
        checkedPeriods = periods(now);
    }

    private void freeze(long now) {
        long seconds = seconds(now);
        for (int register = 0; register <= RtcCalendar.CENTURY; register++) {
            if (RtcCalendar.isTime(register)) {
                registers[register] = RtcCalendar.read(register, seconds, weekdayShift, format());
            }
        }
    }

    private void thaw(long now, long phase) {
        baseSeconds = RtcCalendar.parse(registers, format());
        weekdayShift = RtcCalendar.weekdayShift(registers, baseSeconds, format());
        baseNanos = now - phase;
        checkedSeconds = baseSeconds;
        checkedPeriods = periods(now);
    }

    /** Ticks of 32768 Hz in a periodic interrupt's period, 0 for none (MC146818A, table 5). */
    private int periodTicks() {
        int rate = registers[REGISTER_A] & A_RATE;
        if (rate == 0 || dividerReset()) {
            return 0;
        }
        return rate <= 2 ? 64 << rate : 1 << (rate - 1);
    }

    private long periods(long now) {
        int ticks = periodTicks();
        return ticks == 0 ? 0 : Math.floorDiv(DIVIDER.ticks(now - baseNanos), (long) ticks);
    }

    /** Sets the flags of what happened up to {@code now}. */
    private void sync(long now) {
        if (periods(now) > checkedPeriods) {
            registers[REGISTER_C] |= B_PERIODIC;
        }
        checkedPeriods = periods(now);
        if (stopped()) {
            return;
        }
        long seconds = seconds(now);
        if (seconds > checkedSeconds) {
            registers[REGISTER_C] |= B_UPDATE;
            // An alarm matches at least once a day or never.
            long from = Math.max(checkedSeconds + 1, seconds - RtcCalendar.SECONDS_PER_DAY + 1);
            for (long s = from; s <= seconds; s++) {
                if (RtcCalendar.alarmMatches(registers, s, format())) {
                    registers[REGISTER_C] |= B_ALARM;
                    break;
                }
            }
            checkedSeconds = seconds;
        }
    }

    private void updateInterrupt(long now) {
        int enabled = registers[REGISTER_B] & (B_PERIODIC | B_ALARM | B_UPDATE);
        boolean request = (registers[REGISTER_C] & enabled) != 0;
        registers[REGISTER_C] = registers[REGISTER_C] & ~C_REQUEST | (request ? C_REQUEST : 0);
        line.set(request);
        // While a request stands, nothing more can be asked for until register C is read.
        long deadline = request ? Long.MAX_VALUE : nextEvent(enabled, now);
        if (deadline == Long.MAX_VALUE) {
            timer.cancel();
        } else {
            timer.arm(deadline);
        }
    }

    private long nextEvent(int enabled, long now) {
        long deadline = Long.MAX_VALUE;
        int ticks = periodTicks();
        if ((enabled & B_PERIODIC) != 0 && ticks != 0) {
            deadline = baseNanos + DIVIDER.nanos((periods(now) + 1) * ticks);
        }
        if (stopped()) {
            return deadline;
        }
        long seconds = seconds(now);
        if ((enabled & B_UPDATE) != 0) {
            deadline = Math.min(deadline, startOf(seconds + 1));
        }
        if ((enabled & B_ALARM) != 0) {
            for (int i = 1; i <= RtcCalendar.SECONDS_PER_DAY; i++) {
                if (RtcCalendar.alarmMatches(registers, seconds + i, format())) {
                    return Math.min(deadline, startOf(seconds + i));
                }
            }
        }
        return deadline;
    }

    private long startOf(long second) {
        return baseNanos + (second - baseSeconds) * SECOND;
    }

    private synchronized void timerFired() {
        long now = time.nanos();
        sync(now);
        updateInterrupt(now);
    }

    public synchronized RtcState state() {
        long now = time.nanos();
        sync(now);
        updateInterrupt(now);
        List<Integer> bytes = new ArrayList<>(registers.length);
        for (int value : registers) {
            bytes.add(value);
        }
        return new RtcState(index, nmiMasked, bytes, seconds(now), phase(now), weekdayShift);
    }

    public synchronized void restore(RtcState state) {
        long now = time.nanos();
        index = state.index();
        nmiMasked = state.nmiMasked();
        for (int i = 0; i < registers.length; i++) {
            registers[i] = state.registers().get(i);
        }
        registers[REGISTER_A] &= ~A_UPDATE_IN_PROGRESS;
        registers[REGISTER_D] = D_VALID;
        baseSeconds = state.seconds();
        baseNanos = now - state.phaseNanos();
        weekdayShift = state.weekdayShift();
        checkedSeconds = baseSeconds;
        checkedPeriods = periods(now);
        updateInterrupt(now);
    }
}
