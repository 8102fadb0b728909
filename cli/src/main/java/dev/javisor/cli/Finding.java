package dev.javisor.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * One thing that {@code javisor doctor} has looked at.
 *
 * @param id short, for programs too
 * @param text one line for a person
 * @param remedy what the person can do, or empty
 * @param values for programs: strings, numbers, booleans, in their order
 */
record Finding(
        String id, Level level, String text, Optional<String> remedy, Map<String, Object> values) {
    /** How it looks. */
    enum Level {
        /** As it should be. */
        OK,
        /** Neither good nor bad. */
        NOTE,
        /** Something is slower or missing because of it. */
        WARN,
        /** No guest can run. */
        FAIL
    }

    static Finding of(String id, Level level, String text) {
        return new Finding(id, level, text, Optional.empty(), Map.of());
    }

    Finding remedy(String what) {
        return new Finding(id, level, text, Optional.of(what), values);
    }

    Finding with(String key, Object value) {
        Map<String, Object> more = new LinkedHashMap<>(values);
        more.put(key, value);
        return new Finding(id, level, text, remedy, more);
    }
}
