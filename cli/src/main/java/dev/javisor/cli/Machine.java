package dev.javisor.cli;

import dev.javisor.vmm.VmConsole;
import dev.javisor.vmm.VmOutcome;

/** A virtual machine as a session sees it; in tests it is played by others. */
interface Machine extends AutoCloseable {
    /** Makes machines. */
    interface Factory {
        /**
         * A machine that is not started.
         *
         * @throws dev.javisor.base.JavisorException where the host or a file does not allow it
         */
        Machine create(RunSettings settings, GuestFiles guest, VmConsole console);
    }

    void start();

    /** Waits for the end, whatever brings it. */
    VmOutcome await() throws InterruptedException;

    void powerButton();

    void reset();

    /** Goes on after it has paused. */
    void resume();

    /** Asks the guest to make do with that much of its memory. */
    void balloon(long guestBytes);

    /** Makes a disk larger, by its name or number. */
    void resizeDisk(String disk, long sizeBytes);

    /** Moves to the accelerator that it is not on. Returns where it is now. */
    String switchAccelerator();

    void switchTo(SwitchOption option);

    /** Ends the machine now, as if its power were cut. From any thread, any number of times. */
    void stop();

    /** For a person, lines separated by {@code \n}. */
    String status();

    /** Typed by the person. Waits while the guest does not read. */
    void consoleInput(byte[] bytes) throws InterruptedException;

    /** The person's terminal has a new size. */
    void resize(int columns, int rows);

    /** Waits until the port has taken the bytes, or the machine has ended. */
    void portInput(String name, byte[] bytes, int length) throws InterruptedException;

    /** The guest sees the end of the port's data. */
    void closePort(String name);

    /** Frees the machine; it is stopped first. */
    @Override
    void close();
}
