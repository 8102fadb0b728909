package dev.javisor.devices;

/** System control port A, saved. */
public record SystemControlAState(int value) {
    public SystemControlAState {
        StateCheck.range("value", value & ~0x02, 0, 0);
    }
}
