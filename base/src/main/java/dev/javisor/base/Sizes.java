package dev.javisor.base;

import java.util.Locale;

/** Sizes in bytes as people write them: {@code 512M}, {@code 4G}, {@code 1048576}. */
public final class Sizes {
    /** Each is 1024 times the one before. */
    private static final String UNITS = "KMGTPE";

    private Sizes() {}

    /**
     * A whole number with one of the suffixes K, M, G, T, P, E (powers of 1024, either case, also
     * written {@code KB} or {@code KiB}), or none for bytes.
     *
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    public static long parse(String text) {
        int digits = 0;
        while (digits < text.length() && isDigit(text.charAt(digits))) {
            digits++;
        }
        String suffix = text.substring(digits).toUpperCase(Locale.ROOT);
        int unit = suffix.isEmpty() ? -1 : UNITS.indexOf(suffix.charAt(0));
        String rest = unit < 0 ? suffix : suffix.substring(1);
        boolean known = unit < 0 ? rest.isEmpty() || rest.equals("B") : isByteMark(rest);
        if (digits == 0 || !known) {
            throw new IllegalArgumentException(
                    "'"
                            + text
                            + "' is no size: write a whole number and K, M, G or T, such as 512M");
        }
        try {
            long number = Long.parseLong(text.substring(0, digits));
            return Math.multiplyExact(number, 1L << (10 * (unit + 1)));
        } catch (NumberFormatException | ArithmeticException e) {
            throw new IllegalArgumentException("'" + text + "' is too large", e);
        }
    }

    /** The shortest exact form that {@link #parse} reads back. */
    public static String format(long sizeBytes) {
        int unit = -1;
        long number = sizeBytes;
        while (number != 0 && number % 1024 == 0 && unit + 1 < UNITS.length()) {
            number /= 1024;
            unit++;
        }
        return unit < 0 ? Long.toString(number) : number + UNITS.substring(unit, unit + 1);
    }

    /** For reading only, rounded: {@code 23.5 GiB}. */
    public static String approximate(long sizeBytes) {
        int unit = -1;
        double number = sizeBytes;
        while (number >= 1024 && unit + 1 < UNITS.length()) {
            number /= 1024;
            unit++;
        }
        return unit < 0
                ? sizeBytes + " B"
                : String.format(Locale.ROOT, "%.1f %siB", number, UNITS.charAt(unit));
    }

    private static boolean isByteMark(String rest) {
        return rest.isEmpty() || rest.equals("B") || rest.equals("IB");
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }
}
