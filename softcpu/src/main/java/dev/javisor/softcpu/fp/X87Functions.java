package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.math.BigInteger;

/**
 * The x87's transcendental functions, by series with 128-bit significands: results are off by less
 * than 2^-115 before they are rounded, so that they are correctly rounded but for about one case in
 * 2^50. Arguments of the trigonometric ones are reduced by pi to 66 bits, as processors do (SDM 1
 * §8.3.8). Precision control does not apply; C1 and PE are those of the final rounding.
 */
final class X87Functions {
    private static final Wide ONE = Wide.constant(0, 1L << 63, 0);
    private static final Wide LN_2 = Wide.constant(-1, 0xB17217F7D1CF79ABL, 0xC9E3B39803F2F6AFL);
    private static final Wide LOG2_E = Wide.constant(0, 0xB8AA3B295C17F0BBL, 0xBE87FED0691D3E88L);
    private static final Wide PI = Wide.constant(1, 0xC90FDAA22168C234L, 0xC4C6628B80DC1CD1L);
    private static final Wide HALF_PI = Wide.constant(0, PI.hi, PI.lo);

    private static final long SQRT_2 = 0xB504F333F9DE6484L;

    /** atan(k / 8), k = 1..8. */
    private static final Wide[] ATAN = {
        new Wide(),
        Wide.constant(-4, 0xFEADD4D5617B6E32L, 0xC897989F3E888EF7L),
        Wide.constant(-3, 0xFADBAFC96406EB15L, 0x6DC79EF5F7A217E5L),
        Wide.constant(-2, 0xB7B0CA0F26F78473L, 0x8AA32122DCFE4483L),
        Wide.constant(-2, 0xED63382B0DDA7B45L, 0x6FE445ECBC3A8D03L),
        Wide.constant(-1, 0x8F005D5EF7F59F9BL, 0x5C835E1665C43747L),
        Wide.constant(-1, 0xA4BC7D1934F70924L, 0x19A87F2A457DAC9EL),
        Wide.constant(-1, 0xB8053E2BC2319E73L, 0xCB2DA55210A4443DL),
        Wide.constant(-1, PI.hi, PI.lo)
    };

    /** 1 / n!. */
    private static final Wide[] INVERSE_FACTORIAL = new Wide[36];

    /** 1 / (2n + 1). */
    private static final Wide[] INVERSE_ODD = new Wide[28];

    static {
        BigInteger factorial = BigInteger.ONE;
        for (int n = 0; n < INVERSE_FACTORIAL.length; n++) {
            factorial = n == 0 ? factorial : factorial.multiply(BigInteger.valueOf(n));
            INVERSE_FACTORIAL[n] = Wide.reciprocal(factorial);
        }
        for (int n = 0; n < INVERSE_ODD.length; n++) {
            INVERSE_ODD[n] = Wide.reciprocal(BigInteger.valueOf(2L * n + 1));
        }
    }

    /** Below 2^-TINY the next term of a series in x^2 lies below 128 bits. */
    private static final int TINY = 62;

    private X87Functions() {}

    static void execute(Cpu cpu, Insn in) {
        switch (in.op) {
            case FSIN, FCOS -> {
                cpu.fpStatus &= ~X87.C2;
                if (!X87Arithmetic.underflow(cpu)) {
                    sineOrCosine(cpu, in.op == Op.FCOS);
                }
            }
            case FSINCOS, FPTAN -> pushing(cpu, in.op == Op.FPTAN);
            case F2XM1 -> powerMinusOne(cpu);
            case FYL2X -> logarithm(cpu, false);
            case FYL2XP1 -> logarithm(cpu, true);
            case FPATAN -> arcTangent(cpu);
            default -> throw cpu.ud();
        }
    }

    /** The result becomes {@code w}, which is never exact. */
    private static void take(SoftFloat f, Wide w) {
        f.finite(w.sign, w.exp, w.hi, w.lo | 1);
    }

    private static Wide operand(Wide w, int sign, int exp, long significand) {
        return w.set(sign, exp, significand, 0);
    }

    /** Multiplies x by the factor just below (or above) one that a tiny argument leaves. */
    private static void nudge(Wide x, boolean down) {
        if (down) {
            // x - 1 ulp of 128 bits
            if (x.lo-- == 0 && x.hi-- == 1L << 63) {
                x.exp--;
                x.hi = -1L;
            }
        } else {
            x.lo |= 1;
        }
    }

    // ------------------------------------------------------------------ sine, cosine, tangent

    /**
     * Reduces operand a by multiples of 66-bit pi / 2 into [-pi/4, pi/4], to {@link
     * SoftFloat#wideX}. Returns the quadrant, 0..3.
     */
    private static int reduce(SoftFloat f) {
        Wide x = f.wideX;
        if (f.aExp < -1) {
            operand(x, f.aSign, f.aExp, f.aSig);
            return 0;
        }
        // Units of 2^-65: pi/2 is 1.57... = 0x3243F6A8885A308D3 * 2^-65 (66 bits).
        long divisorHigh = 3;
        long divisorLow = 0x243F6A8885A308D3L;
        long restHigh = f.aSig >>> 63;
        long restLow = f.aSig << 1;
        long quotient = 0;
        // a = aSig * 2^(aExp - 63): start with aExp = -1, that is aSig << 1, and double.
        for (int e = -1; ; e++) {
            boolean fits =
                    restHigh > divisorHigh
                            || (restHigh == divisorHigh
                                    && Long.compareUnsigned(restLow, divisorLow) >= 0);
            quotient <<= 1;
            if (fits) {
                restHigh -= divisorHigh + (Long.compareUnsigned(restLow, divisorLow) < 0 ? 1 : 0);
                restLow -= divisorLow;
                quotient |= 1;
            }
            if (e == f.aExp) {
                break;
            }
            restHigh = restHigh << 1 | restLow >>> 63;
            restLow <<= 1;
        }
        int sign = f.aSign;
        // To the nearest multiple: beyond pi/4, pi/2 less what is left, the other way round.
        long twiceHigh = restHigh << 1 | restLow >>> 63;
        long twiceLow = restLow << 1;
        if (twiceHigh > divisorHigh
                || (twiceHigh == divisorHigh && Long.compareUnsigned(twiceLow, divisorLow) > 0)) {
            long borrow = Long.compareUnsigned(divisorLow, restLow) < 0 ? 1 : 0;
            restLow = divisorLow - restLow;
            restHigh = divisorHigh - restHigh - borrow;
            sign ^= 1;
            quotient++;
        }
        int shift =
                restHigh != 0
                        ? Long.numberOfLeadingZeros(restHigh)
                        : 64 + Long.numberOfLeadingZeros(restLow);
        if (shift >= 64) {
            x.set(sign, 0, shift == 128 ? 0 : restLow << (shift - 64), 0);
        } else {
            x.set(
                    sign,
                    0,
                    shift == 0 ? restHigh : restHigh << shift | restLow >>> (64 - shift),
                    restLow << shift);
        }
        x.exp = 127 - shift - 65;
        return (int) (f.aSign == 0 ? quotient : -quotient) & 3;
    }

    /** sin(x) for |x| up to pi/4, x = wideX, into {@code result}. */
    private static void sine(SoftFloat f, Wide result) {
        Wide x = f.wideX;
        if (x.exp < -TINY) {
            nudge(result.set(x), true);
            return;
        }
        Wide square = f.wideSquare.multiply(x, x).negate();
        series(result, square, 35, 2);
        result.multiply(result, x);
    }

    private static void cosine(SoftFloat f, Wide result) {
        Wide x = f.wideX;
        if (x.exp < -TINY) {
            nudge(result.set(ONE), true);
            return;
        }
        Wide square = f.wideSquare.multiply(x, x).negate();
        series(result, square, 34, 2);
    }

    /** Sum of variable^k / (n0 + step * k)! by Horner's rule, down from the term 1 / from!. */
    private static void series(Wide result, Wide variable, int from, int step) {
        result.set(INVERSE_FACTORIAL[from]);
        for (int n = from - step; n >= 0; n -= step) {
            result.multiply(result, variable);
            result.add(result, INVERSE_FACTORIAL[n]);
        }
    }

    /** Sine or cosine of the reduced argument in a quadrant. */
    private static void inQuadrant(SoftFloat f, int quadrant, boolean cosine, Wide result) {
        int q = cosine ? quadrant + 1 : quadrant;
        if ((q & 1) == 0) {
            sine(f, result);
        } else {
            cosine(f, result);
        }
        if ((q & 2) != 0) {
            result.negate();
        }
    }

    private static void sineOrCosine(Cpu cpu, boolean cosine) {
        SoftFloat f = X87.begin(cpu);
        X87.loadA(cpu, f, 0);
        if (outOfRange(cpu, f)) {
            return;
        }
        if (!special(f)) {
            if (f.aClass == SoftFloat.ZERO) {
                constantOfZero(f, cosine);
            } else {
                int quadrant = reduce(f);
                inQuadrant(f, quadrant, cosine, f.wideResult);
                take(f, f.wideResult);
            }
        }
        X87.finish(cpu, f, 0, 64);
    }

    /** sin 0 = 0 with its sign, cos 0 = 1. */
    private static void constantOfZero(SoftFloat f, boolean cosine) {
        if (cosine) {
            f.finite(0, 0, 1L << 63, 0);
        } else {
            f.copyA();
        }
    }

    /** |a| is 2^63 or more: nothing happens but C2. Otherwise C2 is cleared. */
    private static boolean outOfRange(Cpu cpu, SoftFloat f) {
        cpu.fpStatus &= ~X87.C2;
        if (f.aClass == SoftFloat.FINITE && f.aExp >= 63) {
            cpu.fpStatus |= X87.C2;
            return true;
        }
        return false;
    }

    /** NaNs, and the infinities, which are invalid here. */
    private static boolean special(SoftFloat f) {
        if (X87.nanA(f)) {
            return true;
        }
        if (f.aClass == SoftFloat.INFINITE) {
            X87.invalid(f);
            return true;
        }
        return false;
    }

    /** FSINCOS: sine, then cosine pushed. FPTAN: tangent, then 1 pushed. */
    private static void pushing(Cpu cpu, boolean tangent) {
        SoftFloat f = X87.begin(cpu);
        cpu.fpStatus &= ~X87.C2;
        if (X87.isEmpty(cpu, 0) || X87.isFull(cpu)) {
            boolean masked = X87.isEmpty(cpu, 0) ? X87.stackUnderflow(cpu) : X87.stackOverflow(cpu);
            if (masked) {
                X87.setDefaultNan(cpu, 0);
                cpu.fpTop = (cpu.fpTop - 1) & 7;
                X87.setDefaultNan(cpu, 0);
            }
            return;
        }
        X87.loadA(cpu, f, 0);
        if (outOfRange(cpu, f)) {
            return;
        }
        if (special(f)) {
            if (X87.finish(cpu, f, 0, 64)) {
                long significand = f.hi;
                int signExponent = f.signExponent80();
                cpu.fpTop = (cpu.fpTop - 1) & 7;
                X87.set(cpu, 0, significand, signExponent);
            }
            return;
        }
        boolean zero = f.aClass == SoftFloat.ZERO;
        if (zero) {
            constantOfZero(f, false);
        } else {
            int quadrant = reduce(f);
            inQuadrant(f, quadrant, true, f.wideCosine);
            inQuadrant(f, quadrant, false, f.wideResult);
            if (tangent) {
                if (f.wideX.exp < -TINY && (quadrant & 1) == 0) {
                    nudge(f.wideResult.set(f.wideX), false);
                } else {
                    f.wideResult.divide(f.wideResult, f.wideCosine, f, f.wideRest);
                }
            }
            take(f, f.wideResult);
        }
        if (!X87.finish(cpu, f, 0, 64)) {
            return;
        }
        cpu.fpTop = (cpu.fpTop - 1) & 7;
        if (tangent || zero) {
            X87.set(cpu, 0, 1L << 63, 0x3FFF);
        } else {
            take(f, f.wideCosine);
            X87.finish(cpu, f, 0, 64);
        }
    }

    // ------------------------------------------------------------------ 2^x - 1

    private static void powerMinusOne(Cpu cpu) {
        if (X87Arithmetic.underflow(cpu)) {
            return;
        }
        SoftFloat f = X87.begin(cpu);
        X87.loadA(cpu, f, 0);
        if (!X87.nanA(f)) {
            if (f.aClass == SoftFloat.INFINITE) {
                if (f.aSign != 0) {
                    f.finite(1, 0, 1L << 63, 0);
                } else {
                    f.special(SoftFloat.INFINITE, 0);
                }
            } else if (f.aClass == SoftFloat.ZERO) {
                f.copyA();
            } else if (f.aExp == 0 && f.aSig == 1L << 63) {
                // 2 - 1 and 1/2 - 1
                f.finite(f.aSign, -f.aSign, 1L << 63, 0);
                f.flags |= SoftFloat.PE;
            } else if (f.aExp >= 0) {
                // Outside [-1, 1] the result is undefined: the operand, as on processors.
                f.copyA();
                f.flags |= SoftFloat.PE;
            } else {
                Wide x = operand(f.wideX, f.aSign, f.aExp, f.aSig);
                x.multiply(x, LN_2);
                Wide r = f.wideResult.set(INVERSE_FACTORIAL[30]);
                for (int n = 29; n >= 1; n--) {
                    r.multiply(r, x);
                    r.add(r, INVERSE_FACTORIAL[n]);
                }
                r.multiply(r, x);
                take(f, r);
            }
        }
        X87.finish(cpu, f, 0, 64);
    }

    // ------------------------------------------------------------------ logarithms

    /** ST(1) * log2(ST(0)), or of ST(0) + 1; pops. Operand a is ST(0), b is ST(1). */
    private static void logarithm(Cpu cpu, boolean plusOne) {
        SoftFloat f = X87.begin(cpu);
        if (X87.isEmpty(cpu, 0) || X87.isEmpty(cpu, 1)) {
            if (X87.stackUnderflow(cpu)) {
                X87.setDefaultNan(cpu, 1);
                X87.pop(cpu);
            }
            return;
        }
        X87.loadA(cpu, f, 0);
        X87.loadB(cpu, f, 1);
        if (!X87.nan(f)) {
            if (plusOne) {
                logarithmPlusOne(f);
            } else {
                logarithmOf(f);
            }
        }
        if (X87.finish(cpu, f, 1, 64)) {
            X87.pop(cpu);
        }
    }

    private static void logarithmOf(SoftFloat f) {
        if (f.aClass == SoftFloat.ZERO) {
            if (f.bClass == SoftFloat.ZERO) {
                X87.invalid(f);
            } else {
                if (f.bClass == SoftFloat.FINITE) {
                    f.flags = (f.flags & ~SoftFloat.DE) | SoftFloat.ZE;
                }
                f.special(SoftFloat.INFINITE, f.bSign ^ 1);
            }
            return;
        }
        if (f.aSign != 0) {
            X87.invalid(f);
            return;
        }
        boolean one = f.aClass == SoftFloat.FINITE && f.aExp == 0 && f.aSig == 1L << 63;
        int logSign = f.aClass == SoftFloat.FINITE && f.aExp < 0 ? 1 : 0;
        if (f.aClass == SoftFloat.INFINITE || f.bClass != SoftFloat.FINITE || one) {
            boolean zeroTimesInfinity =
                    f.aClass == SoftFloat.INFINITE
                            ? f.bClass == SoftFloat.ZERO
                            : one && f.bClass == SoftFloat.INFINITE;
            if (zeroTimesInfinity) {
                X87.invalid(f);
            } else {
                boolean infinite = f.aClass == SoftFloat.INFINITE || f.bClass == SoftFloat.INFINITE;
                f.special(infinite ? SoftFloat.INFINITE : SoftFloat.ZERO, f.bSign ^ logSign);
            }
            return;
        }
        if (f.aSig == 1L << 63) {
            // A power of two: an exact integer times y.
            int exponent = f.aExp;
            int bSign = f.bSign;
            int bExp = f.bExp;
            long bSig = f.bSig;
            int flags = f.flags;
            f.loadBInteger(exponent);
            f.aClass = SoftFloat.FINITE;
            f.aSign = bSign;
            f.aExp = bExp;
            f.aSig = bSig;
            f.multiply();
            f.flags = flags | SoftFloat.PE;
            return;
        }
        // x = m * 2^k with m in [sqrt(1/2), sqrt(2)).
        int k = f.aExp;
        int e = 0;
        if (Long.compareUnsigned(f.aSig, SQRT_2) > 0) {
            k++;
            e = -1;
        }
        Wide m = operand(f.wideX, 0, e, f.aSig);
        // s = (m - 1) / (m + 1)
        Wide numerator = f.wideSquare.set(ONE).negate();
        numerator.add(numerator, m);
        m.add(m, ONE);
        m.divide(numerator, m, f, f.wideRest);
        Wide log = logarithmSeries(f, m);
        log.add(log, whole(f.wideRest, k));
        log.multiply(log, operand(f.wideX, f.bSign, f.bExp, f.bSig));
        take(f, log);
    }

    /** 2 * atanh(s) / ln 2 into wideResult, |s| up to 0.18. */
    private static Wide logarithmSeries(SoftFloat f, Wide s) {
        Wide square = f.wideSquare.multiply(s, s);
        Wide r = f.wideResult.set(INVERSE_ODD[26]);
        for (int n = 25; n >= 0; n--) {
            r.multiply(r, square);
            r.add(r, INVERSE_ODD[n]);
        }
        r.multiply(r, s);
        r.multiply(r, LOG2_E);
        r.exp++;
        return r;
    }

    private static void logarithmPlusOne(SoftFloat f) {
        int s = f.aSign ^ f.bSign;
        if (f.aClass == SoftFloat.ZERO) {
            if (f.bClass == SoftFloat.INFINITE) {
                X87.invalid(f);
            } else {
                f.special(SoftFloat.ZERO, s);
            }
            return;
        }
        if (f.aClass == SoftFloat.INFINITE) {
            if (f.aSign != 0 || f.bClass == SoftFloat.ZERO) {
                X87.invalid(f);
            } else {
                f.special(SoftFloat.INFINITE, s);
            }
            return;
        }
        if (f.aSign != 0 && f.aExp >= 0 && f.bClass == SoftFloat.FINITE) {
            // At or below -1 the result is undefined: the operand, as on processors.
            f.copyA();
            f.flags |= SoftFloat.PE;
            return;
        }
        if (f.bClass != SoftFloat.FINITE) {
            f.special(f.bClass, s);
            return;
        }
        Wide x = operand(f.wideX, f.aSign, f.aExp, f.aSig);
        // s = x / (2 + x); the series holds for |s| up to 0.18, which the defined range keeps to.
        Wide sum = f.wideSquare.set(ONE);
        sum.exp = 1;
        sum.add(sum, x);
        Wide log;
        if (f.aExp < -1 || (f.aExp == -1 && f.aSign == 0)) {
            x.divide(x, sum, f, f.wideRest);
            log = logarithmSeries(f, x);
        } else {
            log = logarithmOfSum(f, x);
        }
        boolean exact = log.lo == 0 && log.hi << 16 == 0;
        log.multiply(log, operand(f.wideX, f.bSign, f.bExp, f.bSig));
        take(f, log);
        if (exact) {
            // An integer: the product fits 128 bits.
            f.lo = log.lo;
            f.flags |= SoftFloat.PE;
        }
    }

    /** log2(1 + x) where the sum may lie anywhere, also on a power of two. */
    private static Wide logarithmOfSum(SoftFloat f, Wide x) {
        Wide sum = x.add(x, ONE);
        int k = sum.exp;
        if (sum.hi == 1L << 63 && sum.lo == 0) {
            return whole(f.wideResult, k);
        }
        sum.exp = 0;
        if (Long.compareUnsigned(sum.hi, SQRT_2) > 0) {
            k++;
            sum.exp = -1;
        }
        Wide numerator = f.wideSquare.set(ONE).negate();
        numerator.add(numerator, sum);
        sum.add(sum, ONE);
        sum.divide(numerator, sum, f, f.wideRest);
        Wide log = logarithmSeries(f, sum);
        return log.add(log, whole(f.wideRest, k));
    }

    private static Wide whole(Wide w, int k) {
        int shift = Long.numberOfLeadingZeros(Math.abs((long) k));
        return w.set(k < 0 ? 1 : 0, 63 - shift, k == 0 ? 0 : Math.abs((long) k) << shift, 0);
    }

    // ------------------------------------------------------------------ arctangent

    /** atan2(ST(1), ST(0)); pops. Operand a is ST(1) = y, b is ST(0) = x. */
    private static void arcTangent(Cpu cpu) {
        SoftFloat f = X87.begin(cpu);
        if (X87.isEmpty(cpu, 0) || X87.isEmpty(cpu, 1)) {
            if (X87.stackUnderflow(cpu)) {
                X87.setDefaultNan(cpu, 1);
                X87.pop(cpu);
            }
            return;
        }
        X87.loadA(cpu, f, 1);
        X87.loadB(cpu, f, 0);
        if (!X87.nan(f)) {
            angle(f);
        }
        if (X87.finish(cpu, f, 1, 64)) {
            X87.pop(cpu);
        }
    }

    /** SDM 2A table 3-30, and the finite quotients. */
    private static void angle(SoftFloat f) {
        boolean left = f.bSign != 0;
        int sign = f.aSign;
        if (f.aClass == SoftFloat.ZERO
                || (f.bClass == SoftFloat.INFINITE && f.aClass != SoftFloat.INFINITE)) {
            if (left) {
                take(f, PI);
            } else {
                f.special(SoftFloat.ZERO, 0);
            }
            f.sign = sign;
            return;
        }
        Wide r = f.wideResult;
        if (f.aClass == SoftFloat.INFINITE && f.bClass == SoftFloat.INFINITE) {
            r.set(ATAN[8]);
            if (left) {
                r.negate();
                r.add(r, PI);
            }
        } else if (f.aClass == SoftFloat.INFINITE || f.bClass == SoftFloat.ZERO) {
            r.set(HALF_PI);
        } else {
            finiteAngle(f, r, left);
        }
        take(f, r);
        f.sign = sign;
    }

    private static void finiteAngle(SoftFloat f, Wide r, boolean left) {
        boolean steep =
                f.aExp > f.bExp || (f.aExp == f.bExp && Long.compareUnsigned(f.aSig, f.bSig) > 0);
        Wide y = operand(f.wideX, 0, f.aExp, f.aSig);
        Wide x = operand(f.wideCosine, 0, f.bExp, f.bSig);
        Wide q = steep ? y.divide(x, y, f, f.wideRest) : y.divide(y, x, f, f.wideRest);
        arcTangentOf(f, q, r);
        // steep: pi/2 - r; in the left half plane: pi - r, or pi/2 + r.
        if (steep) {
            if (!left) {
                r.negate();
            }
            r.add(r, HALF_PI);
        } else if (left) {
            r.negate();
            r.add(r, PI);
        }
    }

    /** atan(q), q in (0, 1], into r. */
    private static void arcTangentOf(SoftFloat f, Wide q, Wide r) {
        if (q.exp < -TINY) {
            nudge(r.set(q), true);
            return;
        }
        // k = round(8 q)
        int k = q.exp < -4 ? 0 : (int) ((q.hi >>> (59 - q.exp)) + 1 >> 1);
        if (k != 0) {
            // q becomes (q - c) / (1 + q c), c = k / 8.
            int shift = Long.numberOfLeadingZeros(k);
            Wide c = f.wideCosine.set(0, 60 - shift, (long) k << shift, 0);
            Wide sum = f.wideSquare.multiply(q, c);
            sum.add(sum, ONE);
            q.add(q, c.negate());
            if (!q.isZero()) {
                q.divide(q, sum, f, f.wideRest);
            }
        }
        Wide square = f.wideSquare.multiply(q, q).negate();
        r.set(INVERSE_ODD[17]);
        for (int n = 16; n >= 0; n--) {
            r.multiply(r, square);
            r.add(r, INVERSE_ODD[n]);
        }
        r.multiply(r, q);
        if (k != 0) {
            r.add(r, ATAN[k]);
        }
    }
}
