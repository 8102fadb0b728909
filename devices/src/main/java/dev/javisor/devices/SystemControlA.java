package dev.javisor.devices;

import dev.javisor.machine.MachineEvents;

/**
 * System control port A (0x92): fast reset and fast A20. The A20 bit reads back and does nothing,
 * as {@link I8042}'s.
 */
public final class SystemControlA implements BytePorts {
    private static final int FAST_RESET = 0x01;
    private static final int WRITABLE = 0x02;

    private final MachineEvents events;
    private int value = 0x02;

    public SystemControlA(MachineEvents events) {
        this.events = events;
    }

    @Override
    public synchronized int readByte(int port) {
        return value;
    }

    @Override
    public void writeByte(int port, int newValue) {
        synchronized (this) {
            value = newValue & WRITABLE;
        }
        if ((newValue & FAST_RESET) != 0) {
            events.resetRequested("system control port A");
        }
    }

    public synchronized SystemControlAState state() {
        return new SystemControlAState(value);
    }

    public synchronized void restore(SystemControlAState state) {
        value = state.value();
    }
}
