package dev.javisor.cli;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;

/**
 * Finds a command's output on the console of a guest that has no ports: it lies between the line
 * {@code javisor: begin} and, after an added line end, {@code javisor: exit STATUS}. Called by the
 * thread that delivers the console's output.
 */
final class MarkedOutput {
    private static final String BEGIN = "javisor: begin";
    private static final String EXIT = "\njavisor: exit ";

    private static final int MAX_DIGITS = 3;

    /** Takes what belongs to the command. */
    interface Sink {
        void write(byte[] bytes, int offset, int length);
    }

    private enum State {
        BEFORE,
        WITHIN,
        AFTER
    }

    private final Sink sink;

    /** Before: the current line. Within: a possible beginning of the end mark, held back. */
    private final ByteArrayOutputStream held = new ByteArrayOutputStream();

    private State state = State.BEFORE;
    private volatile OptionalInt status = OptionalInt.empty();

    MarkedOutput(Sink sink) {
        this.sink = sink;
    }

    /** The status of the command, once it has ended. */
    OptionalInt status() {
        return status;
    }

    void output(byte[] bytes, int offset, int length) {
        for (int i = offset; i < offset + length; i++) {
            switch (state) {
                case BEFORE -> before(bytes[i]);
                case WITHIN -> within(bytes[i]);
                case AFTER -> {}
            }
        }
    }

    private void before(byte b) {
        if (b == '\n') {
            if (heldText().equals(BEGIN)) {
                state = State.WITHIN;
            }
            held.reset();
        } else if (b != '\r' && held.size() <= BEGIN.length()) {
            held.write(b);
        }
    }

    private void within(byte b) {
        int at = held.size();
        if (at == 0 && b != '\n') {
            sink.write(new byte[] {b}, 0, 1);
        } else if (at > EXIT.length() && b == '\n') {
            status = OptionalInt.of(Integer.parseInt(heldText().substring(EXIT.length())) & 0xFF);
            state = State.AFTER;
        } else if (at < EXIT.length()
                ? b == EXIT.charAt(at)
                : isDigit(b) && at < EXIT.length() + MAX_DIGITS) {
            held.write(b);
        } else {
            sink.write(held.toByteArray(), 0, at);
            held.reset();
            within(b);
        }
    }

    private String heldText() {
        return held.toString(StandardCharsets.ISO_8859_1);
    }

    private static boolean isDigit(byte b) {
        return b >= '0' && b <= '9';
    }
}
