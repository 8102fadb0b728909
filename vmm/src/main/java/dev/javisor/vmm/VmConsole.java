package dev.javisor.vmm;

/**
 * Hears what the guest says. Calls for the serial port come one after the other, on a thread of
 * their own; so do those for the virtio console and its ports. A call that waits makes the guest
 * wait. No call may close the {@link Vm}; {@link Vm#stop} is allowed.
 */
public interface VmConsole {
    /** The first serial port ({@code ttyS0}) sent bytes; the array is only lent. */
    void serialOutput(byte[] bytes, int offset, int length);

    /** The virtio console ({@code hvc0}) sent bytes; the array is only lent. */
    default void consoleOutput(byte[] bytes, int offset, int length) {
        serialOutput(bytes, offset, length);
    }

    /** A named port sent bytes; the array is only lent. */
    default void portOutput(String name, byte[] bytes, int offset, int length) {}

    /**
     * The machine paused by itself and waits for a resume, as a disk's host could not do what the
     * guest wanted.
     */
    default void stopped(String why) {}

    /** The guest opened or closed a named port. */
    default void portOpen(String name, boolean open) {}
}
