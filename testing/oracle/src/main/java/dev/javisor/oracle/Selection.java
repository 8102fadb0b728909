package dev.javisor.oracle;

import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import dev.javisor.softcpu.decode.Op.Family;
import java.util.EnumSet;
import java.util.Set;
import java.util.SplittableRandom;

/** Which instructions are compared. */
final class Selection {
    /**
     * Not compared, whatever the family. Random by nature: RDRAND, RDSEED. Approximations whose
     * error bound is all that is defined, and which differ between processors: RCP*, RSQRT*. They
     * have tests of their own.
     */
    private static final Set<Op> NEVER =
            EnumSet.of(
                    Op.RDRAND,
                    Op.RDSEED,
                    Op.RCPPS,
                    Op.RCPSS,
                    Op.RSQRTPS,
                    Op.RSQRTSS,
                    // Results within 1 ulp are as good; silicon of two vendors differs.
                    Op.FSIN,
                    Op.FCOS,
                    Op.FSINCOS,
                    Op.FPTAN,
                    Op.FPATAN,
                    Op.F2XM1,
                    Op.FYL2X,
                    Op.FYL2XP1,
                    // Images with instruction and data pointers, which AMD keeps only with an
                    // exception pending, or whose format is the processor's own.
                    Op.FNSTENV,
                    Op.FNSAVE,
                    Op.FLDENV,
                    Op.FRSTOR,
                    Op.FXSAVE,
                    Op.FXRSTOR,
                    Op.XSAVE,
                    Op.XSAVEOPT,
                    Op.XSAVEC,
                    Op.XSAVES,
                    Op.XRSTOR,
                    Op.XRSTORS);

    private final Set<Family> families;
    private final Set<Op> only;
    private final HostProcessor host;

    /**
     * @param only empty for all of the families
     */
    Selection(Set<Family> families, Set<Op> only, HostProcessor host) {
        this.families = families;
        this.only = only;
        this.host = host;
    }

    HostProcessor host() {
        return host;
    }

    /** All of the families that are compared, as far as the host has them. */
    static Selection everything(HostProcessor host) {
        return new Selection(OracleMain.FAMILIES, EnumSet.noneOf(Op.class), host);
    }

    /** 0 one byte, 1 0F, 2 0F38, 3 0F3A, 4..6 VEX maps 1..3. */
    int map(SplittableRandom random) {
        int n = random.nextInt(80);
        if (n < 28) {
            return 0;
        }
        if (n < 48) {
            return 1;
        }
        if (n < 54) {
            return 2;
        }
        if (n < 58) {
            return 3;
        }
        if (n < 67) {
            return 4;
        }
        return n < 76 ? 5 : 6;
    }

    boolean accepts(Insn in, byte[] code, int opcodeAt) {
        if (NEVER.contains(in.op) || !(only.isEmpty() || only.contains(in.op))) {
            return false;
        }
        Family family = in.op.family();
        if (!families.contains(family)) {
            return false;
        }
        // 0F 0D with a register: #UD on AMD's processors, NOP on Intel's and ours.
        if (in.op == Op.NOP && (in.kind0 == Insn.GPR && code[opcodeAt] == 0x0D)) {
            return false;
        }
        if (!host.executes(in)) {
            return false;
        }
        // VEX.W outside 64-bit mode: #UD on AMD's processors, ignored on Intel's and ours.
        if ((in.op == Op.PINSRD || in.op == Op.PEXTRD) && in.vexBytes != 0 && in.mode == 32) {
            return code[opcodeAt - 1] >= 0;
        }
        return switch (family) {
                    // AMD's processors honour 66 on near branches in 64-bit mode, Intel's (and
                    // ours) do
                    // not. F2 and F3 change the condition of LOOPcc on AMD's.
                    case BRANCH -> in.mode != 64 || !hasOperandSizePrefix(code);
                    default -> true;
                }
                && !(in.rep != 0 && (in.op == Op.LOOPE || in.op == Op.LOOPNE));
    }

    private static boolean hasOperandSizePrefix(byte[] code) {
        for (int i = 0; i < 4; i++) {
            if (code[i] == 0x66) {
                return true;
            }
        }
        return false;
    }
}
