package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;

/**
 * The x87 register stack and exception reporting (SDM 1 §8.1, §8.4, §8.5), shared by the x87
 * instruction files. Exceptions are deferred: an unmasked one sets ES, and the next waiting
 * instruction raises #MF.
 */
final class X87 {
    // Status word.
    static final int SF = 0x40;
    static final int C0 = 0x100;
    static final int C1 = 0x200;
    static final int C2 = 0x400;
    static final int C3 = 0x4000;
    private static final int ES_AND_B = 0x8080;

    static final long DEFAULT_NAN = 0xC000_0000_0000_0000L;
    static final int DEFAULT_NAN_EXPONENT = 0xFFFF;
    private static final long QUIET = 1L << 62;

    /** Exceptions found before computing: unmasked, they keep the result from being stored. */
    private static final int BEFORE = SoftFloat.IE | SoftFloat.DE | SoftFloat.ZE;

    /** Bias adjustment of results of unmasked overflow and underflow (SDM 1 §8.5.4). */
    private static final int SCALE = 24576;

    private X87() {}

    /** Physical register of ST(i). */
    static int physical(Cpu cpu, int i) {
        return (cpu.fpTop + i) & 7;
    }

    static boolean isEmpty(Cpu cpu, int i) {
        return (cpu.fpEmpty >> physical(cpu, i) & 1) != 0;
    }

    /** Starts an operation: controls taken over, no exceptions yet, C1 cleared. */
    static SoftFloat begin(Cpu cpu) {
        SoftFloat f = cpu.fpu.x87;
        f.flags = 0;
        f.rounding = cpu.fpControl >> 10 & 3;
        f.masked = cpu.fpControl & 0x3F;
        f.scaleOnTrap = SCALE;
        f.roundedUp = false;
        cpu.fpStatus &= ~C1;
        return f;
    }

    /** Bits of significand by precision control. */
    static int precision(Cpu cpu) {
        return switch (cpu.fpControl >> 8 & 3) {
            case 0 -> 24;
            case 2 -> 53;
            default -> 64;
        };
    }

    /** Sets flags in the status word. Returns whether one of them is unmasked. */
    static boolean raise(Cpu cpu, int flags) {
        cpu.fpStatus |= flags;
        if ((flags & ~cpu.fpControl & 0x3F) != 0) {
            cpu.fpStatus |= ES_AND_B;
            return true;
        }
        return false;
    }

    /** An empty register is read. Returns whether to go on with the default NaN (masked). */
    static boolean stackUnderflow(Cpu cpu) {
        cpu.fpStatus &= ~C1;
        return !raise(cpu, SoftFloat.IE | SF);
    }

    /** A register that is not empty would be pushed on. Returns whether masked. */
    static boolean stackOverflow(Cpu cpu) {
        cpu.fpStatus |= C1;
        return !raise(cpu, SoftFloat.IE | SF);
    }

    // ------------------------------------------------------------------ registers

    static void set(Cpu cpu, int i, long significand, int signExponent) {
        int n = physical(cpu, i);
        cpu.fpSignificand[n] = significand;
        cpu.fpSignExponent[n] = signExponent;
        cpu.fpEmpty &= ~(1 << n);
    }

    static void setDefaultNan(Cpu cpu, int i) {
        set(cpu, i, DEFAULT_NAN, DEFAULT_NAN_EXPONENT);
    }

    static void pop(Cpu cpu) {
        cpu.fpEmpty |= 1 << cpu.fpTop;
        cpu.fpTop = (cpu.fpTop + 1) & 7;
    }

    /**
     * Makes room for a push; reports overflow. Returns whether the caller is to store its value in
     * ST(0); on masked overflow the default NaN is stored already.
     */
    static boolean push(Cpu cpu) {
        cpu.fpStatus &= ~C1;
        if (!isEmpty(cpu, 7)) {
            if (stackOverflow(cpu)) {
                cpu.fpTop = (cpu.fpTop - 1) & 7;
                setDefaultNan(cpu, 0);
            }
            return false;
        }
        cpu.fpTop = (cpu.fpTop - 1) & 7;
        return true;
    }

    /** Whether a push would overflow. */
    static boolean isFull(Cpu cpu) {
        return !isEmpty(cpu, 7);
    }

    /** Loads ST(i), not empty, as operand a. */
    static void loadA(Cpu cpu, SoftFloat f, int i) {
        int n = physical(cpu, i);
        f.loadA80(cpu.fpSignificand[n], cpu.fpSignExponent[n]);
    }

    static void loadB(Cpu cpu, SoftFloat f, int i) {
        int n = physical(cpu, i);
        f.loadB80(cpu.fpSignificand[n], cpu.fpSignExponent[n]);
    }

    // ------------------------------------------------------------------ results

    /** The result is the default NaN, and the operation invalid. */
    static void invalid(SoftFloat f) {
        f.flags = SoftFloat.IE;
        f.roundedUp = false;
        f.setNan(DEFAULT_NAN, 1);
    }

    /**
     * If operand a or b is a NaN or unsupported, makes the result the NaN that SDM 1 table 4-7 asks
     * for and returns true: of two quiet or two signalling ones that with the larger significand,
     * of a quiet and a signalling one the quiet one.
     */
    static boolean nan(SoftFloat f) {
        if (!f.aIsNan() && !f.bIsNan()) {
            return false;
        }
        f.roundedUp = false;
        if (f.aClass == SoftFloat.UNSUPPORTED || f.bClass == SoftFloat.UNSUPPORTED) {
            invalid(f);
            return true;
        }
        boolean signalling = f.aClass == SoftFloat.SNAN || f.bClass == SoftFloat.SNAN;
        f.flags = signalling ? SoftFloat.IE : 0;
        boolean first;
        if (f.aIsNan() && f.bIsNan()) {
            if (f.aClass != f.bClass) {
                first = f.aClass == SoftFloat.QNAN;
            } else {
                int order = Long.compareUnsigned(f.aSig, f.bSig);
                first = order > 0 || (order == 0 && f.aSign == 0);
            }
        } else {
            first = f.aIsNan();
        }
        if (first) {
            f.setNan(f.aSig | QUIET, f.aSign);
        } else {
            f.setNan(f.bSig | QUIET, f.bSign);
        }
        return true;
    }

    /** {@link #nan} for operations with one operand, a. */
    static boolean nanA(SoftFloat f) {
        if (!f.aIsNan()) {
            return false;
        }
        f.roundedUp = false;
        if (f.aClass == SoftFloat.UNSUPPORTED) {
            invalid(f);
        } else {
            f.flags = f.aClass == SoftFloat.SNAN ? SoftFloat.IE : 0;
            f.setNan(f.aSig | QUIET, f.aSign);
        }
        return true;
    }

    /**
     * Whether the exceptions so far keep the operation from completing; if so they are reported. To
     * be asked before a result is rounded or stored.
     */
    static boolean stopped(Cpu cpu, SoftFloat f) {
        int before = f.flags & BEFORE;
        if ((before & ~f.masked) != 0) {
            raise(cpu, before);
            return true;
        }
        return false;
    }

    /** Stores the rounded result in ST(i) and reports its exceptions and C1. */
    static void store(Cpu cpu, SoftFloat f, int i) {
        set(cpu, i, f.hi, f.signExponent80());
        report(cpu, f);
    }

    static void report(Cpu cpu, SoftFloat f) {
        if (f.roundedUp) {
            cpu.fpStatus |= C1;
        }
        raise(cpu, f.flags);
    }

    /** Rounds to the precision in force and stores in ST(i), unless exceptions forbid it. */
    static boolean finish(Cpu cpu, SoftFloat f, int i, int precision) {
        if (stopped(cpu, f)) {
            return false;
        }
        f.round80(precision);
        store(cpu, f, i);
        return true;
    }
}
