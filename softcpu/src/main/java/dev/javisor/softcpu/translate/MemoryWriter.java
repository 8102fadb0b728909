package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.core.Ram;
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
    /** The page of no access. */
    private static final long NO_PAGE = 1;

    private final Frame f;
    private final CodeBuilder code;
    private final PageSlots slots;

    private final Ram ram;

    /** Instruction whose address and slot are still in the locals, checked for writing. */
    private long checkedIp = -1;

    /** Group of accesses that the present one is of: see {@link PageSlots}. */
    private int key;

    MemoryWriter(Frame frame, PageSlots slots, Ram ram) {
        f = frame;
        this.slots = slots;
        this.ram = ram;
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
        key = PageSlots.key(in);
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

    /** Pushes what is at the address, of the stack, that is on the stack. */
    void loadAt(int sizeBytes, Label miss) {
        key = PageSlots.STACK;
        code.lstore(Frame.ADDRESS);
        check(sizeBytes, false, miss);
        loadChecked(sizeBytes);
    }

    /**
     * Pops the address, of the stack, and makes sure that it may be stored to: {@link
     * #storeChecked} follows.
     */
    void checkStoreAt(int sizeBytes, Label miss) {
        key = PageSlots.STACK;
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

    /** Loads 16 or 32 bytes of the memory operand into locals from {@code local} on. */
    void loadVector(Insn in, int sizeBytes, boolean aligned, Label miss, int local) {
        pushLinear(in);
        code.lstore(Frame.ADDRESS);
        checkAligned(sizeBytes, aligned, miss);
        check(sizeBytes, false, miss);
        for (int at = 0; at < sizeBytes; at += 8) {
            skip(at);
            loadChecked(8);
            code.lstore(local + at / 4);
        }
    }

    /** Stores 16 or 32 bytes: what {@code word} pushes for 0, 1 and so on. */
    void storeVector(Insn in, int sizeBytes, boolean aligned, Label miss, IntConsumer word) {
        pushLinear(in);
        code.lstore(Frame.ADDRESS);
        checkAligned(sizeBytes, aligned, miss);
        check(sizeBytes, true, miss);
        for (int at = 0; at < sizeBytes; at += 8) {
            int n = at / 8;
            skip(at);
            storeChecked(8, () -> word.accept(n));
        }
    }

    private void skip(int at) {
        if (at != 0) {
            code.lload(Frame.OFFSET).loadConstant(8L).ladd().lstore(Frame.OFFSET);
        }
    }

    /** Leaves if the address is not a multiple of the size: the instruction will fault. */
    private void checkAligned(int sizeBytes, boolean aligned, Label miss) {
        if (aligned) {
            code.lload(Frame.ADDRESS).loadConstant(sizeBytes - 1L).land();
            code.lconst_0().lcmp().ifne(miss);
        }
    }

    /**
     * Leaves if the access is not to one page whose entry permits it; else computes its offset in
     * the backing. The mask, or else the bounds, are such that the JIT finds checked what the
     * segment will check, and so no exception that a loop would have to keep its registers for.
     */
    private void check(int sizeBytes, boolean write, Label miss) {
        checkedIp = -1;
        code.lload(Frame.ADDRESS);
        if (sizeBytes > 1) {
            code.loadConstant((long) sizeBytes - 1).ladd();
        }
        code.loadConstant(-4096L).land().lstore(Frame.PAGE);
        int slot = slots.of(key, write);
        if (slot < 0) {
            probe(write, miss);
            pushAddend();
        } else {
            Label known = code.newLabel();
            code.lload(Frame.PAGE).lload(page(slot)).lcmp().ifeq(known);
            probe(write || key == PageSlots.STACK, miss);
            pushAddend();
            code.lstore(addend(slot));
            code.labelBinding(known);
            // On both ways: so the JIT sees that the next access by the same address is the same.
            code.lload(Frame.PAGE).lstore(page(slot));
            code.lload(addend(slot));
        }
        code.lload(Frame.ADDRESS).ladd();
        if (ram.offsetMask != Ram.NO_MASK) {
            code.loadConstant(ram.offsetMask).land().lstore(Frame.OFFSET);
        } else {
            code.lstore(Frame.OFFSET);
            checkBounds(sizeBytes, miss);
        }
    }

    private void checkBounds(int sizeBytes, Label miss) {
        long end = ram.backing.byteSize() - Math.min(sizeBytes, 8) + 1;
        for (int at = 0; at < sizeBytes; at += 8) {
            pushOffset(at);
            code.lconst_0().lcmp().iflt(miss);
            pushOffset(at);
            code.loadConstant(end).lcmp().ifge(miss);
        }
    }

    private void pushOffset(int at) {
        code.lload(Frame.OFFSET);
        if (at != 0) {
            code.loadConstant((long) at).ladd();
        }
    }

    /** Leaves if the soft TLB's entry is not for the page. */
    private void probe(boolean write, Label miss) {
        code.lload(Frame.ADDRESS);
        f.runtime("slot", Frame.I_J);
        code.istore(Frame.SLOT);
        f.tlb();
        code.iload(Frame.SLOT);
        if (write) {
            code.iconst_1().iadd();
        }
        code.laload().lload(Frame.PAGE).lcmp().ifne(miss);
    }

    private void pushAddend() {
        f.tlb();
        code.iload(Frame.SLOT).iconst_2().iadd().laload();
    }

    private static int page(int slot) {
        return Frame.SLOTS + 4 * slot;
    }

    private static int addend(int slot) {
        return Frame.SLOTS + 4 * slot + 2;
    }

    /** After what may have changed the soft TLB, and at the region's entry. */
    void forgetPages() {
        for (int slot = 0; slot < slots.count(); slot++) {
            code.loadConstant(NO_PAGE).lstore(page(slot));
            code.lconst_0().lstore(addend(slot));
        }
    }

    private void loadChecked(int sizeBytes) {
        f.memory();
        code.lload(Frame.OFFSET);
        f.runtime("load" + 8 * sizeBytes, Frame.LOAD);
    }

    /** Stores what {@code value} pushes to the address that was checked last. */
    void storeChecked(int sizeBytes, Runnable value) {
        f.memory();
        code.lload(Frame.OFFSET);
        value.run();
        f.runtime("store" + 8 * sizeBytes, Frame.STORE);
    }
}
