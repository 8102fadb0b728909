package dev.javisor.softcpu.block;

import dev.javisor.softcpu.core.Flags;

/**
 * Arithmetic with flags, of the hot loop and of translated code; small so that the compiler inlines
 * it.
 */
public final class Alu {
    private static final long CARRY_BITS = 0xC000_0000_0000_0000L;

    private Alu() {}

    // ------------------------------------------------------------------ the aux word alone

    /** {@link Flags#aux} after {@code a + b (+ carry) = v}. */
    public static long auxAdd64(long a, long b, long v) {
        long c = (a & b) | ((a | b) & ~v);
        return (c & CARRY_BITS) | (c & 8);
    }

    public static long auxAdd32(long a, long b, long v) {
        long c = (a & b) | ((a | b) & ~v);
        return (c << 32 & CARRY_BITS) | (c & 8);
    }

    /** After {@code a - b (- borrow) = v}. */
    public static long auxSub64(long a, long b, long v) {
        long c = (~a & b) | ((~a | b) & v);
        return (c & CARRY_BITS) | (c & 8);
    }

    public static long auxSub32(long a, long b, long v) {
        long c = (~a & b) | ((~a | b) & v);
        return (c << 32 & CARRY_BITS) | (c & 8);
    }

    /** After a subtraction of the low {@code 64 - shift} bits. */
    public static long auxSubNarrow(long a, long b, int shift) {
        long c = (~a & b) | ((~a | b) & (a - b));
        return (c << shift & CARRY_BITS) | (c & 8);
    }

    /** After an addition of the low {@code 64 - shift} bits. */
    public static long auxAddNarrow(long a, long b, int shift) {
        long c = (a & b) | ((a | b) & ~(a + b));
        return (c << shift & CARRY_BITS) | (c & 8);
    }

    private static long auxIncDec(long c, int shift, long carry) {
        long bits = (c << shift) & CARRY_BITS;
        // Keep CF: flip both bits when the operation's own carry differs, so that OF stays.
        return ((bits ^ carry) < 0 ? bits ^ CARRY_BITS : bits) | (c & 8);
    }

    /** After {@code a + 1}; CF of {@code aux} stays. {@code shift}: 0 of 64 bits, 32 of 32. */
    public static long auxInc(long a, int shift, long aux) {
        return auxIncDec((a & 1) | ((a | 1) & ~(a + 1)), shift, aux);
    }

    public static long auxDec(long a, int shift, long aux) {
        return auxIncDec((~a & 1) | ((~a | 1) & (a - 1)), shift, aux);
    }

    /** After a shift left by 1..63. */
    public static long auxShl64(long a, int n) {
        return (a << (n - 1) & Long.MIN_VALUE) | (a << n >>> 1 & 0x4000_0000_0000_0000L);
    }

    public static long auxShl32(long a, int n) {
        return a << n << 31 & CARRY_BITS;
    }

    public static long auxShr64(long a, int n) {
        long carry = a << (64 - n) & Long.MIN_VALUE;
        // OF is the operand's sign for a count of one; bit 62 = CF ^ OF.
        long overflow = n == 1 ? a & Long.MIN_VALUE : 0;
        return carry | ((carry ^ overflow) >>> 1);
    }

    /** Of a zero-extended 32-bit value. */
    public static long auxShr32(long a, int n) {
        long carry = a << (64 - n) & Long.MIN_VALUE;
        long overflow = n == 1 ? a << 32 & Long.MIN_VALUE : 0;
        return carry | ((carry ^ overflow) >>> 1);
    }

    public static long auxSar(long a, int n) {
        long carry = a << (64 - n) & Long.MIN_VALUE;
        return carry | carry >>> 1;
    }

    /** After a rotation left to {@code v}: CF is its lowest bit, OF that and its sign. */
    public static long auxRol64(long v, long aux) {
        return (aux & ~CARRY_BITS) | v << 63 | (v >>> 1 & 0x4000_0000_0000_0000L);
    }

    /** As {@link #auxRol64} with the 32-bit result in the upper half. */
    public static long auxRol32(long v, long aux) {
        return auxRol64(v | v >>> 32, aux);
    }

    /** After a rotation right to {@code v}, 32 bits in the upper half: CF is its sign. */
    public static long auxRor(long v, long aux) {
        return (aux & ~CARRY_BITS) | (v & CARRY_BITS);
    }

    /** Changes CF to whether any of {@code bits} is set; OF stays. */
    public static long auxWithCarry(long bits, long aux) {
        return bits != 0 == aux < 0 ? aux : aux ^ CARRY_BITS;
    }

    /** After TZCNT or LZCNT of {@code value}: CF if it is zero. */
    public static long auxZeroCount(long count, long value) {
        return value == 0 ? CARRY_BITS : 0;
    }

    /** After POPCNT: all flags but ZF are clear. */
    public static long auxPopcnt(long count, long value) {
        // A result of zero has even parity, which must not show.
        return count == 0 ? 1 << 8 : 0;
    }

    public static long auxImul64(long a, long b) {
        return Math.multiplyHigh(a, b) != a * b >> 63 ? Long.MIN_VALUE : 0;
    }

    public static long auxImul32(long a, long b) {
        long v = (long) (int) a * (int) b;
        return v != (int) v ? Long.MIN_VALUE : 0;
    }

    // ------------------------------------------------------------------ value and flags

    public static long add64(Flags f, long a, long b) {
        long v = a + b;
        f.result = v;
        f.aux = auxAdd64(a, b, v);
        return v;
    }

    public static long adc64(Flags f, long a, long b) {
        long v = a + b + (f.aux >>> 63);
        f.result = v;
        f.aux = auxAdd64(a, b, v);
        return v;
    }

    public static long sub64(Flags f, long a, long b) {
        long v = a - b;
        f.result = v;
        f.aux = auxSub64(a, b, v);
        return v;
    }

    public static long sbb64(Flags f, long a, long b) {
        long v = a - b - (f.aux >>> 63);
        f.result = v;
        f.aux = auxSub64(a, b, v);
        return v;
    }

    public static long logic64(Flags f, long v) {
        f.result = v;
        f.aux = 0;
        return v;
    }

    public static long add32(Flags f, long a, long b) {
        long v = a + b;
        f.result = (int) v;
        f.aux = auxAdd32(a, b, v);
        return v & 0xFFFFFFFFL;
    }

    public static long adc32(Flags f, long a, long b) {
        long v = a + b + (f.aux >>> 63);
        f.result = (int) v;
        f.aux = auxAdd32(a, b, v);
        return v & 0xFFFFFFFFL;
    }

    public static long sub32(Flags f, long a, long b) {
        long v = a - b;
        f.result = (int) v;
        f.aux = auxSub32(a, b, v);
        return v & 0xFFFFFFFFL;
    }

    public static long sbb32(Flags f, long a, long b) {
        long v = a - b - (f.aux >>> 63);
        f.result = (int) v;
        f.aux = auxSub32(a, b, v);
        return v & 0xFFFFFFFFL;
    }

    public static long logic32(Flags f, long v) {
        f.result = (int) v;
        f.aux = 0;
        return v & 0xFFFFFFFFL;
    }

    /** Compare of the low {@code 64 - shift} bits. */
    public static void cmpNarrow(Flags f, long a, long b, int shift) {
        f.result = (a - b) << shift >> shift;
        f.aux = auxSubNarrow(a, b, shift);
    }

    public static void testNarrow(Flags f, long v, int shift) {
        f.result = v << shift >> shift;
        f.aux = 0;
    }

    public static long inc64(Flags f, long a) {
        f.result = a + 1;
        f.aux = auxInc(a, 0, f.aux);
        return a + 1;
    }

    public static long inc32(Flags f, long a) {
        f.result = (int) (a + 1);
        f.aux = auxInc(a, 32, f.aux);
        return (a + 1) & 0xFFFFFFFFL;
    }

    public static long dec64(Flags f, long a) {
        f.result = a - 1;
        f.aux = auxDec(a, 0, f.aux);
        return a - 1;
    }

    public static long dec32(Flags f, long a) {
        f.result = (int) (a - 1);
        f.aux = auxDec(a, 32, f.aux);
        return (a - 1) & 0xFFFFFFFFL;
    }

    /** Shift left by 1..63. */
    public static long shl64(Flags f, long a, int n) {
        f.result = a << n;
        f.aux = auxShl64(a, n);
        return a << n;
    }

    /** Shift left by 1..31 of a zero-extended 32-bit value. */
    public static long shl32(Flags f, long a, int n) {
        long v = a << n;
        f.result = (int) v;
        f.aux = auxShl32(a, n);
        return v & 0xFFFFFFFFL;
    }

    public static long shr64(Flags f, long a, int n) {
        f.result = a >>> n;
        f.aux = auxShr64(a, n);
        return a >>> n;
    }

    public static long shr32(Flags f, long a, int n) {
        long v = a >>> n;
        f.result = (int) v;
        f.aux = auxShr32(a, n);
        return v & 0xFFFFFFFFL;
    }

    public static long sar64(Flags f, long a, int n) {
        f.result = a >> n;
        f.aux = auxSar(a, n);
        return a >> n;
    }

    public static long sar32(Flags f, long a, int n) {
        long v = (int) a >> n;
        f.result = v;
        f.aux = auxSar(a, n);
        return v & 0xFFFFFFFFL;
    }

    public static long imul64(Flags f, long a, long b) {
        f.result = a * b;
        f.aux = auxImul64(a, b);
        return a * b;
    }

    public static long imul32(Flags f, long a, long b) {
        long v = (long) (int) a * (int) b;
        f.result = (int) v;
        f.aux = auxImul32(a, b);
        return v & 0xFFFFFFFFL;
    }
}
