package dev.javisor.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The terminal at standard input, set by running {@code stty} on it: that works on every Unix and
 * needs no native access.
 */
final class HostTerminal {
    /**
     * Set by the launcher: the terminal's settings as {@code stty -g} gives them; empty for none.
     */
    static final String SAVED = "JAVISOR_STTY";

    /** In characters. */
    record Size(int columns, int rows) {}

    private final String saved;
    private boolean raw;

    private HostTerminal(String saved) {
        this.saved = saved;
    }

    /** The terminal, if standard input is one. */
    static Optional<HostTerminal> find(Map<String, String> environment) {
        String known = environment.get(SAVED);
        Optional<String> settings =
                known == null ? stty("-g") : Optional.of(known).filter(text -> !text.isEmpty());
        return settings.map(HostTerminal::new);
    }

    /** Every key reaches the guest at once, and the guest alone echoes. */
    synchronized void raw() {
        stty("raw", "-echo");
        raw = true;
    }

    /** As it was found. From any thread, any number of times. */
    synchronized void restore() {
        if (raw) {
            stty(saved);
            raw = false;
        }
    }

    Optional<Size> size() {
        return stty("size").flatMap(HostTerminal::parseSize);
    }

    /** "rows columns", as {@code stty size} prints; zeros where the terminal does not know. */
    static Optional<Size> parseSize(String text) {
        if (!text.matches("[1-9]\\d{0,3} [1-9]\\d{0,3}")) {
            return Optional.empty();
        }
        int space = text.indexOf(' ');
        return Optional.of(
                new Size(
                        Integer.parseInt(text.substring(space + 1)),
                        Integer.parseInt(text.substring(0, space))));
    }

    /** What the program printed; empty where it failed, as it does without a terminal. */
    private static Optional<String> stty(String... arguments) {
        List<String> command = Stream.concat(Stream.of("stty"), Stream.of(arguments)).toList();
        try {
            Process process =
                    new ProcessBuilder(command)
                            .redirectInput(ProcessBuilder.Redirect.INHERIT)
                            .redirectError(ProcessBuilder.Redirect.DISCARD)
                            .start();
            byte[] output = process.getInputStream().readAllBytes();
            return process.waitFor() == 0
                    ? Optional.of(new String(output, StandardCharsets.US_ASCII).strip())
                    : Optional.empty();
        } catch (IOException e) {
            return Optional.empty(); // No stty here: treated as no terminal.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }
}
