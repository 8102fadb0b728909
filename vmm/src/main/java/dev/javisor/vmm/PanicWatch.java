package dev.javisor.vmm;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads along with the serial port and notices what Linux says when it panics (kernel/panic.c).
 * What the guest says about itself is not trusted for more than the message of its end. Fed by the
 * thread that delivers the output; the answer may be read by any.
 */
final class PanicWatch {
    private static final String PANIC = "Kernel panic - not syncing: ";

    /** Comes last, when the kernel is not to reboot by itself. */
    private static final String END = "---[ end " + PANIC;

    /** A guest that never ends a line must not fill our memory. */
    private static final int MAX_LINE = 1024;

    private final StringBuilder line = new StringBuilder();
    private final Runnable onEnd;
    private volatile @Nullable String message;

    /**
     * @param onEnd runs when a panicked kernel will do no more
     */
    PanicWatch(Runnable onEnd) {
        this.onEnd = onEnd;
    }

    void output(byte[] bytes, int offset, int length) {
        for (int i = offset; i < offset + length; i++) {
            char c = (char) (bytes[i] & 0xFF);
            if (c == '\n') {
                endLine();
                line.setLength(0);
            } else if (c >= ' ' && line.length() < MAX_LINE) {
                line.append(c);
            }
        }
    }

    /** Why the guest's kernel panicked, if it did. */
    Optional<String> message() {
        return Optional.ofNullable(message);
    }

    /** The machine was reset: a new kernel has not panicked. */
    void forget() {
        message = null;
    }

    private void endLine() {
        String text = line.toString();
        if (message == null) {
            int at = text.indexOf(PANIC);
            if (at >= 0 && isLineStart(text, at)) {
                message = text.substring(at + PANIC.length());
            }
        } else if (text.contains(END)) {
            onEnd.run();
        }
    }

    /** Nothing but a time stamp and a caller id in brackets stands before. */
    private static boolean isLineStart(String text, int at) {
        return text.substring(0, at).replaceAll("\\[[^]]*]", "").isBlank();
    }
}
