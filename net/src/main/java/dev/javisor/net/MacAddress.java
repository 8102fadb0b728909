package dev.javisor.net;

import java.util.Locale;
import java.util.regex.Pattern;

/**
 * An Ethernet address.
 *
 * @param bits the six bytes, the first on the wire in bits 47 to 40
 */
public record MacAddress(long bits) {
    /** Bytes of an address. */
    public static final int BYTES = 6;

    public static final MacAddress BROADCAST = new MacAddress(0xFFFF_FFFF_FFFFL);

    private static final Pattern TEXT = Pattern.compile("[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}");

    public MacAddress {
        if (bits >>> 48 != 0) {
            throw new IllegalArgumentException("more than six bytes: %x".formatted(bits));
        }
    }

    /**
     * Six hexadecimal bytes with colons.
     *
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    public static MacAddress parse(String text) {
        if (!TEXT.matcher(text).matches()) {
            throw new IllegalArgumentException(
                    "'" + text + "' is no MAC address: write it as 52:54:00:12:34:56");
        }
        long bits = 0;
        for (String part : text.split(":", -1)) {
            bits = bits << 8 | Integer.parseInt(part, 16);
        }
        return new MacAddress(bits);
    }

    /** Reads six bytes. */
    public static MacAddress read(byte[] from, int at) {
        long bits = 0;
        for (int i = 0; i < BYTES; i++) {
            bits = bits << 8 | from[at + i] & 0xFF;
        }
        return new MacAddress(bits);
    }

    /** Writes six bytes. */
    public void write(byte[] to, int at) {
        for (int i = 0; i < BYTES; i++) {
            to[at + i] = (byte) (bits >>> (40 - 8 * i));
        }
    }

    /** For groups of receivers, broadcast included. */
    public boolean isGroup() {
        return (bits >>> 40 & 1) != 0;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < BYTES; i++) {
            text.append(i == 0 ? "" : ":")
                    .append(String.format(Locale.ROOT, "%02x", bits >>> (40 - 8 * i) & 0xFF));
        }
        return text.toString();
    }
}
