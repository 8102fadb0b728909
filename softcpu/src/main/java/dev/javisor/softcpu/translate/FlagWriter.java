package dev.javisor.softcpu.translate;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.Opcode;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;

/** Bytecode for status flags: keeping operands, storing flags, branching on conditions. */
final class FlagWriter {
    private final Frame f;
    private final CodeBuilder code;

    /** Where the flags are at this point of the code. */
    FlagKind kind = FlagKind.STORED;

    FlagWriter(Frame frame) {
        f = frame;
        code = frame.code;
    }

    /** Makes the kind {@link FlagKind#STORED}. */
    void store() {
        if (kind == FlagKind.STORED) {
            return;
        }
        pushAux();
        pushResult();
        code.lstore(Frame.RESULT).lstore(Frame.AUX);
        kind = FlagKind.STORED;
    }

    /** Pushes {@link dev.javisor.softcpu.core.Flags#result}. */
    void pushResult() {
        switch (kind) {
            case STORED -> code.lload(Frame.RESULT);
            case LOGIC -> code.lload(Frame.A);
            case ADD64 -> pushBoth().ladd();
            case SUB64 -> pushBoth().lsub();
            case ADD32 -> {
                pushBoth().ladd();
                f.signExtend32();
            }
            case SUB32 -> {
                pushBoth().lsub();
                f.signExtend32();
            }
            case SUB16 -> pushBoth().lsub().bipush(48).lshr();
            case SUB8 -> pushBoth().lsub().bipush(56).lshr();
        }
    }

    /** Pushes {@link dev.javisor.softcpu.core.Flags#aux}. */
    void pushAux() {
        switch (kind) {
            case STORED -> code.lload(Frame.AUX);
            case LOGIC -> code.lconst_0();
            case ADD64 -> {
                pushBoth();
                pushBoth().ladd();
                f.alu("auxAdd64", Frame.J_JJJ);
            }
            case ADD32 -> {
                pushBoth();
                pushBoth().ladd();
                f.alu("auxAdd32", Frame.J_JJJ);
            }
            case SUB64 -> {
                pushBoth();
                pushBoth().lsub();
                f.alu("auxSub64", Frame.J_JJJ);
            }
            case SUB32 -> {
                pushBoth();
                pushBoth().lsub();
                f.alu("auxSub32", Frame.J_JJJ);
            }
            case SUB16 -> narrowAux(48);
            case SUB8 -> narrowAux(56);
        }
    }

    private void narrowAux(int shift) {
        code.lload(Frame.A).bipush(shift).lushr();
        code.lload(Frame.B).bipush(shift).lushr();
        code.bipush(shift);
        f.alu("auxSubNarrow", Frame.J_JJI);
    }

    private CodeBuilder pushBoth() {
        return code.lload(Frame.A).lload(Frame.B);
    }

    /** Pushes CF as 0 or 1. */
    void pushCarry() {
        if (kind == FlagKind.SUB64) {
            pushBoth();
            f.runtime("below", Frame.J_JJ);
            return;
        }
        pushAux();
        code.bipush(63).lushr();
    }

    /** Jumps to {@code target} if condition {@code cond} (SDM 1 appendix B.1) holds. */
    void branch(int cond, Label target) {
        boolean negate = (cond & 1) != 0;
        switch (cond >> 1) {
            case 0 -> {
                pushAux();
                f.runtime("overflow", Frame.J_J);
                ifNegative(negate, target);
            }
            case 1 -> carry(negate, target);
            case 2 -> zero(negate, target);
            case 3 -> {
                if (kind.isSubtraction()) {
                    compareUnsigned();
                    ifInt(negate ? Opcode.IFGT : Opcode.IFLE, target);
                } else {
                    Label holds = negate ? code.newLabel() : target;
                    carry(false, holds);
                    zero(false, holds);
                    otherwise(negate, holds, target);
                }
            }
            case 4 -> {
                pushSign();
                ifNegative(negate, target);
            }
            case 5 -> {
                pushResult();
                pushAux();
                f.runtime("parity", Frame.Z_JJ);
                ifInt(negate ? Opcode.IFEQ : Opcode.IFNE, target);
            }
            case 6 -> {
                if (kind.isSubtraction()) {
                    compareSigned();
                    ifInt(negate ? Opcode.IFGE : Opcode.IFLT, target);
                } else {
                    pushLess();
                    ifNegative(negate, target);
                }
            }
            default -> {
                if (kind.isSubtraction()) {
                    compareSigned();
                    ifInt(negate ? Opcode.IFGT : Opcode.IFLE, target);
                } else {
                    Label holds = negate ? code.newLabel() : target;
                    zero(false, holds);
                    pushLess();
                    ifNegative(false, holds);
                    otherwise(negate, holds, target);
                }
            }
        }
    }

    /** Ends a condition of two parts: if negated, the target is for when neither held. */
    private void otherwise(boolean negate, Label holds, Label target) {
        if (negate) {
            code.goto_(target);
            code.labelBinding(holds);
        }
    }

    private void carry(boolean negate, Label target) {
        if (kind.isSubtraction()) {
            compareUnsigned();
            ifInt(negate ? Opcode.IFGE : Opcode.IFLT, target);
        } else if (kind == FlagKind.LOGIC) {
            if (negate) {
                code.goto_(target);
            }
        } else {
            pushAux();
            ifNegative(negate, target);
        }
    }

    private void zero(boolean negate, Label target) {
        if (kind == FlagKind.SUB32) {
            code.lload(Frame.A).l2i().lload(Frame.B).l2i();
            code.branch(negate ? Opcode.IF_ICMPNE : Opcode.IF_ICMPEQ, target);
            return;
        }
        if (kind.isSubtraction()) {
            pushBoth();
        } else {
            pushResult();
            code.lconst_0();
        }
        code.lcmp();
        ifInt(negate ? Opcode.IFNE : Opcode.IFEQ, target);
    }

    /** Pushes an int below, equal to or above zero as a is to b. */
    private void compareUnsigned() {
        if (kind == FlagKind.SUB32) {
            code.lload(Frame.A).l2i().lload(Frame.B).l2i();
            code.invokestatic(
                    ConstantDescs.CD_Integer,
                    "compareUnsigned",
                    MethodTypeDesc.ofDescriptor("(II)I"));
        } else {
            pushBoth();
            code.invokestatic(
                    ConstantDescs.CD_Long, "compareUnsigned", MethodTypeDesc.ofDescriptor("(JJ)I"));
        }
    }

    private void compareSigned() {
        if (kind == FlagKind.SUB32) {
            code.lload(Frame.A);
            f.signExtend32();
            code.lload(Frame.B);
            f.signExtend32();
        } else {
            pushBoth();
        }
        code.lcmp();
    }

    /** Pushes a long whose sign is SF. */
    private void pushSign() {
        pushResult();
        if (kind == FlagKind.STORED) {
            code.lload(Frame.AUX);
            f.runtime("sign", Frame.J_JJ);
        }
    }

    /** Pushes a long whose sign is SF xor OF. */
    private void pushLess() {
        pushSign();
        if (kind != FlagKind.LOGIC) {
            pushAux();
            f.runtime("overflow", Frame.J_J);
            code.lxor();
        }
    }

    private void ifNegative(boolean negate, Label target) {
        code.lconst_0().lcmp();
        ifInt(negate ? Opcode.IFGE : Opcode.IFLT, target);
    }

    private void ifInt(Opcode op, Label target) {
        code.branch(op, target);
    }
}
