package dev.javisor.machine;

/** An interrupt input as a device sees it. Callable from any thread, must not block. */
@FunctionalInterface
public interface InterruptLine {
    /** A line that goes nowhere. */
    InterruptLine NONE = level -> {};

    /** Drives the line; repeating the current level does nothing. */
    void set(boolean level);

    /** A rising edge and back. */
    default void pulse() {
        set(true);
        set(false);
    }
}
