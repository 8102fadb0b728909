package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;

/** SYSCALL, SYSRET, SYSENTER, SYSEXIT (SDM 3A §6.8.7, §6.8.8; AMD APM 2 §6.1). */
final class FastCalls {
    /** Present, S, execute/read, accessed; DPL and size are added. */
    private static final int CODE = Seg.PRESENT | Seg.S | Seg.CODE | Seg.RW | Seg.ACCESSED | Seg.G;

    private static final int DATA = Seg.PRESENT | Seg.S | Seg.RW | Seg.ACCESSED | Seg.G | Seg.DB;

    private static final int DPL3 = 3 << Seg.DPL_SHIFT;
    private static final long FLAT = 0xFFFFFFFFL;

    private FastCalls() {}

    static void syscall(Cpu cpu) {
        if ((cpu.efer & Cpu.EFER_SCE) == 0 || !cpu.protectedMode || cpu.virtual8086) {
            throw cpu.ud();
        }
        int selector = (int) (cpu.star >>> 32) & 0xFFFC;
        if (cpu.longModeActive()) {
            cpu.regs[1] = cpu.rip;
            cpu.regs[11] = cpu.flags.rflags() & ~Flags.RF;
            if ((cpu.sfmask & Flags.TF) != 0) {
                DebugRegisters.enteringHandler(cpu);
            }
            cpu.rip = cpu.long64 ? cpu.lstar : cpu.cstar;
            long kept = cpu.flags.rflags() & ~(cpu.sfmask | Flags.RF);
            cpu.flags.setRflags(kept);
            setFlat(cpu, Seg.CS, selector, CODE | Seg.L);
        } else {
            cpu.regs[1] = cpu.rip & FLAT;
            cpu.rip = cpu.star & FLAT;
            cpu.flags.system &= ~(Flags.VM | Flags.IF | Flags.RF);
            setFlat(cpu, Seg.CS, selector, CODE | Seg.DB);
        }
        setFlat(cpu, Seg.SS, selector + 8, DATA);
        cpu.updateMode();
    }

    static void sysret(Cpu cpu, Insn in) {
        if ((cpu.efer & Cpu.EFER_SCE) == 0 || !cpu.protectedMode || cpu.virtual8086) {
            throw cpu.ud();
        }
        if (cpu.cpl != 0) {
            throw cpu.gp0();
        }
        int selector = (int) (cpu.star >>> 48) & 0xFFFC;
        boolean to64 = in.opSize == 8;
        if (cpu.long64) {
            int mask = Flags.STATUS | Flags.SYSTEM & ~(Flags.RF | Flags.VM);
            cpu.flags.setRflags(cpu.regs[11] & mask);
        } else {
            cpu.flags.system |= Flags.IF;
        }
        // A non-canonical RCX faults when it is fetched from, at level 3, as on AMD's processors.
        cpu.rip = to64 ? cpu.regs[1] : cpu.regs[1] & FLAT;
        if (to64) {
            setFlat(cpu, Seg.CS, (selector + 16) | 3, CODE | Seg.L | DPL3);
        } else {
            setFlat(cpu, Seg.CS, selector | 3, CODE | Seg.DB | DPL3);
        }
        setFlat(cpu, Seg.SS, (selector + 8) | 3, DATA | DPL3);
        cpu.updateMode();
    }

    static void sysenter(Cpu cpu) {
        int selector = (int) cpu.sysenterCs & 0xFFFC;
        if (!cpu.protectedMode || selector == 0) {
            throw cpu.gp0();
        }
        boolean lma = cpu.longModeActive();
        cpu.flags.system &= ~(Flags.VM | Flags.IF | Flags.RF);
        cpu.regs[4] = lma ? cpu.sysenterEsp : cpu.sysenterEsp & FLAT;
        cpu.rip = lma ? cpu.sysenterEip : cpu.sysenterEip & FLAT;
        setFlat(cpu, Seg.CS, selector, CODE | (lma ? Seg.L : Seg.DB));
        setFlat(cpu, Seg.SS, selector + 8, DATA);
        cpu.updateMode();
    }

    static void sysexit(Cpu cpu, Insn in) {
        int selector = (int) cpu.sysenterCs & 0xFFFC;
        if (!cpu.protectedMode || cpu.virtual8086 || cpu.cpl != 0 || selector == 0) {
            throw cpu.gp0();
        }
        long ip = cpu.regs[2];
        long sp = cpu.regs[1];
        if (in.opSize == 8) {
            if (!cpu.isCanonical(ip) || !cpu.isCanonical(sp)) {
                throw cpu.gp0();
            }
            setFlat(cpu, Seg.CS, (selector + 32) | 3, CODE | Seg.L | DPL3);
            setFlat(cpu, Seg.SS, (selector + 40) | 3, DATA | DPL3);
        } else {
            ip &= FLAT;
            sp &= FLAT;
            setFlat(cpu, Seg.CS, (selector + 16) | 3, CODE | Seg.DB | DPL3);
            setFlat(cpu, Seg.SS, (selector + 24) | 3, DATA | DPL3);
        }
        cpu.rip = ip;
        cpu.regs[4] = sp;
        cpu.updateMode();
    }

    private static void setFlat(Cpu cpu, int seg, int selector, int attributes) {
        Segments.set(cpu, seg, selector, 0, FLAT, attributes);
    }
}
