package dev.javisor.softcpu.block;

import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.util.ArrayList;
import java.util.List;

/**
 * Chooses the dispatch codes of a block's instructions. Only 64-bit code with 64-bit addresses gets
 * specialised forms: elsewhere every access needs segment checks, which the families do.
 */
public final class Lowering {
    /** Register slot for the memory operand between the parts of a split instruction. */
    public static final byte TMP = 17;

    private final List<Insn> out = new ArrayList<>();

    /** The executable form; instructions may be split, fused or dropped. */
    public Insn[] lower(List<Insn> insns, int mode) {
        out.clear();
        byte ordinal = 0;
        for (Insn in : insns) {
            in.ordinal = ordinal++;
            if (mode == 64 && !in.lock && in.rep == 0 && specialise(in)) {
                continue;
            }
            in.uop = generic(in);
            out.add(in);
        }
        dropDeadFlags();
        fuse();
        Insn last = insns.getLast();
        if (out.isEmpty() || out.getLast().nextIp != last.nextIp) {
            // The end was dropped, but the block's successor is taken from its last code.
            last.uop = Uop.NOP;
            out.add(last);
        }
        return out.toArray(Insn[]::new);
    }

    private static int generic(Insn in) {
        if (!BlockBuilder.endsBlock(in)) {
            return Uop.GENERIC;
        }
        return switch (in.op.family()) {
            case BRANCH, STRING -> Uop.GENERIC_JUMP;
            default -> Uop.GENERIC_END;
        };
    }

    private boolean emit(Insn in, int uop) {
        in.uop = uop;
        out.add(in);
        return true;
    }

    private static boolean memory(Insn in) {
        return in.kind0 == Insn.MEM || in.kind1 == Insn.MEM || in.kind2 == Insn.MEM;
    }

    private boolean specialise(Insn in) {
        if (memory(in) && in.addrSize != 8) {
            return false;
        }
        boolean wide = in.opSize == 8;
        boolean word = wide || in.opSize == 4;
        return switch (in.op) {
            case MOV -> mov(in);
            case MOVZX -> extend(in, false);
            case MOVSX, MOVSXD -> extend(in, true);
            case LEA -> word && emit(in, wide ? Uop.LEA_R : Uop.LEA_E);
            case ADD -> alu(in, Uop.ADD_RR, true);
            case SUB -> alu(in, Uop.SUB_RR, true);
            case AND -> alu(in, Uop.AND_RR, true);
            case OR -> alu(in, Uop.OR_RR, true);
            case XOR -> alu(in, Uop.XOR_RR, true);
            case ADC -> alu(in, Uop.ADC_RR, true);
            case SBB -> alu(in, Uop.SBB_RR, true);
            case CMP -> word ? alu(in, Uop.CMP_RR, false) : narrow(in, Uop.CMPN_RR);
            case TEST -> word ? alu(in, Uop.TEST_RR, false) : narrow(in, Uop.TESTN_RR);
            case INC -> unary(in, Uop.INC_R);
            case DEC -> unary(in, Uop.DEC_R);
            case NEG -> unary(in, Uop.NEG_R);
            case NOT -> unary(in, Uop.NOT_R);
            case SHL -> shift(in, Uop.SHL_RI);
            case SHR -> shift(in, Uop.SHR_RI);
            case SAR -> shift(in, Uop.SAR_RI);
            case IMUL -> imul(in);
            case MUL -> wide && source(in) && emit(in, Uop.MUL_R);
            case PUSH -> push(in);
            case POP -> wide && in.kind0 == Insn.GPR && emit(in, Uop.POP_R);
            case LEAVE -> wide && emit(in, Uop.LEAVE);
            case SETCC -> in.kind0 == Insn.GPR && emit(in, Uop.SETCC);
            case CMOVCC -> word && cmov(in);
            case CBW -> wide && emit(in, Uop.CDQE);
            case CWD -> word && emit(in, wide ? Uop.CQO : Uop.CDQ);
            case NOP -> true;
            case JCC -> wide(in) && emit(in, Uop.JCC + in.cond);
            case JMP -> wide(in) && branch(in, Uop.JMP_REL, Uop.JMP_R);
            case CALL -> wide(in) && branch(in, Uop.CALL_REL, Uop.CALL_R);
            case RET -> wide(in) && emit(in, Uop.RET);
            default -> false;
        };
    }

    private static boolean wide(Insn in) {
        return in.opSize == 8;
    }

    /**
     * For an instruction whose only or last operand may be memory: emits its load into TMP, and
     * makes the operand that register. False if the form has no specialised code.
     */
    private boolean source(Insn in) {
        if (in.kind0 == Insn.GPR) {
            return true;
        }
        if (in.kind0 != Insn.MEM) {
            return false;
        }
        emit(part(in), in.opSize == 8 ? Uop.LOAD64 : Uop.LOAD32);
        in.reg0 = TMP;
        return true;
    }

    /** A load or store of {@code in}'s memory operand by way of TMP. */
    private static Insn part(Insn in) {
        Insn part = new Insn();
        part.op = in.op;
        part.kind0 = Insn.GPR;
        part.kind1 = Insn.MEM;
        part.reg0 = TMP;
        part.reg1 = TMP;
        part.opSize = in.opSize;
        part.memSize = in.memSize;
        part.addrSize = in.addrSize;
        part.base = in.base;
        part.index = in.index;
        part.scale = in.scale;
        part.seg = in.seg;
        part.disp = in.disp;
        part.length = in.length;
        part.mode = in.mode;
        part.ordinal = in.ordinal;
        part.ip = in.ip;
        part.nextIp = in.nextIp;
        return part;
    }

    private boolean mov(Insn in) {
        int size = in.opSize;
        if (in.kind0 == Insn.GPR) {
            return switch (in.kind1) {
                case Insn.GPR -> size >= 4 && emit(in, size == 8 ? Uop.MOV_RR : Uop.MOV_EE);
                case Insn.IMM -> {
                    if (size < 4) {
                        yield false;
                    }
                    if (size == 4) {
                        in.imm &= 0xFFFFFFFFL;
                    }
                    yield emit(in, Uop.MOV_RI);
                }
                case Insn.MEM -> size >= 4 && emit(in, size == 8 ? Uop.LOAD64 : Uop.LOAD32);
                default -> false;
            };
        }
        if (in.kind0 != Insn.MEM) {
            return false;
        }
        int slot =
                switch (size) {
                    case 8 -> 0;
                    case 4 -> 1;
                    case 2 -> 2;
                    default -> 3;
                };
        return switch (in.kind1) {
            case Insn.GPR -> emit(in, Uop.STORE64 + slot);
            case Insn.IMM -> emit(in, Uop.STORE64_I + slot);
            default -> false;
        };
    }

    private boolean extend(Insn in, boolean signed) {
        if (in.opSize < 4) {
            return false;
        }
        boolean wide = in.opSize == 8;
        if (in.kind1 == Insn.MEM) {
            if (!signed) {
                return emit(in, in.memSize == 1 ? Uop.LOAD8 : Uop.LOAD16);
            }
            return switch (in.memSize) {
                case 1 -> emit(in, wide ? Uop.LOADS8_R : Uop.LOADS8_E);
                case 2 -> emit(in, wide ? Uop.LOADS16_R : Uop.LOADS16_E);
                default -> emit(in, wide ? Uop.LOADS32_R : Uop.LOAD32);
            };
        }
        if (in.kind1 != Insn.GPR) {
            return false;
        }
        if (!signed) {
            return emit(in, in.memSize == 1 ? Uop.MOVZX8 : Uop.MOVZX16);
        }
        return switch (in.memSize) {
            case 1 -> emit(in, wide ? Uop.MOVSX8_R : Uop.MOVSX8_E);
            case 2 -> emit(in, wide ? Uop.MOVSX16_R : Uop.MOVSX16_E);
            default -> emit(in, wide ? Uop.MOVSX32_R : Uop.MOV_EE);
        };
    }

    /** Codes in the order RR, RI, EE, EI from {@code base}. */
    private boolean alu(Insn in, int base, boolean writes) {
        if (in.opSize < 4) {
            return false;
        }
        boolean wide = in.opSize == 8;
        int form = base + (wide ? 0 : 2);
        if (!wide) {
            in.imm &= 0xFFFFFFFFL;
        }
        if (in.kind0 == Insn.GPR) {
            if (in.kind1 == Insn.MEM) {
                emit(part(in), wide ? Uop.LOAD64 : Uop.LOAD32);
                in.reg1 = TMP;
                return emit(in, form);
            }
            return emit(in, in.kind1 == Insn.IMM ? form + 1 : form);
        }
        if (in.kind0 != Insn.MEM) {
            return false;
        }
        Insn load = part(in);
        if (writes) {
            emit(load, wide ? Uop.LOADW64 : Uop.LOADW32);
        } else {
            emit(load, wide ? Uop.LOAD64 : Uop.LOAD32);
        }
        in.reg0 = TMP;
        emit(in, in.kind1 == Insn.IMM ? form + 1 : form);
        if (writes) {
            emit(part(in), wide ? Uop.STORE64 : Uop.STORE32);
        }
        return true;
    }

    /** CMP and TEST of 8 and 16 bits. */
    private boolean narrow(Insn in, int base) {
        if (in.kind0 == Insn.GPR_HIGH || in.kind1 == Insn.GPR_HIGH) {
            return false;
        }
        if (in.kind0 == Insn.MEM) {
            emit(part(in), in.opSize == 1 ? Uop.LOAD8 : Uop.LOAD16);
            in.reg0 = TMP;
        } else if (in.kind1 == Insn.MEM) {
            emit(part(in), in.opSize == 1 ? Uop.LOAD8 : Uop.LOAD16);
            in.reg1 = TMP;
        }
        in.imm2 = 64 - 8 * in.opSize;
        return emit(in, in.kind1 == Insn.IMM ? base + 1 : base);
    }

    /** INC, DEC, NEG, NOT: codes in the order R, E. */
    private boolean unary(Insn in, int base) {
        if (in.opSize < 4) {
            return false;
        }
        boolean wide = in.opSize == 8;
        int uop = wide ? base : base + 1;
        if (in.kind0 == Insn.GPR) {
            return emit(in, uop);
        }
        emit(part(in), wide ? Uop.LOADW64 : Uop.LOADW32);
        in.reg0 = TMP;
        emit(in, uop);
        return emit(part(in), wide ? Uop.STORE64 : Uop.STORE32);
    }

    private boolean shift(Insn in, int base) {
        if (in.opSize < 4 || in.kind0 != Insn.GPR || in.kind1 != Insn.IMM) {
            return false;
        }
        boolean wide = in.opSize == 8;
        in.imm &= wide ? 63 : 31;
        if (in.imm == 0) {
            // No effect, except that the 32-bit form clears the upper half.
            in.reg1 = in.reg0;
            return wide || emit(in, Uop.MOV_EE);
        }
        return emit(in, wide ? base : base + 1);
    }

    private boolean imul(Insn in) {
        if (in.opSize < 4 || in.kind1 == Insn.NONE) {
            return false;
        }
        boolean wide = in.opSize == 8;
        if (in.kind1 == Insn.MEM) {
            emit(part(in), wide ? Uop.LOAD64 : Uop.LOAD32);
            in.reg1 = TMP;
        }
        if (in.kind2 == Insn.IMM) {
            return emit(in, wide ? Uop.IMUL_RRI : Uop.IMUL_EEI);
        }
        return emit(in, wide ? Uop.IMUL_RR : Uop.IMUL_EE);
    }

    private boolean push(Insn in) {
        if (in.opSize != 8) {
            return false;
        }
        if (in.kind0 == Insn.IMM) {
            return emit(in, Uop.PUSH_I);
        }
        return source(in) && emit(in, Uop.PUSH_R);
    }

    private boolean cmov(Insn in) {
        boolean wide = in.opSize == 8;
        if (in.kind1 == Insn.MEM) {
            emit(part(in), wide ? Uop.LOAD64 : Uop.LOAD32);
            in.reg1 = TMP;
        }
        return emit(in, wide ? Uop.CMOV_RR : Uop.CMOV_EE);
    }

    private boolean branch(Insn in, int direct, int indirect) {
        if (in.kind0 == Insn.REL) {
            return emit(in, direct);
        }
        return source(in) && emit(in, indirect);
    }

    /**
     * Turns operations whose flags nothing can see into forms that do not compute them: the next
     * operation sets all six, and nothing in between reads them or can fault (a fault shows them).
     */
    private void dropDeadFlags() {
        boolean live = true;
        for (int i = out.size() - 1; i >= 0; i--) {
            Insn in = out.get(i);
            int quiet = withoutFlags(in.uop);
            if (quiet == 0) {
                live |= !isPlainMove(in.uop);
                if (isCompare(in.uop)) {
                    live = false;
                }
                continue;
            }
            if (!live) {
                in.uop = quiet;
            } else if (!keepsCarry(in.uop)) {
                live = false;
            }
        }
    }

    /** Neither reads nor writes flags, and cannot fault. */
    private static boolean isPlainMove(int uop) {
        return switch (uop) {
            case Uop.MOV_RR,
                    Uop.MOV_EE,
                    Uop.MOV_RI,
                    Uop.MOVZX8,
                    Uop.MOVZX16,
                    Uop.MOVSX32_R,
                    Uop.MOVSX16_R,
                    Uop.MOVSX8_R,
                    Uop.MOVSX16_E,
                    Uop.MOVSX8_E,
                    Uop.LEA_R,
                    Uop.LEA_E,
                    Uop.NOT_R,
                    Uop.NOT_E,
                    Uop.CDQE,
                    Uop.CQO,
                    Uop.CDQ,
                    Uop.NOP ->
                    true;
            default -> false;
        };
    }

    /** Sets all flags, writes nothing else, reads no flag. */
    private static boolean isCompare(int uop) {
        return (uop >= Uop.CMP_RR && uop <= Uop.TEST_EI)
                || (uop >= Uop.CMPN_RR && uop <= Uop.TESTN_RI);
    }

    private static boolean keepsCarry(int uop) {
        return uop >= Uop.INC_R && uop <= Uop.DEC_E;
    }

    /** The same operation without flags, or 0. */
    private static int withoutFlags(int uop) {
        if (uop >= Uop.ADD_RR && uop <= Uop.XOR_EI) {
            return Uop.ADD_RR_N + uop - Uop.ADD_RR;
        }
        if (uop >= Uop.SHL_RI && uop <= Uop.SAR_EI) {
            return Uop.SHL_RI_N + uop - Uop.SHL_RI;
        }
        if (uop >= Uop.IMUL_RR && uop <= Uop.MUL_R) {
            return Uop.IMUL_RR_N + uop - Uop.IMUL_RR;
        }
        if (uop >= Uop.INC_R && uop <= Uop.NEG_E) {
            return Uop.INC_R_N + uop - Uop.INC_R;
        }
        return 0;
    }

    /** Joins a final compare or test of registers with the JZ or JNZ behind it. */
    private void fuse() {
        int n = out.size();
        if (n < 2) {
            return;
        }
        Insn jump = out.get(n - 1);
        boolean zero = jump.uop == Uop.JCC + 4;
        if (!zero && jump.uop != Uop.JCC + 5) {
            return;
        }
        Insn test = out.get(n - 2);
        int fused =
                switch (test.uop) {
                    case Uop.CMP_RR -> Uop.CMP_RR_JZ;
                    case Uop.CMP_EE -> Uop.CMP_EE_JZ;
                    case Uop.CMP_RI -> Uop.CMP_RI_JZ;
                    case Uop.CMP_EI -> Uop.CMP_EI_JZ;
                    case Uop.TEST_RR -> Uop.TEST_RR_JZ;
                    case Uop.TEST_EE -> Uop.TEST_EE_JZ;
                    default -> -1;
                };
        if (fused < 0) {
            return;
        }
        jump.uop = zero ? fused : fused + 1;
        jump.reg0 = test.reg0;
        jump.reg1 = test.reg1;
        jump.disp = test.imm;
        out.remove(n - 2);
    }

    /** Whether {@code op} can start a specialised form at all: for tests. */
    public static boolean isSpecialised(Insn in) {
        return in.uop > Uop.GENERIC_END && in.op != Op.INVALID;
    }
}
