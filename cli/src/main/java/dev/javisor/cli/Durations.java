package dev.javisor.cli;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Durations as {@code timeout(1)} and {@code sleep(1)} take them: {@code 30}, {@code 1.5m}. */
final class Durations {
    private static final Pattern FORM = Pattern.compile("(\\d{1,9})(\\.\\d{1,3})?(ms|s|m|h|d)?");

    private Durations() {}

    /**
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    static Duration parse(String text) {
        Matcher matcher = FORM.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "'" + text + "' is no duration: write a number and s, m or h, such as 30s");
        }
        String fraction = matcher.group(2);
        String unit = matcher.group(3);
        double number = Double.parseDouble(matcher.group(1) + (fraction == null ? "" : fraction));
        double millis =
                number
                        * switch (unit == null ? "s" : unit) {
                            case "ms" -> 1;
                            case "m" -> 60_000;
                            case "h" -> 3_600_000;
                            case "d" -> 86_400_000;
                            default -> 1000;
                        };
        if (millis < 1) {
            throw new IllegalArgumentException("'" + text + "' is no time at all");
        }
        return Duration.ofMillis((long) millis);
    }
}
