package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.Uop;
import dev.javisor.softcpu.decode.Insn;
import org.jspecify.annotations.Nullable;

/** Forward data flow over a region: the kind of flags with which each block is entered. */
final class FlagFlow {
    private final RegionShape shape;
    private final @Nullable FlagKind[] in;

    FlagFlow(RegionShape shape) {
        this.shape = shape;
        this.in = new FlagKind[shape.blocks.size()];
    }

    /**
     * By block: {@link FlagKind#STORED} where predecessors differ, null where nothing leads, as to
     * the place behind a call whose return is not in the region.
     */
    @Nullable FlagKind[] kinds() {
        // From outside flags come stored.
        in[0] = FlagKind.STORED;
        boolean changed = true;
        while (changed) {
            changed = false;
            for (int i = 0; i < in.length; i++) {
                FlagKind kind = in[i];
                if (kind != null) {
                    changed |= flow(shape.blocks.get(i), kind);
                }
            }
        }
        return in;
    }

    private boolean flow(Block b, FlagKind entry) {
        if (shape.codesOf(b) < b.code.length) {
            return false;
        }
        FlagKind out = entry;
        for (Insn insn : b.code) {
            out = after(insn, out);
        }
        Insn last = b.code[b.code.length - 1];
        boolean changed = false;
        switch (last.uop) {
            case Uop.JMP_REL, Uop.CALL_REL -> changed = meet(last.imm, out);
            case Uop.RET, Uop.JMP_R, Uop.CALL_R -> {
                for (Block target : shape.indirectTargets(b)) {
                    changed |= meet(target.ip, out);
                }
                if (last.uop == Uop.RET) {
                    for (Block site : shape.returnSites) {
                        changed |= meet(site.ip, out);
                    }
                }
            }
            case Uop.GENERIC_END, Uop.GENERIC_JUMP -> {}
            default -> {
                changed = meet(last.nextIp, out);
                if (last.uop >= Uop.JCC && last.uop <= Uop.TEST_EE_JNZ) {
                    changed |= meet(last.imm, out);
                }
            }
        }
        return changed;
    }

    private boolean meet(long ip, FlagKind kind) {
        int i = shape.indexOf(ip);
        if (i < 0 || in[i] == FlagKind.STORED) {
            return false;
        }
        FlagKind merged = in[i] == null || in[i] == kind ? kind : FlagKind.STORED;
        boolean changed = merged != in[i];
        in[i] = merged;
        return changed;
    }

    /** Kind after an instruction: what {@link CodeWriter} leaves. */
    private static FlagKind after(Insn insn, FlagKind before) {
        int uop = insn.uop;
        if (uop >= Uop.ADD_RR && uop <= Uop.SBB_EI) {
            boolean narrow = (uop - Uop.ADD_RR) % 4 >= 2;
            return switch ((uop - Uop.ADD_RR) / 4) {
                case 0 -> narrow ? FlagKind.ADD32 : FlagKind.ADD64;
                case 1, 5 -> narrow ? FlagKind.SUB32 : FlagKind.SUB64;
                case 2, 3, 4, 6 -> FlagKind.LOGIC;
                default -> FlagKind.STORED;
            };
        }
        return switch (uop) {
            case Uop.CMPN_RR, Uop.CMPN_RI -> insn.imm2 == 56 ? FlagKind.SUB8 : FlagKind.SUB16;
            case Uop.TESTN_RR, Uop.TESTN_RI -> FlagKind.LOGIC;
            case Uop.NEG_R, Uop.CMP_RR_JZ, Uop.CMP_RR_JNZ, Uop.CMP_RI_JZ, Uop.CMP_RI_JNZ ->
                    FlagKind.SUB64;
            case Uop.NEG_E, Uop.CMP_EE_JZ, Uop.CMP_EE_JNZ, Uop.CMP_EI_JZ, Uop.CMP_EI_JNZ ->
                    FlagKind.SUB32;
            case Uop.TEST_RR_JZ, Uop.TEST_RR_JNZ, Uop.TEST_EE_JZ, Uop.TEST_EE_JNZ -> FlagKind.LOGIC;
            case Uop.GENERIC -> VectorWriter.keepsFlags(insn) ? before : FlagKind.STORED;
            case Uop.INC_R,
                    Uop.INC_E,
                    Uop.DEC_R,
                    Uop.DEC_E,
                    Uop.SHL_RI,
                    Uop.SHL_EI,
                    Uop.SHR_RI,
                    Uop.SHR_EI,
                    Uop.SAR_RI,
                    Uop.SAR_EI,
                    Uop.IMUL_RR,
                    Uop.IMUL_EE,
                    Uop.IMUL_RRI,
                    Uop.IMUL_EEI,
                    Uop.MUL_R ->
                    FlagKind.STORED;
            default -> before;
        };
    }
}
