package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;

/** Conversions between integers, binary32 and binary64 in XMM, MMX and general registers. */
final class SseConvertOps {
    private SseConvertOps() {}

    static void execute(Cpu cpu, Insn in) {
        switch (in.op) {
            case CVTSI2SS, CVTSI2SD -> fromGeneral(cpu, in);
            case CVTTSS2SI -> toGeneral(cpu, in, 4, true);
            case CVTSS2SI -> toGeneral(cpu, in, 4, false);
            case CVTTSD2SI -> toGeneral(cpu, in, 8, true);
            case CVTSD2SI -> toGeneral(cpu, in, 8, false);
            case CVTSS2SD -> {
                int b = (int) second(cpu, in, 4);
                SoftFloat f = SseMath.begin(cpu);
                long r = SseMath.widen(f, b);
                SseMath.finish(cpu, f);
                Vectors.set(cpu, in, r, cpu.vec[Vectors.first(in) + 1]);
            }
            case CVTSD2SS -> {
                long b = second(cpu, in, 8);
                SoftFloat f = SseMath.begin(cpu);
                int r = SseMath.narrow(f, b);
                SseMath.finish(cpu, f);
                SseFloatOps.setLow32(cpu, in, r);
            }
            case CVTPS2PD, CVTDQ2PD -> widenPacked(cpu, in);
            case CVTPD2PS, CVTPD2DQ, CVTTPD2DQ -> narrowPacked(cpu, in);
            case CVTDQ2PS, CVTPS2DQ, CVTTPS2DQ -> {
                Vectors.load(cpu, in, in.kind1, in.reg1);
                FpUnit u = cpu.fpu;
                SoftFloat f = SseMath.begin(cpu);
                long r0 = word32(f, in, u.b0);
                long r1 = word32(f, in, u.b1);
                if (in.vectorBytes == 32) {
                    long r2 = word32(f, in, u.b2);
                    long r3 = word32(f, in, u.b3);
                    SseMath.finish(cpu, f);
                    Vectors.set(cpu, in, r0, r1);
                    Vectors.setUpper(cpu, in, r2, r3);
                } else {
                    SseMath.finish(cpu, f);
                    Vectors.set(cpu, in, r0, r1);
                }
            }
            case CVTPI2PS, CVTPI2PD -> fromMmx(cpu, in);
            case CVTPS2PI, CVTTPS2PI, CVTPD2PI, CVTTPD2PI -> toMmx(cpu, in);
            default -> throw cpu.ud();
        }
    }

    private static long second(Cpu cpu, Insn in, int sizeBytes) {
        return Vectors.loadScalar(
                cpu, in, Vectors.secondKind(in), Vectors.secondReg(in), sizeBytes);
    }

    private static void fromGeneral(Cpu cpu, Insn in) {
        int size = in.opSize == 8 ? 8 : 4;
        int kind = Vectors.secondKind(in);
        long value =
                kind == Insn.GPR
                        ? cpu.regs[Vectors.secondReg(in)]
                        : cpu.mmu.read(cpu.linear(in, size, false), size);
        value = size == 4 ? (int) value : value;
        SoftFloat f = SseMath.begin(cpu);
        switch (in.op) {
            case CVTSI2SS -> {
                int r = SseMath.integerTo32(f, value);
                SseMath.finish(cpu, f);
                SseFloatOps.setLow32(cpu, in, r);
            }
            default -> {
                long r = SseMath.integerTo64(f, value);
                SseMath.finish(cpu, f);
                Vectors.set(cpu, in, r, cpu.vec[Vectors.first(in) + 1]);
            }
        }
    }

    private static void toGeneral(Cpu cpu, Insn in, int sourceBytes, boolean truncate) {
        long b = Vectors.loadScalar(cpu, in, in.kind1, in.reg1, sourceBytes);
        SoftFloat f = SseMath.begin(cpu);
        int mode = truncate ? SoftFloat.TRUNCATE : f.rounding;
        int size = in.opSize == 8 ? 8 : 4;
        long r =
                sourceBytes == 4
                        ? SseMath.toInteger32(f, (int) b, 8 * size, mode)
                        : SseMath.toInteger64(f, b, 8 * size, mode);
        SseMath.finish(cpu, f);
        cpu.setReg(in.reg0, size, r);
    }

    private static long word32(SoftFloat f, Insn in, long b) {
        int low = (int) b;
        int high = (int) (b >>> 32);
        return switch (in.op) {
            case CVTDQ2PS -> Packed.join(SseMath.integerTo32(f, low), SseMath.integerTo32(f, high));
            case CVTPS2DQ, CVTPS2PI -> integers32(f, low, high, f.rounding);
            default -> integers32(f, low, high, SoftFloat.TRUNCATE);
        };
    }

    private static long integers32(SoftFloat f, int low, int high, int mode) {
        return Packed.join(
                (int) SseMath.toInteger32(f, low, 32, mode),
                (int) SseMath.toInteger32(f, high, 32, mode));
    }

    private static long integers64(SoftFloat f, long low, long high, int mode) {
        return Packed.join(
                (int) SseMath.toInteger64(f, low, 32, mode),
                (int) SseMath.toInteger64(f, high, 32, mode));
    }

    private static long widened(SoftFloat f, Insn in, int b) {
        return switch (in.op) {
            case CVTPS2PD -> SseMath.widen(f, b);
            default -> SseMath.integerTo64(f, b);
        };
    }

    /** CVTPS2PD, CVTDQ2PD: a memory operand has half the destination's width. */
    private static void widenPacked(Cpu cpu, Insn in) {
        boolean wide = in.vectorBytes == 32;
        Vectors.loadHalf(cpu, in);
        long b0 = cpu.fpu.b0;
        long b1 = cpu.fpu.b1;
        SoftFloat f = SseMath.begin(cpu);
        long r0 = widened(f, in, (int) b0);
        long r1 = widened(f, in, (int) (b0 >>> 32));
        if (wide) {
            long r2 = widened(f, in, (int) b1);
            long r3 = widened(f, in, (int) (b1 >>> 32));
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(cpu, in, r2, r3);
        } else {
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
        }
    }

    private static long narrowed(SoftFloat f, Insn in, long low, long high) {
        return switch (in.op) {
            case CVTPD2PS -> Packed.join(SseMath.narrow(f, low), SseMath.narrow(f, high));
            case CVTPD2DQ, CVTPD2PI -> integers64(f, low, high, f.rounding);
            default -> integers64(f, low, high, SoftFloat.TRUNCATE);
        };
    }

    /** The result has half the source's width; the rest of the destination becomes zero. */
    private static void narrowPacked(Cpu cpu, Insn in) {
        Vectors.load(cpu, in, in.kind1, in.reg1);
        FpUnit u = cpu.fpu;
        SoftFloat f = SseMath.begin(cpu);
        long r0 = narrowed(f, in, u.b0, u.b1);
        long r1 = in.vectorBytes == 32 ? narrowed(f, in, u.b2, u.b3) : 0;
        SseMath.finish(cpu, f);
        Vectors.set(cpu, in, r0, r1);
    }

    /**
     * CVTPI2PS and CVTPI2PD. Only a register operand makes the switch to MMX state. DEVIATION: SDM
     * 2A has CVTPI2PS make it for memory operands too; processors do not.
     */
    private static void fromMmx(Cpu cpu, Insn in) {
        boolean mmx = in.kind1 == Insn.MMX;
        if (mmx) {
            FpChecks.sse(cpu, in);
            FpChecks.mmx(cpu);
        }
        boolean single =
                switch (in.op) {
                    case CVTPI2PS -> true;
                    default -> false;
                };
        long b = Vectors.loadMmx(cpu, in, in.kind1, in.reg1, 8);
        if (mmx) {
            Vectors.enterMmx(cpu);
        }
        SoftFloat f = SseMath.begin(cpu);
        if (single) {
            int low = SseMath.integerTo32(f, (int) b);
            int high = SseMath.integerTo32(f, (int) (b >>> 32));
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, Packed.join(low, high), cpu.vec[4 * in.reg0 + 1]);
        } else {
            long low = SseMath.integerTo64(f, (int) b);
            long high = SseMath.integerTo64(f, (int) (b >>> 32));
            Vectors.set(cpu, in, low, high);
        }
    }

    private static void toMmx(Cpu cpu, Insn in) {
        FpChecks.sse(cpu, in);
        FpChecks.mmx(cpu);
        FpUnit u = cpu.fpu;
        boolean single =
                switch (in.op) {
                    case CVTPS2PI, CVTTPS2PI -> true;
                    default -> false;
                };
        if (single) {
            u.b0 = Vectors.loadScalar(cpu, in, in.kind1, in.reg1, 8);
        } else if (in.kind1 == Insn.MEM) {
            Vectors.loadMemory(cpu, in, true);
        } else {
            u.b0 = cpu.vec[4 * in.reg1];
            u.b1 = cpu.vec[4 * in.reg1 + 1];
        }
        // The switch to MMX state is made even when #XM follows, as processors do.
        Vectors.enterMmx(cpu);
        SoftFloat f = SseMath.begin(cpu);
        long r = single ? word32(f, in, u.b0) : narrowed(f, in, u.b0, u.b1);
        SseMath.finish(cpu, f);
        Vectors.setMmx(cpu, in.reg0, r);
    }
}
