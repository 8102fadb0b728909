package dev.javisor.cli;

/** A virtual machine as a session sees it; in tests it is played by a fake. */
interface Machine extends AutoCloseable {
    /** How a machine's life ended. */
    sealed interface Ending {
        record PoweredOff() implements Ending {}

        record Reset() implements Ending {}

        record Panicked(String message) implements Ending {}

        record DebugExit(int status) implements Ending {}

        record Failed(String message) implements Ending {}

        /** Ended by {@link Machine#stop()}. */
        record Stopped() implements Ending {}
    }

    /** Hears what the guest says. Calls for one console or port come one after the other. */
    interface Output {
        void console(byte[] bytes, int offset, int length);

        void port(String name, byte[] bytes, int offset, int length);
    }

    /** Makes machines. */
    interface Factory {
        /**
         * A machine that is not started.
         *
         * @throws dev.javisor.base.JavisorException where the host or a file does not allow it
         */
        Machine create(RunSettings settings, GuestFiles guest, Output output);
    }

    void start();

    /** Waits for the end, whatever brings it. */
    Ending await() throws InterruptedException;

    void powerButton();

    void reset();

    /** Ends the machine now, as if its power were cut. From any thread, any number of times. */
    void stop();

    /** For a person, lines separated by {@code \n}. */
    String status();

    /** Typed by the person. */
    void consoleInput(byte[] bytes);

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
