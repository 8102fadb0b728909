package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/** SSE floating-point arithmetic and comparison; {@link SseMath} has the elements' operations. */
final class SseFloatOps {
    private SseFloatOps() {}

    static void execute(Cpu cpu, Insn in) {
        switch (in.op) {
            case ADDSD -> scalar64(cpu, in, SseMath.ADD);
            case SUBSD -> scalar64(cpu, in, SseMath.SUB);
            case MULSD -> scalar64(cpu, in, SseMath.MUL);
            case DIVSD -> scalar64(cpu, in, SseMath.DIV);
            case SQRTSD -> scalar64(cpu, in, SseMath.SQRT);
            case MINSD -> scalar64(cpu, in, SseMath.MIN);
            case MAXSD -> scalar64(cpu, in, SseMath.MAX);
            case ADDSS -> scalar32(cpu, in, SseMath.ADD);
            case SUBSS -> scalar32(cpu, in, SseMath.SUB);
            case MULSS -> scalar32(cpu, in, SseMath.MUL);
            case DIVSS -> scalar32(cpu, in, SseMath.DIV);
            case SQRTSS -> scalar32(cpu, in, SseMath.SQRT);
            case MINSS -> scalar32(cpu, in, SseMath.MIN);
            case MAXSS -> scalar32(cpu, in, SseMath.MAX);
            case ADDPD -> packed64(cpu, in, SseMath.ADD, SseMath.ADD);
            case SUBPD -> packed64(cpu, in, SseMath.SUB, SseMath.SUB);
            case MULPD -> packed64(cpu, in, SseMath.MUL, SseMath.MUL);
            case DIVPD -> packed64(cpu, in, SseMath.DIV, SseMath.DIV);
            case SQRTPD -> packed64(cpu, in, SseMath.SQRT, SseMath.SQRT);
            case MINPD -> packed64(cpu, in, SseMath.MIN, SseMath.MIN);
            case MAXPD -> packed64(cpu, in, SseMath.MAX, SseMath.MAX);
            case ADDSUBPD -> packed64(cpu, in, SseMath.SUB, SseMath.ADD);
            case ADDPS -> packed32(cpu, in, SseMath.ADD, SseMath.ADD);
            case SUBPS -> packed32(cpu, in, SseMath.SUB, SseMath.SUB);
            case MULPS -> packed32(cpu, in, SseMath.MUL, SseMath.MUL);
            case DIVPS -> packed32(cpu, in, SseMath.DIV, SseMath.DIV);
            case SQRTPS -> packed32(cpu, in, SseMath.SQRT, SseMath.SQRT);
            case MINPS -> packed32(cpu, in, SseMath.MIN, SseMath.MIN);
            case MAXPS -> packed32(cpu, in, SseMath.MAX, SseMath.MAX);
            case ADDSUBPS -> packed32(cpu, in, SseMath.SUB, SseMath.ADD);
            case HADDPS -> horizontal32(cpu, in, SseMath.ADD);
            case HSUBPS -> horizontal32(cpu, in, SseMath.SUB);
            case HADDPD -> horizontal64(cpu, in, SseMath.ADD);
            case HSUBPD -> horizontal64(cpu, in, SseMath.SUB);
            case CMPSS -> {
                int imm = predicate(in);
                long b = second(cpu, in, 4);
                int a = Vectors.first(in);
                SoftFloat f = SseMath.begin(cpu);
                long r = compareLow32(f, cpu.vec[a], b, imm);
                SseMath.finish(cpu, f);
                setLow32(cpu, in, r);
            }
            case CMPSD_XMM -> {
                int imm = predicate(in);
                long b = second(cpu, in, 8);
                int a = Vectors.first(in);
                SoftFloat f = SseMath.begin(cpu);
                long r = compareWord64(f, cpu.vec[a], b, imm);
                SseMath.finish(cpu, f);
                Vectors.set(cpu, in, r, cpu.vec[a + 1]);
            }
            case CMPPS, CMPPD -> compare(cpu, in);
            case COMISS -> flags32(cpu, in, true);
            case UCOMISS -> flags32(cpu, in, false);
            case COMISD -> flags64(cpu, in, true);
            case UCOMISD -> flags64(cpu, in, false);
            case RCPSS -> setLow32(cpu, in, SseMath.reciprocal((int) second(cpu, in, 4)));
            case RSQRTSS -> setLow32(cpu, in, SseMath.reciprocalRoot((int) second(cpu, in, 4)));
            case RCPPS, RSQRTPS, ROUNDPS, ROUNDPD -> unary(cpu, in);
            case ROUNDSS -> {
                int b = (int) second(cpu, in, 4);
                SoftFloat f = SseMath.begin(cpu);
                int r = SseMath.round32(f, b, (int) in.imm);
                SseMath.finish(cpu, f);
                setLow32(cpu, in, r);
            }
            case ROUNDSD -> {
                long b = second(cpu, in, 8);
                SoftFloat f = SseMath.begin(cpu);
                long r = SseMath.round64(f, b, (int) in.imm);
                SseMath.finish(cpu, f);
                Vectors.set(cpu, in, r, cpu.vec[Vectors.first(in) + 1]);
            }
            case DPPS, DPPD -> dotProduct(cpu, in);
            default -> throw cpu.ud();
        }
    }

    /** The low 4 or 8 bytes of the second source. */
    private static long second(Cpu cpu, Insn in, int sizeBytes) {
        return Vectors.loadScalar(
                cpu, in, Vectors.secondKind(in), Vectors.secondReg(in), sizeBytes);
    }

    /** Replaces the low 32 bits of the first source, into the destination. */
    static void setLow32(Cpu cpu, Insn in, long value) {
        int a = Vectors.first(in);
        long low = (cpu.vec[a] & ~0xFFFFFFFFL) | (value & 0xFFFFFFFFL);
        Vectors.set(cpu, in, low, cpu.vec[a + 1]);
    }

    private static void scalar64(Cpu cpu, Insn in, int operation) {
        long b = second(cpu, in, 8);
        int a = Vectors.first(in);
        SoftFloat f = SseMath.begin(cpu);
        long r = SseMath.apply64(f, operation, cpu.vec[a], b);
        SseMath.finish(cpu, f);
        Vectors.set(cpu, in, r, cpu.vec[a + 1]);
    }

    private static void scalar32(Cpu cpu, Insn in, int operation) {
        int b = (int) second(cpu, in, 4);
        SoftFloat f = SseMath.begin(cpu);
        int r = SseMath.apply32(f, operation, (int) cpu.vec[Vectors.first(in)], b);
        SseMath.finish(cpu, f);
        setLow32(cpu, in, r);
    }

    /** Loads the second source; returns the index of the first. Square roots have only one. */
    private static int load(Cpu cpu, Insn in, int operation) {
        if (operation == SseMath.SQRT) {
            Vectors.load(cpu, in, in.kind1, in.reg1);
            return 4 * in.reg0;
        }
        Vectors.loadSecond(cpu, in);
        return Vectors.first(in);
    }

    private static void packed64(Cpu cpu, Insn in, int even, int odd) {
        int a = load(cpu, in, even);
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        SoftFloat f = SseMath.begin(cpu);
        long r0 = SseMath.apply64(f, even, v[a], u.b0);
        long r1 = SseMath.apply64(f, odd, v[a + 1], u.b1);
        if (in.vectorBytes == 32) {
            long r2 = SseMath.apply64(f, even, v[a + 2], u.b2);
            long r3 = SseMath.apply64(f, odd, v[a + 3], u.b3);
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(cpu, in, r2, r3);
        } else {
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
        }
    }

    private static long word32(SoftFloat f, int even, int odd, long a, long b) {
        int low = SseMath.apply32(f, even, (int) a, (int) b);
        int high = SseMath.apply32(f, odd, (int) (a >>> 32), (int) (b >>> 32));
        return Packed.join(low, high);
    }

    private static void packed32(Cpu cpu, Insn in, int even, int odd) {
        int a = load(cpu, in, even);
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        SoftFloat f = SseMath.begin(cpu);
        long r0 = word32(f, even, odd, v[a], u.b0);
        long r1 = word32(f, even, odd, v[a + 1], u.b1);
        if (in.vectorBytes == 32) {
            long r2 = word32(f, even, odd, v[a + 2], u.b2);
            long r3 = word32(f, even, odd, v[a + 3], u.b3);
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(cpu, in, r2, r3);
        } else {
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
        }
    }

    private static long pair32(SoftFloat f, int operation, long x, long y) {
        int low = SseMath.apply32(f, operation, (int) x, (int) (x >>> 32));
        int high = SseMath.apply32(f, operation, (int) y, (int) (y >>> 32));
        return Packed.join(low, high);
    }

    private static void horizontal32(Cpu cpu, Insn in, int operation) {
        int a = load(cpu, in, operation);
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        SoftFloat f = SseMath.begin(cpu);
        long r0 = pair32(f, operation, v[a], v[a + 1]);
        long r1 = pair32(f, operation, u.b0, u.b1);
        if (in.vectorBytes == 32) {
            long r2 = pair32(f, operation, v[a + 2], v[a + 3]);
            long r3 = pair32(f, operation, u.b2, u.b3);
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(cpu, in, r2, r3);
        } else {
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
        }
    }

    private static void horizontal64(Cpu cpu, Insn in, int operation) {
        int a = load(cpu, in, operation);
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        SoftFloat f = SseMath.begin(cpu);
        long r0 = SseMath.apply64(f, operation, v[a], v[a + 1]);
        long r1 = SseMath.apply64(f, operation, u.b0, u.b1);
        if (in.vectorBytes == 32) {
            long r2 = SseMath.apply64(f, operation, v[a + 2], v[a + 3]);
            long r3 = SseMath.apply64(f, operation, u.b2, u.b3);
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(cpu, in, r2, r3);
        } else {
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
        }
    }

    // ------------------------------------------------------------------ comparison

    /** Legacy encodings know predicates 0..7 only. */
    private static int predicate(Insn in) {
        return (int) in.imm & (in.vexBytes == 0 ? 7 : 31);
    }

    private static long compareLow32(SoftFloat f, long a, long b, int predicate) {
        int order = SseMath.compare32(f, (int) a, (int) b, SseMath.signals(predicate));
        return SseMath.holds(predicate, order) ? 0xFFFFFFFFL : 0;
    }

    private static long compareWord32(SoftFloat f, long a, long b, int predicate) {
        return compareLow32(f, a, b, predicate)
                | compareLow32(f, a >>> 32, b >>> 32, predicate) << 32;
    }

    private static long compareWord64(SoftFloat f, long a, long b, int predicate) {
        int order = SseMath.compare64(f, a, b, SseMath.signals(predicate));
        return SseMath.holds(predicate, order) ? -1 : 0;
    }

    private static void compare(Cpu cpu, Insn in) {
        int imm = predicate(in);
        Vectors.loadSecond(cpu, in);
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        int a = Vectors.first(in);
        boolean single = in.op == Op.CMPPS;
        SoftFloat f = SseMath.begin(cpu);
        long r0 = single ? compareWord32(f, v[a], u.b0, imm) : compareWord64(f, v[a], u.b0, imm);
        long r1 =
                single
                        ? compareWord32(f, v[a + 1], u.b1, imm)
                        : compareWord64(f, v[a + 1], u.b1, imm);
        long r2 = 0;
        long r3 = 0;
        if (in.vectorBytes == 32) {
            r2 =
                    single
                            ? compareWord32(f, v[a + 2], u.b2, imm)
                            : compareWord64(f, v[a + 2], u.b2, imm);
            r3 =
                    single
                            ? compareWord32(f, v[a + 3], u.b3, imm)
                            : compareWord64(f, v[a + 3], u.b3, imm);
        }
        SseMath.finish(cpu, f);
        Vectors.set(cpu, in, r0, r1);
        if (in.vectorBytes == 32) {
            Vectors.setUpper(cpu, in, r2, r3);
        }
    }

    private static void flags32(Cpu cpu, Insn in, boolean signalling) {
        int b = (int) Vectors.loadScalar(cpu, in, in.kind1, in.reg1, 4);
        SoftFloat f = SseMath.begin(cpu);
        int order = SseMath.compare32(f, (int) cpu.vec[4 * in.reg0], b, signalling);
        SseMath.finish(cpu, f);
        setFlags(cpu, order);
    }

    private static void flags64(Cpu cpu, Insn in, boolean signalling) {
        long b = Vectors.loadScalar(cpu, in, in.kind1, in.reg1, 8);
        SoftFloat f = SseMath.begin(cpu);
        int order = SseMath.compare64(f, cpu.vec[4 * in.reg0], b, signalling);
        SseMath.finish(cpu, f);
        setFlags(cpu, order);
    }

    /** ZF, PF, CF by order; OF, SF, AF zero. */
    static void setFlags(Cpu cpu, int order) {
        cpu.flags.setStatus(
                switch (order) {
                    case SseMath.LESS -> Flags.CF;
                    case SseMath.EQUAL -> Flags.ZF;
                    case SseMath.GREATER -> 0;
                    default -> Flags.ZF | Flags.PF | Flags.CF;
                });
    }

    // ------------------------------------------------------------------ others

    private static long unaryWord(SoftFloat f, Insn in, long b) {
        int low = (int) b;
        int high = (int) (b >>> 32);
        int imm = (int) in.imm;
        return switch (in.op) {
            case RCPPS -> Packed.join(SseMath.reciprocal(low), SseMath.reciprocal(high));
            case RSQRTPS -> Packed.join(SseMath.reciprocalRoot(low), SseMath.reciprocalRoot(high));
            case ROUNDPS ->
                    Packed.join(SseMath.round32(f, low, imm), SseMath.round32(f, high, imm));
            default -> SseMath.round64(f, b, imm);
        };
    }

    private static void unary(Cpu cpu, Insn in) {
        Vectors.load(cpu, in, in.kind1, in.reg1);
        FpUnit u = cpu.fpu;
        SoftFloat f = SseMath.begin(cpu);
        long r0 = unaryWord(f, in, u.b0);
        long r1 = unaryWord(f, in, u.b1);
        if (in.vectorBytes == 32) {
            long r2 = unaryWord(f, in, u.b2);
            long r3 = unaryWord(f, in, u.b3);
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(cpu, in, r2, r3);
        } else {
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
        }
    }

    /**
     * DPPS, DPPD: products, then sums. Each step's exceptions count, and stop it, for all elements
     * together (SDM 2A, DPPS).
     */
    private static void dotProduct(Cpu cpu, Insn in) {
        Vectors.loadSecond(cpu, in);
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        long[] p = u.words;
        int a = Vectors.first(in);
        int imm = (int) in.imm;
        SoftFloat f = SseMath.begin(cpu);
        if (in.op == Op.DPPD) {
            p[0] = (imm & 16) != 0 ? SseMath.mul64(f, v[a], u.b0) : 0;
            p[1] = (imm & 32) != 0 ? SseMath.mul64(f, v[a + 1], u.b1) : 0;
            SseMath.finish(cpu, f);
            f = SseMath.begin(cpu);
            long sum = SseMath.add64(f, p[0], p[1]);
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, (imm & 1) != 0 ? sum : 0, (imm & 2) != 0 ? sum : 0);
            return;
        }
        int words = in.vectorBytes / 8;
        for (int i = 0; i < words; i++) {
            long b =
                    switch (i) {
                        case 0 -> u.b0;
                        case 1 -> u.b1;
                        case 2 -> u.b2;
                        default -> u.b3;
                    };
            long x = v[a + i];
            int chosen = imm >> (4 + 2 * (i & 1));
            int low = (chosen & 1) != 0 ? SseMath.mul32(f, (int) x, (int) b) : 0;
            int high = (chosen & 2) != 0 ? SseMath.mul32(f, (int) (x >>> 32), (int) (b >>> 32)) : 0;
            p[i] = Packed.join(low, high);
        }
        SseMath.finish(cpu, f);
        f = SseMath.begin(cpu);
        for (int i = 0; i < words; i++) {
            p[i] = SseMath.add32(f, (int) p[i], (int) (p[i] >>> 32));
        }
        SseMath.finish(cpu, f);
        f = SseMath.begin(cpu);
        int sum = SseMath.add32(f, (int) p[0], (int) p[1]);
        int upper = words == 4 ? SseMath.add32(f, (int) p[2], (int) p[3]) : 0;
        SseMath.finish(cpu, f);
        Vectors.set(cpu, in, spread(sum, imm), spread(sum, imm >> 2));
        if (words == 4) {
            Vectors.setUpper(cpu, in, spread(upper, imm), spread(upper, imm >> 2));
        }
    }

    private static long spread(int sum, int chosen) {
        return Packed.join((chosen & 1) != 0 ? sum : 0, (chosen & 2) != 0 ? sum : 0);
    }
}
