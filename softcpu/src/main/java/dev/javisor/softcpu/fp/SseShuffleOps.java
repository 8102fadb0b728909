package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.decode.Insn;

/** Shuffles, blends, insertions, extractions and widenings of XMM (and YMM) registers. */
final class SseShuffleOps {
    private SseShuffleOps() {}

    static void execute(Cpu cpu, Insn in) {
        switch (in.op) {
            case PINSRB, PINSRW, PINSRD -> insert(cpu, in);
            case PEXTRB -> extract(cpu, in, 1);
            case PEXTRW -> extract(cpu, in, 2);
            case PEXTRD -> extract(cpu, in, in.opSize == 8 ? 8 : 4);
            case EXTRACTPS -> extract(cpu, in, 4);
            case INSERTPS -> insertSingle(cpu, in);
            case PTEST -> test(cpu, in, -1);
            case PHMINPOSUW -> minimum(cpu, in);
            case PMOVSXBW -> widen(cpu, in, 1, 2, true);
            case PMOVSXBD -> widen(cpu, in, 1, 4, true);
            case PMOVSXBQ -> widen(cpu, in, 1, 8, true);
            case PMOVSXWD -> widen(cpu, in, 2, 4, true);
            case PMOVSXWQ -> widen(cpu, in, 2, 8, true);
            case PMOVSXDQ -> widen(cpu, in, 4, 8, true);
            case PMOVZXBW -> widen(cpu, in, 1, 2, false);
            case PMOVZXBD -> widen(cpu, in, 1, 4, false);
            case PMOVZXBQ -> widen(cpu, in, 1, 8, false);
            case PMOVZXWD -> widen(cpu, in, 2, 4, false);
            case PMOVZXWQ -> widen(cpu, in, 2, 8, false);
            case PMOVZXDQ -> widen(cpu, in, 4, 8, false);
            case PSHUFD, PSHUFHW, PSHUFLW -> {
                Vectors.load(cpu, in, in.kind1, in.reg1);
                halves(cpu, in, 4 * in.reg0);
            }
            default -> {
                Vectors.loadSecond(cpu, in);
                halves(cpu, in, Vectors.first(in));
            }
        }
    }

    /** Operations that treat each 128-bit half alike. */
    private static void halves(Cpu cpu, Insn in, int a) {
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        long a2 = v[a + 2];
        long a3 = v[a + 3];
        half(cpu, in, v[a], v[a + 1], u.b0, u.b1, 0);
        long r0 = u.r0;
        long r1 = u.r1;
        if (in.vectorBytes == 32) {
            half(cpu, in, a2, a3, u.b2, u.b3, 1);
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(cpu, in, u.r0, u.r1);
        } else {
            Vectors.set(cpu, in, r0, r1);
        }
    }

    private static void half(Cpu cpu, Insn in, long a0, long a1, long b0, long b1, int upper) {
        FpUnit u = cpu.fpu;
        int imm = (int) in.imm & 0xFF;
        switch (in.op) {
            case PSHUFD -> {
                u.r0 = Packed.dword(b0, b1, imm) | Packed.dword(b0, b1, imm >> 2) << 32;
                u.r1 = Packed.dword(b0, b1, imm >> 4) | Packed.dword(b0, b1, imm >> 6) << 32;
            }
            case PSHUFLW -> result(u, Packed.shuffle16(b0, imm), b1);
            case PSHUFHW -> result(u, b0, Packed.shuffle16(b1, imm));
            case PSHUFB ->
                    result(u, Packed.shuffle8(b0, a0, a1, 15), Packed.shuffle8(b1, a0, a1, 15));
            case SHUFPS -> {
                u.r0 = Packed.dword(a0, a1, imm) | Packed.dword(a0, a1, imm >> 2) << 32;
                u.r1 = Packed.dword(b0, b1, imm >> 4) | Packed.dword(b0, b1, imm >> 6) << 32;
            }
            case SHUFPD -> {
                int choice = imm >> (2 * upper);
                result(u, (choice & 1) == 0 ? a0 : a1, (choice & 2) == 0 ? b0 : b1);
            }
            case UNPCKLPS ->
                    result(
                            u,
                            Packed.interleave(4, a0, b0),
                            Packed.interleave(4, a0 >>> 32, b0 >>> 32));
            case UNPCKHPS ->
                    result(
                            u,
                            Packed.interleave(4, a1, b1),
                            Packed.interleave(4, a1 >>> 32, b1 >>> 32));
            case UNPCKLPD -> result(u, a0, b0);
            case UNPCKHPD -> result(u, a1, b1);
            case PALIGNR -> {
                int n = 8 * Math.min(imm, 32);
                if (n < 64) {
                    u.r0 = SseIntegerOps.shiftRightLow(b0, b1, n);
                    u.r1 = SseIntegerOps.shiftRightLow(b1, a0, n);
                } else if (n < 128) {
                    u.r0 = SseIntegerOps.shiftRightLow(b1, a0, n - 64);
                    u.r1 = SseIntegerOps.shiftRightLow(a0, a1, n - 64);
                } else {
                    u.r0 = SseIntegerOps.shiftRightLow(a0, a1, n - 128);
                    u.r1 = SseIntegerOps.shiftRightHigh(a1, n - 128);
                }
            }
            case PBLENDW -> result(u, blendWords(imm, a0, b0), blendWords(imm >> 4, a1, b1));
            case BLENDPS -> {
                int choice = imm >> (4 * upper);
                result(u, blendDwords(choice, a0, b0), blendDwords(choice >> 2, a1, b1));
            }
            case BLENDPD -> {
                int choice = imm >> (2 * upper);
                result(u, (choice & 1) == 0 ? a0 : b0, (choice & 2) == 0 ? a1 : b1);
            }
            case PBLENDVB, BLENDVPS, BLENDVPD -> {
                int mask = 4 * (in.vexBytes == 0 ? 0 : in.reg3) + 2 * upper;
                long m0 = signMask(in, cpu.vec[mask]);
                long m1 = signMask(in, cpu.vec[mask + 1]);
                result(u, (a0 & ~m0) | (b0 & m0), (a1 & ~m1) | (b1 & m1));
            }
            case MPSADBW -> sumsOfDifferences(u, imm >> (3 * upper), a0, a1, b0, b1);
            default -> throw cpu.ud();
        }
    }

    private static void result(FpUnit u, long low, long high) {
        u.r0 = low;
        u.r1 = high;
    }

    private static long blendWords(int choice, long a, long b) {
        long mask =
                (choice & 1) * 0xFFFFL
                        | (choice >> 1 & 1) * 0xFFFF_0000L
                        | (choice >> 2 & 1) * 0xFFFF_0000_0000L
                        | (choice >> 3 & 1) * 0xFFFF_0000_0000_0000L;
        return (a & ~mask) | (b & mask);
    }

    static long blendDwords(int choice, long a, long b) {
        return blendWords((choice & 1) * 3 | (choice >> 1 & 1) * 12, a, b);
    }

    private static long signMask(Insn in, long mask) {
        return switch (in.op) {
            case PBLENDVB -> Packed.spreadSigns8(mask);
            case BLENDVPS -> Packed.join((int) mask >> 31, (int) (mask >> 63));
            default -> mask >> 63;
        };
    }

    /** MPSADBW: eight sums over four bytes, sliding over a against one block of b. */
    private static void sumsOfDifferences(FpUnit u, int imm, long a0, long a1, long b0, long b1) {
        int block = (int) Packed.dword(b0, b1, imm);
        int offset = imm & 4;
        long low = 0;
        long high = 0;
        for (int i = 0; i < 8; i++) {
            int window = (int) SseIntegerOps.shiftRightLow(a0, a1, 8 * (i + offset));
            long sum = 0;
            for (int shift = 0; shift < 32; shift += 8) {
                sum += Math.abs((window >>> shift & 0xFF) - (block >>> shift & 0xFF));
            }
            if (i < 4) {
                low |= sum << (16 * i);
            } else {
                high |= sum << (16 * (i - 4));
            }
        }
        result(u, low, high);
    }

    private static void insert(Cpu cpu, Insn in) {
        int size =
                switch (in.op) {
                    case PINSRB -> 1;
                    case PINSRW -> 2;
                    default -> in.opSize == 8 ? 8 : 4;
                };
        boolean vex = in.vexBytes != 0;
        int kind = vex ? in.kind2 : in.kind1;
        int reg = vex ? in.reg2 : in.reg1;
        long value =
                kind == Insn.GPR
                        ? cpu.reg(reg, size)
                        : cpu.mmu.read(cpu.linear(in, size, false), size);
        int a = Vectors.first(in);
        int bit = 8 * size * ((int) in.imm & (16 / size - 1));
        long mask = (-1L >>> (64 - 8 * size)) << (bit & 63);
        long part = value << (bit & 63);
        long low = cpu.vec[a];
        long high = cpu.vec[a + 1];
        if (bit < 64) {
            low = (low & ~mask) | part;
        } else {
            high = (high & ~mask) | part;
        }
        Vectors.set(cpu, in, low, high);
    }

    private static void extract(Cpu cpu, Insn in, int size) {
        int bit = 8 * size * ((int) in.imm & (16 / size - 1));
        long word = cpu.vec[4 * in.reg1 + (bit >> 6)];
        long value = word >>> (bit & 63) & (-1L >>> (64 - 8 * size));
        if (in.kind0 == Insn.MEM) {
            cpu.mmu.write(cpu.linear(in, size, true), size, value);
        } else {
            cpu.regs[in.reg0] = value;
        }
    }

    private static void insertSingle(Cpu cpu, Insn in) {
        int imm = (int) in.imm & 0xFF;
        int kind = Vectors.secondKind(in);
        int reg = Vectors.secondReg(in);
        long value =
                kind == Insn.MEM
                        ? cpu.mmu.read32(cpu.linear(in, 4, false))
                        : Packed.dword(cpu.vec[4 * reg], cpu.vec[4 * reg + 1], imm >> 6);
        int a = Vectors.first(in);
        long low = cpu.vec[a];
        long high = cpu.vec[a + 1];
        int place = imm >> 4 & 3;
        long kept = (place & 1) == 0 ? ~0xFFFFFFFFL : 0xFFFFFFFFL;
        long part = value << (32 * (place & 1));
        if (place < 2) {
            low = (low & kept) | part;
        } else {
            high = (high & kept) | part;
        }
        low = blendDwords(imm, low, 0);
        high = blendDwords(imm >> 2, high, 0);
        Vectors.set(cpu, in, low, high);
    }

    /**
     * PTEST, VTESTPS, VTESTPD.
     *
     * @param mask bits of each 64 that are looked at
     */
    static void test(Cpu cpu, Insn in, long mask) {
        Vectors.load(cpu, in, in.kind1, in.reg1);
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        int a = 4 * in.reg0;
        long and = (v[a] & u.b0) | (v[a + 1] & u.b1);
        long andNot = (~v[a] & u.b0) | (~v[a + 1] & u.b1);
        if (in.vectorBytes == 32) {
            and |= (v[a + 2] & u.b2) | (v[a + 3] & u.b3);
            andNot |= (~v[a + 2] & u.b2) | (~v[a + 3] & u.b3);
        }
        cpu.flags.setStatus(
                ((and & mask) == 0 ? Flags.ZF : 0) | ((andNot & mask) == 0 ? Flags.CF : 0));
    }

    private static void minimum(Cpu cpu, Insn in) {
        Vectors.load(cpu, in, in.kind1, in.reg1);
        FpUnit u = cpu.fpu;
        long best = 0x10000;
        int place = 0;
        for (int i = 0; i < 8; i++) {
            long x = (i < 4 ? u.b0 : u.b1) >>> (16 * (i & 3)) & 0xFFFF;
            if (x < best) {
                best = x;
                place = i;
            }
        }
        Vectors.set(cpu, in, best | (long) place << 16, 0);
    }

    /** PMOVSX, PMOVZX: widens as many low elements as fill the destination. */
    private static void widen(Cpu cpu, Insn in, int from, int to, boolean signed) {
        int words = in.vectorBytes == 32 ? 4 : 2;
        int bytes = 8 * words * from / to;
        FpUnit u = cpu.fpu;
        if (in.kind1 == Insn.XMM) {
            u.b0 = cpu.vec[4 * in.reg1];
            u.b1 = cpu.vec[4 * in.reg1 + 1];
        } else {
            long linear = cpu.linear(in, bytes, false);
            u.b0 = cpu.mmu.read(linear, Math.min(bytes, 8));
            u.b1 = bytes == 16 ? cpu.mmu.read64(Vectors.next(cpu, linear, 8)) : 0;
        }
        int perWord = 8 / to;
        int fill = 64 - 8 * from;
        long mask = -1L >>> (64 - 8 * to);
        long[] v = cpu.vec;
        for (int w = 0; w < 4; w++) {
            long result = 0;
            for (int e = 0; e < perWord && w < words; e++) {
                int bit = 8 * from * (w * perWord + e);
                long x = (bit < 64 ? u.b0 : u.b1) >>> (bit & 63) << fill;
                x = signed ? x >> fill : x >>> fill;
                result |= (x & mask) << (8 * to * e);
            }
            if (w < 2 || in.vexBytes != 0) {
                v[4 * in.reg0 + w] = result;
            }
        }
    }
}
