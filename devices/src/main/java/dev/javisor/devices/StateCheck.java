package dev.javisor.devices;

/** Checks of saved states, which are untrusted. */
final class StateCheck {
    private StateCheck() {}

    static void range(String name, long value, long min, long max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(
                    "%s is %d, not in %d..%d".formatted(name, value, min, max));
        }
    }

    static void byteValue(String name, int value) {
        range(name, value, 0, 0xFF);
    }

    static void size(String name, java.util.Collection<?> items, int size) {
        if (items.size() != size) {
            throw new IllegalArgumentException(
                    "%s has %d entries, not %d".formatted(name, items.size(), size));
        }
    }
}
