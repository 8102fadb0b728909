package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.Uop;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * Which of a region's accesses keep the page that they used last, and its place, in locals: most
 * accesses by one base register stay in one page for long, and then need not look into the soft
 * TLB. Accesses are grouped by base register and by direction; the groups with most accesses get
 * locals, few because each takes two of the JIT's registers.
 */
final class PageSlots {
    /** Accesses that push and pop. */
    static final int STACK = 4;

    private static final int GROUPS = 32;
    private static final int MAX = 3;

    private final int[] slotOf = new int[GROUPS * 2];
    private int count;

    PageSlots(RegionShape shape) {
        long[] weights = new long[GROUPS * 2];
        for (Block b : shape.blocks) {
            for (Insn in : b.code) {
                count(in, shape.heat(b), weights);
            }
        }
        Arrays.fill(slotOf, -1);
        IntStream.range(0, weights.length)
                .filter(group -> weights[group] > 0)
                .boxed()
                .sorted(Comparator.comparingLong(group -> -weights[group]))
                .limit(MAX)
                .forEach(group -> slotOf[group] = count++);
    }

    private static void count(Insn in, int heat, long[] weights) {
        switch (in.uop) {
            case Uop.PUSH_R, Uop.PUSH_I, Uop.CALL_REL, Uop.CALL_R, Uop.POP_R, Uop.RET, Uop.LEAVE ->
                    weights[2 * STACK] += heat + 1;
            case Uop.LEA_R, Uop.LEA_E -> {}
            default -> {
                if (in.kind0 == Insn.MEM || in.kind1 == Insn.MEM) {
                    weights[group(key(in), isStore(in))] += heat + 1;
                }
            }
        }
    }

    private static boolean isStore(Insn in) {
        return in.kind0 == Insn.MEM
                || (in.uop >= Uop.STORE64 && in.uop <= Uop.STORE8_I)
                || in.uop == Uop.LOADW64
                || in.uop == Uop.LOADW32;
    }

    /** Group of a memory operand. */
    static int key(Insn in) {
        return in.seg == Seg.FS || in.seg == Seg.GS ? 20 + in.seg : in.base;
    }

    /** The stack is read where it was written, so that both are one group, which needs both. */
    private static int group(int key, boolean write) {
        return 2 * key + (write && key != STACK ? 1 : 0);
    }

    /** Number of the locals for a group, or -1. */
    int of(int key, boolean write) {
        return slotOf[group(key, write)];
    }

    int count() {
        return count;
    }
}
