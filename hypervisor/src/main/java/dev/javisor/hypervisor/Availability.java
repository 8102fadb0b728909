package dev.javisor.hypervisor;

/** The answer of {@link Hypervisor#probe()}. */
public sealed interface Availability {
    /** Can run here. {@code detail} is one line, such as the CPU extension in use. */
    record Available(String detail) implements Availability {}

    /**
     * Cannot run here.
     *
     * @param message what is wrong, one line
     * @param remedy what the person can do about it, one line
     */
    record Unavailable(Reason reason, String message, String remedy) implements Availability {}

    /** Why an accelerator cannot run. */
    enum Reason {
        NOT_BUILT,
        WRONG_OPERATING_SYSTEM,
        WRONG_ARCHITECTURE,
        NO_DEVICE_NODE,
        NO_PERMISSION,
        BUSY,
        MISSING_CAPABILITY
    }
}
