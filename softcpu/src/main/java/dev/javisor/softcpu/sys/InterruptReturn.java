package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;

/** IRET, IRETD, IRETQ in every mode (SDM 2A "IRET"). */
final class InterruptReturn {
    private InterruptReturn() {}

    static void execute(Cpu cpu, Insn in) {
        int size = in.opSize;
        if (!cpu.protectedMode) {
            returnReal(cpu, size);
        } else if (cpu.virtual8086) {
            returnVirtual8086(cpu, size);
        } else if ((cpu.flags.system & Flags.NT) != 0) {
            if (cpu.longModeActive()) {
                throw cpu.gp0();
            }
            TaskSwitch.nestedReturn(cpu);
        } else {
            returnProtected(cpu, size);
        }
        cpu.nmiMasked = false;
    }

    private static void returnReal(Cpu cpu, int size) {
        long ip = Frames.peek(cpu, 0, size);
        int cs = (int) Frames.peek(cpu, 1, size) & 0xFFFF;
        long flags = Frames.peek(cpu, 2, size);
        if (ip > cpu.segLimit[Seg.CS]) {
            throw cpu.gp0();
        }
        Frames.setStackPointer(cpu, cpu.stackMask, cpu.regs[4] + 3L * size);
        int mask = FarTransfers.writableFlags(cpu, size) & ~(Flags.VIF | Flags.VIP);
        setFlags(cpu, flags, mask);
        Segments.loadReal(cpu, Seg.CS, cs);
        cpu.rip = ip;
        cpu.updateMode();
    }

    private static void returnVirtual8086(Cpu cpu, int size) {
        boolean iopl3 = (cpu.flags.system & Flags.IOPL) == Flags.IOPL;
        boolean vme = (cpu.cr4 & Cpu.CR4_VME) != 0;
        if (!iopl3 && (!vme || size != 2)) {
            throw cpu.gp0();
        }
        long ip = Frames.peek(cpu, 0, size);
        int cs = (int) Frames.peek(cpu, 1, size) & 0xFFFF;
        long flags = Frames.peek(cpu, 2, size);
        if (ip > cpu.segLimit[Seg.CS]) {
            throw cpu.gp0();
        }
        int mask = Flags.STATUS | Flags.TF | Flags.DF | Flags.NT;
        if (iopl3) {
            mask |= Flags.IF;
            if (size > 2) {
                mask |= Flags.RF | Flags.AC | Flags.ID;
            }
        } else {
            boolean enable = (flags & Flags.IF) != 0;
            boolean pending = (cpu.flags.system & Flags.VIP) != 0;
            if ((flags & Flags.TF) != 0 || (enable && pending)) {
                throw cpu.gp0();
            }
            flags = enable ? flags | Flags.VIF : flags & ~Flags.VIF;
            mask |= Flags.VIF;
        }
        Frames.setStackPointer(cpu, cpu.stackMask, cpu.regs[4] + 3L * size);
        setFlags(cpu, flags, mask);
        Segments.loadReal(cpu, Seg.CS, cs);
        cpu.rip = ip;
        cpu.updateMode();
    }

    private static void returnProtected(Cpu cpu, int size) {
        long ip = Frames.peek(cpu, 0, size);
        int cs = (int) Frames.peek(cpu, 1, size) & 0xFFFF;
        long flags = Frames.peek(cpu, 2, size);
        boolean toVm = (flags & Flags.VM) != 0 && size == 4;
        if (toVm && cpu.cpl == 0 && !cpu.longModeActive()) {
            returnToVirtual8086(cpu, ip, cs, flags);
            return;
        }
        long code = FarTransfers.returnCode(cpu, cs);
        int newCpl = cs & 3;
        int mask = FarTransfers.writableFlags(cpu, size);
        if (newCpl == cpu.cpl && !cpu.long64) {
            Segments.checkTarget(cpu, code, ip, 0);
            Descriptor.setAccessed(cpu, cs, code);
            Frames.setStackPointer(cpu, cpu.stackMask, cpu.regs[4] + 3L * size);
            setFlags(cpu, flags, mask);
            Segments.setCode(cpu, cs, code, ip);
            cpu.updateMode();
            return;
        }
        long sp = Frames.peek(cpu, 3, size);
        int ss = (int) Frames.peek(cpu, 4, size) & 0xFFFF;
        long stack = FarTransfers.returnStack(cpu, ss, newCpl, code);
        Segments.checkTarget(cpu, code, ip, 0);
        Descriptor.setAccessed(cpu, cs, code);
        setFlags(cpu, flags, mask);
        Segments.setCode(cpu, cs, code, ip);
        FarTransfers.outer(cpu, ss, stack, sp, newCpl);
    }

    private static void returnToVirtual8086(Cpu cpu, long ip, int cs, long flags) {
        long sp = Frames.peek(cpu, 3, 4);
        int ss = (int) Frames.peek(cpu, 4, 4) & 0xFFFF;
        int es = (int) Frames.peek(cpu, 5, 4) & 0xFFFF;
        int ds = (int) Frames.peek(cpu, 6, 4) & 0xFFFF;
        int fs = (int) Frames.peek(cpu, 7, 4) & 0xFFFF;
        int gs = (int) Frames.peek(cpu, 8, 4) & 0xFFFF;
        if (ip > 0xFFFF) {
            throw cpu.gp0();
        }
        setFlags(cpu, flags, Flags.STATUS | Flags.SYSTEM);
        Segments.setVirtual8086(cpu, Seg.CS, cs);
        Segments.setVirtual8086(cpu, Seg.SS, ss);
        Segments.setVirtual8086(cpu, Seg.ES, es);
        Segments.setVirtual8086(cpu, Seg.DS, ds);
        Segments.setVirtual8086(cpu, Seg.FS, fs);
        Segments.setVirtual8086(cpu, Seg.GS, gs);
        cpu.rip = ip;
        cpu.regs[4] = sp;
        cpu.updateMode();
    }

    /** Replaces the bits in {@code mask}. Those not in it, and VM unless in it, stay. */
    private static void setFlags(Cpu cpu, long value, int mask) {
        cpu.flags.setRflags((cpu.flags.rflags() & ~mask) | (value & mask));
    }
}
