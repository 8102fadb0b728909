package dev.javisor.devices;

import dev.javisor.machine.MachineEvents;
import dev.javisor.machine.PortDevice;

/**
 * A write to this port ends the machine with the value written, like QEMU's {@code isa-debug-exit}.
 * Any width. It has no state.
 */
public final class DebugExit implements PortDevice {
    private final MachineEvents events;

    public DebugExit(MachineEvents events) {
        this.events = events;
    }

    @Override
    public int readPort(int port, int sizeBytes) {
        return 0;
    }

    @Override
    public void writePort(int port, int sizeBytes, int value) {
        events.debugExitRequested(sizeBytes == 4 ? value : value & ((1 << 8 * sizeBytes) - 1));
    }
}
