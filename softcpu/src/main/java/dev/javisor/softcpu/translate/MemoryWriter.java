package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.util.Objects;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Bytecode for loads and stores: a look into the soft TLB, then one access. What the TLB does not
 * permit at once (a miss, a crossing of pages, MMIO, code pages) leaves the region before the
 * instruction.
 */
final class MemoryWriter {
    private final Frame f;
    private final CodeBuilder code;

    /** Instruction whose address and slot are still in the locals, checked for writing. */
    private long checkedIp = -1;

    MemoryWriter(Frame frame) {
        f = frame;
        code = frame.code;
    }

    /** Pushes the memory operand's offset without its segment's base. */
    void pushOffset(Insn in) {
        boolean any = false;
        if (in.base != Insn.ZERO) {
            f.get(in.base);
            any = true;
        }
        if (in.index != Insn.ZERO) {
            f.get(in.index);
            if (in.scale != 0) {
                code.loadConstant((int) in.scale).lshl();
            }
            if (any) {
                code.ladd();
            }
            any = true;
        }
        if (in.disp != 0 || !any) {
            f.constant(in.disp);
            if (any) {
                code.ladd();
            }
        }
    }

    /** Pushes the memory operand's linear address; only FS and GS have bases in 64-bit mode. */
    private void pushLinear(Insn in) {
        pushOffset(in);
        if (in.seg == Seg.FS || in.seg == Seg.GS) {
            code.aload(Frame.CPU_LOCAL).getfield(Frame.CPU, "linearBase", Frame.LONGS);
            code.loadConstant((int) in.seg).laload().ladd();
        }
    }

    /** Pushes the zero-extended memory operand. */
    void load(Insn in, int sizeBytes, Label miss) {
        pushLinear(in);
        code.lstore(Frame.ADDRESS);
        check(sizeBytes, false, miss);
        loadChecked(sizeBytes);
    }

    /** As {@link #load}, with the right to store to the same place in the same instruction. */
    void loadForStore(Insn in, int sizeBytes, Label miss) {
        pushLinear(in);
        code.lstore(Frame.ADDRESS);
        check(sizeBytes, true, miss);
        loadChecked(sizeBytes);
        checkedIp = in.ip;
    }

    /** Pushes what is at the address on the stack. */
    void loadAt(int sizeBytes, Label miss) {
        code.lstore(Frame.ADDRESS);
        check(sizeBytes, false, miss);
        loadChecked(sizeBytes);
    }

    /** Pops the address and makes sure that it may be stored to: {@link #storeChecked} follows. */
    void checkStoreAt(int sizeBytes, Label miss) {
        code.lstore(Frame.ADDRESS);
        check(sizeBytes, true, miss);
    }

    /**
     * Makes sure that the memory operand may be stored to: {@link #storeChecked} follows. Nothing
     * is to be done, and {@code miss} may be null, where it was loaded for storing.
     */
    void checkStore(Insn in, int sizeBytes, @Nullable Label miss) {
        if (checkedIp == in.ip) {
            checkedIp = -1;
            return;
        }
        Objects.requireNonNull(miss, "not loaded for storing");
        pushLinear(in);
        code.lstore(Frame.ADDRESS);
        check(sizeBytes, true, miss);
    }

    /** Pushes the low and the high half of the memory operand. */
    void load128(Insn in, boolean aligned, Label miss) {
        pushLinear(in);
        code.lstore(Frame.ADDRESS);
        checkAligned(aligned, miss);
        check(16, false, miss);
        loadChecked(8);
        code.lload(Frame.ADDRESS).loadConstant(8L).ladd().lstore(Frame.ADDRESS);
        loadChecked(8);
    }

    /** Stores what {@code half} pushes for 0 and 1. */
    void store128(Insn in, boolean aligned, Label miss, IntConsumer half) {
        pushLinear(in);
        code.lstore(Frame.ADDRESS);
        checkAligned(aligned, miss);
        check(16, true, miss);
        storeChecked(8, () -> half.accept(0));
        code.lload(Frame.ADDRESS).loadConstant(8L).ladd().lstore(Frame.ADDRESS);
        storeChecked(8, () -> half.accept(1));
    }

    /** Leaves if the address is not a multiple of 16: the instruction will fault. */
    private void checkAligned(boolean aligned, Label miss) {
        if (aligned) {
            code.lload(Frame.ADDRESS).loadConstant(15L).land().lconst_0().lcmp().ifne(miss);
        }
    }

    /** Leaves if the entry's tag is not the page of the access's last byte. */
    private void check(int sizeBytes, boolean write, Label miss) {
        checkedIp = -1;
        code.lload(Frame.ADDRESS);
        f.runtime("slot", Frame.I_J);
        code.istore(Frame.SLOT);
        f.tlb();
        code.iload(Frame.SLOT);
        if (write) {
            code.iconst_1().iadd();
        }
        code.laload().lload(Frame.ADDRESS);
        if (sizeBytes > 1) {
            code.loadConstant((long) sizeBytes - 1).ladd();
        }
        code.loadConstant(-4096L).land().lcmp().ifne(miss);
    }

    private void loadChecked(int sizeBytes) {
        f.memory();
        f.tlb();
        code.iload(Frame.SLOT).lload(Frame.ADDRESS);
        f.runtime("load" + 8 * sizeBytes, Frame.LOAD);
    }

    /** Stores what {@code value} pushes to the address that was checked last. */
    void storeChecked(int sizeBytes, Runnable value) {
        f.memory();
        f.tlb();
        code.iload(Frame.SLOT).lload(Frame.ADDRESS);
        value.run();
        f.runtime("store" + 8 * sizeBytes, Frame.STORE);
    }
}
