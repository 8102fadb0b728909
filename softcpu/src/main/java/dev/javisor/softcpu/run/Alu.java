package dev.javisor.softcpu.run;

import dev.javisor.softcpu.core.Flags;

/** Arithmetic with flags for the hot loop; small so that the compiler inlines it. */
final class Alu {
    private static final long CARRY_BITS = 0xC000_0000_0000_0000L;

    private Alu() {}

    static long add64(Flags f, long a, long b) {
        long v = a + b;
        long c = (a & b) | ((a | b) & ~v);
        f.result = v;
        f.aux = (c & CARRY_BITS) | (c & 8);
        return v;
    }

    static long adc64(Flags f, long a, long b) {
        long v = a + b + (f.aux >>> 63);
        long c = (a & b) | ((a | b) & ~v);
        f.result = v;
        f.aux = (c & CARRY_BITS) | (c & 8);
        return v;
    }

    static long sub64(Flags f, long a, long b) {
        long v = a - b;
        long c = (~a & b) | ((~a | b) & v);
        f.result = v;
        f.aux = (c & CARRY_BITS) | (c & 8);
        return v;
    }

    static long sbb64(Flags f, long a, long b) {
        long v = a - b - (f.aux >>> 63);
        long c = (~a & b) | ((~a | b) & v);
        f.result = v;
        f.aux = (c & CARRY_BITS) | (c & 8);
        return v;
    }

    static long logic64(Flags f, long v) {
        f.result = v;
        f.aux = 0;
        return v;
    }

    static long add32(Flags f, long a, long b) {
        long v = a + b;
        long c = (a & b) | ((a | b) & ~v);
        f.result = (int) v;
        f.aux = (c << 32 & CARRY_BITS) | (c & 8);
        return v & 0xFFFFFFFFL;
    }

    static long adc32(Flags f, long a, long b) {
        long v = a + b + (f.aux >>> 63);
        long c = (a & b) | ((a | b) & ~v);
        f.result = (int) v;
        f.aux = (c << 32 & CARRY_BITS) | (c & 8);
        return v & 0xFFFFFFFFL;
    }

    static long sub32(Flags f, long a, long b) {
        long v = a - b;
        long c = (~a & b) | ((~a | b) & v);
        f.result = (int) v;
        f.aux = (c << 32 & CARRY_BITS) | (c & 8);
        return v & 0xFFFFFFFFL;
    }

    static long sbb32(Flags f, long a, long b) {
        long v = a - b - (f.aux >>> 63);
        long c = (~a & b) | ((~a | b) & v);
        f.result = (int) v;
        f.aux = (c << 32 & CARRY_BITS) | (c & 8);
        return v & 0xFFFFFFFFL;
    }

    static long logic32(Flags f, long v) {
        f.result = (int) v;
        f.aux = 0;
        return v & 0xFFFFFFFFL;
    }

    /** Compare of the low {@code 64 - shift} bits. */
    static void cmpNarrow(Flags f, long a, long b, int shift) {
        long v = a - b;
        long c = (~a & b) | ((~a | b) & v);
        f.result = v << shift >> shift;
        f.aux = (c << shift & CARRY_BITS) | (c & 8);
    }

    static void testNarrow(Flags f, long v, int shift) {
        f.result = v << shift >> shift;
        f.aux = 0;
    }

    private static void incDec(Flags f, long c, int shift, long carry) {
        long bits = (c << shift) & CARRY_BITS;
        // Keep CF: flip both bits when the operation's own carry differs, so that OF stays.
        f.aux = ((bits ^ carry) < 0 ? bits ^ CARRY_BITS : bits) | (c & 8);
    }

    static long inc64(Flags f, long a) {
        long v = a + 1;
        f.result = v;
        incDec(f, (a & 1) | ((a | 1) & ~v), 0, f.aux);
        return v;
    }

    static long inc32(Flags f, long a) {
        long v = a + 1;
        f.result = (int) v;
        incDec(f, (a & 1) | ((a | 1) & ~v), 32, f.aux);
        return v & 0xFFFFFFFFL;
    }

    static long dec64(Flags f, long a) {
        long v = a - 1;
        f.result = v;
        incDec(f, (~a & 1) | ((~a | 1) & v), 0, f.aux);
        return v;
    }

    static long dec32(Flags f, long a) {
        long v = a - 1;
        f.result = (int) v;
        incDec(f, (~a & 1) | ((~a | 1) & v), 32, f.aux);
        return v & 0xFFFFFFFFL;
    }

    /** Shift left by 1..63. */
    static long shl64(Flags f, long a, int n) {
        long v = a << n;
        f.result = v;
        f.aux = (a << (n - 1) & Long.MIN_VALUE) | (v >>> 1 & 0x4000_0000_0000_0000L);
        return v;
    }

    /** Shift left by 1..31 of a zero-extended 32-bit value. */
    static long shl32(Flags f, long a, int n) {
        long v = a << n;
        f.result = (int) v;
        f.aux = (v << 31 & Long.MIN_VALUE) | (v << 31 & 0x4000_0000_0000_0000L);
        return v & 0xFFFFFFFFL;
    }

    static long shr64(Flags f, long a, int n) {
        long v = a >>> n;
        f.result = v;
        long carry = a << (64 - n) & Long.MIN_VALUE;
        // OF is the operand's sign for a count of one; bit 62 = CF ^ OF.
        long overflow = n == 1 ? a & Long.MIN_VALUE : 0;
        f.aux = carry | ((carry ^ overflow) >>> 1);
        return v;
    }

    static long shr32(Flags f, long a, int n) {
        long v = a >>> n;
        f.result = (int) v;
        long carry = a << (64 - n) & Long.MIN_VALUE;
        long overflow = n == 1 ? a << 32 & Long.MIN_VALUE : 0;
        f.aux = carry | ((carry ^ overflow) >>> 1);
        return v;
    }

    static long sar64(Flags f, long a, int n) {
        long v = a >> n;
        f.result = v;
        long carry = a << (64 - n) & Long.MIN_VALUE;
        f.aux = carry | carry >>> 1;
        return v;
    }

    static long sar32(Flags f, long a, int n) {
        long v = (int) a >> n;
        f.result = v;
        long carry = a << (64 - n) & Long.MIN_VALUE;
        f.aux = carry | carry >>> 1;
        return v & 0xFFFFFFFFL;
    }

    static long imul64(Flags f, long a, long b) {
        long v = a * b;
        boolean over = Math.multiplyHigh(a, b) != v >> 63;
        f.result = v;
        f.aux = over ? Long.MIN_VALUE : 0;
        return v;
    }

    static long imul32(Flags f, long a, long b) {
        long v = (long) (int) a * (int) b;
        f.result = (int) v;
        f.aux = v != (int) v ? Long.MIN_VALUE : 0;
        return v & 0xFFFFFFFFL;
    }
}
