package dev.javisor.vmm;

/**
 * How fast an accelerator is, by a tiny guest that ran for a few milliseconds.
 *
 * @param exitNanos from a port write in the guest to the machine and back
 * @param iterationNanos one iteration of a loop of two instructions, in ring 0
 */
public record AcceleratorSpeed(double exitNanos, double iterationNanos) {
    /**
     * What no processor that executes the loop needs, and no emulator that takes a kernel's detour
     * for each instruction reaches (about 1000).
     */
    private static final double NATIVE_NANOS = 25;

    /** Whether the guest's code is executed by the processor itself. */
    public boolean isNative() {
        return iterationNanos < NATIVE_NANOS;
    }
}
