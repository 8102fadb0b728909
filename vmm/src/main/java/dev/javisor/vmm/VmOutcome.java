package dev.javisor.vmm;

/** How a virtual machine's life ended. */
public sealed interface VmOutcome {
    /** The guest turned itself off (ACPI S5). */
    record PoweredOff() implements VmOutcome {}

    /** The guest reset itself, and {@link VmSpec#endOnReset} was asked for. */
    record Reset() implements VmOutcome {}

    /**
     * The guest's kernel said that it panicked, and then reset or stopped.
     *
     * @param message the kernel's words
     */
    record Panicked(String message) implements VmOutcome {}

    /** The guest wrote {@code status} to the debug-exit port. */
    record DebugExit(int status) implements VmOutcome {}

    /** {@link Vm#stop} was called. */
    record Stopped() implements VmOutcome {}

    /**
     * The machine could not go on.
     *
     * @param message one line, then details
     */
    record Failed(String message) implements VmOutcome {}
}
