package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;

/** Stack frames of events and far transfers: all of a frame is written, or none of it. */
final class Frames {
    /** {@code mask} of a stack in 64-bit mode. */
    static final long MASK64 = -1L;

    private Frames() {}

    static long maskOf(int ssAttributes) {
        return (ssAttributes & Seg.DB) != 0 ? 0xFFFFFFFFL : 0xFFFFL;
    }

    /**
     * Pushes {@code cpu.scratch[0 .. count-1]} in that order, with the rights of level {@code cpl}.
     *
     * @param mask of the stack pointer; {@link #MASK64} means 64-bit mode: no base, no limit
     * @param sp stack pointer before the pushes
     * @param errorCode of the #SS if the frame does not fit
     * @return the stack pointer after them, truncated to {@code mask}
     */
    static long push(
            Cpu cpu,
            int cpl,
            long base,
            long limit,
            int attributes,
            long mask,
            long sp,
            int sizeBytes,
            int count,
            int errorCode) {
        int oldCpl = cpu.cpl;
        cpu.cpl = cpl;
        cpu.mmu.selectContext();
        try {
            for (int i = 1; i <= count; i++) {
                long offset = (sp - (long) i * sizeBytes) & mask;
                checkSlot(cpu, limit, attributes, mask, offset, sizeBytes, errorCode);
                cpu.mmu.probeWrite(linear(base, mask, offset), sizeBytes);
            }
            for (int i = 1; i <= count; i++) {
                long offset = (sp - (long) i * sizeBytes) & mask;
                cpu.mmu.write(linear(base, mask, offset), sizeBytes, cpu.scratch[i - 1]);
            }
        } finally {
            cpu.cpl = oldCpl;
            cpu.mmu.selectContext();
        }
        return (sp - (long) count * sizeBytes) & mask;
    }

    /** As {@link #push} on the current stack at the current level. */
    static long pushCurrent(Cpu cpu, int sizeBytes, int count, int errorCode) {
        return push(
                cpu,
                cpu.cpl,
                cpu.segBase[Seg.SS],
                cpu.segLimit[Seg.SS],
                stackAttributes(cpu),
                cpu.stackMask,
                cpu.regs[4],
                sizeBytes,
                count,
                errorCode);
    }

    /** SS's attributes as its limit check needs them: never expand-down in real mode. */
    private static int stackAttributes(Cpu cpu) {
        int a = cpu.segAttributes[Seg.SS];
        return cpu.protectedMode && !cpu.virtual8086 ? a : a & ~Seg.DC;
    }

    private static long linear(long base, long mask, long offset) {
        return mask == MASK64 ? offset : (base + offset) & 0xFFFFFFFFL;
    }

    private static void checkSlot(
            Cpu cpu, long limit, int attributes, long mask, long offset, int size, int errorCode) {
        long last = offset + size - 1;
        boolean ok;
        if (mask == MASK64) {
            ok = cpu.isCanonical(offset) && cpu.isCanonical(last);
        } else if ((attributes & Seg.DC) != 0) {
            ok = offset > limit && last <= maskOf(attributes);
        } else {
            ok = last <= limit;
        }
        if (!ok) {
            throw cpu.fault(GuestFault.SS, errorCode);
        }
    }

    /** Reads the n-th slot above the stack pointer, without popping it. */
    static long peek(Cpu cpu, int index, int sizeBytes) {
        long offset = (cpu.regs[4] + (long) index * sizeBytes) & cpu.stackMask;
        return read(cpu, offset, sizeBytes);
    }

    /** Reads at an offset of the current stack. */
    static long read(Cpu cpu, long offset, int sizeBytes) {
        if (cpu.long64 && !cpu.isCanonical(offset + sizeBytes - 1)) {
            throw cpu.fault(GuestFault.SS, 0);
        }
        return cpu.mmu.read(cpu.linear(Seg.SS, offset, sizeBytes, false), sizeBytes);
    }

    /**
     * Replaces the stack pointer by a new stack's width: the upper half of ESP survives on 16-bit
     * stacks.
     */
    static void setStackPointer(Cpu cpu, long mask, long sp) {
        cpu.regs[4] = mask == 0xFFFF ? (cpu.regs[4] & ~0xFFFFL) | (sp & 0xFFFF) : sp & mask;
    }
}
