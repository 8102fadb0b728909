package dev.javisor.virtio.console;

import dev.javisor.virtio.VirtioDeviceState;
import java.util.List;

/**
 * A saved console device.
 *
 * @param control messages to the driver that wait for a buffer
 */
public record ConsoleState(
        int columns, int rows, boolean resizePending, List<byte[]> control, List<Port> ports)
        implements VirtioDeviceState {
    public ConsoleState {
        control = List.copyOf(control);
        ports = List.copyOf(ports);
    }

    /**
     * One port.
     *
     * @param ready the driver has set it up
     * @param guestOpen something in the guest has it open
     * @param hostOpen what the driver was last told of our end
     * @param transmitted bytes taken of the chain at the head of the transmit queue
     * @param toGuest bytes that the guest has not read
     * @param inputClosed the end of {@code toGuest} is the end of the stream
     * @param fromGuest bytes that the host has not read
     */
    public record Port(
            boolean ready,
            boolean guestOpen,
            boolean hostOpen,
            long transmitted,
            byte[] toGuest,
            boolean inputClosed,
            byte[] fromGuest) {}
}
