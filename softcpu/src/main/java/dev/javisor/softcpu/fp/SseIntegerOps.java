package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/** Packed integer arithmetic, comparison, logic and shifts on XMM (and YMM) registers. */
final class SseIntegerOps {
    private SseIntegerOps() {}

    static void execute(Cpu cpu, Insn in) {
        switch (in.op) {
            case PXOR, XORPS, XORPD -> {
                Vectors.loadSecond(cpu, in);
                FpUnit u = cpu.fpu;
                int a = Vectors.first(in);
                long[] v = cpu.vec;
                finish(cpu, in, v[a] ^ u.b0, v[a + 1] ^ u.b1, v[a + 2] ^ u.b2, v[a + 3] ^ u.b3);
            }
            case PAND, ANDPS, ANDPD -> {
                Vectors.loadSecond(cpu, in);
                FpUnit u = cpu.fpu;
                int a = Vectors.first(in);
                long[] v = cpu.vec;
                finish(cpu, in, v[a] & u.b0, v[a + 1] & u.b1, v[a + 2] & u.b2, v[a + 3] & u.b3);
            }
            case POR, ORPS, ORPD -> {
                Vectors.loadSecond(cpu, in);
                FpUnit u = cpu.fpu;
                int a = Vectors.first(in);
                long[] v = cpu.vec;
                finish(cpu, in, v[a] | u.b0, v[a + 1] | u.b1, v[a + 2] | u.b2, v[a + 3] | u.b3);
            }
            case PABSB, PABSW, PABSD -> {
                Vectors.load(cpu, in, in.kind1, in.reg1);
                lanes(cpu, in, 4 * in.reg0);
            }
            case PACKSSWB, PACKUSWB, PACKSSDW, PACKUSDW -> fold(cpu, in);
            case PHADDW, PHADDD, PHADDSW, PHSUBW, PHSUBD, PHSUBSW -> fold(cpu, in);
            case PUNPCKLBW -> unpack(cpu, in, 1, false);
            case PUNPCKLWD -> unpack(cpu, in, 2, false);
            case PUNPCKLDQ -> unpack(cpu, in, 4, false);
            case PUNPCKLQDQ -> unpackQuad(cpu, in, false);
            case PUNPCKHBW -> unpack(cpu, in, 1, true);
            case PUNPCKHWD -> unpack(cpu, in, 2, true);
            case PUNPCKHDQ -> unpack(cpu, in, 4, true);
            case PUNPCKHQDQ -> unpackQuad(cpu, in, true);
            case PSLLW, PSLLD, PSLLQ, PSRLW, PSRLD, PSRLQ, PSRAW, PSRAD -> shift(cpu, in);
            case PSLLDQ -> shiftBytes(cpu, in, true);
            case PSRLDQ -> shiftBytes(cpu, in, false);
            default -> {
                Vectors.loadSecond(cpu, in);
                lanes(cpu, in, Vectors.first(in));
            }
        }
    }

    private static void finish(Cpu cpu, Insn in, long r0, long r1, long r2, long r3) {
        Vectors.set(cpu, in, r0, r1);
        if (in.vectorBytes == 32) {
            Vectors.setUpper(cpu, in, r2, r3);
        }
    }

    private static void lanes(Cpu cpu, Insn in, int a) {
        Op op = in.op;
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        long r0 = Packed.lane(op, v[a], u.b0);
        long r1 = Packed.lane(op, v[a + 1], u.b1);
        if (in.vectorBytes == 32) {
            long r2 = Packed.lane(op, v[a + 2], u.b2);
            long r3 = Packed.lane(op, v[a + 3], u.b3);
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(cpu, in, r2, r3);
        } else {
            Vectors.set(cpu, in, r0, r1);
        }
    }

    private static void fold(Cpu cpu, Insn in) {
        Vectors.loadSecond(cpu, in);
        Op op = in.op;
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        int a = Vectors.first(in);
        long r0 = Packed.fold(op, v[a], v[a + 1]);
        long r1 = Packed.fold(op, u.b0, u.b1);
        if (in.vectorBytes == 32) {
            long r2 = Packed.fold(op, v[a + 2], v[a + 3]);
            long r3 = Packed.fold(op, u.b2, u.b3);
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(cpu, in, r2, r3);
        } else {
            Vectors.set(cpu, in, r0, r1);
        }
    }

    private static void unpack(Cpu cpu, Insn in, int elementBytes, boolean high) {
        Vectors.loadSecond(cpu, in);
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        int a = Vectors.first(in);
        long x = high ? v[a + 1] : v[a];
        long y = high ? u.b1 : u.b0;
        long r0 = Packed.interleave(elementBytes, x, y);
        long r1 = Packed.interleave(elementBytes, x >>> 32, y >>> 32);
        if (in.vectorBytes == 32) {
            x = high ? v[a + 3] : v[a + 2];
            y = high ? u.b3 : u.b2;
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(
                    cpu,
                    in,
                    Packed.interleave(elementBytes, x, y),
                    Packed.interleave(elementBytes, x >>> 32, y >>> 32));
        } else {
            Vectors.set(cpu, in, r0, r1);
        }
    }

    private static void unpackQuad(Cpu cpu, Insn in, boolean high) {
        Vectors.loadSecond(cpu, in);
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        int a = Vectors.first(in) + (high ? 1 : 0);
        finish(cpu, in, v[a], high ? u.b1 : u.b0, v[a + 2], high ? u.b3 : u.b2);
    }

    /** The count is an immediate, or the low 64 bits of a 128-bit operand, also for YMM. */
    private static void shift(Cpu cpu, Insn in) {
        long[] v = cpu.vec;
        boolean vex = in.vexBytes != 0;
        // Legacy: register, count. VEX: destination, register, count.
        int kind = vex ? in.kind2 : in.kind1;
        long count;
        if (kind == Insn.IMM) {
            count = in.imm & 0xFF;
        } else if (kind == Insn.XMM) {
            count = v[4 * (vex ? in.reg2 : in.reg1)];
        } else {
            long linear = Vectors.source(cpu, in, 16);
            if (!vex && (linear & 15) != 0) {
                throw cpu.gp0();
            }
            count = cpu.mmu.read64(linear);
            cpu.mmu.read64(Vectors.next(cpu, linear, 8));
        }
        int a = Vectors.first(in);
        Op op = in.op;
        long r0 = Packed.shift(op, v[a], count);
        long r1 = Packed.shift(op, v[a + 1], count);
        if (in.vectorBytes == 32) {
            long r2 = Packed.shift(op, v[a + 2], count);
            long r3 = Packed.shift(op, v[a + 3], count);
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(cpu, in, r2, r3);
        } else {
            Vectors.set(cpu, in, r0, r1);
        }
    }

    private static void shiftBytes(Cpu cpu, Insn in, boolean left) {
        int n = 8 * Math.min((int) in.imm & 0xFF, 16);
        long[] v = cpu.vec;
        int a = Vectors.first(in);
        long low = v[a];
        long high = v[a + 1];
        long low2 = v[a + 2];
        long high2 = v[a + 3];
        if (left) {
            Vectors.set(cpu, in, shiftLeftLow(low, n), shiftLeftHigh(low, high, n));
        } else {
            Vectors.set(cpu, in, shiftRightLow(low, high, n), shiftRightHigh(high, n));
        }
        if (in.vectorBytes == 32) {
            if (left) {
                Vectors.setUpper(cpu, in, shiftLeftLow(low2, n), shiftLeftHigh(low2, high2, n));
            } else {
                Vectors.setUpper(cpu, in, shiftRightLow(low2, high2, n), shiftRightHigh(high2, n));
            }
        }
    }

    private static long shiftLeftLow(long low, int bits) {
        return bits >= 64 ? 0 : low << bits;
    }

    private static long shiftLeftHigh(long low, long high, int bits) {
        if (bits >= 128) {
            return 0;
        }
        if (bits >= 64) {
            return low << (bits - 64);
        }
        return bits == 0 ? high : high << bits | low >>> (64 - bits);
    }

    /** Low word of high:low shifted right by 0..128 bits. */
    static long shiftRightLow(long low, long high, int bits) {
        if (bits >= 128) {
            return 0;
        }
        if (bits >= 64) {
            return high >>> (bits - 64);
        }
        return bits == 0 ? low : low >>> bits | high << (64 - bits);
    }

    static long shiftRightHigh(long high, int bits) {
        return bits >= 64 ? 0 : high >>> bits;
    }
}
