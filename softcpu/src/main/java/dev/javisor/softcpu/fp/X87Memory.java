package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;

/** x87 loads, stores, conversions, and the environment. */
final class X87Memory {
    private static final long BCD_INDEFINITE_LOW = 0xC000_0000_0000_0000L;
    private static final int BCD_INDEFINITE_HIGH = 0xFFFF;
    private static final long BCD_LIMIT = 999_999_999_999_999_999L;

    private X87Memory() {}

    // ------------------------------------------------------------------ loads

    /** FLD of m32, m64, m80. */
    static void load(Cpu cpu, Insn in) {
        Mmu mmu = cpu.mmu;
        if (in.memSize == 10) {
            long linear = cpu.linear(in, 10, false);
            long significand = mmu.read64(linear);
            int signExponent = (int) mmu.read16(Vectors.next(cpu, linear, 8));
            if (X87.push(cpu)) {
                X87.set(cpu, 0, significand, signExponent);
            }
            return;
        }
        long value = mmu.read(cpu.linear(in, in.memSize, false), in.memSize);
        SoftFloat f = X87.begin(cpu);
        if (X87.isFull(cpu)) {
            X87.push(cpu);
            return;
        }
        if (in.memSize == 4) {
            f.loadA32((int) value);
        } else {
            f.loadA64(value);
        }
        if (!X87.nanA(f)) {
            f.copyA();
        }
        // An unmasked denormal is reported, but loaded nevertheless.
        if ((f.flags & SoftFloat.IE & ~f.masked) != 0) {
            X87.raise(cpu, f.flags);
        } else {
            X87.push(cpu);
            X87.store(cpu, f, 0);
        }
    }

    static void loadInteger(Cpu cpu, Insn in) {
        long value = cpu.mmu.read(cpu.linear(in, in.memSize, false), in.memSize);
        int unused = 64 - 8 * in.memSize;
        if (X87.push(cpu)) {
            SoftFloat f = X87.begin(cpu);
            f.fromLong(value << unused >> unused);
            X87.store(cpu, f, 0);
        }
    }

    /** FBLD: 18 decimal digits and a sign; the result for digits above 9 is undefined. */
    static void loadDecimal(Cpu cpu, Insn in) {
        long linear = cpu.linear(in, 10, false);
        long low = cpu.mmu.read64(linear);
        int high = (int) cpu.mmu.read16(Vectors.next(cpu, linear, 8));
        if (!X87.push(cpu)) {
            return;
        }
        long value = (high >> 4 & 15) * 10L + (high & 15);
        for (int shift = 60; shift >= 0; shift -= 4) {
            value = value * 10 + (low >>> shift & 15);
        }
        SoftFloat f = X87.begin(cpu);
        f.fromLong(value);
        f.sign = high >> 15;
        X87.store(cpu, f, 0);
    }

    /**
     * A constant whose significand's next bits are {@code tail}, rounded as the control word says.
     */
    static void loadConstant(Cpu cpu, int exponent, long significand, long tail) {
        if (X87.push(cpu)) {
            SoftFloat f = X87.begin(cpu);
            f.finite(0, exponent, significand, tail);
            f.round80(64);
            // Constants raise nothing, and C1 stays clear.
            f.flags = 0;
            f.roundedUp = false;
            X87.store(cpu, f, 0);
        }
    }

    // ------------------------------------------------------------------ stores

    /** FST, FSTP to m32, m64, m80. */
    static void store(Cpu cpu, Insn in, boolean pop) {
        Mmu mmu = cpu.mmu;
        int size = in.memSize;
        long linear = cpu.linear(in, size, true);
        mmu.probeWrite(linear, size);
        SoftFloat f = X87.begin(cpu);
        boolean empty = X87.isEmpty(cpu, 0);
        if (empty && !X87.stackUnderflow(cpu)) {
            return;
        }
        int n = X87.physical(cpu, 0);
        long significand = empty ? X87.DEFAULT_NAN : cpu.fpSignificand[n];
        int signExponent = empty ? X87.DEFAULT_NAN_EXPONENT : cpu.fpSignExponent[n];
        if (size == 10) {
            mmu.write64(linear, significand);
            mmu.write16(Vectors.next(cpu, linear, 8), signExponent);
        } else {
            f.loadA80(significand, signExponent);
            // A denormal is not reported here.
            f.flags = 0;
            f.scaleOnTrap = 0;
            long bits = size == 4 ? narrow32(f) : narrow64(f);
            int kept = SoftFloat.IE | SoftFloat.OE | SoftFloat.UE;
            if ((f.flags & kept & ~f.masked) != 0) {
                // Nothing is stored, nothing popped, and so nothing is inexact.
                X87.raise(cpu, f.flags & kept);
                return;
            }
            mmu.write(linear, size, bits);
            X87.report(cpu, f);
        }
        if (pop) {
            X87.pop(cpu);
        }
    }

    private static long narrow32(SoftFloat f) {
        if (X87.nanA(f)) {
            return f.sign << 31 | 0x7F800000 | (int) (f.hi >>> 40) & 0x7FFFFF;
        }
        f.copyA();
        return f.round32();
    }

    private static long narrow64(SoftFloat f) {
        if (X87.nanA(f)) {
            return (long) f.sign << 63 | 0x7FF0_0000_0000_0000L | f.hi >>> 11 & 0xF_FFFF_FFFF_FFFFL;
        }
        f.copyA();
        return f.round64();
    }

    /** FIST, FISTP, FISTTP. */
    static void storeInteger(Cpu cpu, Insn in, boolean truncate, boolean pop) {
        int size = in.memSize;
        long linear = cpu.linear(in, size, true);
        cpu.mmu.probeWrite(linear, size);
        SoftFloat f = X87.begin(cpu);
        long value = -1L << (8 * size - 1);
        if (X87.isEmpty(cpu, 0)) {
            if (!X87.stackUnderflow(cpu)) {
                return;
            }
        } else {
            X87.loadA(cpu, f, 0);
            f.flags = 0;
            if (f.aIsNan()) {
                f.flags = SoftFloat.IE;
            } else {
                value = f.toInteger(8 * size, truncate ? SoftFloat.TRUNCATE : f.rounding);
            }
            if (X87.stopped(cpu, f)) {
                return;
            }
        }
        cpu.mmu.write(linear, size, value);
        X87.report(cpu, f);
        if (pop) {
            X87.pop(cpu);
        }
    }

    /** FBSTP. */
    static void storeDecimal(Cpu cpu, Insn in) {
        long linear = cpu.linear(in, 10, true);
        cpu.mmu.probeWrite(linear, 10);
        SoftFloat f = X87.begin(cpu);
        long low = BCD_INDEFINITE_LOW;
        int high = BCD_INDEFINITE_HIGH;
        if (X87.isEmpty(cpu, 0)) {
            if (!X87.stackUnderflow(cpu)) {
                return;
            }
        } else {
            X87.loadA(cpu, f, 0);
            f.flags = 0;
            long value = f.aIsNan() ? Long.MIN_VALUE : f.toInteger(64, f.rounding);
            if (value < -BCD_LIMIT || value > BCD_LIMIT) {
                f.flags = SoftFloat.IE;
                f.roundedUp = false;
            } else {
                long rest = Math.abs(value);
                low = 0;
                for (int shift = 0; shift < 64; shift += 4) {
                    low |= rest % 10 << shift;
                    rest /= 10;
                }
                high = (int) (rest % 10 | rest / 10 << 4) | f.aSign << 15;
            }
            if (X87.stopped(cpu, f)) {
                return;
            }
        }
        cpu.mmu.write64(linear, low);
        cpu.mmu.write16(Vectors.next(cpu, linear, 8), high);
        X87.report(cpu, f);
        X87.pop(cpu);
    }

    // ------------------------------------------------------------------ environment

    /** Real and virtual-8086 mode have formats of their own (SDM 1 figures 8-9 to 8-12). */
    private static boolean realFormat(Cpu cpu) {
        return !cpu.protectedMode || cpu.virtual8086;
    }

    private static boolean wide(Insn in) {
        return in.opSize != 2;
    }

    static int environmentBytes(Insn in) {
        return wide(in) ? 28 : 14;
    }

    /** The two-bit tags: valid, zero, special, empty. */
    private static int tagWord(Cpu cpu) {
        int tags = 0;
        for (int n = 0; n < 8; n++) {
            int e = cpu.fpSignExponent[n] & 0x7FFF;
            long significand = cpu.fpSignificand[n];
            int tag;
            if ((cpu.fpEmpty >> n & 1) != 0) {
                tag = 3;
            } else if (e == 0 && significand == 0) {
                tag = 1;
            } else if (e == 0 || e == 0x7FFF || significand >= 0) {
                tag = 2;
            } else {
                tag = 0;
            }
            tags |= tag << (2 * n);
        }
        return tags;
    }

    /** FNSTENV: then all exceptions are masked. */
    static void storeEnvironment(Cpu cpu, Insn in) {
        int size = environmentBytes(in);
        long linear = cpu.linear(in, size, true);
        cpu.mmu.probeWrite(linear, size);
        writeEnvironment(cpu, in, linear);
        cpu.fpControl |= 0x3F;
        cpu.fpStatus &= ~0x8080;
    }

    private static void writeEnvironment(Cpu cpu, Insn in, long linear) {
        int tags = tagWord(cpu);
        int status = FpuArea.statusWord(cpu);
        boolean real = realFormat(cpu);
        long ip = real ? cpu.fpLastIp + ((long) cpu.fpLastCs << 4) : cpu.fpLastIp;
        long data = real ? cpu.fpLastData + ((long) cpu.fpLastDs << 4) : cpu.fpLastData;
        int opcode = cpu.fpLastOpcode & 0x7FF;
        if (wide(in)) {
            long above = 0xFFFF_0000L;
            put(cpu, linear, 0, above | cpu.fpControl);
            put(cpu, linear, 4, above | status);
            put(cpu, linear, 8, above | tags);
            if (real) {
                put(cpu, linear, 12, above | (ip & 0xFFFF));
                put(cpu, linear, 16, (ip >>> 16 & 0xFFFF) << 12 | opcode);
                put(cpu, linear, 20, above | (data & 0xFFFF));
                put(cpu, linear, 24, (data >>> 16 & 0xFFFF) << 12);
            } else {
                put(cpu, linear, 12, ip);
                put(cpu, linear, 16, (cpu.fpLastCs & 0xFFFF) | (long) opcode << 16);
                put(cpu, linear, 20, data);
                put(cpu, linear, 24, above | (cpu.fpLastDs & 0xFFFF));
            }
            return;
        }
        putShort(cpu, linear, 0, cpu.fpControl);
        putShort(cpu, linear, 2, status);
        putShort(cpu, linear, 4, tags);
        putShort(cpu, linear, 6, ip);
        putShort(cpu, linear, 8, real ? (ip >>> 16 & 15) << 12 | opcode : cpu.fpLastCs);
        putShort(cpu, linear, 10, data);
        putShort(cpu, linear, 12, real ? (data >>> 16 & 15) << 12 : cpu.fpLastDs);
    }

    private static void put(Cpu cpu, long linear, int offset, long value) {
        cpu.mmu.write32(Vectors.next(cpu, linear, offset), value);
    }

    private static void putShort(Cpu cpu, long linear, int offset, long value) {
        cpu.mmu.write16(Vectors.next(cpu, linear, offset), value);
    }

    private static long get(Cpu cpu, long linear, int offset) {
        return cpu.mmu.read32(Vectors.next(cpu, linear, offset));
    }

    private static int getShort(Cpu cpu, long linear, int offset) {
        return (int) cpu.mmu.read16(Vectors.next(cpu, linear, offset));
    }

    static void loadEnvironment(Cpu cpu, Insn in) {
        int size = environmentBytes(in);
        long linear = cpu.linear(in, size, false);
        cpu.mmu.read8(Vectors.next(cpu, linear, size - 1));
        readEnvironment(cpu, in, linear);
    }

    private static void readEnvironment(Cpu cpu, Insn in, long linear) {
        boolean real = realFormat(cpu);
        int control;
        int status;
        int tags;
        if (wide(in)) {
            control = (int) get(cpu, linear, 0) & 0xFFFF;
            status = (int) get(cpu, linear, 4) & 0xFFFF;
            tags = (int) get(cpu, linear, 8) & 0xFFFF;
            long ip = get(cpu, linear, 12);
            long selector = get(cpu, linear, 16);
            long data = get(cpu, linear, 20);
            long dataSelector = get(cpu, linear, 24);
            if (real) {
                setPointers(
                        cpu,
                        (ip & 0xFFFF) | (selector >>> 12 & 0xFFFF) << 16,
                        0,
                        (data & 0xFFFF) | (dataSelector >>> 12 & 0xFFFF) << 16,
                        0,
                        (int) selector);
            } else {
                setPointers(
                        cpu, ip, (int) selector, data, (int) dataSelector, (int) (selector >>> 16));
            }
        } else {
            control = getShort(cpu, linear, 0);
            status = getShort(cpu, linear, 2);
            tags = getShort(cpu, linear, 4);
            long ip = getShort(cpu, linear, 6);
            int selector = getShort(cpu, linear, 8);
            long data = getShort(cpu, linear, 10);
            int dataSelector = getShort(cpu, linear, 12);
            if (real) {
                setPointers(
                        cpu,
                        ip | (selector >> 12 & 15) << 16,
                        0,
                        data | (dataSelector >> 12 & 15) << 16,
                        0,
                        selector);
            } else {
                setPointers(cpu, ip, selector, data, dataSelector, 0);
            }
        }
        FpuArea.setControlWord(cpu, control);
        FpuArea.setStatusWord(cpu, status);
        int empty = 0;
        for (int n = 0; n < 8; n++) {
            empty |= (tags >> (2 * n) & 3) == 3 ? 1 << n : 0;
        }
        cpu.fpEmpty = empty;
    }

    private static void setPointers(Cpu cpu, long ip, int cs, long data, int ds, int opcode) {
        cpu.fpLastIp = ip;
        cpu.fpLastCs = cs & 0xFFFF;
        cpu.fpLastData = data;
        cpu.fpLastDs = ds & 0xFFFF;
        cpu.fpLastOpcode = opcode & 0x7FF;
    }

    /** FNSAVE: environment and registers, then as FNINIT. */
    static void save(Cpu cpu, Insn in) {
        int environment = environmentBytes(in);
        long linear = cpu.linear(in, environment + 80, true);
        cpu.mmu.probeWrite(linear, environment + 80);
        writeEnvironment(cpu, in, linear);
        for (int i = 0; i < 8; i++) {
            int n = X87.physical(cpu, i);
            long at = Vectors.next(cpu, linear, environment + 10 * i);
            cpu.mmu.write64(at, cpu.fpSignificand[n]);
            cpu.mmu.write16(Vectors.next(cpu, at, 8), cpu.fpSignExponent[n]);
        }
        FpuArea.resetX87(cpu);
    }

    static void restore(Cpu cpu, Insn in) {
        int environment = environmentBytes(in);
        long linear = cpu.linear(in, environment + 80, false);
        cpu.mmu.read8(Vectors.next(cpu, linear, environment + 79));
        readEnvironment(cpu, in, linear);
        for (int i = 0; i < 8; i++) {
            int n = X87.physical(cpu, i);
            long at = Vectors.next(cpu, linear, environment + 10 * i);
            cpu.fpSignificand[n] = cpu.mmu.read64(at);
            cpu.fpSignExponent[n] = (int) cpu.mmu.read16(Vectors.next(cpu, at, 8));
        }
    }

    /** Remembers what the last non-control instruction was and touched (SDM 1 §8.1.8). */
    static void remember(Cpu cpu, Insn in) {
        cpu.fpLastIp = in.ip;
        cpu.fpLastCs = cpu.segSelector[Seg.CS];
        cpu.fpLastOpcode = in.imm2;
        if (in.kind0 == Insn.MEM || in.kind1 == Insn.MEM) {
            cpu.fpLastData = cpu.effectiveAddress(in);
            cpu.fpLastDs = cpu.segSelector[in.seg];
        }
    }
}
