package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;

/** PUSH, POP and their multiples, flags on the stack, ENTER and LEAVE. */
final class StackOps {
    private StackOps() {}

    /** PUSH rSP pushes the value from before; a memory operand based on rSP likewise. */
    static void push(Cpu cpu, Insn in) {
        cpu.push(in.opSize, cpu.read(in, in.kind0, in.reg0, in.opSize));
    }

    /** A memory operand based on rSP is addressed after the increment. */
    static void pop(Cpu cpu, Insn in) {
        int size = in.opSize;
        if (in.kind0 != Insn.MEM) {
            cpu.setReg(in.reg0, size, cpu.pop(size));
            return;
        }
        long before = cpu.regs[4];
        long value = cpu.pop(size);
        boolean done = false;
        try {
            cpu.mmu.write(cpu.linear(in, size, true), size, value);
            done = true;
        } finally {
            if (!done) {
                cpu.regs[4] = before;
            }
        }
    }

    static void pusha(Cpu cpu, Insn in) {
        int size = in.opSize;
        long sp = cpu.regs[4];
        for (int i = 0; i < 8; i++) {
            cpu.mmu.probeWrite(slot(cpu, sp - (i + 1) * size, size, true), size);
        }
        for (int i = 0; i < 8; i++) {
            long linear = slot(cpu, sp - (i + 1) * size, size, true);
            cpu.mmu.write(linear, size, cpu.regs[i]);
        }
        cpu.setStackPointer((sp - 8 * size) & cpu.stackMask);
    }

    /** SP's slot is skipped. */
    static void popa(Cpu cpu, Insn in) {
        int size = in.opSize;
        long sp = cpu.regs[4];
        for (int i = 0; i < 8; i++) {
            cpu.mmu.read(slot(cpu, sp + i * size, size, false), size);
        }
        for (int i = 0; i < 8; i++) {
            if (i != 3) {
                long linear = slot(cpu, sp + i * size, size, false);
                cpu.setReg(7 - i, size, cpu.mmu.read(linear, size));
            }
        }
        cpu.setStackPointer((sp + 8 * size) & cpu.stackMask);
    }

    private static long slot(Cpu cpu, long offset, int size, boolean write) {
        return cpu.linear(Seg.SS, offset & cpu.stackMask, size, write);
    }

    static void pushf(Cpu cpu, Insn in) {
        int size = in.opSize;
        long image = cpu.flags.rflags() & ~(Flags.RF | Flags.VM);
        if (cpu.virtual8086 && (image & Flags.IOPL) != Flags.IOPL) {
            if (size != 2 || (cpu.cr4 & Cpu.CR4_VME) == 0) {
                throw cpu.gp0();
            }
            // SDM 3B §22.3: the image shows VIF as IF, and IOPL 3.
            image = (image & ~Flags.IF) | Flags.IOPL;
            image |= (cpu.flags.system & Flags.VIF) != 0 ? Flags.IF : 0;
        }
        cpu.push(size, image);
    }

    static void popf(Cpu cpu, Insn in) {
        int size = in.opSize;
        Flags flags = cpu.flags;
        int old = flags.system;
        boolean iopl3 = (old & Flags.IOPL) == Flags.IOPL;
        if (cpu.virtual8086 && !iopl3) {
            popfVirtual(cpu, size);
            return;
        }
        int writable = Flags.TF | Flags.DF | Flags.NT;
        if (cpu.cpl == 0) {
            writable |= Flags.IOPL;
        }
        if (cpu.cpl <= (old & Flags.IOPL) >> 12) {
            writable |= Flags.IF;
        }
        if (size != 2) {
            writable |= Flags.AC | Flags.ID;
        }
        int image = (int) cpu.pop(size);
        flags.setStatus(image);
        // RF is cleared by the 32- and 64-bit forms; nothing can have left it set here.
        flags.system = (old & ~writable & ~Flags.RF) | (image & writable);
        if (((old ^ flags.system) & Flags.AC) != 0) {
            cpu.mmu.selectContext();
        }
    }

    /** Virtual-8086 mode with IOPL below 3: only with CR4.VME, and IF is VIF (SDM 3B §22.3). */
    private static void popfVirtual(Cpu cpu, int size) {
        if (size != 2 || (cpu.cr4 & Cpu.CR4_VME) == 0) {
            throw cpu.gp0();
        }
        Flags flags = cpu.flags;
        long linear = slot(cpu, cpu.regs[4], 2, false);
        int image = (int) cpu.mmu.read16(linear);
        boolean pending = (flags.system & Flags.VIP) != 0 && (image & Flags.IF) != 0;
        if (pending || (image & Flags.TF) != 0) {
            throw cpu.gp0();
        }
        cpu.setStackPointer((cpu.regs[4] + 2) & cpu.stackMask);
        flags.setStatus(image);
        int writable = Flags.DF | Flags.NT | Flags.TF;
        int vif = (image & Flags.IF) != 0 ? Flags.VIF : 0;
        flags.system = (flags.system & ~writable & ~Flags.VIF) | (image & writable) | vif;
    }

    /**
     * Faults before any effect, as a store at the final stack pointer would too (SDM 2A, ENTER).
     * The stack's width addresses, the operand size sizes the elements.
     */
    static void enter(Cpu cpu, Insn in) {
        int size = in.opSize;
        Mmu mmu = cpu.mmu;
        int level = in.imm2 & 31;
        long sp = cpu.regs[4];
        long bp = cpu.regs[5];
        long frame = (sp - size) & cpu.stackMask;
        long end = frame - (long) level * size - (in.imm & 0xFFFF);
        int elements = level + 1;
        for (int i = 1; i <= elements; i++) {
            mmu.probeWrite(slot(cpu, sp - (long) i * size, size, true), size);
        }
        for (int i = 1; i < level; i++) {
            mmu.read(slot(cpu, bp - (long) i * size, size, false), size);
        }
        mmu.probeWrite(slot(cpu, end, size, true), size);

        mmu.write(slot(cpu, frame, size, true), size, bp);
        for (int i = 1; i < level; i++) {
            long outer = mmu.read(slot(cpu, bp - (long) i * size, size, false), size);
            mmu.write(slot(cpu, frame - (long) i * size, size, true), size, outer);
        }
        if (level > 0) {
            mmu.write(slot(cpu, frame - (long) level * size, size, true), size, frame);
        }
        cpu.setReg(5, size, frame);
        cpu.setStackPointer(end & cpu.stackMask);
    }

    static void leave(Cpu cpu, Insn in) {
        int size = in.opSize;
        long offset = cpu.regs[5] & cpu.stackMask;
        long value = cpu.mmu.read(slot(cpu, offset, size, false), size);
        cpu.setStackPointer((offset + size) & cpu.stackMask);
        cpu.setReg(5, size, value);
    }
}
