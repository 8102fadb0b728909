package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.decode.Insn;

/** Operand access of MMX, SSE and AVX instructions. */
final class Vectors {
    private Vectors() {}

    /** Index in {@link Cpu#vec} of the first source: the destination in legacy encodings. */
    static int first(Insn in) {
        return 4 * (in.vexBytes == 0 ? in.reg0 : in.reg1);
    }

    /** Kind of the last vector operand, which may be memory, of an operation with two sources. */
    static int secondKind(Insn in) {
        return in.vexBytes == 0 ? in.kind1 : in.kind2;
    }

    static int secondReg(Insn in) {
        return in.vexBytes == 0 ? in.reg1 : in.reg2;
    }

    /** Loads the second source of a two-source operation at full width. */
    static void loadSecond(Cpu cpu, Insn in) {
        load(cpu, in, secondKind(in), secondReg(in));
    }

    /**
     * Loads a whole register or memory operand into {@link FpUnit#b0}.. Legacy encodings need
     * 16-byte memory operands to be aligned (SDM 2A §2.4, table 2-21).
     */
    static void load(Cpu cpu, Insn in, int kind, int reg) {
        FpUnit u = cpu.fpu;
        if (kind == Insn.XMM) {
            long[] v = cpu.vec;
            int i = 4 * reg;
            u.b0 = v[i];
            u.b1 = v[i + 1];
            if (in.vectorBytes == 32) {
                u.b2 = v[i + 2];
                u.b3 = v[i + 3];
            }
        } else {
            loadMemory(cpu, in, in.vexBytes == 0);
        }
    }

    static void loadMemory(Cpu cpu, Insn in, boolean aligned) {
        FpUnit u = cpu.fpu;
        Mmu mmu = cpu.mmu;
        int size = in.vectorBytes == 32 ? 32 : 16;
        long linear;
        if (aligned) {
            linear = cpu.linear(in, size, false);
            if ((linear & (size - 1)) != 0) {
                throw cpu.gp0();
            }
        } else {
            linear = source(cpu, in, size);
        }
        u.b0 = mmu.read64(linear);
        u.b1 = mmu.read64(next(cpu, linear, 8));
        if (size == 32) {
            u.b2 = mmu.read64(next(cpu, linear, 16));
            u.b3 = mmu.read64(next(cpu, linear, 24));
        }
    }

    /**
     * Loads the low half of the second operand into {@link FpUnit#b0} and, of a 32-byte operation,
     * {@link FpUnit#b1}: 8 or 16 bytes of memory, any alignment.
     */
    static void loadHalf(Cpu cpu, Insn in) {
        FpUnit u = cpu.fpu;
        boolean wide = in.vectorBytes == 32;
        if (in.kind1 == Insn.XMM) {
            u.b0 = cpu.vec[4 * in.reg1];
            u.b1 = cpu.vec[4 * in.reg1 + 1];
            return;
        }
        long linear = source(cpu, in, wide ? 16 : 8);
        u.b0 = cpu.mmu.read64(linear);
        u.b1 = wide ? cpu.mmu.read64(next(cpu, linear, 8)) : 0;
    }

    /** Address of a memory operand that is read in several parts. */
    static long source(Cpu cpu, Insn in, int sizeBytes) {
        long linear = cpu.linear(in, sizeBytes, false);
        if ((linear & 0xFFF) > 4096 - sizeBytes) {
            // Before the first part can fault otherwise.
            cpu.mmu.checkLastByte(linear, sizeBytes);
        }
        return linear;
    }

    /** Linear addresses wrap at 4 GiB outside 64-bit mode. */
    static long next(Cpu cpu, long linear, int bytes) {
        return cpu.long64 ? linear + bytes : (linear + bytes) & 0xFFFFFFFFL;
    }

    /** Loads the low 4 or 8 bytes of a register, or as many from memory, any alignment. */
    static long loadScalar(Cpu cpu, Insn in, int kind, int reg, int sizeBytes) {
        if (kind == Insn.XMM) {
            long value = cpu.vec[4 * reg];
            return sizeBytes == 4 ? value & 0xFFFFFFFFL : value;
        }
        return cpu.mmu.read(cpu.linear(in, sizeBytes, false), sizeBytes);
    }

    static void storeMemory(Cpu cpu, Insn in, int reg, boolean aligned) {
        Mmu mmu = cpu.mmu;
        long[] v = cpu.vec;
        int size = in.vectorBytes == 32 ? 32 : 16;
        long linear = cpu.linear(in, size, true);
        if (aligned && (linear & (size - 1)) != 0) {
            throw cpu.gp0();
        }
        int i = 4 * reg;
        if (size == 32) {
            mmu.probeWrite(linear, 32);
            mmu.write128(linear, v[i], v[i + 1]);
            mmu.write128(next(cpu, linear, 16), v[i + 2], v[i + 3]);
        } else {
            mmu.write128(linear, v[i], v[i + 1]);
        }
    }

    /** Writes a 128-bit result to the destination; VEX encodings clear what is above. */
    static void set(Cpu cpu, Insn in, long low, long high) {
        long[] v = cpu.vec;
        int i = 4 * in.reg0;
        v[i] = low;
        v[i + 1] = high;
        if (in.vexBytes != 0) {
            v[i + 2] = 0;
            v[i + 3] = 0;
        }
    }

    /** Writes the upper half of a 256-bit result, after {@link #set}. */
    static void setUpper(Cpu cpu, Insn in, long low, long high) {
        int i = 4 * in.reg0;
        cpu.vec[i + 2] = low;
        cpu.vec[i + 3] = high;
    }

    // ------------------------------------------------------------------ MMX

    static long loadMmx(Cpu cpu, Insn in, int kind, int reg, int sizeBytes) {
        return kind == Insn.MMX
                ? cpu.fpSignificand[reg & 7]
                : cpu.mmu.read(cpu.linear(in, sizeBytes, false), sizeBytes);
    }

    /** Every MMX instruction makes all registers valid and TOP zero (SDM 3A §14.2). */
    static void enterMmx(Cpu cpu) {
        cpu.fpTop = 0;
        cpu.fpEmpty = 0;
    }

    static void setMmx(Cpu cpu, int reg, long value) {
        enterMmx(cpu);
        cpu.fpSignificand[reg & 7] = value;
        cpu.fpSignExponent[reg & 7] = 0xFFFF;
    }
}
