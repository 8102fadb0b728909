package dev.javisor.guests;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Expectations of the cases. */
final class Check {
    private Check() {}

    static void that(boolean condition, String what) {
        if (!condition) {
            throw new ConformanceException(what);
        }
    }

    static void same(long actual, long expected, String what) {
        if (actual != expected) {
            throw new ConformanceException(
                    "%s: %#x, expected %#x".formatted(what, actual, expected));
        }
    }

    static void same(@Nullable Object actual, @Nullable Object expected, String what) {
        if (!Objects.equals(actual, expected)) {
            throw new ConformanceException("%s: %s, expected %s".formatted(what, actual, expected));
        }
    }
}
