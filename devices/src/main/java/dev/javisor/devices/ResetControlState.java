package dev.javisor.devices;

/** A reset control register, saved. */
public record ResetControlState(int value) {
    public ResetControlState {
        StateCheck.range("value", value & ~0x0A, 0, 0);
    }
}
