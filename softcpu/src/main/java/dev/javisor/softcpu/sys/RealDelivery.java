package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;

/**
 * Event delivery through an interrupt vector table of far pointers: real-address mode, and software
 * interrupts in virtual-8086 mode that VME redirects (SDM 3B §22.1.4, §22.3.3).
 */
final class RealDelivery {
    private RealDelivery() {}

    static void deliver(Cpu cpu, int vector) {
        if (vector * 4 + 3 > cpu.idtLimit) {
            throw cpu.fault(GuestFault.GP, Interrupts.idtError(vector, 1));
        }
        long pointer = cpu.mmu.readSystem((cpu.idtBase + vector * 4L) & 0xFFFFFFFFL, 4);
        enter(cpu, pointer, cpu.flags.rflags());
        cpu.flags.system &= ~(Flags.IF | Flags.TF | Flags.AC | Flags.RF);
        cpu.updateMode();
    }

    private static void enter(Cpu cpu, long pointer, long pushedFlags) {
        long[] frame = cpu.scratch;
        frame[0] = pushedFlags & 0xFFFF;
        frame[1] = cpu.segSelector[Seg.CS];
        frame[2] = cpu.rip & 0xFFFF;
        long sp = Frames.pushCurrent(cpu, 2, 3, 0);
        Frames.setStackPointer(cpu, cpu.stackMask, sp);
        Segments.loadReal(cpu, Seg.CS, (int) (pointer >>> 16));
        cpu.rip = pointer & 0xFFFF;
    }

    /**
     * INT n in virtual-8086 mode.
     *
     * @return false if it goes through the IDT
     * @throws GuestFault #GP(0) if it may not
     */
    static boolean redirected(Cpu cpu, int vector) {
        boolean iopl3 = (cpu.flags.system & Flags.IOPL) == Flags.IOPL;
        if ((cpu.cr4 & Cpu.CR4_VME) == 0 || isMonitored(cpu, vector)) {
            if (!iopl3) {
                throw cpu.gp0();
            }
            return false;
        }
        long flags = cpu.flags.rflags();
        if (!iopl3) {
            // The program sees VIF as IF, and IOPL 3.
            flags = (flags & ~Flags.IF) | Flags.IOPL;
            if ((flags & Flags.VIF) != 0) {
                flags |= Flags.IF;
            }
        }
        long pointer = cpu.mmu.read(vector * 4L, 4);
        enter(cpu, pointer, flags);
        cpu.flags.system &= ~(Flags.TF | Flags.RF | (iopl3 ? Flags.IF : Flags.VIF));
        cpu.updateMode();
        return true;
    }

    /** The software interrupt redirection bitmap: 32 bytes below the I/O map of the TSS. */
    private static boolean isMonitored(Cpu cpu, int vector) {
        if (cpu.segLimit[Seg.TR] < 103) {
            throw cpu.gp0();
        }
        long tss = cpu.segBase[Seg.TR];
        long map = cpu.mmu.readSystem(tss + 102, 2) - 32;
        long at = map + (vector >>> 3);
        if (at < 0 || at > cpu.segLimit[Seg.TR]) {
            throw cpu.gp0();
        }
        return (cpu.mmu.readSystem(tss + at, 1) & (1L << (vector & 7))) != 0;
    }
}
