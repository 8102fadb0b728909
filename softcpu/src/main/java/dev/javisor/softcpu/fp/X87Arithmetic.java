package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.decode.Insn;

/** x87 arithmetic, comparison and classification. */
final class X87Arithmetic {
    static final int ADD = 0;
    static final int SUB = 1;
    static final int SUBR = 2;
    static final int MUL = 3;
    static final int DIV = 4;
    static final int DIVR = 5;

    private X87Arithmetic() {}

    // ------------------------------------------------------------------ two operands

    /** ST(destination) = ST(destination) op ST(source), then maybe a pop. */
    static void registers(Cpu cpu, int operation, int destination, int source, boolean pop) {
        SoftFloat f = X87.begin(cpu);
        if (X87.isEmpty(cpu, destination) || X87.isEmpty(cpu, source)) {
            if (X87.stackUnderflow(cpu)) {
                X87.setDefaultNan(cpu, destination);
                popIf(cpu, pop);
            }
            return;
        }
        X87.loadA(cpu, f, destination);
        X87.loadB(cpu, f, source);
        if (compute(cpu, f, operation, destination)) {
            popIf(cpu, pop);
        }
    }

    /** ST(0) = ST(0) op m32, m64, or with {@code integer} m16, m32. */
    static void memory(Cpu cpu, Insn in, int operation, boolean integer) {
        long value = cpu.mmu.read(cpu.linear(in, in.memSize, false), in.memSize);
        SoftFloat f = X87.begin(cpu);
        if (X87.isEmpty(cpu, 0)) {
            if (X87.stackUnderflow(cpu)) {
                X87.setDefaultNan(cpu, 0);
            }
            return;
        }
        X87.loadA(cpu, f, 0);
        loadB(f, value, in.memSize, integer);
        compute(cpu, f, operation, 0);
    }

    private static void loadB(SoftFloat f, long value, int sizeBytes, boolean integer) {
        if (integer) {
            f.loadBInteger(sizeBytes == 2 ? (short) value : (int) value);
        } else if (sizeBytes == 4) {
            f.loadB32((int) value);
        } else {
            f.loadB64(value);
        }
    }

    private static boolean compute(Cpu cpu, SoftFloat f, int operation, int destination) {
        if (!X87.nan(f)) {
            if (operation == SUBR || operation == DIVR) {
                f.swap();
            }
            boolean valid =
                    switch (operation) {
                        case ADD -> f.add(false);
                        case SUB, SUBR -> f.add(true);
                        case MUL -> f.multiply();
                        default -> f.divide();
                    };
            if (!valid) {
                X87.invalid(f);
            }
        }
        return X87.finish(cpu, f, destination, X87.precision(cpu));
    }

    private static void popIf(Cpu cpu, boolean pop) {
        if (pop) {
            X87.pop(cpu);
        }
    }

    // ------------------------------------------------------------------ one operand

    static void squareRoot(Cpu cpu) {
        SoftFloat f = X87.begin(cpu);
        if (underflow(cpu)) {
            return;
        }
        X87.loadA(cpu, f, 0);
        if (!X87.nanA(f) && !f.squareRoot()) {
            X87.invalid(f);
        }
        X87.finish(cpu, f, 0, X87.precision(cpu));
    }

    static void roundToInteger(Cpu cpu) {
        SoftFloat f = X87.begin(cpu);
        if (underflow(cpu)) {
            return;
        }
        X87.loadA(cpu, f, 0);
        if (!X87.nanA(f)) {
            f.roundToIntegral(f.rounding);
        }
        if (!X87.stopped(cpu, f)) {
            X87.store(cpu, f, 0);
        }
    }

    /** ST(0) is empty: reports, stores the default NaN if masked, and returns true. */
    static boolean underflow(Cpu cpu) {
        if (!X87.isEmpty(cpu, 0)) {
            return false;
        }
        if (X87.stackUnderflow(cpu)) {
            X87.setDefaultNan(cpu, 0);
        }
        return true;
    }

    /** FCHS, FABS: the sign bit alone, whatever the register holds. */
    static void sign(Cpu cpu, int clear, int flip) {
        X87.begin(cpu);
        if (!underflow(cpu)) {
            int n = X87.physical(cpu, 0);
            cpu.fpSignExponent[n] = (cpu.fpSignExponent[n] & ~clear) ^ flip;
        }
    }

    /** ST(0) * 2^trunc(ST(1)). */
    static void scale(Cpu cpu) {
        SoftFloat f = X87.begin(cpu);
        if (X87.isEmpty(cpu, 0) || X87.isEmpty(cpu, 1)) {
            if (X87.stackUnderflow(cpu)) {
                X87.setDefaultNan(cpu, 0);
            }
            return;
        }
        X87.loadA(cpu, f, 0);
        X87.loadB(cpu, f, 1);
        if (!X87.nan(f)) {
            if (f.bClass == SoftFloat.INFINITE) {
                boolean up = f.bSign == 0;
                if (up ? f.aClass == SoftFloat.ZERO : f.aClass == SoftFloat.INFINITE) {
                    X87.invalid(f);
                } else {
                    f.special(up ? SoftFloat.INFINITE : SoftFloat.ZERO, f.aSign);
                }
            } else if (f.aClass != SoftFloat.FINITE || f.bClass == SoftFloat.ZERO) {
                f.copyA();
            } else {
                // Beyond 2^16 every result overflows or underflows alike.
                int n = f.bExp < 0 ? 0 : f.bExp > 16 ? 1 << 17 : (int) (f.bSig >>> (63 - f.bExp));
                f.copyA();
                f.exp += f.bSign != 0 ? -n : n;
            }
        }
        X87.finish(cpu, f, 0, 64);
    }

    /** ST(0) becomes its exponent, its significand is pushed. */
    static void extract(Cpu cpu) {
        SoftFloat f = X87.begin(cpu);
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
        if (X87.nanA(f)) {
            if (!X87.stopped(cpu, f)) {
                X87.store(cpu, f, 0);
                long significand = f.hi;
                cpu.fpTop = (cpu.fpTop - 1) & 7;
                X87.set(cpu, 0, significand, f.signExponent80());
            }
            return;
        }
        int kind = f.aClass;
        int exponent = f.aExp;
        if (kind == SoftFloat.ZERO) {
            f.flags |= SoftFloat.ZE;
        }
        if (X87.stopped(cpu, f)) {
            return;
        }
        switch (kind) {
            case SoftFloat.ZERO -> f.special(SoftFloat.INFINITE, 1);
            case SoftFloat.INFINITE -> f.special(SoftFloat.INFINITE, 0);
            default -> f.fromLong(exponent);
        }
        X87.store(cpu, f, 0);
        cpu.fpTop = (cpu.fpTop - 1) & 7;
        f.copyA();
        f.exp = 0;
        X87.set(cpu, 0, f.hi, f.signExponent80());
    }

    /**
     * FPREM (quotient truncated) and FPREM1 (to nearest): exact. When the exponents differ by 64 or
     * more the difference is reduced by 32 to 63 and C2 tells that there is more to do.
     */
    static void remainder(Cpu cpu, boolean nearest) {
        SoftFloat f = X87.begin(cpu);
        cpu.fpStatus &= ~X87.C2;
        if (X87.isEmpty(cpu, 0) || X87.isEmpty(cpu, 1)) {
            if (X87.stackUnderflow(cpu)) {
                X87.setDefaultNan(cpu, 0);
            }
            return;
        }
        X87.loadA(cpu, f, 0);
        X87.loadB(cpu, f, 1);
        if (X87.nan(f)) {
            X87.finish(cpu, f, 0, 64);
            return;
        }
        long quotient = 0;
        boolean partial = false;
        if (f.aClass == SoftFloat.INFINITE || f.bClass == SoftFloat.ZERO) {
            X87.invalid(f);
            X87.finish(cpu, f, 0, 64);
            return;
        }
        if (f.aClass == SoftFloat.ZERO || f.bClass == SoftFloat.INFINITE) {
            f.copyA();
        } else {
            int difference = f.aExp - f.bExp;
            partial = difference >= 64;
            int n = partial ? (difference & 31) | 32 : difference;
            int rest = partial ? difference - n : 0;
            quotient = reduce(f, n, rest, nearest && !partial);
        }
        if (X87.finish(cpu, f, 0, 64)) {
            cpu.fpStatus &= ~(X87.C0 | X87.C1 | X87.C3);
            cpu.fpStatus |=
                    partial
                            ? X87.C2
                            : ((quotient & 1) != 0 ? X87.C1 : 0)
                                    | ((quotient & 2) != 0 ? X87.C3 : 0)
                                    | ((quotient & 4) != 0 ? X87.C0 : 0);
        }
    }

    /** The result becomes a - q * b * 2^rest, q = a / (b * 2^rest) being below 2^(n + 1). */
    private static long reduce(SoftFloat f, int n, int rest, boolean nearest) {
        f.copyA();
        if (n < -1 || (n < 0 && !nearest)) {
            return 0;
        }
        if (n < 0) {
            // a is sigA / 2 in units of b's last place: 0 or 1 times b is nearest.
            if (Long.compareUnsigned(f.aSig, f.bSig) <= 0) {
                return 0;
            }
            long odd = f.aSig & 1;
            f.finite(f.aSign ^ 1, f.bExp, f.bSig - (f.aSig >>> 1) - odd, odd << 63);
            f.normalize();
            return 1;
        }
        long quotient = f.divide128(n == 0 ? 0 : f.aSig >>> (64 - n), f.aSig << n, f.bSig);
        long r = f.remainder;
        int sign = f.aSign;
        if (nearest) {
            int order = Long.compareUnsigned(r, f.bSig - r);
            if (order > 0 || (order == 0 && (quotient & 1) != 0)) {
                r = f.bSig - r;
                sign ^= 1;
                quotient++;
            }
        }
        if (r == 0) {
            f.special(SoftFloat.ZERO, f.aSign);
        } else {
            f.finite(sign, f.bExp + rest, r, 0);
            f.normalize();
        }
        return quotient;
    }

    // ------------------------------------------------------------------ comparison

    private static final int UNORDERED = 2;

    /**
     * Compares ST(0) with ST(i); C3, C2, C0 or EFLAGS. An unmasked exception keeps it from popping,
     * but not from telling the order.
     */
    static void compare(Cpu cpu, int i, boolean quiet, int pops, boolean eflags) {
        SoftFloat f = X87.begin(cpu);
        boolean done;
        if (X87.isEmpty(cpu, 0) || X87.isEmpty(cpu, i)) {
            setOrder(cpu, UNORDERED, eflags);
            done = X87.stackUnderflow(cpu);
        } else {
            X87.loadA(cpu, f, 0);
            X87.loadB(cpu, f, i);
            done = compareLoaded(cpu, f, quiet, eflags);
        }
        for (int n = 0; n < pops && done; n++) {
            X87.pop(cpu);
        }
    }

    static void compareMemory(Cpu cpu, Insn in, boolean integer, boolean pop) {
        long value = cpu.mmu.read(cpu.linear(in, in.memSize, false), in.memSize);
        SoftFloat f = X87.begin(cpu);
        boolean done;
        if (X87.isEmpty(cpu, 0)) {
            setOrder(cpu, UNORDERED, false);
            done = X87.stackUnderflow(cpu);
        } else {
            X87.loadA(cpu, f, 0);
            loadB(f, value, in.memSize, integer);
            done = compareLoaded(cpu, f, false, false);
        }
        if (done) {
            popIf(cpu, pop);
        }
    }

    /** FTST. */
    static void compareZero(Cpu cpu) {
        SoftFloat f = X87.begin(cpu);
        if (X87.isEmpty(cpu, 0)) {
            setOrder(cpu, UNORDERED, false);
            X87.stackUnderflow(cpu);
            return;
        }
        X87.loadA(cpu, f, 0);
        f.loadBInteger(0);
        compareLoaded(cpu, f, false, false);
    }

    /** Returns whether no unmasked exception was met. */
    private static boolean compareLoaded(Cpu cpu, SoftFloat f, boolean quiet, boolean eflags) {
        int order;
        if (f.aIsNan() || f.bIsNan()) {
            boolean invalid = !quiet || f.aClass > SoftFloat.QNAN || f.bClass > SoftFloat.QNAN;
            f.flags = invalid ? SoftFloat.IE : 0;
            order = UNORDERED;
        } else {
            order = f.compare();
        }
        setOrder(cpu, order, eflags);
        return !X87.raise(cpu, f.flags);
    }

    private static void setOrder(Cpu cpu, int order, boolean eflags) {
        if (eflags) {
            cpu.flags.setStatus(
                    switch (order) {
                        case -1 -> Flags.CF;
                        case 0 -> Flags.ZF;
                        case 1 -> 0;
                        default -> Flags.ZF | Flags.PF | Flags.CF;
                    });
            return;
        }
        cpu.fpStatus &= ~(X87.C0 | X87.C2 | X87.C3);
        cpu.fpStatus |=
                switch (order) {
                    case -1 -> X87.C0;
                    case 0 -> X87.C3;
                    case 1 -> 0;
                    default -> X87.C3 | X87.C2 | X87.C0;
                };
    }

    /** FXAM: never an exception, also for empty registers. */
    static void examine(Cpu cpu) {
        int n = X87.physical(cpu, 0);
        int signExponent = cpu.fpSignExponent[n];
        long significand = cpu.fpSignificand[n];
        int e = signExponent & 0x7FFF;
        int code;
        if (X87.isEmpty(cpu, 0)) {
            code = X87.C3 | X87.C0;
        } else if (significand >= 0 && e != 0) {
            code = 0;
        } else if (e == 0x7FFF) {
            code = significand << 1 == 0 ? X87.C2 | X87.C0 : X87.C0;
        } else if (e == 0) {
            code = significand == 0 ? X87.C3 : X87.C3 | X87.C2;
        } else {
            code = X87.C2;
        }
        cpu.fpStatus &= ~(X87.C0 | X87.C1 | X87.C2 | X87.C3);
        cpu.fpStatus |= code | ((signExponent & 0x8000) != 0 ? X87.C1 : 0);
    }
}
