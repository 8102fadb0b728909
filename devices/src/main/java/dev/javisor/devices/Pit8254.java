package dev.javisor.devices;

import dev.javisor.base.TimeSource;
import dev.javisor.machine.InterruptLine;
import java.util.List;

/**
 * The 8254 interval timer (Intel 231164) at ports 0x40-0x43, and system control port B (0x61),
 * which gates channel 2 and shows its output. Counts 1193182 Hz.
 *
 * <p>Thread-safe.
 */
public final class Pit8254 implements BytePorts {
    /** The clock of all three counters. */
    public static final long HZ = 1_193_182;

    private static final int SYSTEM_CONTROL_B = 0x61;

    /** Ticks between two refreshes of RAM, the period of channel 1 on a PC. */
    private static final int REFRESH_TICKS = 18;

    /** A guest cannot make the timer thread run more often than this. */
    private static final long MIN_PERIOD_NANOS = 20_000;

    private static final Frequency CLOCK = new Frequency(HZ);

    private final TimeSource time;
    private final InterruptLine line;
    private final TimeSource.Timer timer;
    private final long originNanos;
    private final PitChannel[] channels = {
        new PitChannel(true), new PitChannel(true), new PitChannel(false)
    };

    /** Bits 0 to 3 of port 0x61: gate 2, speaker data, parity and channel check masks. */
    private int systemControl;

    /** The tick at which the next interrupt is due. */
    private long dueTick = PitChannel.NEVER;

    /**
     * @param line OUT of channel 0
     */
    public Pit8254(TimeSource time, InterruptLine line) {
        this.time = time;
        this.line = line;
        this.originNanos = time.nanos();
        this.timer = time.timer("pit", this::timerFired);
    }

    private long now() {
        return CLOCK.ticks(time.nanos() - originNanos);
    }

    @Override
    public synchronized int readByte(int port) {
        long now = now();
        deliverDue(now);
        return switch (port) {
            case 0x40, 0x41, 0x42 -> channels[port - 0x40].read(now);
            case SYSTEM_CONTROL_B ->
                    systemControl
                            | ((now / REFRESH_TICKS & 1) != 0 ? 0x10 : 0)
                            | (channels[2].out(now) ? 0x20 : 0);
            default -> 0xFF;
        };
    }

    @Override
    public synchronized void writeByte(int port, int value) {
        long now = now();
        deliverDue(now);
        switch (port) {
            case 0x40 -> {
                channels[0].writeCount(value, now);
                reschedule(now);
            }
            case 0x41, 0x42 -> channels[port - 0x40].writeCount(value, now);
            case 0x43 -> writeControl(value, now);
            case SYSTEM_CONTROL_B -> {
                systemControl = value & 0x0F;
                channels[2].setGate((value & 1) != 0, now);
            }
            default -> {
                // Not ours.
            }
        }
    }

    private void writeControl(int value, long now) {
        int select = value >>> 6;
        if (select < 3) {
            channels[select].writeControl(value, now);
            if (select == 0) {
                reschedule(now);
            }
            return;
        }
        // Read-back: bits 5 and 4, active low, latch the count and the status.
        for (int i = 0; i < 3; i++) {
            if ((value & (2 << i)) != 0) {
                if ((value & 0x20) == 0) {
                    channels[i].latchCount(now);
                }
                if ((value & 0x10) == 0) {
                    channels[i].latchStatus(now);
                }
            }
        }
    }

    /** After channel 0 was programmed: the line is what OUT is now, the next rise is known. */
    private void reschedule(long now) {
        line.set(channels[0].out(now) || channels[0].periodic());
        arm(now);
    }

    private void arm(long now) {
        dueTick = channels[0].nextRise(now);
        if (dueTick == PitChannel.NEVER) {
            timer.cancel();
            return;
        }
        long deadline = originNanos + CLOCK.nanos(dueTick);
        if (channels[0].periodic()) {
            deadline = Math.max(deadline, time.nanos() + MIN_PERIOD_NANOS);
        }
        timer.arm(deadline);
    }

    /**
     * Gives the rising edge that is due.
     *
     * <p>DEVIATION: periods that passed unnoticed since are one interrupt, and OUT is held high
     * between the edges of modes 2 to 5, whose low phases nothing but an edge input can see.
     */
    private void deliverDue(long now) {
        if (now < dueTick) {
            return;
        }
        line.set(false);
        line.set(true);
        arm(now);
    }

    private synchronized void timerFired() {
        deliverDue(now());
    }

    public synchronized PitState state() {
        long now = now();
        deliverDue(now);
        return new PitState(
                List.of(channels[0].state(now), channels[1].state(now), channels[2].state(now)),
                systemControl);
    }

    public synchronized void restore(PitState state) {
        long now = now();
        for (int i = 0; i < 3; i++) {
            channels[i].restore(state.channels().get(i), now);
        }
        systemControl = state.systemControl();
        reschedule(now);
    }
}
