package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ConstantDescs;

/** Bytecode for BMI1, BMI2 and ADX: 32 and 64 bits, operands in Intel order. */
final class BmiWriter {
    private static final int RDX = 2;

    private final Frame f;
    private final CodeBuilder code;
    private final FlagWriter flags;
    private final IntegerWriter integers;

    BmiWriter(Frame frame, FlagWriter flags, IntegerWriter integers) {
        f = frame;
        code = frame.code;
        this.flags = flags;
        this.integers = integers;
    }

    /**
     * @param miss where to leave before the instruction
     * @return false, with nothing written, if there is no translation of the form
     */
    boolean write(Insn in, Label miss) {
        boolean usesMemory = in.kind1 == Insn.MEM || in.kind2 == Insn.MEM;
        if (in.mode != 64 || in.opSize < 4 || (usesMemory && in.addrSize != 8)) {
            return false;
        }
        switch (in.op) {
            case ANDN,
                    BEXTR,
                    BLSI,
                    BLSMSK,
                    BLSR,
                    BZHI,
                    PDEP,
                    PEXT,
                    RORX,
                    SARX,
                    SHLX,
                    SHRX,
                    MULX,
                    ADCX,
                    ADOX -> {}
            default -> {
                return false;
            }
        }
        integers.fetch(in, in.kind1, in.opSize, false, miss);
        integers.fetch(in, in.kind2, in.opSize, false, miss);
        switch (in.op) {
            case ANDN -> {
                first(in);
                code.loadConstant(-1L).lxor();
                second(in);
                code.land();
                logic(in);
            }
            case BEXTR -> {
                first(in);
                f.get(in.reg2);
                code.loadConstant(8 * in.opSize);
                f.runtime("extractBits", Frame.J_JJI);
                logic(in);
            }
            case BLSI, BLSMSK, BLSR -> lowestSet(in);
            case BZHI -> {
                first(in);
                f.get(in.reg2);
                code.loadConstant(8 * in.opSize);
                f.runtime("zeroHighBits", Frame.J_JJI);
                code.lstore(Frame.VALUE);
                f.get(in.reg2);
                code.loadConstant(8 * in.opSize);
                f.runtime("zeroHighBitsAux", Frame.J_JI);
                stored(in);
            }
            case PDEP, PEXT -> {
                first(in);
                second(in);
                code.invokestatic(
                        ConstantDescs.CD_Long,
                        in.op == Op.PDEP ? "expand" : "compress",
                        Frame.J_JJ);
                integers.popRegister(Insn.GPR, in.reg0, in.opSize);
            }
            case MULX -> multiply(in);
            case ADCX, ADOX -> addChain(in);
            default -> shift(in);
        }
        return true;
    }

    private void first(Insn in) {
        integers.push(in, in.kind1, in.reg1, in.opSize);
    }

    private void second(Insn in) {
        integers.push(in, in.kind2, in.reg2, in.opSize);
    }

    /** Pops the result; SF and ZF are its, the others are clear. */
    private void logic(Insn in) {
        code.dup2();
        integers.popRegister(Insn.GPR, in.reg0, in.opSize);
        if (in.opSize == 4) {
            f.signExtend32();
        }
        code.lstore(Frame.A);
        flags.kind = FlagKind.LOGIC;
    }

    /** Pops the aux word of the result in VALUE. */
    private void stored(Insn in) {
        code.lstore(Frame.AUX).lload(Frame.VALUE);
        if (in.opSize == 4) {
            f.signExtend32();
        }
        code.lstore(Frame.RESULT).lload(Frame.VALUE);
        integers.popRegister(Insn.GPR, in.reg0, in.opSize);
        flags.kind = FlagKind.STORED;
    }

    private void lowestSet(Insn in) {
        first(in);
        code.lstore(Frame.VALUE2).lload(Frame.VALUE2).lload(Frame.VALUE2);
        switch (in.op) {
            case BLSI -> code.lneg().land();
            case BLSMSK -> code.lconst_1().lsub().lxor();
            default -> code.lconst_1().lsub().land();
        }
        code.lstore(Frame.VALUE).lload(Frame.VALUE2);
        f.runtime(in.op == Op.BLSI ? "carryUnlessZero" : "carryIfZero", Frame.J_J);
        stored(in);
    }

    private void shift(Insn in) {
        int size = in.opSize;
        first(in);
        if (size == 4 && in.op == Op.SARX) {
            f.signExtend32();
        }
        if (in.kind2 == Insn.IMM) {
            code.loadConstant((int) in.imm & 8 * size - 1);
        } else {
            f.get(in.reg2);
            code.l2i().loadConstant(8 * size - 1).iand();
        }
        switch (in.op) {
            case SHLX -> code.lshl();
            case SHRX -> code.lushr();
            case SARX -> code.lshr();
            default -> f.runtime("rotateRight" + 8 * size, Frame.J_JI);
        }
        integers.popRegister(Insn.GPR, in.reg0, size);
    }

    /** The first operand gets the high half, also where both are the same. */
    private void multiply(Insn in) {
        integers.pushRegister(Insn.GPR, RDX, in.opSize);
        code.lstore(Frame.VALUE);
        second(in);
        code.lstore(Frame.VALUE2).lload(Frame.VALUE).lload(Frame.VALUE2).lmul();
        if (in.opSize == 4) {
            code.lstore(Frame.VALUE).lload(Frame.VALUE);
            integers.popRegister(Insn.GPR, in.reg1, 4);
            code.lload(Frame.VALUE).bipush(32).lushr();
        } else {
            f.set(in.reg1);
            code.lload(Frame.VALUE).lload(Frame.VALUE2);
            code.invokestatic(CodeWriter.MATH, "unsignedMultiplyHigh", Frame.J_JJ);
        }
        f.set(in.reg0);
    }

    /** ADCX adds CF and changes it alone, ADOX does so with OF. */
    private void addChain(Insn in) {
        flags.store();
        flags.kind = FlagKind.STORED;
        integers.push(in, Insn.GPR, in.reg0, in.opSize);
        code.lstore(Frame.A);
        first(in);
        code.lstore(Frame.B).lload(Frame.A).lload(Frame.B).ladd().lload(Frame.AUX);
        if (in.op == Op.ADOX) {
            f.runtime("overflow", Frame.J_J);
        }
        code.bipush(63).lushr().ladd().lstore(Frame.VALUE);
        code.lload(Frame.AUX).lload(Frame.A).lload(Frame.B).lload(Frame.VALUE);
        f.runtime("carries", Frame.J_JJJ);
        code.loadConstant(64 - 8 * in.opSize).lshl();
        f.runtime(in.op == Op.ADOX ? "withOverflow" : "withCarry", Frame.J_JJ);
        code.lstore(Frame.AUX).lload(Frame.VALUE);
        integers.popRegister(Insn.GPR, in.reg0, in.opSize);
    }
}
