package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;

/**
 * Bytecode for LOCK-prefixed instructions and XCHG on 4 or 8 aligned bytes of memory: one atomic
 * operation with the order of a volatile access, which is x86's of locked instructions (SDM 3A
 * §9.2.3.9).
 */
final class AtomicWriter {
    private static final int RAX = 0;
    private static final MethodTypeDesc UPDATE =
            MethodTypeDesc.of(
                    ConstantDescs.CD_long,
                    Frame.MEMORY,
                    ConstantDescs.CD_long,
                    ConstantDescs.CD_long);
    private static final MethodTypeDesc EXCHANGE =
            UPDATE.insertParameterTypes(2, ConstantDescs.CD_long);

    private final Frame f;
    private final CodeBuilder code;
    private final MemoryWriter memory;
    private final FlagWriter flags;

    AtomicWriter(Frame frame, MemoryWriter memory, FlagWriter flags) {
        f = frame;
        code = frame.code;
        this.memory = memory;
        this.flags = flags;
    }

    /** False, with nothing written, if there is no translation of the form. */
    boolean write(Insn in, Label miss) {
        int size = in.opSize;
        boolean onMemory = in.kind0 == Insn.MEM || in.op == Op.XCHG && in.kind1 == Insn.MEM;
        if (size < 4 || in.mode != 64 || in.rep != 0 || !onMemory || in.addrSize != 8) {
            return false;
        }
        switch (in.op) {
            case ADD, SUB, AND, OR, XOR, INC, DEC, XADD, CMPXCHG, XCHG -> {}
            default -> {
                return false;
            }
        }
        memory.checkStore(in, size, miss);
        code.lload(Frame.ADDRESS).loadConstant(size - 1L).land().lconst_0().lcmp().ifne(miss);
        switch (in.op) {
            case ADD, XADD -> {
                update("getAndAdd", size, () -> operand(in));
                operand(in);
                code.lstore(Frame.B).lload(Frame.VALUE).lstore(Frame.A);
                flags.kind = size == 8 ? FlagKind.ADD64 : FlagKind.ADD32;
                if (in.op == Op.XADD) {
                    code.lload(Frame.VALUE);
                    f.set(in.reg1);
                }
            }
            case SUB -> {
                update(
                        "getAndAdd",
                        size,
                        () -> {
                            operand(in);
                            code.lneg();
                        });
                operand(in);
                code.lstore(Frame.B).lload(Frame.VALUE).lstore(Frame.A);
                flags.kind = size == 8 ? FlagKind.SUB64 : FlagKind.SUB32;
            }
            case AND -> logic(in, "getAndAnd", code::land);
            case OR -> logic(in, "getAndOr", code::lor);
            case XOR -> logic(in, "getAndXor", code::lxor);
            case INC, DEC -> count(in, in.op == Op.INC);
            case CMPXCHG -> compareAndExchange(in);
            default -> {
                int reg = in.kind0 == Insn.MEM ? in.reg1 : in.reg0;
                update("getAndSet", size, () -> f.get(reg));
                code.lload(Frame.VALUE);
                f.set(reg);
            }
        }
        return true;
    }

    /** The second operand, any upper half. */
    private void operand(Insn in) {
        if (in.kind1 == Insn.IMM) {
            f.constant(in.imm);
        } else {
            f.get(in.reg1);
        }
    }

    /** Updates memory by what {@code operand} pushes; what was there goes to VALUE. */
    private void update(String name, int sizeBytes, Runnable operand) {
        f.memory();
        code.lload(Frame.OFFSET);
        operand.run();
        f.runtime(name + 8 * sizeBytes, UPDATE);
        code.lstore(Frame.VALUE);
    }

    private void logic(Insn in, String name, Runnable operation) {
        update(name, in.opSize, () -> operand(in));
        code.lload(Frame.VALUE);
        operand(in);
        operation.run();
        if (in.opSize == 4) {
            f.signExtend32();
        }
        code.lstore(Frame.A);
        flags.kind = FlagKind.LOGIC;
    }

    private void count(Insn in, boolean up) {
        boolean narrow = in.opSize == 4;
        update("getAndAdd", in.opSize, () -> code.loadConstant(up ? 1L : -1L));
        flags.pushAux();
        code.lstore(Frame.AUX).lload(Frame.VALUE).loadConstant(narrow ? 32 : 0).lload(Frame.AUX);
        f.alu(up ? "auxInc" : "auxDec", Frame.J_JIJ);
        code.lstore(Frame.AUX).lload(Frame.VALUE).loadConstant(up ? 1L : -1L).ladd();
        if (narrow) {
            f.signExtend32();
        }
        code.lstore(Frame.RESULT);
        flags.kind = FlagKind.STORED;
    }

    private void compareAndExchange(Insn in) {
        boolean narrow = in.opSize == 4;
        f.memory();
        code.lload(Frame.OFFSET);
        f.get(RAX);
        f.get(in.reg1);
        f.runtime("compareAndExchange" + 8 * in.opSize, EXCHANGE);
        code.lstore(Frame.B);
        f.get(RAX);
        if (narrow) {
            f.zeroExtend32();
        }
        code.lstore(Frame.A);
        flags.kind = narrow ? FlagKind.SUB32 : FlagKind.SUB64;
        Label equal = code.newLabel();
        code.lload(Frame.A).lload(Frame.B).lcmp().ifeq(equal);
        code.lload(Frame.B);
        f.set(RAX);
        code.labelBinding(equal);
    }
}
