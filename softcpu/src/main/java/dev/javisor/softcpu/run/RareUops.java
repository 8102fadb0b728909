package dev.javisor.softcpu.run;

import dev.javisor.softcpu.block.Alu;
import dev.javisor.softcpu.block.Uop;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.decode.Insn;

/**
 * The dispatch codes that are seldom executed: each less than once in 3,000 when Linux boots. Apart
 * from the hot loop, because the JIT does the rest of it better and sooner the smaller it is.
 */
final class RareUops {
    private RareUops() {}

    private static long ea(Cpu c, Insn in) {
        return c.regs[in.base] + (c.regs[in.index] << in.scale) + in.disp + c.linearBase[in.seg];
    }

    @SuppressWarnings("MethodLength") // one flat dispatch
    static void execute(Cpu c, Insn in) {
        final Mmu m = c.mmu;
        final long[] r = c.regs;
        final Flags f = c.flags;
        switch (in.uop) {
            case Uop.LOADS16_R -> r[in.reg0] = (short) m.read16(ea(c, in));
            case Uop.LOADS8_R -> r[in.reg0] = (byte) m.read8(ea(c, in));
            case Uop.LOADS16_E -> r[in.reg0] = (short) m.read16(ea(c, in)) & 0xFFFFFFFFL;
            case Uop.LOADS8_E -> r[in.reg0] = (byte) m.read8(ea(c, in)) & 0xFFFFFFFFL;
            case Uop.STORE16_I -> m.write16(ea(c, in), in.imm);
            case Uop.MOVZX16 -> r[in.reg0] = r[in.reg1] & 0xFFFF;
            case Uop.MOVSX16_R -> r[in.reg0] = (short) r[in.reg1];
            case Uop.MOVSX8_R -> r[in.reg0] = (byte) r[in.reg1];
            case Uop.MOVSX16_E -> r[in.reg0] = (short) r[in.reg1] & 0xFFFFFFFFL;
            case Uop.AND_EE -> r[in.reg0] = Alu.logic32(f, r[in.reg0] & r[in.reg1]);
            case Uop.OR_RI -> r[in.reg0] = Alu.logic64(f, r[in.reg0] | in.imm);
            case Uop.OR_EE -> r[in.reg0] = Alu.logic32(f, r[in.reg0] | r[in.reg1]);
            case Uop.XOR_RI -> r[in.reg0] = Alu.logic64(f, r[in.reg0] ^ in.imm);
            case Uop.XOR_EI -> r[in.reg0] = Alu.logic32(f, r[in.reg0] ^ in.imm);
            case Uop.ADC_EE -> r[in.reg0] = Alu.adc32(f, r[in.reg0], r[in.reg1]);
            case Uop.ADC_EI -> r[in.reg0] = Alu.adc32(f, r[in.reg0], in.imm);
            case Uop.SBB_RR -> r[in.reg0] = Alu.sbb64(f, r[in.reg0], r[in.reg1]);
            case Uop.SBB_RI -> r[in.reg0] = Alu.sbb64(f, r[in.reg0], in.imm);
            case Uop.SBB_EI -> r[in.reg0] = Alu.sbb32(f, r[in.reg0], in.imm);
            case Uop.DEC_R -> r[in.reg0] = Alu.dec64(f, r[in.reg0]);
            case Uop.NEG_R -> r[in.reg0] = Alu.sub64(f, 0, r[in.reg0]);
            case Uop.NEG_E -> r[in.reg0] = Alu.sub32(f, 0, r[in.reg0]);
            case Uop.NOT_E -> r[in.reg0] = ~r[in.reg0] & 0xFFFFFFFFL;
            case Uop.SHL_EI -> r[in.reg0] = Alu.shl32(f, r[in.reg0], (int) in.imm);
            case Uop.SAR_EI -> r[in.reg0] = Alu.sar32(f, r[in.reg0], (int) in.imm);
            case Uop.IMUL_RR -> r[in.reg0] = Alu.imul64(f, r[in.reg0], r[in.reg1]);
            case Uop.IMUL_EE -> r[in.reg0] = Alu.imul32(f, r[in.reg0], r[in.reg1]);
            case Uop.IMUL_RRI -> r[in.reg0] = Alu.imul64(f, r[in.reg1], in.imm);
            case Uop.IMUL_EEI -> r[in.reg0] = Alu.imul32(f, r[in.reg1], in.imm);
            case Uop.MUL_R -> {
                long x = r[0];
                long y = r[in.reg0];
                long high = Math.unsignedMultiplyHigh(x, y);
                r[0] = x * y;
                r[2] = high;
                f.result = r[0];
                f.aux = high != 0 ? Long.MIN_VALUE : 0;
            }
            case Uop.LEAVE -> {
                long v = m.read64(r[5]);
                r[4] = r[5] + 8;
                r[5] = v;
            }
            case Uop.CDQE -> r[0] = (int) r[0];
            case Uop.CQO -> r[2] = r[0] >> 63;
            case Uop.CDQ -> r[2] = (int) r[0] >> 31 & 0xFFFFFFFFL;
            case Uop.OR_RR_N -> r[in.reg0] = r[in.reg0] | r[in.reg1];
            case Uop.OR_RI_N -> r[in.reg0] = r[in.reg0] | in.imm;
            case Uop.OR_EI_N -> r[in.reg0] = (r[in.reg0] | in.imm) & 0xFFFFFFFFL;
            case Uop.XOR_RI_N -> r[in.reg0] = r[in.reg0] ^ in.imm;
            case Uop.XOR_EI_N -> r[in.reg0] = (r[in.reg0] ^ in.imm) & 0xFFFFFFFFL;
            case Uop.SAR_EI_N ->
                    r[in.reg0] = (long) ((int) r[in.reg0] >> (int) in.imm) & 0xFFFFFFFFL;
            case Uop.IMUL_EE_N -> r[in.reg0] = (r[in.reg0] * r[in.reg1]) & 0xFFFFFFFFL;
            case Uop.IMUL_RRI_N -> r[in.reg0] = r[in.reg1] * in.imm;
            case Uop.IMUL_EEI_N -> r[in.reg0] = (r[in.reg1] * in.imm) & 0xFFFFFFFFL;
            case Uop.MUL_R_N -> {
                long x = r[0];
                long y = r[in.reg0];
                r[0] = x * y;
                r[2] = Math.unsignedMultiplyHigh(x, y);
            }
            case Uop.INC_R_N -> r[in.reg0] = r[in.reg0] + 1;
            case Uop.INC_E_N -> r[in.reg0] = (r[in.reg0] + 1) & 0xFFFFFFFFL;
            case Uop.DEC_R_N -> r[in.reg0] = r[in.reg0] - 1;
            case Uop.DEC_E_N -> r[in.reg0] = (r[in.reg0] - 1) & 0xFFFFFFFFL;
            case Uop.NEG_R_N -> r[in.reg0] = -r[in.reg0];
            case Uop.NEG_E_N -> r[in.reg0] = -r[in.reg0] & 0xFFFFFFFFL;
            case Uop.NOP -> {}
            default -> throw new IllegalStateException("uop " + in.uop);
        }
    }
}
