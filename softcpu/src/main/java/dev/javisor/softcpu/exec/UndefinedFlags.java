package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/**
 * The status flags that the SDM (volume 2, "Flags Affected") leaves undefined: for comparisons of
 * one executor with another.
 */
public final class UndefinedFlags {
    private static final int ALL = Flags.STATUS;

    private UndefinedFlags() {}

    /**
     * @param cl the value of CL before the instruction
     */
    public static int of(Insn in, int cl) {
        return switch (in.op) {
            case AND, OR, XOR, TEST -> Flags.AF;
            case SHL, SHR, SAR -> shift(in, count(in, in.kind1, cl));
            case ROL, ROR, RCL, RCR -> count(in, in.kind1, cl) == 1 ? 0 : Flags.OF;
            case SHLD, SHRD -> doubleShift(in, count(in, in.kind2, cl));
            case MUL, IMUL -> Flags.SF | Flags.ZF | Flags.AF | Flags.PF;
            case DIV, IDIV -> ALL;
            case BSF, BSR -> ALL & ~Flags.ZF;
            case BT, BTS, BTR, BTC -> Flags.OF | Flags.SF | Flags.AF | Flags.PF;
            case LZCNT, TZCNT -> Flags.OF | Flags.SF | Flags.AF | Flags.PF;
            case BEXTR -> Flags.SF | Flags.AF | Flags.PF;
            case ANDN, BLSI, BLSMSK, BLSR, BZHI -> Flags.AF | Flags.PF;
            case AAA, AAS -> Flags.OF | Flags.SF | Flags.ZF | Flags.PF;
            case AAM, AAD -> Flags.OF | Flags.AF | Flags.CF;
            case DAA, DAS -> Flags.OF;
            default -> 0;
        };
    }

    /** Status flags that an instruction which changes some leaves as they were. */
    public static int kept(Insn in) {
        return switch (in.op) {
            case INC, DEC -> Flags.CF;
            case ROL, ROR, RCL, RCR -> ALL & ~(Flags.CF | Flags.OF);
            case BT, BTS, BTR, BTC -> Flags.ZF;
            case CLC, STC, CMC -> ALL & ~Flags.CF;
            default -> 0;
        };
    }

    /** SHLD and SHRD with a count above the operand size: the result is undefined too. */
    public static boolean result(Insn in, int cl) {
        return switch (in.op) {
            case SHLD, SHRD -> count(in, in.kind2, cl) > 8 * in.opSize;
            case BSWAP -> in.opSize == 2;
            default -> false;
        };
    }

    private static int count(Insn in, int kind, int cl) {
        long count = kind == Insn.IMM ? in.imm : cl;
        return (int) count & (in.opSize == 8 ? 63 : 31);
    }

    private static int shift(Insn in, int count) {
        if (count == 0) {
            return 0;
        }
        boolean arithmetic = in.op == Op.SAR;
        return Flags.AF
                | (count == 1 ? 0 : Flags.OF)
                | (count >= 8 * in.opSize && !arithmetic ? Flags.CF : 0);
    }

    private static int doubleShift(Insn in, int count) {
        if (count == 0) {
            return 0;
        }
        if (count > 8 * in.opSize) {
            return ALL;
        }
        return Flags.AF | (count == 1 ? 0 : Flags.OF);
    }
}
