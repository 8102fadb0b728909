package dev.javisor.guestkit;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Finds the names of busybox's applets in its binary, without running it: they lie there one after
 * the other, sorted, each ended by a zero byte, the first two being {@code [} and {@code [[}.
 */
final class BusyboxApplets {
    private static final byte[] TABLE_START = "\0[\0[[\0".getBytes(StandardCharsets.US_ASCII);
    private static final Pattern NAME = Pattern.compile("\\[\\[?|[a-z0-9][a-z0-9._+-]*");

    /** A table with fewer names is something else. */
    private static final int PLAUSIBLE = 50;

    private BusyboxApplets() {}

    /** The names, or an empty list where there is no such table: the guest asks busybox then. */
    static List<String> names(byte[] busybox) {
        for (int at = 0; at < busybox.length - TABLE_START.length; at++) {
            if (startsAt(busybox, at)) {
                List<String> names = read(busybox, at + 1);
                if (names.size() >= PLAUSIBLE) {
                    return names;
                }
            }
        }
        return List.of();
    }

    private static boolean startsAt(byte[] bytes, int at) {
        for (int i = 0; i < TABLE_START.length; i++) {
            if (bytes[at + i] != TABLE_START[i]) {
                return false;
            }
        }
        return true;
    }

    private static List<String> read(byte[] bytes, int start) {
        List<String> names = new ArrayList<>();
        int at = start;
        while (at < bytes.length) {
            int end = at;
            while (end < bytes.length && bytes[end] != 0) {
                end++;
            }
            String name = new String(bytes, at, end - at, StandardCharsets.US_ASCII);
            boolean sorted = names.isEmpty() || names.getLast().compareTo(name) < 0;
            if (!sorted || !NAME.matcher(name).matches()) {
                break;
            }
            names.add(name);
            at = end + 1;
        }
        return List.copyOf(names);
    }
}
