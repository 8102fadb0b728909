package dev.javisor.softcpu.fp;

import java.math.BigInteger;

/**
 * A number with a 128-bit significand and unbounded exponent, for the x87's transcendental
 * functions: {@code (-1)^sign * hi:lo / 2^127 * 2^exp}, bit 63 of hi set, or zero if hi is zero.
 * Operations overwrite the receiver, which may be one of the operands, and are off by at most two
 * units in the last place.
 */
final class Wide {
    int sign;
    int exp;
    long hi;
    long lo;

    Wide() {}

    static Wide constant(int exp, long hi, long lo) {
        Wide w = new Wide();
        w.set(0, exp, hi, lo);
        return w;
    }

    /** A constant 1 / n. */
    static Wide reciprocal(BigInteger n) {
        int bits = n.bitLength();
        // 2^(127 + bits) / n has 128 or, for powers of two, 129 bits.
        BigInteger quotient = BigInteger.ONE.shiftLeft(127 + bits).divide(n);
        int exp = -bits;
        if (quotient.bitLength() > 128) {
            quotient = quotient.shiftRight(1);
            exp++;
        }
        return constant(exp, quotient.shiftRight(64).longValue(), quotient.longValue());
    }

    Wide set(int newSign, int newExp, long high, long low) {
        sign = newSign;
        exp = newExp;
        hi = high;
        lo = low;
        return this;
    }

    Wide set(Wide a) {
        return set(a.sign, a.exp, a.hi, a.lo);
    }

    boolean isZero() {
        return hi == 0;
    }

    Wide negate() {
        sign ^= 1;
        return this;
    }

    Wide multiply(Wide a, Wide b) {
        if (a.hi == 0 || b.hi == 0) {
            return set(a.sign ^ b.sign, 0, 0, 0);
        }
        long high = Math.unsignedMultiplyHigh(a.hi, b.hi);
        long low = a.hi * b.hi;
        long cross = Math.unsignedMultiplyHigh(a.hi, b.lo);
        low += cross;
        high += Long.compareUnsigned(low, cross) < 0 ? 1 : 0;
        cross = Math.unsignedMultiplyHigh(a.lo, b.hi);
        low += cross;
        high += Long.compareUnsigned(low, cross) < 0 ? 1 : 0;
        int e = a.exp + b.exp + 1;
        if (high >= 0) {
            high = high << 1 | low >>> 63;
            low <<= 1;
            e--;
        }
        return set(a.sign ^ b.sign, e, high, low);
    }

    Wide add(Wide a, Wide b) {
        if (a.hi == 0) {
            return set(b);
        }
        if (b.hi == 0) {
            return set(a);
        }
        Wide large = a;
        Wide small = b;
        int difference = a.exp - b.exp;
        if (difference < 0
                || (difference == 0
                        && (Long.compareUnsigned(a.hi, b.hi) < 0
                                || (a.hi == b.hi && Long.compareUnsigned(a.lo, b.lo) < 0)))) {
            large = b;
            small = a;
            difference = -difference;
        }
        long high = 0;
        long low = 0;
        if (difference < 64) {
            high = small.hi >>> difference;
            low =
                    difference == 0
                            ? small.lo
                            : small.hi << (64 - difference) | small.lo >>> difference;
        } else if (difference < 128) {
            low = small.hi >>> (difference - 64);
        }
        int s = large.sign;
        int e = large.exp;
        if (a.sign == b.sign) {
            low += large.lo;
            long carry = Long.compareUnsigned(low, large.lo) < 0 ? 1 : 0;
            long sum = high + large.hi;
            boolean out = Long.compareUnsigned(sum, high) < 0;
            sum += carry;
            out |= carry != 0 && sum == 0;
            if (out) {
                low = low >>> 1 | sum << 63;
                sum = sum >>> 1 | 1L << 63;
                e++;
            }
            return set(s, e, sum, low);
        }
        long borrow = Long.compareUnsigned(large.lo, low) < 0 ? 1 : 0;
        low = large.lo - low;
        high = large.hi - high - borrow;
        if (high == 0) {
            high = low;
            low = 0;
            e -= 64;
        }
        if (high == 0) {
            return set(0, 0, 0, 0);
        }
        int shift = Long.numberOfLeadingZeros(high);
        if (shift != 0) {
            high = high << shift | low >>> (64 - shift);
            low <<= shift;
        }
        return set(s, e - shift, high, low);
    }

    /** a / b by a 64-bit estimate and one correction. {@code f} and {@code rest} are scratch. */
    Wide divide(Wide a, Wide b, SoftFloat f, Wide rest) {
        int quotientExp = a.exp - b.exp;
        int s = a.sign ^ b.sign;
        // Reciprocal of b's high word: 2^127 / hi, in (2^63, 2^64].
        long inverse = b.hi == 1L << 63 ? -1L : f.divide128(1L << 63, 0, b.hi);
        Wide q = f.wideQuotient.set(0, -1, inverse, 0);
        q.multiply(q, f.wideTemp.set(0, 0, a.hi, a.lo));
        // Exact quotient = q + (a - q * b) / b, all for significands in [1, 2).
        rest.multiply(q, f.wideTemp.set(0, 0, b.hi, b.lo));
        rest.negate();
        rest.add(rest, f.wideTemp.set(0, 0, a.hi, a.lo));
        rest.multiply(rest, f.wideTemp.set(0, -1, inverse, 0));
        q.add(q, rest);
        return set(s, q.exp + quotientExp, q.hi, q.lo);
    }
}
