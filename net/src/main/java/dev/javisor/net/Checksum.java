package dev.javisor.net;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The Internet checksum (RFC 1071) over pieces of any length. */
public final class Checksum {
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    /** Over nothing yet. */
    public Checksum() {}

    /** Of 16-bit words, not folded. */
    private long sum;

    /** An odd number of bytes came before. */
    private boolean odd;

    /** Starts again. */
    public void clear() {
        sum = 0;
        odd = false;
    }

    /** Goes on with a piece. */
    public void add(byte[] from, int at, int sizeBytes) {
        long piece = 0;
        int i = 0;
        for (; i + 4 <= sizeBytes; i += 4) {
            piece += Bytes.getInt(from, at + i) & 0xFFFF_FFFFL;
        }
        for (; i < sizeBytes; i++) {
            piece += (from[at + i] & 0xFFL) << ((i & 1) == 0 ? 8 : 0);
        }
        addPiece(piece, sizeBytes);
    }

    /** Goes on with a piece. */
    public void add(MemorySegment from, long at, long sizeBytes) {
        long piece = 0;
        long i = 0;
        for (; i + 4 <= sizeBytes; i += 4) {
            piece += from.get(INT, at + i) & 0xFFFF_FFFFL;
        }
        for (; i < sizeBytes; i++) {
            piece += (from.get(ValueLayout.JAVA_BYTE, at + i) & 0xFFL) << ((i & 1) == 0 ? 8 : 0);
        }
        addPiece(piece, sizeBytes);
    }

    private void addPiece(long piece, long sizeBytes) {
        // Bytes behind an odd number of others sit in the other half of their words (RFC 1071 §2).
        int folded = fold(piece);
        sum += odd ? (folded & 0xFF) << 8 | folded >>> 8 : folded;
        odd ^= (sizeBytes & 1) != 0;
    }

    /** The pseudo header of TCP, UDP and ICMPv6 (RFC 9293 §3.1, RFC 8200 §8.1). */
    public void addPseudoHeader(
            IpAddress source, IpAddress destination, int protocol, int sizeBytes) {
        addAddress(source);
        addAddress(destination);
        sum += protocol + (sizeBytes >>> 16) + (sizeBytes & 0xFFFF);
    }

    private void addAddress(IpAddress address) {
        if (address.isV4()) {
            sum += (address.low() >>> 16 & 0xFFFF) + (address.low() & 0xFFFF);
        } else {
            sum += fold((address.high() >>> 32) + (address.high() & 0xFFFF_FFFFL));
            sum += fold((address.low() >>> 32) + (address.low() & 0xFFFF_FFFFL));
        }
    }

    private static int fold(long wide) {
        long folded = (wide >>> 32) + (wide & 0xFFFF_FFFFL);
        while (folded >>> 16 != 0) {
            folded = (folded >>> 16) + (folded & 0xFFFF);
        }
        return (int) folded;
    }

    /** The 16-bit sum so far; 0xFFFF over what includes its right checksum. */
    public int sum() {
        return fold(sum);
    }

    /** What goes into a header. */
    public int complement() {
        return ~fold(sum) & 0xFFFF;
    }

    /** Of a part of an array. */
    public static int of(byte[] from, int at, int sizeBytes) {
        Checksum checksum = new Checksum();
        checksum.add(from, at, sizeBytes);
        return checksum.complement();
    }
}
