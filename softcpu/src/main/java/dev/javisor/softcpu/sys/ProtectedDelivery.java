package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;

/** Event delivery through 16- and 32-bit gates outside long mode (SDM 3A §7.12, 2A "INT n"). */
final class ProtectedDelivery {
    private ProtectedDelivery() {}

    static void deliver(Cpu cpu, int vector, int errorCode, Interrupts.Source source) {
        int ext = Interrupts.ext(source);
        if (vector * 8 + 7 > cpu.idtLimit) {
            throw cpu.fault(GuestFault.GP, Interrupts.idtError(vector, ext));
        }
        long gate = cpu.mmu.readSystem((cpu.idtBase + vector * 8L) & 0xFFFFFFFFL, 8);
        int type = Descriptor.type(gate);
        boolean known = type == Descriptor.TASK_GATE || (type & ~9) == Descriptor.INTERRUPT_GATE16;
        if (!known || (Interrupts.checksGatePrivilege(source) && Descriptor.dpl(gate) < cpu.cpl)) {
            throw cpu.fault(GuestFault.GP, Interrupts.idtError(vector, ext));
        }
        if (!Descriptor.present(gate)) {
            throw cpu.fault(GuestFault.NP, Interrupts.idtError(vector, ext));
        }
        if (type == Descriptor.TASK_GATE) {
            TaskSwitch.interrupt(cpu, Descriptor.gateSelector(gate), errorCode, ext);
            return;
        }
        int selector = Descriptor.gateSelector(gate);
        if (Descriptor.isNull(selector)) {
            throw cpu.fault(GuestFault.GP, ext);
        }
        long code = Descriptor.read(cpu, selector, GuestFault.GP, ext);
        int dpl = Descriptor.dpl(code);
        if (!Descriptor.isCode(code) || dpl > cpu.cpl) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, ext);
        }
        if (!Descriptor.present(code)) {
            throw Descriptor.fault(cpu, GuestFault.NP, selector, ext);
        }
        boolean inner = !Descriptor.isConforming(code) && dpl < cpu.cpl;
        if (cpu.virtual8086 && (!inner || dpl != 0)) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, ext);
        }
        long target = Descriptor.gateOffset(gate);
        int size = (type & 8) != 0 ? 4 : 2;
        long flags = Interrupts.pushedFlags(cpu, vector, source);
        if (inner) {
            enterInner(cpu, selector, code, target, size, flags, errorCode, ext);
        } else {
            enterSame(cpu, selector, code, target, size, flags, errorCode, ext);
        }
        int clear = Flags.TF | Flags.NT | Flags.RF | Flags.VM;
        if ((type & 1) == 0) {
            clear |= Flags.IF;
        }
        cpu.flags.system &= ~clear;
        cpu.updateMode();
    }

    private static void enterSame(
            Cpu cpu,
            int selector,
            long code,
            long target,
            int size,
            long flags,
            int errorCode,
            int ext) {
        Segments.checkTarget(cpu, code, target, ext);
        Descriptor.setAccessed(cpu, selector, code);
        long[] frame = cpu.scratch;
        frame[0] = flags;
        frame[1] = cpu.segSelector[Seg.CS];
        frame[2] = cpu.rip;
        int count = 3;
        if (errorCode >= 0) {
            frame[count++] = errorCode;
        }
        long sp = Frames.pushCurrent(cpu, size, count, ext);
        Frames.setStackPointer(cpu, cpu.stackMask, sp);
        Segments.setCode(cpu, (selector & ~3) | cpu.cpl, code, target);
    }

    private static void enterInner(
            Cpu cpu,
            int selector,
            long code,
            long target,
            int size,
            long flags,
            int errorCode,
            int ext) {
        int newCpl = Descriptor.dpl(code);
        int newSs = TaskState.stackSelector(cpu, newCpl, ext);
        long newSp = TaskState.stackPointer(cpu, newCpl, ext);
        if (Descriptor.isNull(newSs)) {
            throw cpu.fault(GuestFault.TS, ext);
        }
        long stack = Segments.stackDescriptor(cpu, newSs, newCpl, GuestFault.TS, ext);
        Segments.checkTarget(cpu, code, target, ext);
        Descriptor.setAccessed(cpu, newSs, stack);
        Descriptor.setAccessed(cpu, selector, code);
        long[] frame = cpu.scratch;
        int count = 0;
        boolean fromVm = cpu.virtual8086;
        if (fromVm) {
            frame[count++] = cpu.segSelector[Seg.GS];
            frame[count++] = cpu.segSelector[Seg.FS];
            frame[count++] = cpu.segSelector[Seg.DS];
            frame[count++] = cpu.segSelector[Seg.ES];
        }
        frame[count++] = cpu.segSelector[Seg.SS];
        frame[count++] = cpu.regs[4];
        frame[count++] = flags;
        frame[count++] = cpu.segSelector[Seg.CS];
        frame[count++] = cpu.rip;
        if (errorCode >= 0) {
            frame[count++] = errorCode;
        }
        int attributes = Descriptor.attributes(stack);
        long mask = Frames.maskOf(attributes);
        long sp =
                Frames.push(
                        cpu,
                        newCpl,
                        Descriptor.base(stack),
                        Descriptor.limit(stack),
                        attributes,
                        mask,
                        newSp,
                        size,
                        count,
                        (newSs & 0xFFFC) | ext);
        if (fromVm) {
            Segments.setNull(cpu, Seg.GS, 0);
            Segments.setNull(cpu, Seg.FS, 0);
            Segments.setNull(cpu, Seg.DS, 0);
            Segments.setNull(cpu, Seg.ES, 0);
        }
        Segments.set(cpu, Seg.SS, newSs, stack);
        Frames.setStackPointer(cpu, mask, sp);
        Segments.setCode(cpu, (selector & ~3) | newCpl, code, target);
    }
}
