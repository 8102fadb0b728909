package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Uop;
import dev.javisor.softcpu.decode.Insn;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;

/**
 * Bytecode for each dispatch code of tier one that is not a block's end. No architectural effect of
 * an instruction comes before its last access that can leave the region.
 */
final class CodeWriter {
    static final ClassDesc MATH = ClassDesc.of("java.lang.Math");
    private static final int RAX = 0;
    private static final int RDX = 2;
    private static final int RSP = 4;
    private static final int RBP = 5;

    private final Frame f;
    private final CodeBuilder code;
    private final MemoryWriter memory;
    private final FlagWriter flags;

    CodeWriter(Frame frame, MemoryWriter memory, FlagWriter flags) {
        f = frame;
        code = frame.code;
        this.memory = memory;
        this.flags = flags;
    }

    /** Whether tier one may be needed for the instruction: the others never leave before it. */
    static boolean canLeave(Insn in) {
        return switch (in.uop) {
            case Uop.GENERIC,
                    Uop.GENERIC_END,
                    Uop.GENERIC_JUMP,
                    Uop.PUSH_R,
                    Uop.PUSH_I,
                    Uop.POP_R,
                    Uop.LEAVE,
                    Uop.JMP_R,
                    Uop.CALL_REL,
                    Uop.CALL_R,
                    Uop.RET ->
                    true;
            default -> in.uop >= Uop.LOAD64 && in.uop <= Uop.LOADW32;
        };
    }

    /**
     * @param miss where to leave before the instruction, if it {@link #canLeave}
     * @return false if there is no translation of the code
     */
    boolean write(Insn in, Label miss) {
        int uop = in.uop;
        if (uop >= Uop.ADD_RR && uop <= Uop.SBB_EI) {
            arithmetic(in, (uop - Uop.ADD_RR) / 4, (uop - Uop.ADD_RR) % 4);
            return true;
        }
        if (uop >= Uop.ADD_RR_N && uop <= Uop.XOR_EI_N) {
            plainArithmetic(in, (uop - Uop.ADD_RR_N) / 4, (uop - Uop.ADD_RR_N) % 4);
            return true;
        }
        switch (uop) {
            case Uop.NOP -> {}
            case Uop.MOV_RR -> move(in);
            case Uop.MOV_EE -> {
                f.get(in.reg1);
                f.zeroExtend32();
                f.set(in.reg0);
            }
            case Uop.MOV_RI -> {
                f.constant(in.imm);
                f.set(in.reg0);
            }
            case Uop.LOAD64 -> load(in, 8, miss);
            case Uop.LOAD32 -> load(in, 4, miss);
            case Uop.LOAD16 -> load(in, 2, miss);
            case Uop.LOAD8 -> load(in, 1, miss);
            case Uop.LOADS32_R -> loadSigned(in, 4, false, miss);
            case Uop.LOADS16_R -> loadSigned(in, 2, false, miss);
            case Uop.LOADS8_R -> loadSigned(in, 1, false, miss);
            case Uop.LOADS16_E -> loadSigned(in, 2, true, miss);
            case Uop.LOADS8_E -> loadSigned(in, 1, true, miss);
            case Uop.STORE64 -> store(in, 8, false, miss);
            case Uop.STORE32 -> store(in, 4, false, miss);
            case Uop.STORE16 -> store(in, 2, false, miss);
            case Uop.STORE8 -> store(in, 1, false, miss);
            case Uop.STORE64_I -> store(in, 8, true, miss);
            case Uop.STORE32_I -> store(in, 4, true, miss);
            case Uop.STORE16_I -> store(in, 2, true, miss);
            case Uop.STORE8_I -> store(in, 1, true, miss);
            case Uop.LOADW64 -> {
                memory.loadForStore(in, 8, miss);
                f.set(in.reg0);
            }
            case Uop.LOADW32 -> {
                memory.loadForStore(in, 4, miss);
                f.set(in.reg0);
            }
            case Uop.MOVZX8 -> mask(in, 0xFF);
            case Uop.MOVZX16 -> mask(in, 0xFFFF);
            case Uop.MOVSX32_R -> signExtend(in, 4, false);
            case Uop.MOVSX16_R -> signExtend(in, 2, false);
            case Uop.MOVSX8_R -> signExtend(in, 1, false);
            case Uop.MOVSX16_E -> signExtend(in, 2, true);
            case Uop.MOVSX8_E -> signExtend(in, 1, true);
            case Uop.LEA_R -> {
                memory.pushOffset(in);
                f.set(in.reg0);
            }
            case Uop.LEA_E -> {
                memory.pushOffset(in);
                f.zeroExtend32();
                f.set(in.reg0);
            }
            case Uop.CMPN_RR, Uop.CMPN_RI -> {
                operandB(in, uop == Uop.CMPN_RI);
                code.loadConstant(in.imm2).lshl().lstore(Frame.B);
                f.get(in.reg0);
                code.loadConstant(in.imm2).lshl().lstore(Frame.A);
                flags.kind = in.imm2 == 56 ? FlagKind.SUB8 : FlagKind.SUB16;
            }
            case Uop.TESTN_RR, Uop.TESTN_RI -> {
                f.get(in.reg0);
                operandB(in, uop == Uop.TESTN_RI);
                code.land().loadConstant(in.imm2).lshl();
                code.loadConstant(in.imm2).lshr().lstore(Frame.A);
                flags.kind = FlagKind.LOGIC;
            }
            case Uop.INC_R -> incDec(in, "auxInc", 1, false);
            case Uop.INC_E -> incDec(in, "auxInc", 1, true);
            case Uop.DEC_R -> incDec(in, "auxDec", -1, false);
            case Uop.DEC_E -> incDec(in, "auxDec", -1, true);
            case Uop.NEG_R, Uop.NEG_E -> {
                f.get(in.reg0);
                code.lstore(Frame.B).lconst_0().lstore(Frame.A);
                code.lload(Frame.B).lneg();
                finish(in, uop == Uop.NEG_E);
                flags.kind = uop == Uop.NEG_E ? FlagKind.SUB32 : FlagKind.SUB64;
            }
            case Uop.NOT_R, Uop.NOT_E -> {
                f.get(in.reg0);
                code.loadConstant(-1L).lxor();
                finish(in, uop == Uop.NOT_E);
            }
            case Uop.SHL_RI, Uop.SHL_EI -> shift(in, uop == Uop.SHL_EI, "auxShl");
            case Uop.SHR_RI, Uop.SHR_EI -> shift(in, uop == Uop.SHR_EI, "auxShr");
            case Uop.SAR_RI, Uop.SAR_EI -> shift(in, uop == Uop.SAR_EI, "auxSar");
            case Uop.SHL_RI_N, Uop.SHL_EI_N -> plainShift(in, uop == Uop.SHL_EI_N, "auxShl");
            case Uop.SHR_RI_N, Uop.SHR_EI_N -> plainShift(in, uop == Uop.SHR_EI_N, "auxShr");
            case Uop.SAR_RI_N, Uop.SAR_EI_N -> plainShift(in, uop == Uop.SAR_EI_N, "auxSar");
            case Uop.IMUL_RR -> multiply(in, in.reg0, false, false, true);
            case Uop.IMUL_EE -> multiply(in, in.reg0, false, true, true);
            case Uop.IMUL_RRI -> multiply(in, in.reg1, true, false, true);
            case Uop.IMUL_EEI -> multiply(in, in.reg1, true, true, true);
            case Uop.IMUL_RR_N -> multiply(in, in.reg0, false, false, false);
            case Uop.IMUL_EE_N -> multiply(in, in.reg0, false, true, false);
            case Uop.IMUL_RRI_N -> multiply(in, in.reg1, true, false, false);
            case Uop.IMUL_EEI_N -> multiply(in, in.reg1, true, true, false);
            case Uop.MUL_R -> multiplyWide(in, true);
            case Uop.MUL_R_N -> multiplyWide(in, false);
            case Uop.INC_R_N, Uop.INC_E_N -> {
                f.get(in.reg0);
                code.lconst_1().ladd();
                finish(in, uop == Uop.INC_E_N);
            }
            case Uop.DEC_R_N, Uop.DEC_E_N -> {
                f.get(in.reg0);
                code.lconst_1().lsub();
                finish(in, uop == Uop.DEC_E_N);
            }
            case Uop.NEG_R_N, Uop.NEG_E_N -> {
                f.get(in.reg0);
                code.lneg();
                finish(in, uop == Uop.NEG_E_N);
            }
            case Uop.PUSH_R, Uop.PUSH_I -> {
                pushStack(
                        () -> {
                            if (uop == Uop.PUSH_I) {
                                f.constant(in.imm);
                            } else {
                                f.get(in.reg0);
                            }
                        },
                        miss);
            }
            case Uop.POP_R -> {
                f.get(RSP);
                memory.loadAt(8, miss);
                moveStack(8);
                f.set(in.reg0);
            }
            case Uop.LEAVE -> {
                f.get(RBP);
                memory.loadAt(8, miss);
                f.get(RBP);
                code.loadConstant(8L).ladd();
                f.set(RSP);
                f.set(RBP);
            }
            case Uop.SETCC -> {
                conditionValue(in.cond);
                code.lstore(Frame.VALUE);
                f.get(in.reg0);
                code.loadConstant(~0xFFL).land().lload(Frame.VALUE).lor();
                f.set(in.reg0);
            }
            case Uop.CMOV_RR -> {
                Label not = code.newLabel();
                flags.branch(in.cond ^ 1, not);
                move(in);
                code.labelBinding(not);
            }
            case Uop.CMOV_EE -> {
                Label not = code.newLabel();
                flags.branch(in.cond ^ 1, not);
                move(in);
                code.labelBinding(not);
                f.get(in.reg0);
                f.zeroExtend32();
                f.set(in.reg0);
            }
            case Uop.CDQE -> {
                f.get(RAX);
                f.signExtend32();
                f.set(RAX);
            }
            case Uop.CQO -> {
                f.get(RAX);
                code.bipush(63).lshr();
                f.set(RDX);
            }
            case Uop.CDQ -> {
                f.get(RAX);
                code.l2i().bipush(31).ishr().i2l();
                f.zeroExtend32();
                f.set(RDX);
            }
            default -> {
                return false;
            }
        }
        return true;
    }

    private void move(Insn in) {
        f.get(in.reg1);
        f.set(in.reg0);
    }

    /** Pops the value into the destination, as 32 bits where asked. */
    private void finish(Insn in, boolean narrow) {
        if (narrow) {
            f.zeroExtend32();
        }
        f.set(in.reg0);
    }

    private void operandB(Insn in, boolean immediate) {
        if (immediate) {
            f.constant(in.imm);
        } else {
            f.get(in.reg1);
        }
    }

    private void load(Insn in, int sizeBytes, Label miss) {
        memory.load(in, sizeBytes, miss);
        f.set(in.reg0);
    }

    private void loadSigned(Insn in, int sizeBytes, boolean narrow, Label miss) {
        memory.load(in, sizeBytes, miss);
        extend(sizeBytes);
        finish(in, narrow);
    }

    private void extend(int sizeBytes) {
        code.l2i();
        if (sizeBytes == 1) {
            code.i2b();
        } else if (sizeBytes == 2) {
            code.i2s();
        }
        code.i2l();
    }

    private void signExtend(Insn in, int sizeBytes, boolean narrow) {
        f.get(in.reg1);
        extend(sizeBytes);
        finish(in, narrow);
    }

    private void mask(Insn in, long mask) {
        f.get(in.reg1);
        code.loadConstant(mask).land();
        f.set(in.reg0);
    }

    private void store(Insn in, int sizeBytes, boolean immediate, Label miss) {
        memory.checkStore(in, sizeBytes, miss);
        memory.storeChecked(sizeBytes, () -> operandB(in, immediate));
    }

    /** Stores below the stack pointer, then moves it. */
    void pushStack(Runnable value, Label miss) {
        f.get(RSP);
        code.loadConstant(-8L).ladd();
        memory.checkStoreAt(8, miss);
        memory.storeChecked(8, value);
        code.lload(Frame.ADDRESS);
        f.set(RSP);
    }

    /** Adds to the stack pointer. */
    void moveStack(long bytes) {
        f.get(RSP);
        code.loadConstant(bytes).ladd();
        f.set(RSP);
    }

    /** ADD, SUB, AND, OR, XOR, CMP, TEST, ADC, SBB with flags; forms RR, RI, EE, EI. */
    void arithmetic(Insn in, int operation, int form) {
        boolean narrow = form >= 2;
        boolean immediate = (form & 1) != 0;
        switch (operation) {
            case 0, 1, 5 -> {
                f.get(in.reg0);
                operandB(in, immediate);
                code.lstore(Frame.B).lstore(Frame.A);
                if (operation == 0) {
                    code.lload(Frame.A).lload(Frame.B).ladd();
                    finish(in, narrow);
                    flags.kind = narrow ? FlagKind.ADD32 : FlagKind.ADD64;
                } else {
                    if (operation == 1) {
                        code.lload(Frame.A).lload(Frame.B).lsub();
                        finish(in, narrow);
                    }
                    flags.kind = narrow ? FlagKind.SUB32 : FlagKind.SUB64;
                }
            }
            case 2, 3, 4, 6 -> {
                f.get(in.reg0);
                operandB(in, immediate);
                switch (operation) {
                    case 3 -> code.lor();
                    case 4 -> code.lxor();
                    default -> code.land();
                }
                if (operation != 6) {
                    code.dup2();
                    finish(in, narrow);
                }
                if (narrow) {
                    f.signExtend32();
                }
                code.lstore(Frame.A);
                flags.kind = FlagKind.LOGIC;
            }
            default -> withCarry(in, operation == 7, narrow, immediate);
        }
    }

    private void withCarry(Insn in, boolean add, boolean narrow, boolean immediate) {
        flags.pushCarry();
        code.lstore(Frame.VALUE);
        f.get(in.reg0);
        operandB(in, immediate);
        code.lstore(Frame.B).lstore(Frame.A);
        code.lload(Frame.A).lload(Frame.B);
        if (add) {
            code.ladd().lload(Frame.VALUE).ladd();
        } else {
            code.lsub().lload(Frame.VALUE).lsub();
        }
        code.lstore(Frame.VALUE);
        code.lload(Frame.A).lload(Frame.B).lload(Frame.VALUE);
        f.alu((add ? "auxAdd" : "auxSub") + (narrow ? 32 : 64), Frame.J_JJJ);
        code.lstore(Frame.AUX).lload(Frame.VALUE);
        if (narrow) {
            f.signExtend32();
        }
        code.lstore(Frame.RESULT).lload(Frame.VALUE);
        finish(in, narrow);
        flags.kind = FlagKind.STORED;
    }

    private void plainArithmetic(Insn in, int operation, int form) {
        f.get(in.reg0);
        operandB(in, (form & 1) != 0);
        switch (operation) {
            case 0 -> code.ladd();
            case 1 -> code.lsub();
            case 2 -> code.land();
            case 3 -> code.lor();
            default -> code.lxor();
        }
        finish(in, form >= 2);
    }

    private void incDec(Insn in, String aux, long by, boolean narrow) {
        flags.pushAux();
        code.lstore(Frame.AUX);
        f.get(in.reg0);
        code.loadConstant(narrow ? 32 : 0).lload(Frame.AUX);
        f.alu(aux, Frame.J_JIJ);
        code.lstore(Frame.AUX);
        f.get(in.reg0);
        code.loadConstant(by).ladd().dup2();
        if (narrow) {
            f.signExtend32();
        }
        code.lstore(Frame.RESULT);
        finish(in, narrow);
        flags.kind = FlagKind.STORED;
    }

    private void plainShift(Insn in, boolean narrow, String name) {
        shifted(in, narrow, name);
        finish(in, narrow);
    }

    /** Pushes the shifted register; of 32 bits with anything above. */
    private void shifted(Insn in, boolean narrow, String name) {
        f.get(in.reg0);
        if (name.equals("auxShl")) {
            code.loadConstant((int) in.imm).lshl();
        } else if (name.equals("auxShr")) {
            if (narrow) {
                f.zeroExtend32();
            }
            code.loadConstant((int) in.imm).lushr();
        } else {
            if (narrow) {
                f.signExtend32();
            }
            code.loadConstant((int) in.imm).lshr();
        }
    }

    private void shift(Insn in, boolean narrow, String name) {
        f.get(in.reg0);
        if (narrow) {
            f.zeroExtend32();
        }
        code.loadConstant((int) in.imm);
        f.alu(name.equals("auxSar") ? name : name + (narrow ? 32 : 64), Frame.J_JI);
        code.lstore(Frame.AUX);
        shifted(in, narrow, name);
        code.dup2();
        if (narrow) {
            f.signExtend32();
        }
        code.lstore(Frame.RESULT);
        finish(in, narrow);
        flags.kind = FlagKind.STORED;
    }

    private void multiply(Insn in, int a, boolean immediate, boolean narrow, boolean withFlags) {
        f.get(a);
        if (narrow && withFlags) {
            f.signExtend32();
        }
        operandB(in, immediate);
        if (narrow && withFlags) {
            f.signExtend32();
        }
        if (!withFlags) {
            code.lmul();
            finish(in, narrow);
            return;
        }
        code.lstore(Frame.B).lstore(Frame.A).lload(Frame.A).lload(Frame.B);
        f.alu(narrow ? "auxImul32" : "auxImul64", Frame.J_JJ);
        code.lstore(Frame.AUX).lload(Frame.A).lload(Frame.B).lmul().dup2();
        if (narrow) {
            f.signExtend32();
        }
        code.lstore(Frame.RESULT);
        finish(in, narrow);
        flags.kind = FlagKind.STORED;
    }

    /** MUL of 64 bits: RDX:RAX. */
    private void multiplyWide(Insn in, boolean withFlags) {
        // Not A and B: the form without flags must leave them.
        f.get(RAX);
        f.get(in.reg0);
        code.invokestatic(MATH, "unsignedMultiplyHigh", Frame.J_JJ);
        code.lstore(Frame.VALUE);
        f.get(RAX);
        f.get(in.reg0);
        code.lmul();
        f.set(RAX);
        code.lload(Frame.VALUE);
        f.set(RDX);
        if (!withFlags) {
            return;
        }
        f.get(RAX);
        code.lstore(Frame.RESULT);
        f.get(RDX);
        f.runtime("carryIfAny", Frame.J_J);
        code.lstore(Frame.AUX);
        flags.kind = FlagKind.STORED;
    }

    /** Pushes 1 or 0 as a long. */
    private void conditionValue(int cond) {
        Label holds = code.newLabel();
        Label end = code.newLabel();
        flags.branch(cond, holds);
        code.lconst_0().goto_(end);
        code.labelBinding(holds);
        code.lconst_1();
        code.labelBinding(end);
    }
}
