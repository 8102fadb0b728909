package dev.javisor.devices;

import dev.javisor.machine.MachineEvents;

/**
 * The reset control register of the PIIX/ICH at port 0xCF9 (ICH9 §13.7.5); ACPI's reset register.
 */
public final class ResetControl implements BytePorts {
    /** Full reset: what ACPI's FADT tells the guest to write. */
    public static final int FULL_RESET = 0x06;

    private static final int RESET_CPU = 0x04;

    private final MachineEvents events;
    private int value;

    public ResetControl(MachineEvents events) {
        this.events = events;
    }

    @Override
    public synchronized int readByte(int port) {
        return value;
    }

    @Override
    public void writeByte(int port, int newValue) {
        boolean reset;
        synchronized (this) {
            reset = (newValue & RESET_CPU) != 0 && (value & RESET_CPU) == 0;
            // RST_CPU reads as written only until the reset that it causes.
            value = newValue & 0x0A;
        }
        if (reset) {
            events.resetRequested("reset control register");
        }
    }

    public synchronized ResetControlState state() {
        return new ResetControlState(value);
    }

    public synchronized void restore(ResetControlState state) {
        value = state.value();
    }
}
