package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.decode.Insn;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.Opcode;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;

/**
 * Bytecode for SSE and AVX arithmetic on ordinary numbers, which Java's operations round as the
 * hardware does by default. Whatever is otherwise leaves the region before the instruction: other
 * modes, operands or results that are NaN, infinite or denormal, and the first inexact result,
 * which sets a flag of MXCSR ({@link RegionRuntime#floatMode}). An error term tells whether a
 * result is exact.
 */
final class FloatWriter {
    private static final ClassDesc DOUBLE = ConstantDescs.CD_Double;
    private static final ClassDesc FLOAT = ConstantDescs.CD_Float;
    private static final ClassDesc LONG = ConstantDescs.CD_Long;
    private static final ClassDesc MATH = ClassDesc.of("java.lang.Math");
    private static final MethodTypeDesc D_J = MethodTypeDesc.ofDescriptor("(J)D");
    private static final MethodTypeDesc J_D = MethodTypeDesc.ofDescriptor("(D)J");
    private static final MethodTypeDesc F_I = MethodTypeDesc.ofDescriptor("(I)F");
    private static final MethodTypeDesc I_F = MethodTypeDesc.ofDescriptor("(F)I");
    private static final MethodTypeDesc I_JJ = MethodTypeDesc.ofDescriptor("(JJ)I");
    private static final MethodTypeDesc D_DDD = MethodTypeDesc.ofDescriptor("(DDD)D");
    private static final MethodTypeDesc D_D = MethodTypeDesc.ofDescriptor("(D)D");

    // Locals of doubles in the middle of an operation.
    private static final int A = 220;
    private static final int B = 222;
    private static final int C = 224;
    private static final int R = 226;
    private static final int T = 228;

    /** Below this biased exponent an error term might not be a number of its own. */
    private static final long MIN_EXPONENT = 120;

    private final Frame f;
    private final CodeBuilder code;
    private final MemoryWriter memory;
    private final FlagWriter flags;

    /** Registers whose low word is known to be an ordinary double or zero, by bit. */
    private int ordinary;

    FloatWriter(Frame frame, MemoryWriter memory, FlagWriter flags) {
        f = frame;
        code = frame.code;
        this.memory = memory;
        this.flags = flags;
    }

    /** At the start of a block. */
    void forget() {
        ordinary = 0;
    }

    /** Another instruction writes vector registers. */
    void changed(Insn in) {
        ordinary &= in.kind0 == Insn.XMM ? ~(1 << in.reg0) : 0;
    }

    private enum Kind {
        ADD,
        SUB,
        MUL,
        DIV,
        SQRT,
        MIN,
        MAX
    }

    /** False, with nothing written, if it is not here. */
    boolean write(Insn in, Label miss) {
        switch (in.op) {
            case ADDSD -> scalar(in, Kind.ADD, miss);
            case SUBSD -> scalar(in, Kind.SUB, miss);
            case MULSD -> scalar(in, Kind.MUL, miss);
            case DIVSD -> scalar(in, Kind.DIV, miss);
            case SQRTSD -> scalar(in, Kind.SQRT, miss);
            case MINSD -> scalar(in, Kind.MIN, miss);
            case MAXSD -> scalar(in, Kind.MAX, miss);
            case ADDPD -> packed(in, Kind.ADD, miss);
            case SUBPD -> packed(in, Kind.SUB, miss);
            case MULPD -> packed(in, Kind.MUL, miss);
            case DIVPD -> packed(in, Kind.DIV, miss);
            case ADDSS -> single(in, Kind.ADD, miss);
            case SUBSS -> single(in, Kind.SUB, miss);
            case MULSS -> single(in, Kind.MUL, miss);
            case DIVSS -> single(in, Kind.DIV, miss);
            case ADDPS -> packedSingle(in, Kind.ADD, miss);
            case SUBPS -> packedSingle(in, Kind.SUB, miss);
            case MULPS -> packedSingle(in, Kind.MUL, miss);
            case COMISD, UCOMISD -> compare(in, miss);
            case CVTSI2SD -> fromInteger(in, miss);
            case CVTTSD2SI -> toInteger(in, miss);
            case VFMADD132SD, VFMADD213SD, VFMADD231SD, VFNMADD132SD, VFNMADD213SD, VFNMADD231SD ->
                    fuse(in, miss);
            case VFMADD132PD, VFMADD213PD, VFMADD231PD, VFNMADD132PD, VFNMADD213PD, VFNMADD231PD ->
                    fuse(in, miss);
            default -> {
                return false;
            }
        }
        return true;
    }

    // ------------------------------------------------------------------ operands

    private static int first(Insn in) {
        return in.vexBytes == 0 ? in.reg0 : in.reg1;
    }

    private static int second(Insn in) {
        return in.vexBytes == 0 ? in.reg1 : in.reg2;
    }

    private static boolean secondIsMemory(Insn in) {
        return (in.vexBytes == 0 ? in.kind1 : in.kind2) == Insn.MEM;
    }

    private static int words(Insn in) {
        return in.vectorBytes == 32 ? 4 : 2;
    }

    /** First local of the second operand's words, loaded if it is memory. */
    private int secondOperand(Insn in, int sizeBytes, Label miss) {
        if (!secondIsMemory(in)) {
            return f.vector(second(in), 0);
        }
        if (sizeBytes > 8) {
            memory.loadVector(in, sizeBytes, in.vexBytes == 0, miss, Frame.SOURCE);
        } else {
            memory.load(in, sizeBytes, miss);
            code.lstore(Frame.SOURCE);
        }
        return Frame.SOURCE;
    }

    /** Sets the destination's low word, the next one from the first source. */
    private void setLow(Insn in, int local) {
        if (in.vexBytes != 0) {
            code.lload(f.vector(in.reg1, 1));
            f.setVector(in.reg0, 1);
            clearUpper(in);
        }
        code.lload(local);
        f.setVector(in.reg0, 0);
    }

    private void clearUpper(Insn in) {
        if (in.vexBytes != 0) {
            code.lconst_0();
            f.setVector(in.reg0, 2);
            code.lconst_0();
            f.setVector(in.reg0, 3);
        }
    }

    private void finish(Insn in) {
        for (int word = 0; word < words(in); word++) {
            code.lload(Frame.TARGET + 2 * word);
            f.setVector(in.reg0, word);
        }
        if (words(in) == 2) {
            clearUpper(in);
        }
        changed(in);
    }

    private boolean isOrdinary(int reg) {
        return (ordinary >>> reg & 1) != 0;
    }

    // ------------------------------------------------------------------ checks

    /** Jumps to {@code slow} unless results may be rounded, and to {@code done} if they may. */
    private void mode(Label slow, Label done) {
        code.iload(Frame.FLOAT_MODE).ifgt(done);
        code.iload(Frame.FLOAT_MODE).iflt(slow);
    }

    /** Pushes the number's magnitude, shifted left by one. */
    private void magnitude(int local) {
        code.lload(local).iconst_1().lshl();
    }

    /** Jumps to {@code target} if the number is (or is not) normal. */
    private void ifNormal(int local, boolean is, Label target) {
        magnitude(local);
        code.loadConstant(1L << 53).lsub().loadConstant(0x7FEL << 53);
        code.invokestatic(LONG, "compareUnsigned", I_JJ);
        code.branch(is ? Opcode.IFLT : Opcode.IFGE, target);
    }

    /** Leaves if the number is denormal. */
    private void notDenormal(int local, Label slow) {
        magnitude(local);
        code.lconst_1().lsub().loadConstant((1L << 53) - 1);
        code.invokestatic(LONG, "compareUnsigned", I_JJ);
        code.iflt(slow);
    }

    /** Leaves unless the number is zero or normal. */
    private void zeroOrNormal(int local, Label slow) {
        Label good = code.newLabel();
        ifNormal(local, true, good);
        ifZero(local, false, slow);
        code.labelBinding(good);
    }

    private void ifZero(int local, boolean is, Label target) {
        magnitude(local);
        code.lconst_0().lcmp();
        code.branch(is ? Opcode.IFEQ : Opcode.IFNE, target);
    }

    /** Leaves unless the number is zero or so large that error terms are exact. */
    private void notTiny(int local, Label slow) {
        Label good = code.newLabel();
        magnitude(local);
        code.bipush(53).lushr().loadConstant(MIN_EXPONENT).lcmp().ifgt(good);
        ifZero(local, false, slow);
        code.labelBinding(good);
    }

    private void pushDouble(int local) {
        code.lload(local).invokestatic(DOUBLE, "longBitsToDouble", D_J);
    }

    private void popDouble(int local) {
        code.invokestatic(DOUBLE, "doubleToRawLongBits", J_D).lstore(local);
    }

    // ------------------------------------------------------------------ binary64

    /** One operation: r = a op b of locals of bits. */
    private void operate(
            Kind kind, int a, int b, int r, boolean knownA, boolean knownB, Label slow) {
        if (kind == Kind.MIN || kind == Kind.MAX) {
            select(kind, a, b, r, slow);
            return;
        }
        if (kind == Kind.SQRT) {
            pushDouble(b);
            code.dstore(B).dload(B).invokestatic(MATH, "sqrt", D_D).dstore(R);
        } else {
            pushDouble(a);
            code.dstore(A);
            pushDouble(b);
            code.dstore(B).dload(A).dload(B);
            switch (kind) {
                case ADD -> code.dadd();
                case SUB -> code.dsub();
                case MUL -> code.dmul();
                default -> code.ddiv();
            }
            code.dstore(R);
        }
        code.dload(R);
        popDouble(r);
        Label good = code.newLabel();
        ifNormal(r, true, good);
        ifZero(r, false, slow);
        // A zero that is no underflow.
        switch (kind) {
            case ADD, SUB -> {}
            case MUL -> {
                ifZero(a, true, good);
                ifZero(b, false, slow);
            }
            case DIV -> ifZero(a, false, slow);
            default -> ifZero(b, false, slow);
        }
        code.labelBinding(good);
        if (!knownA && kind != Kind.SQRT) {
            notDenormal(a, slow);
        }
        if (!knownB) {
            notDenormal(b, slow);
        }
        exact(kind, a, b, r, slow);
    }

    /** Leaves if the result is not exact and that has not been recorded. */
    private void exact(Kind kind, int a, int b, int r, Label slow) {
        Label done = code.newLabel();
        mode(slow, done);
        switch (kind) {
            case ADD, SUB -> {
                // The error of the rounded sum (Knuth's TwoSum).
                code.dload(B);
                if (kind == Kind.SUB) {
                    code.dneg();
                }
                code.dstore(B).dload(R).dload(A).dsub().dstore(T);
                code.dload(A).dload(R).dload(T).dsub().dsub();
                code.dload(B).dload(T).dsub().dadd();
            }
            case MUL -> {
                notTiny(r, slow);
                code.dload(A).dload(B).dload(R).dneg().invokestatic(MATH, "fma", D_DDD);
            }
            case DIV -> {
                notTiny(a, slow);
                code.dload(R).dload(B).dload(A).dneg().invokestatic(MATH, "fma", D_DDD);
            }
            default -> {
                notTiny(b, slow);
                code.dload(R).dload(R).dload(B).dneg().invokestatic(MATH, "fma", D_DDD);
            }
        }
        code.dconst_0().dcmpl().ifne(slow);
        code.labelBinding(done);
    }

    /** MIN and MAX: the second operand if both are zero; no result is rounded. */
    private void select(Kind kind, int a, int b, int r, Label slow) {
        code.iload(Frame.FLOAT_MODE).iflt(slow);
        zeroOrNormal(a, slow);
        zeroOrNormal(b, slow);
        Label takeSecond = code.newLabel();
        Label end = code.newLabel();
        pushDouble(a);
        pushDouble(b);
        code.dcmpl();
        code.branch(kind == Kind.MIN ? Opcode.IFGE : Opcode.IFLE, takeSecond);
        code.lload(a).lstore(r).goto_(end);
        code.labelBinding(takeSecond);
        code.lload(b).lstore(r);
        code.labelBinding(end);
    }

    private void scalar(Insn in, Kind kind, Label miss) {
        int b = secondOperand(in, 8, miss);
        int a = f.vector(first(in), 0);
        boolean knownB = !secondIsMemory(in) && isOrdinary(second(in));
        operate(kind, a, b, Frame.TARGET, isOrdinary(first(in)), knownB, miss);
        setLow(in, Frame.TARGET);
        ordinary |= 1 << in.reg0;
    }

    private void packed(Insn in, Kind kind, Label miss) {
        int b = secondOperand(in, 8 * words(in), miss);
        for (int word = 0; word < words(in); word++) {
            int a = f.vector(first(in), word);
            operate(kind, a, b + 2 * word, Frame.TARGET + 2 * word, false, false, miss);
        }
        finish(in);
    }

    /** SDM 2C: 132 is 1 * 3 + 2, 213 is 2 * 1 + 3, 231 is 2 * 3 + 1. */
    private void fuse(Insn in, Label miss) {
        String name = in.op.name();
        boolean isScalar = name.endsWith("SD");
        int third = secondOperand(in, isScalar ? 8 : 8 * words(in), miss);
        for (int word = 0; word < (isScalar ? 1 : words(in)); word++) {
            int one = f.vector(in.reg0, word);
            int two = f.vector(in.reg1, word);
            int three = third + 2 * word;
            int x = name.contains("132") ? one : two;
            int y = name.contains("213") ? one : three;
            int z = name.contains("132") ? two : name.contains("213") ? three : one;
            int r = Frame.TARGET + 2 * word;
            code.iload(Frame.FLOAT_MODE).ifle(miss);
            pushDouble(x);
            if (name.startsWith("VFNM")) {
                code.dneg();
            }
            pushDouble(y);
            pushDouble(z);
            code.invokestatic(MATH, "fma", D_DDD);
            popDouble(r);
            ifNormal(r, false, miss);
            notDenormal(x, miss);
            notDenormal(y, miss);
            notDenormal(z, miss);
        }
        if (isScalar) {
            // The next word stays, as the destination is a source.
            code.lload(Frame.TARGET);
            f.setVector(in.reg0, 0);
            clearUpper(in);
            ordinary |= 1 << in.reg0;
        } else {
            finish(in);
        }
    }

    /** ZF, PF, CF: equal 100, less 001, greater 000; OF, SF, AF are zero. */
    private void compare(Insn in, Label miss) {
        int b = f.vector(in.kind1 == Insn.MEM ? in.reg0 : in.reg1, 0);
        if (in.kind1 == Insn.MEM) {
            memory.load(in, 8, miss);
            code.lstore(Frame.SOURCE);
            b = Frame.SOURCE;
        }
        int a = f.vector(in.reg0, 0);
        zeroOrNormal(a, miss);
        zeroOrNormal(b, miss);
        pushDouble(a);
        pushDouble(b);
        code.dcmpl().i2l().lstore(Frame.VALUE).lload(Frame.VALUE);
        f.runtime("comparisonAux", Frame.J_J);
        code.lload(Frame.VALUE);
        f.runtime("comparisonResult", Frame.J_J);
        code.lstore(Frame.RESULT).lstore(Frame.AUX);
        flags.kind = FlagKind.STORED;
    }

    // ------------------------------------------------------------------ conversions

    private void fromInteger(Insn in, Label miss) {
        boolean wide = in.opSize == 8;
        if (secondIsMemory(in)) {
            memory.load(in, wide ? 8 : 4, miss);
        } else {
            f.get(second(in));
        }
        if (wide) {
            code.lstore(Frame.VALUE);
            Label done = code.newLabel();
            mode(miss, done);
            // Up to 53 bits are exact.
            code.lload(Frame.VALUE).loadConstant(1L << 52).ladd().bipush(53).lushr();
            code.lconst_0().lcmp().ifne(miss);
            code.labelBinding(done);
            code.lload(Frame.VALUE).l2d();
        } else {
            code.l2i().i2d();
        }
        popDouble(Frame.TARGET);
        setLow(in, Frame.TARGET);
        ordinary |= 1 << in.reg0;
    }

    /** Truncates; Java does the same for what fits. */
    private void toInteger(Insn in, Label miss) {
        int b = Frame.SOURCE;
        if (in.kind1 == Insn.MEM) {
            memory.load(in, 8, miss);
            code.lstore(Frame.SOURCE);
        } else {
            b = f.vector(in.reg1, 0);
        }
        zeroOrNormal(b, miss);
        magnitude(b);
        // Below 2^31 or 2^63.
        code.loadConstant((1023L + (in.opSize == 8 ? 63 : 31)) << 53);
        code.invokestatic(LONG, "compareUnsigned", I_JJ).ifge(miss);
        pushDouble(b);
        code.dstore(B).dload(B).d2l().lstore(Frame.VALUE);
        Label done = code.newLabel();
        mode(miss, done);
        code.lload(Frame.VALUE).l2d().dload(B).dcmpl().ifne(miss);
        code.labelBinding(done);
        code.lload(Frame.VALUE);
        if (in.opSize != 8) {
            f.zeroExtend32();
        }
        f.set(in.reg0);
    }

    // ------------------------------------------------------------------ binary32

    /** One operation on the low halves (or the high ones): pushes the result's bits as an int. */
    private void operateSingle(Kind kind, int a, int b, int shift, Label slow) {
        pushSingle(a, shift);
        code.f2d().dstore(A);
        pushSingle(b, shift);
        code.f2d().dstore(B);
        code.dload(A).d2f().dload(B).d2f();
        switch (kind) {
            case ADD -> code.fadd();
            case SUB -> code.fsub();
            case MUL -> code.fmul();
            default -> code.fdiv();
        }
        code.f2d().dstore(R);
        Label good = code.newLabel();
        Label zero = code.newLabel();
        code.dload(R).dconst_0().dcmpl().ifeq(zero);
        ordinarySingle(R, slow);
        code.goto_(good);
        code.labelBinding(zero);
        // A zero that is no underflow, nor made of NaN or infinity.
        if (kind == Kind.MUL || kind == Kind.DIV) {
            Label exact = code.newLabel();
            code.dload(A).dconst_0().dcmpl().ifeq(exact);
            if (kind == Kind.MUL) {
                code.dload(B).dconst_0().dcmpl().ifeq(exact);
            }
            code.goto_(slow);
            code.labelBinding(exact);
        }
        code.labelBinding(good);
        zeroOrOrdinarySingle(A, slow);
        zeroOrOrdinarySingle(B, slow);
        Label done = code.newLabel();
        mode(slow, done);
        switch (kind) {
            case ADD, SUB -> {
                // Exact in binary64 unless the operands are far apart: then the sum loses bits.
                code.dload(A).dload(B);
                if (kind == Kind.ADD) {
                    code.dadd();
                } else {
                    code.dsub();
                }
                code.dstore(T).dload(T).dload(R).dcmpl().ifne(slow);
                code.dload(T).dload(A).dsub().dload(B);
                if (kind == Kind.SUB) {
                    code.dneg();
                }
                code.dcmpl().ifne(slow);
                code.dload(T).dload(B);
                if (kind == Kind.ADD) {
                    code.dsub();
                } else {
                    code.dadd();
                }
                code.dload(A).dcmpl().ifne(slow);
            }
            case MUL -> code.dload(A).dload(B).dmul().dload(R).dcmpl().ifne(slow);
            default -> code.dload(R).dload(B).dmul().dload(A).dcmpl().ifne(slow);
        }
        code.labelBinding(done);
        code.dload(R).d2f().invokestatic(FLOAT, "floatToRawIntBits", I_F);
    }

    private void pushSingle(int local, int shift) {
        code.lload(local);
        if (shift != 0) {
            code.bipush(shift).lushr();
        }
        code.l2i().invokestatic(FLOAT, "intBitsToFloat", F_I);
    }

    /** Leaves unless the double in the local is of binary32's normal range. */
    private void ordinarySingle(int local, Label slow) {
        code.dload(local).invokestatic(MATH, "abs", D_D).dstore(C);
        code.dload(C).loadConstant((double) Float.MIN_NORMAL).dcmpl().iflt(slow);
        code.dload(C).loadConstant((double) Float.MAX_VALUE).dcmpg().ifgt(slow);
    }

    private void zeroOrOrdinarySingle(int local, Label slow) {
        Label good = code.newLabel();
        code.dload(local).dconst_0().dcmpl().ifeq(good);
        ordinarySingle(local, slow);
        code.labelBinding(good);
    }

    private void single(Insn in, Kind kind, Label miss) {
        int b = secondOperand(in, 4, miss);
        int a = f.vector(first(in), 0);
        operateSingle(kind, a, b, 0, miss);
        code.i2l();
        f.zeroExtend32();
        code.lload(a).loadConstant(~0xFFFFFFFFL).land().lor().lstore(Frame.TARGET);
        setLow(in, Frame.TARGET);
        changed(in);
    }

    private void packedSingle(Insn in, Kind kind, Label miss) {
        int b = secondOperand(in, 8 * words(in), miss);
        for (int word = 0; word < words(in); word++) {
            int a = f.vector(first(in), word);
            operateSingle(kind, a, b + 2 * word, 0, miss);
            code.i2l();
            f.zeroExtend32();
            code.lstore(Frame.VALUE);
            operateSingle(kind, a, b + 2 * word, 32, miss);
            code.i2l().bipush(32).lshl().lload(Frame.VALUE).lor();
            code.lstore(Frame.TARGET + 2 * word);
        }
        finish(in);
    }
}
