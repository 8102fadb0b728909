package dev.javisor.net;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.regex.Pattern;

/**
 * An IPv4 or IPv6 address as a value. IPv4 addresses have their mapped form (RFC 4291 §2.5.5.2), so
 * that one kind of key serves both.
 *
 * @param high bytes 0 to 7, the first in the top bits
 * @param low bytes 8 to 15
 */
public record IpAddress(long high, long low) {
    private static final long MAPPED = 0xFFFFL << 32;
    private static final Pattern V4 = Pattern.compile("\\d{1,3}(\\.\\d{1,3}){3}");
    private static final Pattern V6 = Pattern.compile("[0-9a-fA-F:.]*:[0-9a-fA-F:.]*");

    /** An IPv4 address, its first byte in bits 31 to 24. */
    public static IpAddress v4(int bits) {
        return new IpAddress(0, MAPPED | bits & 0xFFFF_FFFFL);
    }

    /** Reads four bytes. */
    public static IpAddress readV4(byte[] from, int at) {
        return v4(Bytes.getInt(from, at));
    }

    /** Reads sixteen bytes. */
    public static IpAddress readV6(byte[] from, int at) {
        return new IpAddress(Bytes.getLong(from, at), Bytes.getLong(from, at + 8));
    }

    /** The host's kind of address. */
    public static IpAddress of(InetAddress address) {
        byte[] bytes = address.getAddress();
        return bytes.length == 4 ? readV4(bytes, 0) : readV6(bytes, 0);
    }

    /**
     * A literal address; no name is looked up.
     *
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    public static IpAddress parse(String text) {
        try {
            if (V4.matcher(text).matches()) {
                int bits = 0;
                for (String part : text.split("\\.", -1)) {
                    int value = Integer.parseInt(part);
                    if (value > 255) {
                        throw new UnknownHostException(text);
                    }
                    bits = bits << 8 | value;
                }
                return v4(bits);
            }
            if (V6.matcher(text).matches()) {
                return of(InetAddress.getByName(text));
            }
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("'" + text + "' is no IP address", e);
        }
        throw new IllegalArgumentException("'" + text + "' is no IP address");
    }

    public boolean isV4() {
        return high == 0 && low >>> 32 == 0xFFFF;
    }

    /** Of an IPv4 address, its first byte in bits 31 to 24. */
    public int v4Bits() {
        return (int) low;
    }

    /** Writes four bytes of an IPv4 address or sixteen of an IPv6 one; answers how many. */
    public int write(byte[] to, int at) {
        if (isV4()) {
            Bytes.putInt(to, at, v4Bits());
            return 4;
        }
        Bytes.putLong(to, at, high);
        Bytes.putLong(to, at + 8, low);
        return 16;
    }

    /** The host's kind of address. */
    public InetAddress toInetAddress() {
        byte[] bytes = new byte[isV4() ? 4 : 16];
        write(bytes, 0);
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalStateException("4 or 16 bytes are an address", e);
        }
    }

    /** 0.0.0.0 or ::. */
    public boolean isAny() {
        return isV4() ? v4Bits() == 0 : high == 0 && low == 0;
    }

    /** 127.0.0.0/8 or ::1. */
    public boolean isLoopback() {
        return isV4() ? v4Bits() >>> 24 == 127 : high == 0 && low == 1;
    }

    /** 224.0.0.0/4 or ff00::/8. */
    public boolean isMulticast() {
        return isV4() ? v4Bits() >>> 28 == 0xE : high >>> 56 == 0xFF;
    }

    /** 169.254.0.0/16 or fe80::/10. */
    public boolean isLinkLocal() {
        return isV4() ? v4Bits() >>> 16 == 0xA9FE : high >>> 54 == 0xFE80 >>> 6;
    }

    /** Whether the first bits are the same; an IPv4 prefix counts from the address's first bit. */
    public boolean isIn(IpAddress network, int prefixBits) {
        if (isV4() != network.isV4()) {
            return false;
        }
        int bits = isV4() ? prefixBits + 96 : prefixBits;
        long highMask = bits >= 64 ? -1 : bits == 0 ? 0 : -1L << (64 - bits);
        long lowMask = bits <= 64 ? 0 : bits >= 128 ? -1 : -1L << (128 - bits);
        return ((high ^ network.high) & highMask) == 0 && ((low ^ network.low) & lowMask) == 0;
    }

    @Override
    public String toString() {
        return toInetAddress().getHostAddress();
    }
}
