package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/** Moves between XMM registers, memory and general registers. */
final class SseMoveOps {
    private SseMoveOps() {}

    static void execute(Cpu cpu, Insn in) {
        long[] v = cpu.vec;
        switch (in.op) {
            case MOVUPS, MOVUPD, MOVDQU -> move(cpu, in, false);
            case MOVAPS, MOVAPD, MOVDQA -> move(cpu, in, true);
            case MOVNTPS, MOVNTPD, MOVNTDQ -> Vectors.storeMemory(cpu, in, in.reg1, true);
            case MOVNTDQA -> {
                Vectors.loadMemory(cpu, in, true);
                setLoaded(cpu, in);
            }
            case LDDQU -> {
                Vectors.loadMemory(cpu, in, false);
                setLoaded(cpu, in);
            }
            case MOVSS -> scalar(cpu, in, 4);
            case MOVSD_XMM -> scalar(cpu, in, 8);
            case MOVLPS, MOVLPD -> {
                if (in.kind0 == Insn.MEM) {
                    cpu.mmu.write64(cpu.linear(in, 8, true), v[4 * in.reg1]);
                } else {
                    long low = Vectors.loadScalar(cpu, in, Vectors.secondKind(in), 0, 8);
                    Vectors.set(cpu, in, low, v[Vectors.first(in) + 1]);
                }
            }
            case MOVHPS, MOVHPD -> {
                if (in.kind0 == Insn.MEM) {
                    cpu.mmu.write64(cpu.linear(in, 8, true), v[4 * in.reg1 + 1]);
                } else {
                    long high = Vectors.loadScalar(cpu, in, Vectors.secondKind(in), 0, 8);
                    Vectors.set(cpu, in, v[Vectors.first(in)], high);
                }
            }
            case MOVHLPS ->
                    Vectors.set(
                            cpu, in, v[4 * Vectors.secondReg(in) + 1], v[Vectors.first(in) + 1]);
            case MOVLHPS ->
                    Vectors.set(cpu, in, v[Vectors.first(in)], v[4 * Vectors.secondReg(in)]);
            case MOVSLDUP -> duplicate(cpu, in, 0);
            case MOVSHDUP -> duplicate(cpu, in, 32);
            case MOVDDUP -> duplicateDouble(cpu, in);
            case MOVMSKPS -> cpu.regs[in.reg0] = signs32(cpu, in);
            case MOVMSKPD -> cpu.regs[in.reg0] = signs64(cpu, in);
            case PMOVMSKB -> {
                int i = 4 * in.reg1;
                long mask = Packed.signs8(v[i]) | Packed.signs8(v[i + 1]) << 8;
                if (in.vectorBytes == 32) {
                    mask |= (long) Packed.signs8(v[i + 2]) << 16;
                    mask |= (long) Packed.signs8(v[i + 3]) << 24;
                }
                cpu.regs[in.reg0] = mask;
            }
            case MOVD, MOVQ -> moveLow(cpu, in);
            case MASKMOVDQU -> maskedStore(cpu, in);
            default -> throw cpu.ud();
        }
    }

    private static void move(Cpu cpu, Insn in, boolean aligned) {
        if (in.kind0 == Insn.MEM) {
            Vectors.storeMemory(cpu, in, in.reg1, aligned);
        } else if (in.kind1 == Insn.MEM) {
            Vectors.loadMemory(cpu, in, aligned);
            setLoaded(cpu, in);
        } else {
            Vectors.load(cpu, in, Insn.XMM, in.reg1);
            setLoaded(cpu, in);
        }
    }

    private static void setLoaded(Cpu cpu, Insn in) {
        FpUnit u = cpu.fpu;
        Vectors.set(cpu, in, u.b0, u.b1);
        if (in.vectorBytes == 32) {
            Vectors.setUpper(cpu, in, u.b2, u.b3);
        }
    }

    /** MOVSS, MOVSD: a load clears the rest of the register, a register move keeps it. */
    private static void scalar(Cpu cpu, Insn in, int sizeBytes) {
        if (in.kind0 == Insn.MEM) {
            long linear = cpu.linear(in, sizeBytes, true);
            cpu.mmu.write(linear, sizeBytes, cpu.vec[4 * in.reg1]);
        } else if (in.kind1 == Insn.MEM) {
            Vectors.set(cpu, in, cpu.mmu.read(cpu.linear(in, sizeBytes, false), sizeBytes), 0);
        } else {
            int a = Vectors.first(in);
            long source = cpu.vec[4 * Vectors.secondReg(in)];
            long low =
                    sizeBytes == 8 ? source : (cpu.vec[a] & ~0xFFFFFFFFL) | (source & 0xFFFFFFFFL);
            Vectors.set(cpu, in, low, cpu.vec[a + 1]);
        }
    }

    /** MOVD, MOVQ: 4 or 8 bytes zero-extended into an XMM register, or its low part elsewhere. */
    private static void moveLow(Cpu cpu, Insn in) {
        int size = in.op == Op.MOVQ || in.opSize == 8 ? 8 : 4;
        if (in.kind0 == Insn.XMM) {
            long value =
                    switch (in.kind1) {
                        case Insn.XMM -> cpu.vec[4 * in.reg1];
                        case Insn.GPR -> cpu.reg(in.reg1, size);
                        default -> cpu.mmu.read(cpu.linear(in, size, false), size);
                    };
            Vectors.set(cpu, in, value, 0);
        } else if (in.kind0 == Insn.GPR) {
            cpu.setReg(in.reg0, size, cpu.vec[4 * in.reg1]);
        } else {
            cpu.mmu.write(cpu.linear(in, size, true), size, cpu.vec[4 * in.reg1]);
        }
    }

    private static void duplicate(Cpu cpu, Insn in, int shift) {
        Vectors.load(cpu, in, in.kind1, in.reg1);
        FpUnit u = cpu.fpu;
        long low = (u.b0 >>> shift & 0xFFFFFFFFL) * 0x1_0000_0001L;
        long high = (u.b1 >>> shift & 0xFFFFFFFFL) * 0x1_0000_0001L;
        Vectors.set(cpu, in, low, high);
        if (in.vectorBytes == 32) {
            Vectors.setUpper(
                    cpu,
                    in,
                    (u.b2 >>> shift & 0xFFFFFFFFL) * 0x1_0000_0001L,
                    (u.b3 >>> shift & 0xFFFFFFFFL) * 0x1_0000_0001L);
        }
    }

    private static void duplicateDouble(Cpu cpu, Insn in) {
        if (in.vectorBytes == 32) {
            Vectors.load(cpu, in, in.kind1, in.reg1);
            FpUnit u = cpu.fpu;
            Vectors.set(cpu, in, u.b0, u.b0);
            Vectors.setUpper(cpu, in, u.b2, u.b2);
        } else {
            long value = Vectors.loadScalar(cpu, in, in.kind1, in.reg1, 8);
            Vectors.set(cpu, in, value, value);
        }
    }

    private static long signs32(Cpu cpu, Insn in) {
        long mask = 0;
        for (int i = 0; i < in.vectorBytes / 8; i++) {
            long x = cpu.vec[4 * in.reg1 + i];
            mask |= ((x >>> 31 & 1) | (x >>> 63) << 1) << (2 * i);
        }
        return mask;
    }

    private static long signs64(Cpu cpu, Insn in) {
        long mask = 0;
        for (int i = 0; i < in.vectorBytes / 8; i++) {
            mask |= (cpu.vec[4 * in.reg1 + i] >>> 63) << i;
        }
        return mask;
    }

    /** Stores the bytes of operand 0 whose mask byte in operand 1 has its sign set, to seg:rDI. */
    private static void maskedStore(Cpu cpu, Insn in) {
        long[] v = cpu.vec;
        int data = 4 * in.reg0;
        int mask = 4 * in.reg1;
        int bytes = Packed.signs8(v[mask]) | Packed.signs8(v[mask + 1]) << 8;
        storeBytes(cpu, in, bytes, v[data], v[data + 1]);
    }

    /** MASKMOVDQU and MASKMOVQ: bit n of {@code mask} stores byte n of high:low. */
    static void storeBytes(Cpu cpu, Insn in, int mask, long low, long high) {
        if (mask == 0) {
            return;
        }
        long offset =
                switch (in.addrSize) {
                    case 8 -> cpu.regs[7];
                    case 4 -> cpu.regs[7] & 0xFFFFFFFFL;
                    default -> cpu.regs[7] & 0xFFFF;
                };
        Mmu mmu = cpu.mmu;
        int size = 32 - Integer.numberOfLeadingZeros(mask);
        int start = Integer.numberOfTrailingZeros(mask);
        long linear = Vectors.next(cpu, cpu.linear(in.seg, offset, size, true), start);
        mmu.probeWrite(linear, size - start);
        for (int i = start; i < size; i++) {
            if ((mask >>> i & 1) != 0) {
                long word = i < 8 ? low : high;
                mmu.write8(Vectors.next(cpu, linear, i - start), word >>> (8 * (i & 7)) & 0xFF);
            }
        }
    }
}
