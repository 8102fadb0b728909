package dev.javisor.softcpu.fp;

/**
 * Binary floating-point arithmetic in integers, exact in every rounding mode and exception flag:
 * what lies beneath the x87 and the slow path of SSE. One object per vCPU; operands and results are
 * fields, so that nothing is allocated.
 *
 * <p>A number is unpacked into a class, a sign (0 or 1), an exponent and a significand: {@code
 * (-1)^sign * significand / 2^63 * 2^exponent}, bit 63 of the significand set. Operations leave an
 * exact result, as far as rounding can tell, in {@link #sign}, {@link #exp} and the 128 bits {@link
 * #hi}, {@link #lo} (bits below are jammed into the last one); {@link #round} then rounds it to a
 * format. Exception flags gather in {@link #flags}, at the bits that MXCSR and the x87 status word
 * share. NaN rules differ between SSE and x87 and are their callers' business.
 */
final class SoftFloat {
    // Exception flags and their masks' order: MXCSR bits 0..5, x87 status word bits 0..5.
    static final int IE = 1;
    static final int DE = 2;
    static final int ZE = 4;
    static final int OE = 8;
    static final int UE = 16;
    static final int PE = 32;

    // Rounding control, as encoded in MXCSR and the x87 control word.
    static final int NEAREST = 0;
    static final int DOWN = 1;
    static final int UP = 2;
    static final int TRUNCATE = 3;

    // Classes.
    static final int ZERO = 0;
    static final int FINITE = 1;
    static final int INFINITE = 2;
    static final int QNAN = 3;
    static final int SNAN = 4;

    /** Encodings that processors since the 387 refuse (SDM 1 §8.2.2). */
    static final int UNSUPPORTED = 5;

    /** SSE: the MXCSR that the controls were derived from, or -1. */
    int mxcsr = -1;

    /** SSE: rounding is to nearest. */
    boolean nearest;

    /** SSE: PE is masked and already set, so that nobody can tell whether it is raised again. */
    boolean inexactKnown;

    // Controls, set by the caller.
    int rounding;

    /** Exceptions that are masked, in the flags' order. */
    int masked = 0x3F;

    /** Denormal operands count as zeros (MXCSR.DAZ); never for the x87. */
    boolean denormalsAreZeros;

    /** Tiny results become zeros (MXCSR.FTZ). */
    boolean flushToZero;

    /** Unmasked overflow and underflow scale the exponent by this (x87: 24576), or 0. */
    int scaleOnTrap;

    /** Exceptions so far. */
    int flags;

    /** The last rounding went away from zero: the x87's C1. */
    boolean roundedUp;

    // Operands.
    int aClass;
    int aSign;
    int aExp;
    long aSig;
    int bClass;
    int bSign;
    int bExp;
    long bSig;

    /** The addend of {@link #multiplyAdd}. */
    int cClass;

    int cSign;
    int cExp;
    long cSig;

    // Result.
    int kind;
    int sign;
    int exp;
    long hi;
    long lo;

    // Working numbers of the transcendental functions.
    final Wide wideX = new Wide();
    final Wide wideSquare = new Wide();
    final Wide wideResult = new Wide();
    final Wide wideCosine = new Wide();
    final Wide wideRest = new Wide();
    final Wide wideQuotient = new Wide();
    final Wide wideTemp = new Wide();

    SoftFloat() {}

    // ------------------------------------------------------------------ unpacking

    /** Loads a binary32 into operand a; a denormal sets DE unless denormals are zeros. */
    void loadA32(int bits) {
        unpack32(bits);
        toA();
    }

    void loadB32(int bits) {
        unpack32(bits);
        toB();
    }

    void loadA64(long bits) {
        unpack64(bits);
        toA();
    }

    void loadB64(long bits) {
        unpack64(bits);
        toB();
    }

    void loadA80(long significand, int signExponent) {
        unpack80(significand, signExponent);
        toA();
    }

    void loadB80(long significand, int signExponent) {
        unpack80(significand, signExponent);
        toB();
    }

    void loadBInteger(int value) {
        fromLong(value);
        toB();
    }

    /** Operand a becomes operand c. */
    void holdC() {
        cClass = aClass;
        cSign = aSign;
        cExp = aExp;
        cSig = aSig;
    }

    /** Exchanges the operands. */
    void swap() {
        kind = aClass;
        sign = aSign;
        exp = aExp;
        hi = aSig;
        aClass = bClass;
        aSign = bSign;
        aExp = bExp;
        aSig = bSig;
        toB();
    }

    private void toA() {
        aClass = kind;
        aSign = sign;
        aExp = exp;
        aSig = hi;
    }

    private void toB() {
        bClass = kind;
        bSign = sign;
        bExp = exp;
        bSig = hi;
    }

    private void unpack32(int bits) {
        sign = bits >>> 31;
        int e = bits >>> 23 & 0xFF;
        unpackIeee(e, e == 0xFF, (long) bits << 41, -126, 127);
    }

    private void unpack64(long bits) {
        sign = (int) (bits >>> 63);
        int e = (int) (bits >>> 52) & 0x7FF;
        unpackIeee(e, e == 0x7FF, bits << 12, -1022, 1023);
    }

    /** The fraction is left-aligned: its first bit is bit 63. */
    private void unpackIeee(int e, boolean special, long fraction, int emin, int bias) {
        if (special) {
            hi = 1L << 63 | fraction >>> 1;
            kind = fraction == 0 ? INFINITE : fraction < 0 ? QNAN : SNAN;
        } else if (e != 0) {
            kind = FINITE;
            hi = 1L << 63 | fraction >>> 1;
            exp = e - bias;
        } else if (fraction == 0 || denormalsAreZeros) {
            kind = ZERO;
            hi = 0;
        } else {
            kind = FINITE;
            flags |= DE;
            int shift = Long.numberOfLeadingZeros(fraction);
            hi = fraction << shift;
            exp = emin - 1 - shift;
        }
    }

    private void unpack80(long significand, int signExponent) {
        sign = signExponent >>> 15 & 1;
        int e = signExponent & 0x7FFF;
        hi = significand;
        if (significand >= 0 && e != 0) {
            // Unnormals, pseudo-infinities, pseudo-NaNs.
            kind = UNSUPPORTED;
        } else if (e == 0x7FFF) {
            long fraction = significand << 1;
            kind = fraction == 0 ? INFINITE : fraction < 0 ? QNAN : SNAN;
        } else if (significand == 0) {
            kind = ZERO;
        } else {
            kind = FINITE;
            exp = Math.max(e, 1) - 16383;
            if (e == 0) {
                // Denormal, or pseudo-denormal with bit 63 set.
                flags |= DE;
                int shift = Long.numberOfLeadingZeros(significand);
                hi = significand << shift;
                exp -= shift;
            }
        }
    }

    // ------------------------------------------------------------------ rounding

    /**
     * Rounds sign, exp, hi, lo to {@code precision} bits with exponents from {@code emin} to {@code
     * emax}. Leaves the class, the exponent and in hi the significand, left-aligned; for a result
     * below 2^emin the exponent is emin and bit 63 is clear.
     */
    void round(int precision, int emin, int emax) {
        roundedUp = false;
        if (exp < emin) {
            roundTiny(precision, emin);
            return;
        }
        roundAt(64 - precision);
        if (exp > emax) {
            overflow(precision, emax);
        }
    }

    private void overflow(int precision, int emax) {
        flags |= OE;
        if ((masked & OE) != 0) {
            flags |= PE;
        } else if (scaleOnTrap != 0) {
            exp -= scaleOnTrap;
            if (exp > emax) {
                // FSCALE: not even the adjusted exponent fits.
                flags |= PE;
                roundedUp = true;
                kind = INFINITE;
                hi = 1L << 63;
            }
            return;
        }
        boolean toInfinity =
                switch (rounding) {
                    case NEAREST -> true;
                    case DOWN -> sign != 0;
                    case UP -> sign == 0;
                    default -> false;
                };
        roundedUp = toInfinity;
        if (toInfinity) {
            kind = INFINITE;
            hi = 1L << 63;
        } else {
            exp = emax;
            hi = -1L << (64 - precision);
        }
    }

    /** The result's exponent, before rounding, is below emin. */
    private void roundTiny(int precision, int emin) {
        // Tininess is detected after rounding as if the exponent were unbounded (SDM 1 §4.9.1.5).
        boolean tiny = exp < emin - 1 || !carries(64 - precision);
        if (tiny && (masked & UE) == 0) {
            flags |= UE;
            exp += scaleOnTrap;
            if (exp < emin && scaleOnTrap != 0) {
                // FSCALE: not even the adjusted exponent fits.
                flags |= PE;
                kind = ZERO;
                hi = 0;
                return;
            }
            // Without a scaled result to deliver, the inexact flag is still that of this rounding.
            roundAt(64 - precision);
            return;
        } else if (tiny && flushToZero) {
            flags |= UE | PE;
            kind = ZERO;
            hi = 0;
            return;
        }
        shiftRightJam(emin - exp);
        exp = emin;
        boolean inexact = roundAt(64 - precision);
        if (tiny && inexact) {
            flags |= UE;
        }
        if (hi == 0) {
            kind = ZERO;
        }
    }

    /** Whether rounding away the low {@code drop} bits of hi would carry out of bit 63. */
    private boolean carries(int drop) {
        long kept = drop == 0 ? hi : hi & -1L << drop;
        return increments(drop) && kept == -1L << drop;
    }

    /** Whether rounding away the low {@code drop} bits of hi, and lo, increments what is kept. */
    private boolean increments(int drop) {
        // Half a unit and the rest of what is dropped, left-aligned.
        long dropped = drop == 0 ? lo : hi << (64 - drop);
        boolean sticky = (dropped << 1 | (drop == 0 ? 0 : lo)) != 0;
        boolean half = dropped < 0;
        return switch (rounding) {
            case NEAREST -> half && (sticky || (hi >>> drop & 1) != 0);
            case DOWN -> sign != 0 && (half || sticky);
            case UP -> sign == 0 && (half || sticky);
            default -> false;
        };
    }

    /** Rounds away the low {@code drop} (0..63) bits of hi, and lo. Returns whether inexact. */
    private boolean roundAt(int drop) {
        long dropped = drop == 0 ? lo : hi << (64 - drop) | lo;
        if (dropped == 0) {
            return false;
        }
        flags |= PE;
        boolean up = increments(drop);
        roundedUp = up;
        hi = hi >>> drop << drop;
        if (up) {
            long before = hi;
            hi += 1L << drop;
            if (before < 0 && hi >= 0) {
                hi = 1L << 63;
                exp++;
            }
        }
        lo = 0;
        return true;
    }

    /** Shifts hi:lo right, jamming what falls off into the last bit. */
    private void shiftRightJam(int n) {
        if (n == 0) {
            return;
        }
        if (n < 64) {
            long lost = lo << (64 - n);
            lo = hi << (64 - n) | lo >>> n | (lost != 0 ? 1 : 0);
            hi >>>= n;
        } else if (n < 128) {
            int m = n - 64;
            long lost = m == 0 ? lo : hi << (64 - m) | lo;
            lo = hi >>> m | (lost != 0 ? 1 : 0);
            hi = 0;
        } else {
            lo = (hi | lo) != 0 ? 1 : 0;
            hi = 0;
        }
    }

    /** The rounded result as binary32. */
    int pack32() {
        int s = sign << 31;
        return switch (kind) {
            case ZERO -> s;
            case INFINITE -> s | 0x7F800000;
            default -> {
                int e = hi < 0 ? exp + 127 : 0;
                yield s | e << 23 | ((int) (hi >>> 40) & 0x7FFFFF);
            }
        };
    }

    long pack64() {
        long s = (long) sign << 63;
        return switch (kind) {
            case ZERO -> s;
            case INFINITE -> s | 0x7FF0_0000_0000_0000L;
            default -> {
                long e = hi < 0 ? exp + 1023 : 0;
                yield s | e << 52 | (hi >>> 11 & 0xF_FFFF_FFFF_FFFFL);
            }
        };
    }

    /** Rounds to binary16 and packs. */
    int round16() {
        if (kind == FINITE) {
            round(11, -14, 15);
        }
        int s = sign << 15;
        return switch (kind) {
            case ZERO -> s;
            case INFINITE -> s | 0x7C00;
            default -> s | (hi < 0 ? exp + 15 : 0) << 10 | (int) (hi >>> 53) & 0x3FF;
        };
    }

    /** Rounds to binary32 and packs. */
    int round32() {
        if (kind == FINITE) {
            round(24, -126, 127);
        }
        return pack32();
    }

    long round64() {
        if (kind == FINITE) {
            round(53, -1022, 1023);
        }
        return pack64();
    }

    /** Rounds to {@code precision} bits with the 15-bit exponent of the x87's registers. */
    void round80(int precision) {
        roundedUp = false;
        if (kind == FINITE) {
            round(precision, -16382, 16383);
        }
    }

    /**
     * Sign and biased exponent of a result that {@link #round80} rounded; hi is its significand.
     */
    int signExponent80() {
        int e =
                switch (kind) {
                    case ZERO -> 0;
                    case FINITE -> hi < 0 ? exp + 16383 : 0;
                    default -> 0x7FFF;
                };
        return sign << 15 | e;
    }

    // ------------------------------------------------------------------ arithmetic

    /**
     * No operand may be a NaN here or below. Invalid operations return false and change nothing.
     */
    boolean add(boolean subtract) {
        int signB = bSign ^ (subtract ? 1 : 0);
        if (aClass == INFINITE || bClass == INFINITE) {
            if (aClass == bClass && aSign != signB) {
                return false;
            }
            special(INFINITE, aClass == INFINITE ? aSign : signB);
            return true;
        }
        if (aClass == ZERO && bClass == ZERO) {
            special(ZERO, aSign == signB ? aSign : rounding == DOWN ? 1 : 0);
            return true;
        }
        if (bClass == ZERO) {
            finite(aSign, aExp, aSig, 0);
            return true;
        }
        if (aClass == ZERO) {
            finite(signB, bExp, bSig, 0);
            return true;
        }
        boolean aLarger = aExp > bExp || (aExp == bExp && Long.compareUnsigned(aSig, bSig) >= 0);
        int difference = Math.abs(aExp - bExp);
        // The smaller one, shifted to the larger one's exponent.
        finite(aSign, 0, aLarger ? bSig : aSig, 0);
        shiftRightJam(difference);
        long large = aLarger ? aSig : bSig;
        int e = aLarger ? aExp : bExp;
        if (aSign == signB) {
            long sum = large + hi;
            boolean carry = Long.compareUnsigned(sum, large) < 0;
            finite(aSign, e, sum, lo);
            if (carry) {
                shiftRightJam(1);
                hi |= 1L << 63;
                exp++;
            }
            return true;
        }
        long low = -lo;
        long high = large - hi - (lo != 0 ? 1 : 0);
        if ((high | low) == 0) {
            special(ZERO, rounding == DOWN ? 1 : 0);
            return true;
        }
        finite(aLarger ? aSign : signB, e, high, low);
        normalize();
        return true;
    }

    boolean multiply() {
        int s = aSign ^ bSign;
        if (aClass == INFINITE || bClass == INFINITE) {
            if (aClass == ZERO || bClass == ZERO) {
                return false;
            }
            special(INFINITE, s);
        } else if (aClass == ZERO || bClass == ZERO) {
            special(ZERO, s);
        } else {
            long high = Math.unsignedMultiplyHigh(aSig, bSig);
            finite(s, aExp + bExp + 1, high, aSig * bSig);
            if (high >= 0) {
                hi = hi << 1 | lo >>> 63;
                lo <<= 1;
                exp--;
            }
        }
        return true;
    }

    /**
     * a * b + c without rounding in between. The significands have 53 bits at most, so that 128
     * bits with a jammed last one decide every rounding: where the product is shifted by more than
     * its spare bits, nothing cancels.
     */
    boolean multiplyAdd() {
        if (!multiply()) {
            return false;
        }
        if (cClass == INFINITE) {
            if (kind == INFINITE && sign != cSign) {
                return false;
            }
            special(INFINITE, cSign);
            return true;
        }
        if (kind == INFINITE) {
            return true;
        }
        if (cClass == ZERO) {
            if (kind == ZERO) {
                special(ZERO, sign == cSign ? sign : rounding == DOWN ? 1 : 0);
            }
            return true;
        }
        if (kind == ZERO) {
            finite(cSign, cExp, cSig, 0);
            return true;
        }
        int productSign = sign;
        boolean productLarger = exp > cExp || (exp == cExp && Long.compareUnsigned(hi, cSig) >= 0);
        int largeExp = productLarger ? exp : cExp;
        long largeHigh = productLarger ? hi : cSig;
        long largeLow = productLarger ? lo : 0;
        int largeSign = productLarger ? productSign : cSign;
        if (productLarger) {
            int difference = exp - cExp;
            hi = cSig;
            lo = 0;
            shiftRightJam(difference);
        } else {
            shiftRightJam(cExp - exp);
        }
        if (productSign == cSign) {
            long low = largeLow + lo;
            long carry = Long.compareUnsigned(low, lo) < 0 ? 1 : 0;
            long high = largeHigh + hi;
            boolean out = Long.compareUnsigned(high, hi) < 0;
            high += carry;
            out |= carry != 0 && high == 0;
            finite(largeSign, largeExp, high, low);
            if (out) {
                shiftRightJam(1);
                hi |= 1L << 63;
                exp++;
            }
            return true;
        }
        long low = largeLow - lo;
        long high = largeHigh - hi - (Long.compareUnsigned(largeLow, lo) < 0 ? 1 : 0);
        if ((high | low) == 0) {
            special(ZERO, rounding == DOWN ? 1 : 0);
            return true;
        }
        finite(largeSign, largeExp, high, low);
        normalize();
        return true;
    }

    /** a / b; raises ZE for a finite number divided by zero. */
    boolean divide() {
        int s = aSign ^ bSign;
        if (aClass == INFINITE) {
            if (bClass == INFINITE) {
                return false;
            }
            special(INFINITE, s);
        } else if (bClass == INFINITE) {
            special(ZERO, s);
        } else if (bClass == ZERO) {
            if (aClass == ZERO) {
                return false;
            }
            // A denormal dividend is not reported beside it.
            flags = (flags & ~DE) | ZE;
            special(INFINITE, s);
        } else if (aClass == ZERO) {
            special(ZERO, s);
        } else {
            boolean less = Long.compareUnsigned(aSig, bSig) < 0;
            long top = less ? aSig : aSig >>> 1;
            long quotient = divide128(top, less ? 0 : aSig << 63, bSig);
            long rest = remainder;
            // Only "below half, half, above half" of the next bits matters.
            long low = 0;
            if (rest != 0) {
                int order = Long.compareUnsigned(rest, bSig - rest);
                low = order < 0 ? 1 : order == 0 ? 1L << 63 : 1L << 63 | 1;
            }
            finite(s, aExp - bExp - (less ? 1 : 0), quotient, low);
        }
        return true;
    }

    boolean squareRoot() {
        if (aClass == ZERO) {
            special(ZERO, aSign);
            return true;
        }
        if (aSign != 0) {
            return false;
        }
        if (aClass == INFINITE) {
            special(INFINITE, 0);
            return true;
        }
        boolean odd = (aExp & 1) != 0;
        // The radicand as an integer in [2^126, 2^128).
        long top = odd ? aSig : aSig >>> 1;
        long bottom = odd ? 0 : aSig << 63;
        double estimate = Math.sqrt((double) (top >>> 1) * 2.0) * 0x1p32;
        long root = estimate >= 0x1p64 ? -1L : (long) (estimate * 0.5) << 1 | 1L << 63;
        // One Newton step on a 53-bit estimate, then correction by the exact remainder.
        if (Long.compareUnsigned(root, top) > 0) {
            long quotient = divide128(top, bottom, root);
            root = (root >>> 1) + (quotient >>> 1) + (root & quotient & 1);
        }
        while (squareExceeds(root, top, bottom)) {
            root--;
        }
        while (root != -1L && !squareExceeds(root + 1, top, bottom)) {
            root++;
        }
        long squareLow = root * root;
        long restLow = bottom - squareLow;
        long restHigh =
                top
                        - Math.unsignedMultiplyHigh(root, root)
                        - (Long.compareUnsigned(bottom, squareLow) < 0 ? 1 : 0);
        boolean aboveHalf = restHigh != 0 || Long.compareUnsigned(restLow, root) > 0;
        long low = (aboveHalf ? 1L << 63 : 0) | ((restHigh | restLow) != 0 ? 1 : 0);
        finite(0, aExp >> 1, root, low);
        return true;
    }

    private static boolean squareExceeds(long root, long top, long bottom) {
        int order = Long.compareUnsigned(Math.unsignedMultiplyHigh(root, root), top);
        return order > 0 || (order == 0 && Long.compareUnsigned(root * root, bottom) > 0);
    }

    /** -1, 0, 1 as a is less than, equal to or greater than b; neither is a NaN. */
    int compare() {
        if (aClass == ZERO && bClass == ZERO) {
            return 0;
        }
        if (aClass == ZERO) {
            return bSign != 0 ? 1 : -1;
        }
        if (bClass == ZERO || aSign != bSign) {
            return aSign != 0 ? -1 : 1;
        }
        int magnitude;
        if (aClass != bClass) {
            magnitude = aClass == INFINITE ? 1 : -1;
        } else if (aClass == INFINITE) {
            magnitude = 0;
        } else if (aExp != bExp) {
            magnitude = aExp > bExp ? 1 : -1;
        } else {
            magnitude = Long.compareUnsigned(aSig, bSig);
        }
        return aSign != 0 ? -magnitude : magnitude;
    }

    boolean aIsNan() {
        return aClass >= QNAN;
    }

    boolean bIsNan() {
        return bClass >= QNAN;
    }

    // ------------------------------------------------------------------ integers

    /** Sets the result to an exact integer. */
    void fromLong(long value) {
        if (value == 0) {
            special(ZERO, 0);
            return;
        }
        long magnitude = Math.abs(value);
        int shift = Long.numberOfLeadingZeros(magnitude);
        finite(value < 0 ? 1 : 0, 63 - shift, magnitude << shift, 0);
    }

    /** The result becomes operand a. */
    void copyA() {
        kind = aClass;
        sign = aSign;
        exp = aExp;
        hi = aSig;
        lo = 0;
    }

    /**
     * Operand a, not a NaN, as an integer of {@code bits} (16, 32, 64). Out of range: raises IE
     * alone and returns the integer indefinite; inexact: raises PE.
     */
    long toInteger(int bits, int mode) {
        long indefinite = -1L << (bits - 1);
        roundedUp = false;
        if (aClass == ZERO) {
            return 0;
        }
        if (aClass == INFINITE || aExp >= bits) {
            flags |= IE;
            return indefinite;
        }
        int before = flags;
        int savedMode = rounding;
        rounding = mode;
        copyA();
        shiftRightJam(63 - exp);
        roundAt(0);
        rounding = savedMode;
        // roundAt carries at bit 63 only for values that are out of range anyway.
        long limit = 1L << (bits - 1);
        boolean fits =
                exp == aExp
                        && (sign != 0
                                ? Long.compareUnsigned(hi, limit) <= 0
                                : Long.compareUnsigned(hi, limit) < 0);
        if (!fits) {
            flags = before | IE;
            roundedUp = false;
            return indefinite;
        }
        return sign != 0 ? -hi : hi;
    }

    /** The result becomes operand a, finite, rounded to an integral value; inexact raises PE. */
    void roundToIntegral(int mode) {
        copyA();
        roundedUp = false;
        if (kind != FINITE || exp >= 63) {
            return;
        }
        int savedMode = rounding;
        rounding = mode;
        if (exp < 0) {
            shiftRightJam(64 - Math.max(exp, -64) - 1);
            exp = 63;
            roundAt(0);
        } else {
            roundAt(63 - exp);
            rounding = savedMode;
            return;
        }
        rounding = savedMode;
        if (hi == 0) {
            kind = ZERO;
        } else {
            normalize();
        }
    }

    // ------------------------------------------------------------------ pieces

    void special(int newKind, int newSign) {
        kind = newKind;
        sign = newSign;
        hi = newKind == INFINITE ? 1L << 63 : 0;
        lo = 0;
        exp = 0;
    }

    void setNan(long significand, int newSign) {
        kind = QNAN;
        sign = newSign;
        hi = significand;
        lo = 0;
    }

    void finite(int newSign, int newExp, long high, long low) {
        kind = FINITE;
        sign = newSign;
        exp = newExp;
        hi = high;
        lo = low;
    }

    /** Shifts hi:lo, not zero, left until bit 63 of hi is set. */
    void normalize() {
        if (hi == 0) {
            hi = lo;
            lo = 0;
            exp -= 64;
        }
        int shift = Long.numberOfLeadingZeros(hi);
        if (shift != 0) {
            hi = hi << shift | lo >>> (64 - shift);
            lo <<= shift;
            exp -= shift;
        }
    }

    /** Of the last {@link #divide128}. */
    long remainder;

    /**
     * high:low / divisor, unsigned, for high below divisor and bit 63 of the divisor set (Knuth,
     * algorithm D with 32-bit digits).
     */
    long divide128(long high, long low, long divisor) {
        long d1 = divisor >>> 32;
        long d0 = divisor & 0xFFFFFFFFL;
        long q1 = Long.divideUnsigned(high, d1);
        long r = high - q1 * d1;
        while (q1 >>> 32 != 0 || Long.compareUnsigned(q1 * d0, r << 32 | low >>> 32) > 0) {
            q1--;
            r += d1;
            if (r >>> 32 != 0) {
                break;
            }
        }
        long middle = (high << 32 | low >>> 32) - q1 * divisor;
        long q0 = Long.divideUnsigned(middle, d1);
        r = middle - q0 * d1;
        while (q0 >>> 32 != 0 || Long.compareUnsigned(q0 * d0, r << 32 | (low & 0xFFFFFFFFL)) > 0) {
            q0--;
            r += d1;
            if (r >>> 32 != 0) {
                break;
            }
        }
        remainder = (middle << 32 | (low & 0xFFFFFFFFL)) - q0 * divisor;
        return (q1 << 32) + q0;
    }
}
