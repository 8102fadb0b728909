package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;

/**
 * Bytecode for integer instructions that tier one has no dispatch code for: 8 and 16 bits, rotates,
 * counts in CL, single bits, division. Loads go to the temporary register first, so that nothing
 * changes, not even the operands that flags are kept in, before the last access that can leave.
 */
final class IntegerWriter {
    private static final ClassDesc LONG = ConstantDescs.CD_Long;
    private static final ClassDesc INTEGER = ConstantDescs.CD_Integer;
    private static final MethodTypeDesc I_II = MethodTypeDesc.ofDescriptor("(II)I");
    private static final MethodTypeDesc I_I = MethodTypeDesc.ofDescriptor("(I)I");
    private static final int RAX = 0;
    private static final int RCX = 1;
    private static final int RDX = 2;

    private final Frame f;
    private final CodeBuilder code;
    private final MemoryWriter memory;
    private final FlagWriter flags;

    IntegerWriter(Frame frame, MemoryWriter memory, FlagWriter flags) {
        f = frame;
        code = frame.code;
        this.memory = memory;
        this.flags = flags;
    }

    /**
     * @param miss where to leave before the instruction
     * @return false, with nothing written, if there is no translation of the form
     */
    boolean write(Insn in, Label miss) {
        if (in.lock || in.rep != 0 || in.vexBytes != 0 || in.mode != 64) {
            return false;
        }
        boolean usesMemory = in.kind0 == Insn.MEM || in.kind1 == Insn.MEM;
        if (usesMemory && in.addrSize != 8) {
            return false;
        }
        switch (in.op) {
            case MOV -> {
                return move(in, miss);
            }
            case MOVZX, MOVSX -> {
                return extend(in, miss);
            }
            case ADD, SUB, CMP, AND, OR, XOR, TEST -> {
                return binary(in, miss);
            }
            case INC, DEC, NEG, NOT -> {
                return unary(in, miss);
            }
            case SHL, SHR, SAR, ROL, ROR -> {
                return shift(in, miss);
            }
            case BSWAP -> {
                return swapBytes(in);
            }
            case BT, BTS, BTR, BTC -> {
                return bitTest(in);
            }
            case BSF, BSR, TZCNT, LZCNT, POPCNT -> {
                return count(in, miss);
            }
            case XCHG -> {
                return exchange(in);
            }
            case DIV, IDIV -> {
                return divide(in, miss);
            }
            case MUL -> {
                return multiply(in, miss);
            }
            case SETCC -> {
                return setCondition(in, miss);
            }
            case CBW -> {
                return widen(in);
            }
            default -> {
                return false;
            }
        }
    }

    private static long mask(int sizeBytes) {
        return sizeBytes == 8 ? -1L : (1L << 8 * sizeBytes) - 1;
    }

    private static boolean isRegister(int kind) {
        return kind == Insn.GPR || kind == Insn.GPR_HIGH;
    }

    /** Pushes a register's low bytes, zero-extended, or those of its high byte. */
    void pushRegister(int kind, int reg, int sizeBytes) {
        f.get(reg);
        if (kind == Insn.GPR_HIGH) {
            code.bipush(8).lushr().loadConstant(0xFFL).land();
        } else if (sizeBytes < 8) {
            code.loadConstant(mask(sizeBytes)).land();
        }
    }

    /** Pops into a register of a size; what 8 and 16 bits leave alone stays. */
    void popRegister(int kind, int reg, int sizeBytes) {
        if (sizeBytes == 8) {
            f.set(reg);
        } else if (sizeBytes == 4) {
            f.zeroExtend32();
            f.set(reg);
        } else {
            int shift = kind == Insn.GPR_HIGH ? 8 : 0;
            code.loadConstant(mask(sizeBytes)).land();
            if (shift != 0) {
                code.bipush(shift).lshl();
            }
            f.get(reg);
            code.loadConstant(~(mask(sizeBytes) << shift)).land().lor();
            f.set(reg);
        }
    }

    /** Sign-extends what is on the stack from a size. */
    private void signExtend(int sizeBytes) {
        if (sizeBytes == 8) {
            return;
        }
        code.l2i();
        if (sizeBytes == 1) {
            code.i2b();
        } else if (sizeBytes == 2) {
            code.i2s();
        }
        code.i2l();
    }

    /** Loads the operand if it is memory, into the temporary register. */
    void fetch(Insn in, int kind, int sizeBytes, boolean forStore, Label miss) {
        if (kind == Insn.MEM) {
            if (forStore) {
                memory.loadForStore(in, sizeBytes, miss);
            } else {
                memory.load(in, sizeBytes, miss);
            }
            f.set(Frame.TEMPORARY);
        }
    }

    /** Pushes an operand that {@link #fetch} has seen, zero-extended. */
    void push(Insn in, int kind, int reg, int sizeBytes) {
        switch (kind) {
            case Insn.MEM -> f.get(Frame.TEMPORARY);
            case Insn.IMM -> f.constant(in.imm & mask(sizeBytes));
            default -> pushRegister(kind, reg, sizeBytes);
        }
    }

    /** Pops into the first operand; if memory, the place that was fetched for storing. */
    private void pop(Insn in, int sizeBytes) {
        if (in.kind0 == Insn.MEM) {
            f.set(Frame.TEMPORARY);
            memory.checkStore(in, sizeBytes, null);
            memory.storeChecked(sizeBytes, () -> f.get(Frame.TEMPORARY));
        } else {
            popRegister(in.kind0, in.reg0, sizeBytes);
        }
    }

    private boolean move(Insn in, Label miss) {
        int size = in.opSize;
        boolean known = isRegister(in.kind1) || in.kind1 == Insn.IMM || in.kind1 == Insn.MEM;
        if (!known || (!isRegister(in.kind0) && in.kind0 != Insn.MEM)) {
            return false;
        }
        if (in.kind0 == Insn.MEM) {
            memory.checkStore(in, size, miss);
            memory.storeChecked(size, () -> push(in, in.kind1, in.reg1, size));
            return true;
        }
        fetch(in, in.kind1, size, false, miss);
        push(in, in.kind1, in.reg1, size);
        popRegister(in.kind0, in.reg0, size);
        return true;
    }

    private boolean extend(Insn in, Label miss) {
        int from = in.memSize;
        if (in.kind0 != Insn.GPR || (!isRegister(in.kind1) && in.kind1 != Insn.MEM)) {
            return false;
        }
        fetch(in, in.kind1, from, false, miss);
        push(in, in.kind1, in.reg1, from);
        if (in.op == Op.MOVSX) {
            signExtend(from);
        }
        popRegister(Insn.GPR, in.reg0, in.opSize);
        return true;
    }

    /** 8 and 16 bits; wider ones have dispatch codes. */
    private boolean binary(Insn in, Label miss) {
        int size = in.opSize;
        if (size > 2) {
            return false;
        }
        int shift = 64 - 8 * size;
        boolean writes = in.op != Op.CMP && in.op != Op.TEST;
        fetch(in, in.kind0, size, writes, miss);
        fetch(in, in.kind1, size, false, miss);
        push(in, in.kind0, in.reg0, size);
        push(in, in.kind1, in.reg1, size);
        switch (in.op) {
            case SUB, CMP -> {
                code.bipush(shift).lshl().lstore(Frame.B).bipush(shift).lshl().lstore(Frame.A);
                flags.kind = size == 1 ? FlagKind.SUB8 : FlagKind.SUB16;
                if (writes) {
                    code.lload(Frame.A).lload(Frame.B).lsub().bipush(shift).lushr();
                    pop(in, size);
                }
            }
            case ADD -> {
                code.lstore(Frame.B).lstore(Frame.A).lload(Frame.A).lload(Frame.B).bipush(shift);
                f.alu("auxAddNarrow", Frame.J_JJI);
                code.lstore(Frame.AUX).lload(Frame.A).lload(Frame.B).ladd().dup2();
                code.bipush(shift).lshl().bipush(shift).lshr().lstore(Frame.RESULT);
                flags.kind = FlagKind.STORED;
                pop(in, size);
            }
            default -> {
                switch (in.op) {
                    case OR -> code.lor();
                    case XOR -> code.lxor();
                    default -> code.land();
                }
                code.dup2();
                signExtend(size);
                code.lstore(Frame.A);
                flags.kind = FlagKind.LOGIC;
                if (writes) {
                    pop(in, size);
                } else {
                    code.pop2();
                }
            }
        }
        return true;
    }

    private boolean unary(Insn in, Label miss) {
        int size = in.opSize;
        if (size > 2) {
            return false;
        }
        int shift = 64 - 8 * size;
        fetch(in, in.kind0, size, true, miss);
        switch (in.op) {
            case NOT -> {
                push(in, in.kind0, in.reg0, size);
                code.loadConstant(-1L).lxor();
            }
            case NEG -> {
                push(in, in.kind0, in.reg0, size);
                code.bipush(shift).lshl().lstore(Frame.B).lconst_0().lstore(Frame.A);
                flags.kind = size == 1 ? FlagKind.SUB8 : FlagKind.SUB16;
                code.lload(Frame.B).lneg().bipush(shift).lushr();
            }
            default -> {
                boolean up = in.op == Op.INC;
                flags.pushAux();
                code.lstore(Frame.AUX);
                push(in, in.kind0, in.reg0, size);
                code.bipush(shift).lload(Frame.AUX);
                f.alu(up ? "auxInc" : "auxDec", Frame.J_JIJ);
                code.lstore(Frame.AUX);
                push(in, in.kind0, in.reg0, size);
                code.loadConstant(up ? 1L : -1L).ladd().dup2();
                signExtend(size);
                code.lstore(Frame.RESULT);
                flags.kind = FlagKind.STORED;
            }
        }
        pop(in, size);
        return true;
    }

    /** 32 and 64 bits, by a count other than 0 or by CL. */
    private boolean shift(Insn in, Label miss) {
        int size = in.opSize;
        if (size < 4) {
            return false;
        }
        boolean byRegister = in.kind1 == Insn.GPR;
        int limit = size == 8 ? 63 : 31;
        int n = in.kind1 == Insn.IMM ? (int) in.imm & limit : 1;
        if (n == 0 || (byRegister && in.kind0 != Insn.GPR)) {
            return false;
        }
        fetch(in, in.kind0, size, true, miss);
        flags.store();
        Label none = code.newLabel();
        if (byRegister) {
            f.get(RCX);
            code.l2i().bipush(limit).iand().istore(Frame.CODE);
            if (size == 4) {
                pushRegister(Insn.GPR, in.reg0, 4);
                f.set(in.reg0);
            }
            code.iload(Frame.CODE).ifeq(none);
        } else {
            code.bipush(n).istore(Frame.CODE);
        }
        push(in, in.kind0, in.reg0, size);
        code.lstore(Frame.VALUE);
        boolean rotate = in.op == Op.ROL || in.op == Op.ROR;
        if (!rotate) {
            code.lload(Frame.VALUE).iload(Frame.CODE);
            f.alu(shiftAux(in.op, size), Frame.J_JI);
            code.lstore(Frame.AUX);
        }
        pushShifted(in.op, size);
        code.lstore(Frame.VALUE);
        code.lload(Frame.VALUE);
        if (rotate) {
            if (size == 4) {
                code.bipush(32).lshl();
            }
            code.lload(Frame.AUX);
            f.alu(in.op == Op.ROL ? "auxRol" + 8 * size : "auxRor", Frame.J_JJ);
            code.lstore(Frame.AUX);
        } else {
            signExtend(size);
            code.lstore(Frame.RESULT);
        }
        code.lload(Frame.VALUE);
        pop(in, size);
        code.labelBinding(none);
        return true;
    }

    private static String shiftAux(Op op, int size) {
        return switch (op) {
            case SHL -> "auxShl" + 8 * size;
            case SHR -> "auxShr" + 8 * size;
            default -> "auxSar";
        };
    }

    /** Pushes VALUE shifted by CODE, zero-extended. */
    private void pushShifted(Op op, int size) {
        code.lload(Frame.VALUE);
        if (size == 8) {
            code.iload(Frame.CODE);
            switch (op) {
                case SHL -> code.lshl();
                case SHR -> code.lushr();
                case SAR -> code.lshr();
                case ROL -> code.invokestatic(LONG, "rotateLeft", Frame.J_JI);
                default -> code.invokestatic(LONG, "rotateRight", Frame.J_JI);
            }
            return;
        }
        code.l2i().iload(Frame.CODE);
        switch (op) {
            case SHL -> code.ishl();
            case SHR -> code.iushr();
            case SAR -> code.ishr();
            case ROL -> code.invokestatic(INTEGER, "rotateLeft", I_II);
            default -> code.invokestatic(INTEGER, "rotateRight", I_II);
        }
        code.i2l();
        f.zeroExtend32();
    }

    private boolean swapBytes(Insn in) {
        if (in.opSize == 8) {
            f.get(in.reg0);
            code.invokestatic(LONG, "reverseBytes", Frame.J_J);
        } else if (in.opSize == 4) {
            f.get(in.reg0);
            code.l2i().invokestatic(INTEGER, "reverseBytes", I_I).i2l();
            f.zeroExtend32();
        } else {
            return false;
        }
        f.set(in.reg0);
        return true;
    }

    /** Of a register; the bit number in a register or immediate. */
    private boolean bitTest(Insn in) {
        int size = in.opSize;
        if (size < 4 || in.kind0 != Insn.GPR) {
            return false;
        }
        flags.store();
        code.lconst_1();
        push(in, in.kind1, in.reg1, size);
        code.l2i().bipush(8 * size - 1).iand().lshl().lstore(Frame.VALUE);
        f.get(in.reg0);
        code.lload(Frame.VALUE).land().lload(Frame.AUX);
        f.alu("auxWithCarry", Frame.J_JJ);
        code.lstore(Frame.AUX);
        if (in.op == Op.BT) {
            return true;
        }
        f.get(in.reg0);
        code.lload(Frame.VALUE);
        switch (in.op) {
            case BTS -> code.lor();
            case BTR -> code.loadConstant(-1L).lxor().land();
            default -> code.lxor();
        }
        popRegister(Insn.GPR, in.reg0, size);
        return true;
    }

    private boolean count(Insn in, Label miss) {
        int size = in.opSize;
        if (size < 4) {
            return false;
        }
        fetch(in, in.kind1, size, false, miss);
        push(in, in.kind1, in.reg1, size);
        code.lstore(Frame.VALUE);
        if (in.op == Op.BSF || in.op == Op.BSR) {
            Label zero = code.newLabel();
            code.lload(Frame.VALUE);
            signExtend(size);
            code.lstore(Frame.A);
            flags.kind = FlagKind.LOGIC;
            code.lload(Frame.VALUE).lconst_0().lcmp().ifeq(zero);
            if (in.op == Op.BSF) {
                code.lload(Frame.VALUE);
                code.invokestatic(LONG, "numberOfTrailingZeros", Frame.I_J).i2l();
            } else {
                code.bipush(63).lload(Frame.VALUE);
                code.invokestatic(LONG, "numberOfLeadingZeros", Frame.I_J).isub().i2l();
            }
            f.set(in.reg0);
            code.labelBinding(zero);
            return true;
        }
        code.lload(Frame.VALUE);
        switch (in.op) {
            case POPCNT -> code.invokestatic(LONG, "bitCount", Frame.I_J).i2l();
            case LZCNT -> {
                code.invokestatic(LONG, "numberOfLeadingZeros", Frame.I_J);
                code.bipush(64 - 8 * size).isub().i2l();
            }
            default -> {
                code.invokestatic(LONG, "numberOfTrailingZeros", Frame.I_J);
                code.bipush(8 * size);
                code.invokestatic(ClassDesc.of("java.lang.Math"), "min", I_II).i2l();
            }
        }
        code.dup2();
        f.set(in.reg0);
        code.lload(Frame.VALUE);
        f.alu(in.op == Op.POPCNT ? "auxPopcnt" : "auxZeroCount", Frame.J_JJ);
        code.lstore(Frame.AUX);
        f.get(in.reg0);
        if (in.op == Op.POPCNT) {
            // Neither sign nor parity, whatever the count: 0 or 1.
            code.invokestatic(LONG, "signum", Frame.I_J).i2l();
        }
        code.lstore(Frame.RESULT);
        flags.kind = FlagKind.STORED;
        return true;
    }

    /** Of registers; with memory it is locked. */
    private boolean exchange(Insn in) {
        int size = in.opSize;
        if (!isRegister(in.kind0) || !isRegister(in.kind1)) {
            return false;
        }
        pushRegister(in.kind0, in.reg0, size);
        pushRegister(in.kind1, in.reg1, size);
        popRegister(in.kind0, in.reg0, size);
        popRegister(in.kind1, in.reg1, size);
        return true;
    }

    /**
     * The usual divisions, where the dividend's upper half only extends the lower; others, and
     * those that fault, are left to the definition. Flags are undefined and stay.
     */
    private boolean divide(Insn in, Label miss) {
        int size = in.opSize;
        if (size < 4) {
            return false;
        }
        boolean signed = in.op == Op.IDIV;
        fetch(in, in.kind0, size, false, miss);
        push(in, in.kind0, in.reg0, size);
        if (signed) {
            signExtend(size);
        }
        code.lstore(Frame.VALUE);
        code.lload(Frame.VALUE);
        pushRegister(Insn.GPR, RAX, size);
        if (signed) {
            signExtend(size);
        }
        pushRegister(Insn.GPR, RDX, size);
        if (signed) {
            signExtend(size);
        }
        f.runtime(signed ? "dividesSigned" : "dividesUnsigned", Frame.Z_JJJ);
        code.ifeq(miss);
        pushRegister(Insn.GPR, RAX, size);
        if (signed) {
            signExtend(size);
        }
        code.lload(Frame.VALUE);
        if (signed) {
            code.lrem();
        } else {
            code.invokestatic(LONG, "remainderUnsigned", Frame.J_JJ);
        }
        pushRegister(Insn.GPR, RAX, size);
        if (signed) {
            signExtend(size);
        }
        code.lload(Frame.VALUE);
        if (signed) {
            code.ldiv();
        } else {
            code.invokestatic(LONG, "divideUnsigned", Frame.J_JJ);
        }
        popRegister(Insn.GPR, RAX, size);
        popRegister(Insn.GPR, RDX, size);
        return true;
    }

    /** 32 bits, to EDX:EAX. */
    private boolean multiply(Insn in, Label miss) {
        if (in.opSize != 4) {
            return false;
        }
        fetch(in, in.kind0, 4, false, miss);
        push(in, in.kind0, in.reg0, 4);
        pushRegister(Insn.GPR, RAX, 4);
        code.lmul().lstore(Frame.VALUE);
        code.lload(Frame.VALUE);
        popRegister(Insn.GPR, RAX, 4);
        code.lload(Frame.VALUE).bipush(32).lushr();
        f.set(RDX);
        f.get(RDX);
        f.runtime("carryIfAny", Frame.J_J);
        code.lstore(Frame.AUX).lload(Frame.VALUE);
        f.signExtend32();
        code.lstore(Frame.RESULT);
        flags.kind = FlagKind.STORED;
        return true;
    }

    /** To memory or a high byte. */
    private boolean setCondition(Insn in, Label miss) {
        if (in.kind0 == Insn.MEM) {
            memory.checkStore(in, 1, miss);
        }
        Label holds = code.newLabel();
        Label end = code.newLabel();
        flags.branch(in.cond, holds);
        code.lconst_0().lstore(Frame.VALUE).goto_(end);
        code.labelBinding(holds);
        code.lconst_1().lstore(Frame.VALUE);
        code.labelBinding(end);
        if (in.kind0 == Insn.MEM) {
            memory.storeChecked(1, () -> code.lload(Frame.VALUE));
        } else {
            code.lload(Frame.VALUE);
            popRegister(in.kind0, in.reg0, 1);
        }
        return true;
    }

    /** CBW, CWDE. */
    private boolean widen(Insn in) {
        if (in.opSize > 4) {
            return false;
        }
        f.get(RAX);
        signExtend(in.opSize / 2);
        popRegister(Insn.GPR, RAX, in.opSize);
        return true;
    }
}
