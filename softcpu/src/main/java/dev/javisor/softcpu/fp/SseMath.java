package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;

/**
 * Scalar binary32 and binary64 operations with MXCSR's rounding, exceptions and NaN rules (SDM 1
 * §4.8.3, §11.5; tables 4-7 and 11-*). An instruction calls {@link #begin}, computes its elements,
 * then {@link #finish}, which raises what is not masked before anything is written.
 *
 * <p>Java's own arithmetic serves when rounding is to nearest, operands and result are normal (or
 * zero), and the inexact flag is already set, or the operation is seen to be exact. Everything else
 * goes through {@link SoftFloat}.
 */
final class SseMath {
    static final int ADD = 0;
    static final int SUB = 1;
    static final int MUL = 2;
    static final int DIV = 3;
    static final int SQRT = 4;
    static final int MIN = 5;
    static final int MAX = 6;

    private static final int DEFAULT_NAN_32 = 0xFFC00000;
    private static final long DEFAULT_NAN_64 = 0xFFF8_0000_0000_0000L;
    private static final int QUIET_32 = 0x00400000;
    private static final long QUIET_64 = 0x0008_0000_0000_0000L;

    private SseMath() {}

    /** Takes over MXCSR; no exceptions yet. */
    static SoftFloat begin(Cpu cpu) {
        int mxcsr = cpu.mxcsr;
        SoftFloat f = cpu.fpu.sse;
        f.flags = 0;
        if (f.mxcsr != mxcsr) {
            f.mxcsr = mxcsr;
            f.rounding = mxcsr >> 13 & 3;
            f.masked = mxcsr >> 7 & 0x3F;
            f.denormalsAreZeros = (mxcsr & 0x40) != 0;
            f.flushToZero = (mxcsr & 0x8000) != 0;
            f.nearest = f.rounding == SoftFloat.NEAREST;
            f.inexactKnown = (mxcsr & mxcsr >> 7 & SoftFloat.PE) != 0;
        }
        return f;
    }

    /**
     * Before results are written: sets MXCSR's flags; raises #XM for unmasked ones. Exceptions
     * found before computing (invalid, denormal, division by zero) hide those found after (SDM 1
     * §11.5.3).
     */
    static void finish(Cpu cpu, SoftFloat f) {
        int flags = f.flags;
        if (flags == 0) {
            return;
        }
        int unmasked = flags & ~f.masked;
        if (unmasked == 0) {
            cpu.mxcsr |= flags;
            return;
        }
        int before = SoftFloat.IE | SoftFloat.DE | SoftFloat.ZE;
        cpu.mxcsr |= (unmasked & before) != 0 ? flags & before : flags;
        throw (cpu.cr4 & Cpu.CR4_OSXMMEXCPT) != 0 ? cpu.fault(GuestFault.XM) : cpu.ud();
    }

    /** One of the operations above; SQRT takes b only. */
    static long apply64(SoftFloat f, int operation, long a, long b) {
        return switch (operation) {
            case ADD -> add64(f, a, b);
            case SUB -> sub64(f, a, b);
            case MUL -> mul64(f, a, b);
            case DIV -> div64(f, a, b);
            case SQRT -> sqrt64(f, b);
            case MIN -> min64(f, a, b);
            default -> max64(f, a, b);
        };
    }

    static int apply32(SoftFloat f, int operation, int a, int b) {
        return switch (operation) {
            case ADD -> add32(f, a, b);
            case SUB -> sub32(f, a, b);
            case MUL -> mul32(f, a, b);
            case DIV -> div32(f, a, b);
            case SQRT -> sqrt32(f, b);
            case MIN -> min32(f, a, b);
            default -> max32(f, a, b);
        };
    }

    // ------------------------------------------------------------------ binary64

    /** Normal, and not at the edges of the range where rounding could leave it. */
    private static boolean inner64(long bits) {
        return ((int) (bits >>> 52) & 0x7FF) - 2 >>> 1 < 0x7FC >>> 1;
    }

    /** Zero or normal. */
    private static boolean ordinary64(long bits) {
        return ((int) (bits >>> 52) + 0x7FF & 0x7FF) < 0x7FE || bits << 1 == 0;
    }

    private static int significantBits64(long bits) {
        return 53 - Math.min(52, Long.numberOfTrailingZeros(bits));
    }

    static long add64(SoftFloat f, long a, long b) {
        if (f.nearest && ordinary64(a) && ordinary64(b)) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            double sum = x + y;
            long r = Double.doubleToRawLongBits(sum);
            if ((inner64(r) || r << 1 == 0) && (f.inexactKnown || (sum - x == y && sum - y == x))) {
                return r;
            }
        }
        return slow64(f, ADD, a, b);
    }

    static long sub64(SoftFloat f, long a, long b) {
        if (f.nearest && ordinary64(a) && ordinary64(b)) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            double sum = x - y;
            long r = Double.doubleToRawLongBits(sum);
            if ((inner64(r) || r << 1 == 0)
                    && (f.inexactKnown || (sum - x == -y && sum + y == x))) {
                return r;
            }
        }
        return slow64(f, SUB, a, b);
    }

    static long mul64(SoftFloat f, long a, long b) {
        if (f.nearest && ordinary64(a) && ordinary64(b)) {
            double product = Double.longBitsToDouble(a) * Double.longBitsToDouble(b);
            long r = Double.doubleToRawLongBits(product);
            if (inner64(r)
                    && (f.inexactKnown || significantBits64(a) + significantBits64(b) <= 53)) {
                return r;
            }
            if (a << 1 == 0 || b << 1 == 0) {
                return r;
            }
        }
        return slow64(f, MUL, a, b);
    }

    static long div64(SoftFloat f, long a, long b) {
        if (f.nearest && ordinary64(a) && ordinary64(b)) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            double quotient = x / y;
            long r = Double.doubleToRawLongBits(quotient);
            if (inner64(r)
                    && (f.inexactKnown
                            || (significantBits64(r) + significantBits64(b) <= 53
                                    && quotient * y == x))) {
                return r;
            }
        }
        return slow64(f, DIV, a, b);
    }

    static long sqrt64(SoftFloat f, long b) {
        if (f.nearest && b > 0 && inner64(b)) {
            double x = Double.longBitsToDouble(b);
            double root = Math.sqrt(x);
            long r = Double.doubleToRawLongBits(root);
            if (f.inexactKnown || (2 * significantBits64(r) <= 53 && root * root == x)) {
                return r;
            }
        }
        return slow64(f, SQRT, b, b);
    }

    private static long slow64(SoftFloat f, int operation, long a, long b) {
        int flags = f.flags;
        f.flags = 0;
        f.loadA64(a);
        f.loadB64(b);
        if (f.aIsNan() || f.bIsNan()) {
            boolean invalid = f.aClass == SoftFloat.SNAN || f.bClass == SoftFloat.SNAN;
            f.flags = flags | (invalid ? SoftFloat.IE : 0);
            return (f.aIsNan() ? a : b) | QUIET_64;
        }
        if (!compute(f, operation)) {
            f.flags = flags | SoftFloat.IE;
            return DEFAULT_NAN_64;
        }
        long r = f.round64();
        f.flags |= flags;
        return r;
    }

    private static boolean compute(SoftFloat f, int operation) {
        return switch (operation) {
            case ADD -> f.add(false);
            case SUB -> f.add(true);
            case MUL -> f.multiply();
            case DIV -> f.divide();
            default -> f.squareRoot();
        };
    }

    // ------------------------------------------------------------------ binary32

    private static boolean inner32(int bits) {
        return (bits >>> 23 & 0xFF) - 2 >>> 1 < 0xFC >>> 1;
    }

    private static boolean ordinary32(int bits) {
        return ((bits >>> 23) + 0xFF & 0xFF) < 0xFE || bits << 1 == 0;
    }

    static int add32(SoftFloat f, int a, int b) {
        if (f.nearest && ordinary32(a) && ordinary32(b)) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            float sum = x + y;
            int r = Float.floatToRawIntBits(sum);
            if ((inner32(r) || r << 1 == 0) && (f.inexactKnown || (sum - x == y && sum - y == x))) {
                return r;
            }
        }
        return slow32(f, ADD, a, b);
    }

    static int sub32(SoftFloat f, int a, int b) {
        if (f.nearest && ordinary32(a) && ordinary32(b)) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            float sum = x - y;
            int r = Float.floatToRawIntBits(sum);
            if ((inner32(r) || r << 1 == 0)
                    && (f.inexactKnown || (sum - x == -y && sum + y == x))) {
                return r;
            }
        }
        return slow32(f, SUB, a, b);
    }

    static int mul32(SoftFloat f, int a, int b) {
        if (f.nearest && ordinary32(a) && ordinary32(b)) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            float product = x * y;
            int r = Float.floatToRawIntBits(product);
            // The product of two binary32 is exact in binary64.
            if (inner32(r) && (f.inexactKnown || (double) x * y == product)) {
                return r;
            }
            if (a << 1 == 0 || b << 1 == 0) {
                return r;
            }
        }
        return slow32(f, MUL, a, b);
    }

    static int div32(SoftFloat f, int a, int b) {
        if (f.nearest && ordinary32(a) && ordinary32(b)) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            float quotient = x / y;
            int r = Float.floatToRawIntBits(quotient);
            if (inner32(r) && (f.inexactKnown || (double) quotient * y == x)) {
                return r;
            }
        }
        return slow32(f, DIV, a, b);
    }

    static int sqrt32(SoftFloat f, int b) {
        if (f.nearest && b > 0 && inner32(b)) {
            float x = Float.intBitsToFloat(b);
            float root = (float) Math.sqrt(x);
            if (f.inexactKnown || (double) root * root == x) {
                return Float.floatToRawIntBits(root);
            }
        }
        return slow32(f, SQRT, b, b);
    }

    private static int slow32(SoftFloat f, int operation, int a, int b) {
        int flags = f.flags;
        f.flags = 0;
        f.loadA32(a);
        f.loadB32(b);
        if (f.aIsNan() || f.bIsNan()) {
            boolean invalid = f.aClass == SoftFloat.SNAN || f.bClass == SoftFloat.SNAN;
            f.flags = flags | (invalid ? SoftFloat.IE : 0);
            return (f.aIsNan() ? a : b) | QUIET_32;
        }
        if (!compute(f, operation)) {
            f.flags = flags | SoftFloat.IE;
            return DEFAULT_NAN_32;
        }
        int r = f.round32();
        f.flags |= flags;
        return r;
    }

    // ------------------------------------------------------------------ comparisons

    static final int LESS = -1;
    static final int EQUAL = 0;
    static final int GREATER = 1;
    static final int UNORDERED = 2;

    /**
     * @param signalling any NaN raises IE, not only signalling ones
     */
    static int compare64(SoftFloat f, long a, long b, boolean signalling) {
        if (ordinary64(a) && ordinary64(b)) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            return x < y ? LESS : x > y ? GREATER : EQUAL;
        }
        int flags = f.flags;
        f.loadA64(a);
        f.loadB64(b);
        return compared(f, flags, signalling);
    }

    static int compare32(SoftFloat f, int a, int b, boolean signalling) {
        if (ordinary32(a) && ordinary32(b)) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            return x < y ? LESS : x > y ? GREATER : EQUAL;
        }
        int flags = f.flags;
        f.loadA32(a);
        f.loadB32(b);
        return compared(f, flags, signalling);
    }

    private static int compared(SoftFloat f, int flags, boolean signalling) {
        if (f.aIsNan() || f.bIsNan()) {
            boolean invalid =
                    signalling || f.aClass == SoftFloat.SNAN || f.bClass == SoftFloat.SNAN;
            f.flags = flags | (invalid ? SoftFloat.IE : 0);
            return UNORDERED;
        }
        return f.compare();
    }

    /** MINSS and the like: the second operand unless the first is truly less. */
    static int min32(SoftFloat f, int a, int b) {
        return compare32(f, a, b, true) == LESS ? flushed32(f, a) : flushed32(f, b);
    }

    static int max32(SoftFloat f, int a, int b) {
        return compare32(f, a, b, true) == GREATER ? flushed32(f, a) : flushed32(f, b);
    }

    static long min64(SoftFloat f, long a, long b) {
        return compare64(f, a, b, true) == LESS ? flushed64(f, a) : flushed64(f, b);
    }

    static long max64(SoftFloat f, long a, long b) {
        return compare64(f, a, b, true) == GREATER ? flushed64(f, a) : flushed64(f, b);
    }

    private static int flushed32(SoftFloat f, int a) {
        return f.denormalsAreZeros && (a & 0x7F800000) == 0 ? a & 0x80000000 : a;
    }

    private static long flushed64(SoftFloat f, long a) {
        return f.denormalsAreZeros && (a & 0x7FF0_0000_0000_0000L) == 0 ? a & 1L << 63 : a;
    }

    /** Predicate 0..31 of CMPPS and VCMPPS (SDM 2A, table 3-1). */
    static boolean holds(int predicate, int order) {
        boolean value =
                switch (predicate & 7) {
                    case 0 -> order == EQUAL;
                    case 1 -> order == LESS;
                    case 2 -> order == LESS || order == EQUAL;
                    case 3 -> order == UNORDERED;
                    case 4 -> order != EQUAL;
                    case 5 -> order != LESS;
                    case 6 -> order == GREATER || order == UNORDERED;
                    default -> order != UNORDERED;
                };
        if ((predicate & 8) == 0) {
            return value;
        }
        return switch (predicate & 7) {
            case 0 -> order == EQUAL || order == UNORDERED;
            case 1 -> order == LESS || order == UNORDERED;
            case 2 -> order != GREATER;
            case 3 -> false;
            case 4 -> order == LESS || order == GREATER;
            case 5 -> order == EQUAL || order == GREATER;
            case 6 -> order == GREATER;
            default -> true;
        };
    }

    /** Whether predicate 0..31 raises IE for quiet NaNs too. */
    static boolean signals(int predicate) {
        int p = predicate & 3;
        return (p == 1 || p == 2) != ((predicate & 16) != 0);
    }

    // ------------------------------------------------------------------ conversions

    static long widen(SoftFloat f, int a) {
        if (ordinary32(a)) {
            return Double.doubleToRawLongBits(Float.intBitsToFloat(a));
        }
        f.loadA32(a);
        if (f.aIsNan()) {
            f.flags |= f.aClass == SoftFloat.SNAN ? SoftFloat.IE : 0;
            long fraction = (a & 0x7FFFFFL) << 29;
            return (a & 0x80000000L) << 32 | 0x7FF8_0000_0000_0000L | fraction;
        }
        f.copyA();
        return f.round64();
    }

    static int narrow(SoftFloat f, long a) {
        if (f.nearest && f.inexactKnown && ordinary64(a)) {
            int r = Float.floatToRawIntBits((float) Double.longBitsToDouble(a));
            if (inner32(r)) {
                return r;
            }
        }
        f.loadA64(a);
        if (f.aIsNan()) {
            f.flags |= f.aClass == SoftFloat.SNAN ? SoftFloat.IE : 0;
            return (int) (a >>> 32) & 0x80000000 | 0x7FC00000 | (int) (a >>> 29) & 0x3FFFFF;
        }
        f.copyA();
        return f.round32();
    }

    static int integerTo32(SoftFloat f, long value) {
        f.fromLong(value);
        return f.round32();
    }

    static long integerTo64(SoftFloat f, long value) {
        if (value == (int) value) {
            return Double.doubleToRawLongBits((double) value);
        }
        f.fromLong(value);
        return f.round64();
    }

    /** To a signed integer of 32 or 64 bits; denormals raise no DE here. */
    static long toInteger32(SoftFloat f, int a, int bits, int mode) {
        int flags = f.flags;
        f.loadA32(a);
        return converted(f, flags, bits, mode);
    }

    static long toInteger64(SoftFloat f, long a, int bits, int mode) {
        if (f.inexactKnown && mode == SoftFloat.TRUNCATE) {
            double x = Double.longBitsToDouble(a);
            if (x > -0x1p31 && x < 0x1p31) {
                return (long) x;
            }
        }
        int flags = f.flags;
        f.loadA64(a);
        return converted(f, flags, bits, mode);
    }

    private static long converted(SoftFloat f, int flags, int bits, int mode) {
        f.flags = flags;
        if (f.aIsNan()) {
            f.flags |= SoftFloat.IE;
            return -1L << (bits - 1);
        }
        return f.toInteger(bits, mode);
    }

    /** ROUNDSS, ROUNDPS with their immediate. */
    static int round32(SoftFloat f, int a, int imm) {
        int flags = f.flags;
        f.loadA32(a);
        if (f.aIsNan()) {
            f.flags = flags | (f.aClass == SoftFloat.SNAN ? SoftFloat.IE : 0);
            return a | QUIET_32;
        }
        integral(f, flags, imm);
        return f.pack32();
    }

    static long round64(SoftFloat f, long a, int imm) {
        int flags = f.flags;
        f.loadA64(a);
        if (f.aIsNan()) {
            f.flags = flags | (f.aClass == SoftFloat.SNAN ? SoftFloat.IE : 0);
            return a | QUIET_64;
        }
        integral(f, flags, imm);
        return f.pack64();
    }

    private static void integral(SoftFloat f, int flags, int imm) {
        f.flags = flags;
        f.roundToIntegral((imm & 4) != 0 ? f.rounding : imm & 3);
        if ((imm & 8) != 0) {
            f.flags = flags;
        }
    }

    // ------------------------------------------------------------------ half precision

    /** Two binary16 to two binary32: exact; a denormal raises nothing and is never flushed. */
    static long halves(SoftFloat f, int pair) {
        return Packed.join(fromHalf(f, pair & 0xFFFF), fromHalf(f, pair >>> 16));
    }

    private static int fromHalf(SoftFloat f, int bits) {
        int sign = (bits & 0x8000) << 16;
        int e = bits >> 10 & 31;
        int fraction = bits & 0x3FF;
        if (e == 31) {
            if (fraction != 0 && (fraction & 0x200) == 0) {
                f.flags |= SoftFloat.IE;
                fraction |= 0x200;
            }
            return sign | 0x7F800000 | fraction << 13;
        }
        if (e != 0) {
            return sign | (e + 112) << 23 | fraction << 13;
        }
        // fraction * 2^-24
        return sign | Float.floatToRawIntBits(fraction * 0x1p-24f);
    }

    /** To binary16; FTZ does not apply. */
    static int toHalf(SoftFloat f, int a, int mode) {
        f.loadA32(a);
        if (f.aIsNan()) {
            f.flags |= f.aClass == SoftFloat.SNAN ? SoftFloat.IE : 0;
            return a >>> 16 & 0x8000 | 0x7E00 | a >>> 13 & 0x1FF;
        }
        f.copyA();
        int saved = f.rounding;
        boolean flush = f.flushToZero;
        f.rounding = mode;
        f.flushToZero = false;
        int bits = f.round16();
        f.rounding = saved;
        f.flushToZero = flush;
        return bits;
    }

    // ------------------------------------------------------------------ fused multiply-add

    /** ±(a * b) ± c with one rounding. NaNs keep their signs; of several the first counts. */
    static long fuse64(
            SoftFloat f, long a, long b, long c, boolean negateProduct, boolean negateAddend) {
        if (f.nearest && f.inexactKnown && ordinary64(a) && ordinary64(b) && ordinary64(c)) {
            double x = Double.longBitsToDouble(a);
            double z = Double.longBitsToDouble(c);
            double r =
                    Math.fma(
                            negateProduct ? -x : x,
                            Double.longBitsToDouble(b),
                            negateAddend ? -z : z);
            long bits = Double.doubleToRawLongBits(r);
            if (inner64(bits)) {
                return bits;
            }
        }
        int flags = f.flags;
        f.flags = 0;
        f.loadA64(c);
        f.holdC();
        f.loadA64(a);
        f.loadB64(b);
        int nan = fuse(f, flags, negateProduct, negateAddend);
        if (nan != 0) {
            return nan < 0 ? DEFAULT_NAN_64 : (nan == 1 ? a : nan == 2 ? b : c) | QUIET_64;
        }
        long r = f.round64();
        f.flags |= flags;
        return r;
    }

    static int fuse32(
            SoftFloat f, int a, int b, int c, boolean negateProduct, boolean negateAddend) {
        if (f.nearest && f.inexactKnown && ordinary32(a) && ordinary32(b) && ordinary32(c)) {
            float x = Float.intBitsToFloat(a);
            float z = Float.intBitsToFloat(c);
            float r =
                    Math.fma(
                            negateProduct ? -x : x, Float.intBitsToFloat(b), negateAddend ? -z : z);
            int bits = Float.floatToRawIntBits(r);
            if (inner32(bits)) {
                return bits;
            }
        }
        int flags = f.flags;
        f.flags = 0;
        f.loadA32(c);
        f.holdC();
        f.loadA32(a);
        f.loadB32(b);
        int nan = fuse(f, flags, negateProduct, negateAddend);
        if (nan != 0) {
            return nan < 0 ? DEFAULT_NAN_32 : (nan == 1 ? a : nan == 2 ? b : c) | QUIET_32;
        }
        int r = f.round32();
        f.flags |= flags;
        return r;
    }

    /** 0: the result is to be rounded. 1, 2, 3: the NaN a, b or c. -1: invalid. */
    private static int fuse(SoftFloat f, int flags, boolean negateProduct, boolean negateAddend) {
        boolean cIsNan = f.cClass >= SoftFloat.QNAN;
        if (f.aIsNan() || f.bIsNan() || cIsNan) {
            boolean invalid =
                    f.aClass == SoftFloat.SNAN
                            || f.bClass == SoftFloat.SNAN
                            || f.cClass == SoftFloat.SNAN;
            f.flags = flags | (invalid ? SoftFloat.IE : 0);
            return f.aIsNan() ? 1 : f.bIsNan() ? 2 : 3;
        }
        f.aSign ^= negateProduct ? 1 : 0;
        f.cSign ^= negateAddend ? 1 : 0;
        if (!f.multiplyAdd()) {
            f.flags = flags | SoftFloat.IE;
            return -1;
        }
        return 0;
    }

    // ------------------------------------------------------------------ approximations

    /**
     * 1 / a. DEVIATION: silicon's tables have a relative error of up to 1.5 * 2^-12 and differ
     * between makers; this is the nearest binary32. Special cases as silicon: denormals count as
     * zeros, tiny results become zeros, no exceptions.
     */
    static int reciprocal(int a) {
        int sign = a & 0x80000000;
        int e = a >>> 23 & 0xFF;
        if (e == 0xFF) {
            return (a & 0x7FFFFF) != 0 ? a | QUIET_32 : sign;
        }
        if (e == 0) {
            return sign | 0x7F800000;
        }
        int r = Float.floatToRawIntBits(1f / Float.intBitsToFloat(a));
        return (r & 0x7F800000) == 0 ? sign : r;
    }

    /** 1 / sqrt(a); see {@link #reciprocal}. */
    static int reciprocalRoot(int a) {
        int sign = a & 0x80000000;
        int e = a >>> 23 & 0xFF;
        if (e == 0xFF && (a & 0x7FFFFF) != 0) {
            return a | QUIET_32;
        }
        if (e == 0) {
            return sign | 0x7F800000;
        }
        if (sign != 0) {
            return DEFAULT_NAN_32;
        }
        return Float.floatToRawIntBits((float) (1 / Math.sqrt(Float.intBitsToFloat(a))));
    }
}
