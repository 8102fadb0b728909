package dev.javisor.cli;

import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;

/**
 * What the guest's init says on the port {@code dev.javisor.control}: lines {@code started} and
 * {@code exit STATUS}. The guest is not trusted: what is not of this form is dropped.
 */
final class ControlChannel {
    private static final int MAX_LINE = 64;

    private final StringBuilder line = new StringBuilder();
    private OptionalInt status = OptionalInt.empty();

    synchronized void output(byte[] bytes, int offset, int length) {
        String text = new String(bytes, offset, length, StandardCharsets.ISO_8859_1);
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\n') {
                endLine();
            } else if (line.length() <= MAX_LINE) {
                line.append(c);
            }
        }
    }

    /** The status of the command, once it has ended. */
    synchronized OptionalInt status() {
        return status;
    }

    private void endLine() {
        String text = line.toString();
        line.setLength(0);
        if (status.isEmpty() && text.matches("exit \\d{1,3}")) {
            int value = Integer.parseInt(text.substring(5));
            if (value <= 255) {
                status = OptionalInt.of(value);
            }
        }
    }
}
