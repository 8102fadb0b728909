package dev.javisor.machine;

/** What a device may ask of the whole machine. Callable from any thread, must not block. */
public interface MachineEvents {
    /** The guest asked for a reset: reset register, i8042 reset line, triple fault. */
    void resetRequested(String source);

    /** The guest turned itself off: ACPI S5. */
    void powerOffRequested();

    /** The guest wrote {@code status} to the debug-exit port. */
    void debugExitRequested(int status);
}
