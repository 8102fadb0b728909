package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/**
 * MMX forms of the integer instructions. MMX registers are the significands of the physical x87
 * registers; memory is read before the switch to MMX state, so that a fault leaves the x87 alone.
 */
final class MmxOps {
    private MmxOps() {}

    static void execute(Cpu cpu, Insn in) {
        FpChecks.mmx(cpu);
        switch (in.op) {
            case MOVD, MOVQ -> move(cpu, in);
            case MOVNTQ -> {
                cpu.mmu.write64(cpu.linear(in, 8, true), cpu.fpSignificand[in.reg1 & 7]);
                Vectors.enterMmx(cpu);
            }
            case MOVQ2DQ -> {
                FpChecks.sse(cpu, in);
                Vectors.set(cpu, in, cpu.fpSignificand[in.reg1 & 7], 0);
                Vectors.enterMmx(cpu);
            }
            case MOVDQ2Q -> {
                FpChecks.sse(cpu, in);
                Vectors.setMmx(cpu, in.reg0, cpu.vec[4 * in.reg1]);
            }
            case MASKMOVQ -> {
                int mask = Packed.signs8(cpu.fpSignificand[in.reg1 & 7]);
                SseMoveOps.storeBytes(cpu, in, mask, cpu.fpSignificand[in.reg0 & 7], 0);
                Vectors.enterMmx(cpu);
            }
            case PMOVMSKB -> {
                cpu.regs[in.reg0] = Packed.signs8(cpu.fpSignificand[in.reg1 & 7]);
                Vectors.enterMmx(cpu);
            }
            case PEXTRW -> {
                int shift = 16 * ((int) in.imm & 3);
                cpu.regs[in.reg0] = cpu.fpSignificand[in.reg1 & 7] >>> shift & 0xFFFF;
                Vectors.enterMmx(cpu);
            }
            case PINSRW -> {
                int shift = 16 * ((int) in.imm & 3);
                long value =
                        in.kind1 == Insn.GPR
                                ? cpu.reg(in.reg1, 2)
                                : cpu.mmu.read16(cpu.linear(in, 2, false));
                long kept = cpu.fpSignificand[in.reg0 & 7] & ~(0xFFFFL << shift);
                Vectors.setMmx(cpu, in.reg0, kept | value << shift);
            }
            case PSHUFW -> {
                long value = Vectors.loadMmx(cpu, in, in.kind1, in.reg1, 8);
                Vectors.setMmx(cpu, in.reg0, Packed.shuffle16(value, (int) in.imm & 0xFF));
            }
            case PUNPCKLBW -> unpackLow(cpu, in, 1);
            case PUNPCKLWD -> unpackLow(cpu, in, 2);
            case PUNPCKLDQ -> unpackLow(cpu, in, 4);
            default -> {
                long a = cpu.fpSignificand[in.reg0 & 7];
                long b =
                        in.kind1 == Insn.IMM
                                ? in.imm & 0xFF
                                : Vectors.loadMmx(cpu, in, in.kind1, in.reg1, 8);
                Vectors.setMmx(cpu, in.reg0, combine(in, a, b));
            }
        }
    }

    private static long combine(Insn in, long a, long b) {
        Op op = in.op;
        return switch (op) {
            case PACKSSWB, PACKUSWB, PACKSSDW -> Packed.fold(op, a, b);
            case PHADDW, PHADDD, PHADDSW, PHSUBW, PHSUBD, PHSUBSW -> Packed.fold(op, a, b);
            case PUNPCKHBW -> Packed.interleave(1, a >>> 32, b >>> 32);
            case PUNPCKHWD -> Packed.interleave(2, a >>> 32, b >>> 32);
            case PUNPCKHDQ -> Packed.interleave(4, a >>> 32, b >>> 32);
            case PSLLW, PSLLD, PSLLQ, PSRLW, PSRLD, PSRLQ, PSRAW, PSRAD -> Packed.shift(op, a, b);
            case PSHUFB -> Packed.shuffle8(b, a, 0, 7);
            case PALIGNR ->
                    SseIntegerOps.shiftRightLow(b, a, 8 * Math.min((int) in.imm & 0xFF, 16));
            default -> Packed.lane(op, a, b);
        };
    }

    /** The low halves: a memory operand is 4 bytes only. */
    private static void unpackLow(Cpu cpu, Insn in, int elementBytes) {
        long b = Vectors.loadMmx(cpu, in, in.kind1, in.reg1, 4);
        long a = cpu.fpSignificand[in.reg0 & 7];
        Vectors.setMmx(cpu, in.reg0, Packed.interleave(elementBytes, a, b));
    }

    private static void move(Cpu cpu, Insn in) {
        int size = in.op == Op.MOVQ || in.opSize == 8 ? 8 : 4;
        if (in.kind0 == Insn.MMX) {
            long value =
                    switch (in.kind1) {
                        case Insn.MMX -> cpu.fpSignificand[in.reg1 & 7];
                        case Insn.GPR -> cpu.reg(in.reg1, size);
                        default -> cpu.mmu.read(cpu.linear(in, size, false), size);
                    };
            Vectors.setMmx(cpu, in.reg0, value);
            return;
        }
        long value = cpu.fpSignificand[in.reg1 & 7];
        if (in.kind0 == Insn.GPR) {
            cpu.setReg(in.reg0, size, value);
        } else {
            cpu.mmu.write(cpu.linear(in, size, true), size, value);
        }
        Vectors.enterMmx(cpu);
    }
}
