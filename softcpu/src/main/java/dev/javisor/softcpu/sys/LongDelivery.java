package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;

/** Event delivery through 64-bit gates (SDM 3A §7.14). */
final class LongDelivery {
    private LongDelivery() {}

    static void deliver(Cpu cpu, int vector, int errorCode, Interrupts.Source source) {
        int ext = Interrupts.ext(source);
        if (vector * 16 + 15 > cpu.idtLimit) {
            throw cpu.fault(GuestFault.GP, Interrupts.idtError(vector, ext));
        }
        long gateAddress = cpu.idtBase + vector * 16L;
        long gate = cpu.mmu.readSystem(gateAddress, 8);
        int type = Descriptor.type(gate);
        if ((type != Descriptor.INTERRUPT_GATE32 && type != Descriptor.TRAP_GATE32)
                || (Interrupts.checksGatePrivilege(source) && Descriptor.dpl(gate) < cpu.cpl)) {
            throw cpu.fault(GuestFault.GP, Interrupts.idtError(vector, ext));
        }
        if (!Descriptor.present(gate)) {
            throw cpu.fault(GuestFault.NP, Interrupts.idtError(vector, ext));
        }
        long target =
                Descriptor.gateOffset64(gate, cpu.mmu.readSystem(gateAddress + 8, 8) & 0xFFFFFFFFL);
        int selector = Descriptor.gateSelector(gate);
        if (Descriptor.isNull(selector)) {
            throw cpu.fault(GuestFault.GP, ext);
        }
        long code = Descriptor.read(cpu, selector, GuestFault.GP, ext);
        int dpl = Descriptor.dpl(code);
        int cpl = cpu.cpl;
        if (!Descriptor.isCode(code)
                || dpl > cpl
                || (Descriptor.attributes(code) & (Seg.L | Seg.DB)) != Seg.L) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, ext);
        }
        if (!Descriptor.present(code)) {
            throw Descriptor.fault(cpu, GuestFault.NP, selector, ext);
        }
        boolean inner = !Descriptor.isConforming(code) && dpl < cpl;
        int newCpl = inner ? dpl : cpl;
        int ist = (int) (gate >>> 32) & 7;
        long sp;
        if (ist != 0) {
            sp = readTss(cpu, 28 + 8 * ist, ext);
        } else if (inner) {
            sp = readTss(cpu, 4 + 8 * dpl, ext);
        } else {
            sp = cpu.regs[4];
        }
        if (!cpu.isCanonical(sp)) {
            throw cpu.fault(GuestFault.SS, ext);
        }
        if (!cpu.isCanonical(target)) {
            throw cpu.fault(GuestFault.GP, ext);
        }
        sp &= ~0xFL;
        Descriptor.setAccessed(cpu, selector, code);
        long[] frame = cpu.scratch;
        frame[0] = cpu.segSelector[Seg.SS];
        frame[1] = cpu.regs[4];
        frame[2] = Interrupts.pushedFlags(cpu, vector, source);
        frame[3] = cpu.segSelector[Seg.CS];
        frame[4] = cpu.rip;
        int count = 5;
        if (errorCode >= 0) {
            frame[5] = errorCode;
            count = 6;
        }
        sp = Frames.push(cpu, newCpl, 0, 0, 0, Frames.MASK64, sp, 8, count, ext);

        int clear = Flags.TF | Flags.NT | Flags.RF | Flags.VM;
        if (type == Descriptor.INTERRUPT_GATE32) {
            clear |= Flags.IF;
        }
        cpu.flags.system &= ~clear;
        cpu.regs[4] = sp;
        if (inner) {
            Segments.setNull(cpu, Seg.SS, newCpl);
        }
        Segments.set(cpu, Seg.CS, (selector & ~3) | newCpl, code);
        cpu.rip = target;
        cpu.updateMode();
    }

    /** Reads a stack pointer from the 64-bit TSS. */
    static long readTss(Cpu cpu, int offset, int ext) {
        if (offset + 7 > cpu.segLimit[Seg.TR]) {
            throw Descriptor.fault(cpu, GuestFault.TS, cpu.segSelector[Seg.TR], ext);
        }
        return cpu.mmu.readSystem(cpu.segBase[Seg.TR] + offset, 8);
    }
}
