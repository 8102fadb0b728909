package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import dev.javisor.softcpu.fp.Packed;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;

/**
 * Bytecode for the frequent SSE instructions in their legacy encoding. Vector registers stay in the
 * CPU's array. Arithmetic on doubles is Java's, which rounds as the hardware does by default; what
 * it cannot do exactly as the hardware (other modes, exceptions that are not yet sticky, results
 * and operands that are not ordinary numbers) is left to the definition.
 */
final class VectorWriter {
    private static final ClassDesc DOUBLE = ConstantDescs.CD_Double;
    private static final ClassDesc PACKED = Packed.class.describeConstable().orElseThrow();
    private static final MethodTypeDesc D_J = MethodTypeDesc.ofDescriptor("(J)D");
    private static final MethodTypeDesc J_D = MethodTypeDesc.ofDescriptor("(D)J");
    private static final MethodTypeDesc ARITHMETIC_OK =
            MethodTypeDesc.of(
                    ConstantDescs.CD_boolean,
                    Frame.CPU,
                    ConstantDescs.CD_long,
                    ConstantDescs.CD_long,
                    ConstantDescs.CD_long);
    private static final MethodTypeDesc COMPARISON_OK = ARITHMETIC_OK.dropParameterTypes(3, 4);
    private static final MethodTypeDesc CONVERSION_OK = ARITHMETIC_OK.dropParameterTypes(2, 4);

    private final Frame f;
    private final CodeBuilder code;
    private final MemoryWriter memory;
    private final FlagWriter flags;

    VectorWriter(Frame frame, MemoryWriter memory, FlagWriter flags) {
        f = frame;
        code = frame.code;
        this.memory = memory;
        this.flags = flags;
    }

    /** Where the definition executes an instruction, asked for only if it may be needed. */
    interface SlowPath {
        Label label();
    }

    /** Whether status flags are left alone, on the fast and on the slow path. */
    static boolean keepsFlags(Insn in) {
        return switch (in.op.family()) {
            case SSE ->
                    switch (in.op) {
                        case COMISS,
                                COMISD,
                                UCOMISS,
                                UCOMISD,
                                PTEST,
                                PCMPESTRI,
                                PCMPESTRM,
                                PCMPISTRI,
                                PCMPISTRM ->
                                false;
                        default -> true;
                    };
            default -> false;
        };
    }

    /**
     * @param miss where to leave before the instruction
     * @param slow jumps there with nothing changed have the definition execute it
     * @return false, with nothing written, if there is no translation of the form
     */
    boolean write(Insn in, Label miss, SlowPath slow) {
        boolean usesMemory = in.kind0 == Insn.MEM || in.kind1 == Insn.MEM;
        if (in.vexBytes != 0
                || in.mode != 64
                || in.kind0 == Insn.MMX
                || in.kind1 == Insn.MMX
                || (usesMemory && in.addrSize != 8)) {
            return false;
        }
        switch (in.op) {
            case MOVUPS, MOVUPD, MOVDQU -> move(in, false, miss);
            case MOVAPS, MOVAPD, MOVDQA -> move(in, true, miss);
            case MOVSS -> scalarMove(in, 4, miss);
            case MOVSD_XMM -> scalarMove(in, 8, miss);
            case MOVD, MOVQ -> lowMove(in, miss);
            case MOVLPS, MOVLPD -> halfMove(in, 0, miss);
            case MOVHPS, MOVHPD -> halfMove(in, 1, miss);
            case ANDPS, ANDPD, PAND -> lanes(in, miss, code::land);
            case ORPS, ORPD, POR -> lanes(in, miss, code::lor);
            case XORPS, XORPD, PXOR -> lanes(in, miss, code::lxor);
            case PADDQ -> lanes(in, miss, code::ladd);
            case PADDB -> lanes(in, miss, () -> packed("add8"));
            case PADDW -> lanes(in, miss, () -> packed("add16"));
            case PADDD -> lanes(in, miss, () -> packed("add32"));
            case PSUBB -> lanes(in, miss, () -> packed("sub8"));
            case PSUBW -> lanes(in, miss, () -> packed("sub16"));
            case PSUBD -> lanes(in, miss, () -> packed("sub32"));
            case PSUBQ -> lanes(in, miss, code::lsub);
            case PCMPEQB -> lanes(in, miss, () -> packed("equal8"));
            case PCMPEQD -> lanes(in, miss, () -> packed("equal32"));
            case PUNPCKLQDQ -> unpackLow(in, miss);
            case ADDSD -> arithmetic(in, miss, slow, code::dadd);
            case SUBSD -> arithmetic(in, miss, slow, code::dsub);
            case MULSD -> arithmetic(in, miss, slow, code::dmul);
            case DIVSD -> arithmetic(in, miss, slow, code::ddiv);
            case COMISD, UCOMISD -> compare(in, miss, slow);
            case CVTSI2SD -> {
                return fromInteger(in, miss);
            }
            case CVTTSD2SI -> toInteger(in, miss, slow);
            default -> {
                return false;
            }
        }
        return true;
    }

    /** Pushes a half of a vector register. */
    private void pushHalf(int reg, int half) {
        f.vectors();
        code.loadConstant(4 * reg + half).laload();
    }

    /** Stores what {@code value} pushes into a half of a vector register. */
    private void setHalf(int reg, int half, Runnable value) {
        f.vectors();
        code.loadConstant(4 * reg + half);
        value.run();
        code.lastore();
    }

    private void setHalf(int reg, int half, int local) {
        setHalf(reg, half, () -> code.lload(local));
    }

    /** The second operand's 16 bytes into VALUE and VALUE2. */
    private void loadVector(Insn in, boolean aligned, Label miss) {
        if (in.kind1 == Insn.MEM) {
            memory.load128(in, aligned, miss);
            code.lstore(Frame.VALUE2).lstore(Frame.VALUE);
        } else {
            pushHalf(in.reg1, 0);
            pushHalf(in.reg1, 1);
            code.lstore(Frame.VALUE2).lstore(Frame.VALUE);
        }
    }

    private void move(Insn in, boolean aligned, Label miss) {
        if (in.kind0 == Insn.MEM) {
            memory.store128(in, aligned, miss, half -> pushHalf(in.reg1, half));
            return;
        }
        loadVector(in, aligned, miss);
        setHalf(in.reg0, 0, Frame.VALUE);
        setHalf(in.reg0, 1, Frame.VALUE2);
    }

    /** A load clears the rest of the register, a register move keeps it. */
    private void scalarMove(Insn in, int sizeBytes, Label miss) {
        if (in.kind0 == Insn.MEM) {
            memory.checkStore(in, sizeBytes, miss);
            memory.storeChecked(sizeBytes, () -> pushHalf(in.reg1, 0));
        } else if (in.kind1 == Insn.MEM) {
            loadLow(in, sizeBytes, miss);
        } else if (sizeBytes == 8) {
            setHalf(in.reg0, 0, () -> pushHalf(in.reg1, 0));
        } else {
            setHalf(
                    in.reg0,
                    0,
                    () -> {
                        pushHalf(in.reg0, 0);
                        code.loadConstant(~0xFFFFFFFFL).land();
                        pushHalf(in.reg1, 0);
                        f.zeroExtend32();
                        code.lor();
                    });
        }
    }

    private void loadLow(Insn in, int sizeBytes, Label miss) {
        memory.load(in, sizeBytes, miss);
        code.lstore(Frame.VALUE);
        setHalf(in.reg0, 0, Frame.VALUE);
        setHalf(in.reg0, 1, code::lconst_0);
    }

    private void lowMove(Insn in, Label miss) {
        int size = in.op == Op.MOVQ || in.opSize == 8 ? 8 : 4;
        if (in.kind0 == Insn.MEM) {
            memory.checkStore(in, size, miss);
            memory.storeChecked(size, () -> pushHalf(in.reg1, 0));
        } else if (in.kind0 == Insn.GPR) {
            pushHalf(in.reg1, 0);
            if (size == 4) {
                f.zeroExtend32();
            }
            f.set(in.reg0);
        } else if (in.kind1 == Insn.MEM) {
            loadLow(in, size, miss);
        } else {
            setHalf(
                    in.reg0,
                    0,
                    () -> {
                        if (in.kind1 == Insn.XMM) {
                            pushHalf(in.reg1, 0);
                        } else {
                            f.get(in.reg1);
                            if (size == 4) {
                                f.zeroExtend32();
                            }
                        }
                    });
            setHalf(in.reg0, 1, code::lconst_0);
        }
    }

    /** One half to or from memory; the register forms are MOVHLPS and MOVLHPS. */
    private void halfMove(Insn in, int half, Label miss) {
        if (in.kind0 == Insn.MEM) {
            memory.checkStore(in, 8, miss);
            memory.storeChecked(8, () -> pushHalf(in.reg1, half));
            return;
        }
        if (in.kind1 == Insn.MEM) {
            memory.load(in, 8, miss);
        } else {
            pushHalf(in.reg1, 0);
        }
        code.lstore(Frame.VALUE);
        setHalf(in.reg0, half, Frame.VALUE);
    }

    private void packed(String name) {
        code.invokestatic(PACKED, name, Frame.J_JJ);
    }

    /** Halves that depend on the same half of each operand only. */
    private void lanes(Insn in, Label miss, Runnable operation) {
        loadVector(in, true, miss);
        for (int half = 0; half < 2; half++) {
            int h = half;
            setHalf(
                    in.reg0,
                    half,
                    () -> {
                        pushHalf(in.reg0, h);
                        code.lload(h == 0 ? Frame.VALUE : Frame.VALUE2);
                        operation.run();
                    });
        }
    }

    private void unpackLow(Insn in, Label miss) {
        loadVector(in, true, miss);
        setHalf(in.reg0, 1, Frame.VALUE);
    }

    /** The low 8 bytes of the second operand into VALUE. */
    private void loadScalar(Insn in, Label miss) {
        if (in.kind1 == Insn.MEM) {
            memory.load(in, 8, miss);
        } else {
            pushHalf(in.reg1, 0);
        }
        code.lstore(Frame.VALUE);
    }

    private void pushDouble(int local) {
        code.lload(local).invokestatic(DOUBLE, "longBitsToDouble", D_J);
    }

    private void arithmetic(Insn in, Label miss, SlowPath slow, Runnable operation) {
        loadScalar(in, miss);
        pushHalf(in.reg0, 0);
        code.lstore(Frame.VALUE2);
        pushDouble(Frame.VALUE2);
        pushDouble(Frame.VALUE);
        operation.run();
        code.invokestatic(DOUBLE, "doubleToRawLongBits", J_D).lstore(Frame.ADDRESS);
        code.aload(Frame.CPU_LOCAL).lload(Frame.VALUE2).lload(Frame.VALUE).lload(Frame.ADDRESS);
        code.invokestatic(Frame.RUNTIME, "arithmeticOk", ARITHMETIC_OK).ifeq(slow.label());
        setHalf(in.reg0, 0, Frame.ADDRESS);
    }

    /** ZF, PF, CF: equal 100, less 001, greater 000; OF, SF, AF are zero. */
    private void compare(Insn in, Label miss, SlowPath slow) {
        loadScalar(in, miss);
        pushHalf(in.reg0, 0);
        code.lstore(Frame.VALUE2);
        code.aload(Frame.CPU_LOCAL).lload(Frame.VALUE2).lload(Frame.VALUE);
        code.invokestatic(Frame.RUNTIME, "comparisonOk", COMPARISON_OK).ifeq(slow.label());
        pushDouble(Frame.VALUE2);
        pushDouble(Frame.VALUE);
        code.dcmpl().i2l().lstore(Frame.VALUE);
        code.lload(Frame.VALUE);
        f.runtime("comparisonAux", Frame.J_J);
        code.lload(Frame.VALUE);
        f.runtime("comparisonResult", Frame.J_J);
        code.lstore(Frame.RESULT).lstore(Frame.AUX);
        flags.kind = FlagKind.STORED;
    }

    /** From 32 bits, which is always exact. */
    private boolean fromInteger(Insn in, Label miss) {
        if (in.opSize != 4) {
            return false;
        }
        if (in.kind1 == Insn.MEM) {
            memory.load(in, 4, miss);
        } else {
            f.get(in.reg1);
        }
        code.l2i().i2d().invokestatic(DOUBLE, "doubleToRawLongBits", J_D).lstore(Frame.VALUE);
        setHalf(in.reg0, 0, Frame.VALUE);
        return true;
    }

    /** Truncates; Java does the same for what fits. */
    private void toInteger(Insn in, Label miss, SlowPath slow) {
        loadScalar(in, miss);
        code.aload(Frame.CPU_LOCAL).lload(Frame.VALUE);
        String ok = in.opSize == 8 ? "conversionOk64" : "conversionOk32";
        code.invokestatic(Frame.RUNTIME, ok, CONVERSION_OK).ifeq(slow.label());
        pushDouble(Frame.VALUE);
        if (in.opSize == 8) {
            code.d2l();
        } else {
            code.d2i().i2l();
            f.zeroExtend32();
        }
        f.set(in.reg0);
    }
}
