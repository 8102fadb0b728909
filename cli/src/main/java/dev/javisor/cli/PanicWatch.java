package dev.javisor.cli;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Optional;

/**
 * Reads along with a guest's serial console: notices the line that a Linux kernel prints when it
 * panics (kernel/panic.c), and keeps the last lines for a report. Called by the thread that
 * delivers the console's output; the results may be read by any thread.
 */
final class PanicWatch {
    private static final String PANIC = "Kernel panic - not syncing: ";

    /** A guest that never ends a line must not fill our memory. */
    private static final int MAX_LINE = 1024;

    private static final int KEPT_LINES = 20;

    private final StringBuilder line = new StringBuilder();
    private final ArrayDeque<String> last = new ArrayDeque<>();
    private Optional<String> panic = Optional.empty();

    synchronized void output(byte[] bytes, int offset, int length) {
        String text = new String(bytes, offset, length, StandardCharsets.ISO_8859_1);
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\n') {
                endLine();
            } else if (c >= ' ' && line.length() < MAX_LINE) {
                line.append(c);
            }
        }
    }

    /** Why the guest's kernel panicked, if it did. */
    synchronized Optional<String> panic() {
        return panic;
    }

    /** The last lines of the console, oldest first. */
    synchronized String lastLines() {
        return String.join("\n", last) + (line.isEmpty() ? "" : "\n" + line);
    }

    private void endLine() {
        String text = line.toString();
        line.setLength(0);
        if (last.size() == KEPT_LINES) {
            last.removeFirst();
        }
        last.addLast(text);
        int at = text.indexOf(PANIC);
        if (at >= 0 && panic.isEmpty()) {
            panic = Optional.of(text.substring(at + PANIC.length()));
        }
    }
}
