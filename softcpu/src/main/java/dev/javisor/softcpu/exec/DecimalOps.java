package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;

/** BCD adjustment (SDM 1 §7.3.3): not in 64-bit mode. */
public final class DecimalOps {
    private DecimalOps() {}

    /** Executes one instruction of family DECIMAL. */
    public static void execute(Cpu cpu, Insn in) {
        switch (in.op) {
            case AAA -> adjustUnpacked(cpu, 0x106);
            case AAS -> adjustUnpacked(cpu, -0x106);
            case AAM -> {
                int base = (int) in.imm & 0xFF;
                if (base == 0) {
                    throw cpu.fault(GuestFault.DE);
                }
                int al = (int) cpu.reg(0, 1);
                cpu.setReg(0, 2, (al / base) << 8 | al % base);
                cpu.flags.logic(1, al % base);
            }
            case AAD -> {
                int ax = (int) cpu.reg(0, 2);
                int al = (ax + (ax >>> 8) * ((int) in.imm & 0xFF)) & 0xFF;
                cpu.setReg(0, 2, al);
                cpu.flags.logic(1, al);
            }
            case DAA -> adjustPacked(cpu, 1);
            case DAS -> adjustPacked(cpu, -1);
            default -> throw new IllegalStateException("not a decimal instruction: " + in.op);
        }
    }

    /** AAA, AAS. Defined: CF and AF. */
    private static void adjustUnpacked(Cpu cpu, int correction) {
        int ax = (int) cpu.reg(0, 2);
        boolean adjust = (ax & 0xF) > 9 || cpu.flags.af();
        if (adjust) {
            ax += correction;
        }
        ax &= 0xFF0F;
        cpu.setReg(0, 2, ax);
        cpu.flags.logic(1, ax);
        cpu.flags.setStatus(cpu.flags.status() | (adjust ? Flags.CF | Flags.AF : 0));
    }

    /** DAA, DAS. OF is undefined. */
    private static void adjustPacked(Cpu cpu, int sign) {
        int old = (int) cpu.reg(0, 1);
        boolean carry = cpu.flags.cf();
        boolean adjustLow = (old & 0xF) > 9 || cpu.flags.af();
        boolean adjustHigh = old > 0x99 || carry;
        int al = old;
        boolean outOfLow = false;
        if (adjustLow) {
            al += sign * 6;
            outOfLow = (al & ~0xFF) != 0;
        }
        if (adjustHigh) {
            al += sign * 0x60;
        }
        // SDM 2A: DAA's carry comes from the second step alone; DAS keeps a borrow of the first.
        boolean carryOut = adjustHigh || (sign < 0 && outOfLow);
        cpu.setReg(0, 1, al);
        cpu.flags.logic(1, al);
        cpu.flags.setStatus(
                cpu.flags.status() | (carryOut ? Flags.CF : 0) | (adjustLow ? Flags.AF : 0));
    }
}
