package dev.javisor.devices;

import dev.javisor.base.TimeSource;
import dev.javisor.machine.InterruptLine;
import dev.javisor.machine.MachineEvents;
import dev.javisor.machine.PlatformLayout;
import dev.javisor.machine.PortDevice;

/**
 * ACPI fixed hardware (ACPI 6.5 §4.8): PM1a event and control blocks with the power button, the
 * 32-bit PM timer, and GPE block 0. Claims {@link PlatformLayout#ACPI_PM} and {@link
 * PlatformLayout#ACPI_GPE0}. The machine is always in ACPI mode.
 *
 * <p>Thread-safe.
 */
public final class AcpiPm implements PortDevice {
    /** The PM timer's rate. */
    public static final long TIMER_HZ = 3_579_545;

    private static final Frequency CLOCK = new Frequency(TIMER_HZ);

    private static final int STATUS_TIMER = 1;
    private static final int STATUS_POWER_BUTTON = 1 << 8;

    /** Timer, bus master, global, power button, sleep button, RTC, wake: write one to clear. */
    private static final int STATUS_BITS = 0x8731;

    /** Timer, global, power button, sleep button, RTC. */
    private static final int ENABLE_BITS = 0x0721;

    private static final int CONTROL_SCI_ENABLE = 1;
    private static final int CONTROL_BUS_MASTER_RELOAD = 2;
    private static final int CONTROL_SLEEP_TYPE = 7 << 10;
    private static final int CONTROL_SLEEP_ENABLE = 1 << 13;

    private static final int GPE0_BASE = (int) PlatformLayout.ACPI_GPE0.start();

    private final TimeSource time;
    private final InterruptLine sci;
    private final MachineEvents events;
    private final TimeSource.Timer timer;

    /** {@link TimeSource#nanos} at which the PM timer was 0. */
    private long originNanos;

    /** Flips of the PM timer's top bit that TMR_STS has seen. */
    private long flipsSeen;

    private int status;
    private int enable;
    private int control = CONTROL_SCI_ENABLE;
    private int gpeStatus;
    private int gpeEnable;

    /**
     * @param sci level-triggered, active high
     */
    public AcpiPm(TimeSource time, InterruptLine sci, MachineEvents events) {
        this.time = time;
        this.sci = sci;
        this.events = events;
        this.originNanos = time.nanos();
        this.timer = time.timer("acpi-pm", this::timerFired);
    }

    /** Presses the power button: what a guest does about it is its own affair. */
    public synchronized void pressPowerButton() {
        status |= STATUS_POWER_BUTTON;
        update();
    }

    /**
     * Sets a general purpose event.
     *
     * @param event 0 to 31
     */
    public synchronized void raiseGeneralEvent(int event) {
        if (event < 0 || event > 31) {
            throw new IllegalArgumentException("no GPE " + event);
        }
        gpeStatus |= 1 << event;
        update();
    }

    private long ticks() {
        return CLOCK.ticks(time.nanos() - originNanos);
    }

    /** TMR_STS is set whenever the most significant bit changes (§4.8.2.1). */
    private void sync() {
        long flips = ticks() >>> 31;
        if (flips != flipsSeen) {
            flipsSeen = flips;
            status |= STATUS_TIMER;
        }
    }

    private void update() {
        sync();
        boolean fixed = (status & enable & ENABLE_BITS) != 0;
        sci.set(fixed || (gpeStatus & gpeEnable) != 0);
        if ((enable & STATUS_TIMER) != 0 && (status & STATUS_TIMER) == 0) {
            timer.arm(originNanos + CLOCK.nanos((flipsSeen + 1) << 31));
        } else {
            timer.cancel();
        }
    }

    private synchronized void timerFired() {
        update();
    }

    @Override
    public synchronized int readPort(int port, int sizeBytes) {
        sync();
        // Each register lies within one doubleword; bytes beyond it read as zero.
        int value =
                switch (port & ~3) {
                    case PlatformLayout.ACPI_PM1_EVENT -> status | enable << 16;
                    case PlatformLayout.ACPI_PM1_CONTROL -> control;
                    case PlatformLayout.ACPI_PM_TIMER -> (int) ticks();
                    default -> 0;
                };
        if (port >= GPE0_BASE) {
            value = (port & ~3) == GPE0_BASE ? gpeStatus : gpeEnable;
        }
        return value >>> 8 * (port & 3) & -1 >>> 32 - 8 * sizeBytes;
    }

    @Override
    public synchronized void writePort(int port, int sizeBytes, int value) {
        sync();
        for (int i = 0; i < sizeBytes; i++) {
            writeByte(port + i, (value >>> 8 * i) & 0xFF);
        }
        update();
    }

    private void writeByte(int port, int value) {
        int shift = 8 * (port & 1);
        int mask = 0xFF << shift;
        switch (port & ~1) {
            case PlatformLayout.ACPI_PM1_EVENT -> status &= ~(value << shift & STATUS_BITS);
            case PlatformLayout.ACPI_PM1_EVENT + 2 ->
                    enable = (enable & ~mask) | (value << shift & ENABLE_BITS);
            case PlatformLayout.ACPI_PM1_CONTROL -> writeControl(mask, value << shift);
            default -> {
                if (port >= GPE0_BASE) {
                    int gpeShift = 8 * (port & 3);
                    if (port < GPE0_BASE + 4) {
                        gpeStatus &= ~(value << gpeShift);
                    } else {
                        gpeEnable = (gpeEnable & ~(0xFF << gpeShift)) | value << gpeShift;
                    }
                }
            }
        }
    }

    private void writeControl(int mask, int value) {
        int writable = CONTROL_BUS_MASTER_RELOAD | CONTROL_SLEEP_TYPE;
        control = (control & ~(mask & writable)) | (value & writable);
        // SLP_EN reads as zero; GBL_RLS has nobody to call.
        if ((value & CONTROL_SLEEP_ENABLE) != 0
                && (control & CONTROL_SLEEP_TYPE) >>> 10 == PlatformLayout.ACPI_SLEEP_TYPE_S5) {
            events.powerOffRequested();
        }
    }

    public synchronized AcpiPmState state() {
        sync();
        return new AcpiPmState(status, enable, control, gpeStatus, gpeEnable, ticks());
    }

    public synchronized void restore(AcpiPmState state) {
        status = state.pm1Status() & STATUS_BITS;
        enable = state.pm1Enable() & ENABLE_BITS;
        control =
                state.pm1Control() & (CONTROL_BUS_MASTER_RELOAD | CONTROL_SLEEP_TYPE)
                        | CONTROL_SCI_ENABLE;
        gpeStatus = state.gpe0Status();
        gpeEnable = state.gpe0Enable();
        originNanos = time.nanos() - CLOCK.nanos(state.timerTicks());
        flipsSeen = state.timerTicks() >>> 31;
        update();
    }
}
