package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;

/** Far JMP, CALL, RET and call gates (SDM 3A §6.8). {@code cpu.rip} is the next instruction. */
final class FarTransfers {
    private FarTransfers() {}

    static void jump(Cpu cpu, Insn in) {
        long offset = offset(cpu, in);
        int selector = selector(cpu, in);
        transfer(cpu, in, selector, offset, false);
    }

    static void call(Cpu cpu, Insn in) {
        long offset = offset(cpu, in);
        int selector = selector(cpu, in);
        transfer(cpu, in, selector, offset, true);
    }

    /** Offset of a direct far pointer or of the one in memory. */
    private static long offset(Cpu cpu, Insn in) {
        if (in.kind0 == Insn.FAR) {
            return in.imm & (in.opSize == 2 ? 0xFFFF : 0xFFFFFFFFL);
        }
        return cpu.mmu.read(cpu.linear(in, in.opSize, false), in.opSize);
    }

    private static int selector(Cpu cpu, Insn in) {
        return in.kind0 == Insn.FAR ? in.imm2 & 0xFFFF : pointerSelector(cpu, in);
    }

    /** Selector of the far pointer in memory, which follows the offset. */
    static int pointerSelector(Cpu cpu, Insn in) {
        long ea = cpu.effectiveAddress(in) + in.opSize;
        if (in.addrSize != 8) {
            ea &= in.addrSize == 4 ? 0xFFFFFFFFL : 0xFFFF;
        }
        return (int) cpu.mmu.read(cpu.linear(in.seg, ea, 2, false), 2);
    }

    private static void transfer(Cpu cpu, Insn in, int selector, long offset, boolean call) {
        if (!cpu.protectedMode || cpu.virtual8086) {
            if (offset > cpu.segLimit[Seg.CS]) {
                throw cpu.gp0();
            }
            if (call) {
                pushReturn(cpu, in.opSize);
            }
            Segments.loadReal(cpu, Seg.CS, selector);
            cpu.rip = offset;
            cpu.updateMode();
            return;
        }
        if (Descriptor.isNull(selector)) {
            throw cpu.gp0();
        }
        long d = Descriptor.read(cpu, selector, GuestFault.GP, 0);
        if ((Descriptor.type(d) & Seg.S) == 0) {
            system(cpu, selector, d, call);
            return;
        }
        Segments.checkCode(cpu, selector, d, cpu.cpl);
        Segments.checkTarget(cpu, d, offset, 0);
        Descriptor.setAccessed(cpu, selector, d);
        int cpl = cpu.cpl;
        if (call) {
            pushReturn(cpu, in.opSize);
        }
        Segments.setCode(cpu, (selector & ~3) | cpl, d, offset);
        cpu.updateMode();
    }

    private static void pushReturn(Cpu cpu, int size) {
        cpu.scratch[0] = cpu.segSelector[Seg.CS];
        cpu.scratch[1] = cpu.rip;
        long sp = Frames.pushCurrent(cpu, size, 2, 0);
        Frames.setStackPointer(cpu, cpu.stackMask, sp);
    }

    /** The selector names a gate or a TSS. */
    private static void system(Cpu cpu, int selector, long d, boolean call) {
        int type = Descriptor.type(d);
        int dpl = Descriptor.dpl(d);
        boolean callGate =
                type == Descriptor.CALL_GATE32
                        || (type == Descriptor.CALL_GATE16 && !cpu.longModeActive());
        boolean task =
                !cpu.longModeActive()
                        && (type == Descriptor.TASK_GATE
                                || type == Descriptor.TSS16_AVAILABLE
                                || type == Descriptor.TSS32_AVAILABLE);
        if ((!callGate && !task) || dpl < cpu.cpl || dpl < (selector & 3)) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, 0);
        }
        if (!Descriptor.present(d)) {
            throw Descriptor.fault(cpu, GuestFault.NP, selector, 0);
        }
        if (task) {
            int tss = type == Descriptor.TASK_GATE ? Descriptor.gateSelector(d) : selector;
            TaskSwitch.transfer(cpu, tss, call);
        } else if (cpu.longModeActive()) {
            gate64(cpu, selector, d, call);
        } else {
            gate(cpu, d, call);
        }
    }

    /** Checks the code segment that a call gate names; returns its descriptor. */
    private static long gateCode(Cpu cpu, int selector, boolean call) {
        if (Descriptor.isNull(selector)) {
            throw cpu.gp0();
        }
        long code = Descriptor.read(cpu, selector, GuestFault.GP, 0);
        int dpl = Descriptor.dpl(code);
        boolean ok = Descriptor.isCode(code) && dpl <= cpu.cpl;
        if (!call && !Descriptor.isConforming(code)) {
            ok &= dpl == cpu.cpl;
        }
        if (cpu.longModeActive()) {
            ok &= (Descriptor.attributes(code) & (Seg.L | Seg.DB)) == Seg.L;
        }
        if (!ok) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, 0);
        }
        if (!Descriptor.present(code)) {
            throw Descriptor.fault(cpu, GuestFault.NP, selector, 0);
        }
        return code;
    }

    private static void gate(Cpu cpu, long d, boolean call) {
        int selector = Descriptor.gateSelector(d);
        long code = gateCode(cpu, selector, call);
        long target = Descriptor.gateOffset(d);
        int size = Descriptor.type(d) == Descriptor.CALL_GATE32 ? 4 : 2;
        Segments.checkTarget(cpu, code, target, 0);
        int newCpl = Descriptor.dpl(code);
        if (!call || Descriptor.isConforming(code) || newCpl == cpu.cpl) {
            int cpl = cpu.cpl;
            Descriptor.setAccessed(cpu, selector, code);
            if (call) {
                pushReturn(cpu, size);
            }
            Segments.setCode(cpu, (selector & ~3) | cpl, code, target);
            cpu.updateMode();
            return;
        }
        int newSs = TaskState.stackSelector(cpu, newCpl, 0);
        long newSp = TaskState.stackPointer(cpu, newCpl, 0);
        if (Descriptor.isNull(newSs)) {
            throw cpu.fault(GuestFault.TS, 0);
        }
        long stack = Segments.stackDescriptor(cpu, newSs, newCpl, GuestFault.TS, 0);
        Descriptor.setAccessed(cpu, newSs, stack);
        Descriptor.setAccessed(cpu, selector, code);
        int parameters = (int) (d >>> 32) & 31;
        pushInner(cpu, newCpl, newSs, stack, newSp, size, parameters);
        Segments.setCode(cpu, (selector & ~3) | newCpl, code, target);
        cpu.updateMode();
    }

    /** SS:SP, the copied parameters, CS:IP on the inner stack, in pieces of one frame. */
    private static void pushInner(
            Cpu cpu, int newCpl, int newSs, long stack, long newSp, int size, int parameters) {
        long[] copied = new long[parameters];
        for (int i = 0; i < parameters; i++) {
            copied[i] = Frames.peek(cpu, parameters - 1 - i, size);
        }
        int attributes = Descriptor.attributes(stack);
        long base = Descriptor.base(stack);
        long limit = Descriptor.limit(stack);
        long mask = Frames.maskOf(attributes);
        int errorCode = newSs & 0xFFFC;
        long[] frame = cpu.scratch;
        long sp = newSp;
        frame[0] = cpu.segSelector[Seg.SS];
        frame[1] = cpu.regs[4];
        sp = Frames.push(cpu, newCpl, base, limit, attributes, mask, sp, size, 2, errorCode);
        for (int i = 0; i < parameters; i++) {
            frame[0] = copied[i];
            sp = Frames.push(cpu, newCpl, base, limit, attributes, mask, sp, size, 1, errorCode);
        }
        frame[0] = cpu.segSelector[Seg.CS];
        frame[1] = cpu.rip;
        sp = Frames.push(cpu, newCpl, base, limit, attributes, mask, sp, size, 2, errorCode);
        Segments.set(cpu, Seg.SS, newSs, stack);
        Frames.setStackPointer(cpu, mask, sp);
    }

    private static void gate64(Cpu cpu, int gateSelector, long d, boolean call) {
        long address = Descriptor.address(cpu, gateSelector, 16);
        if (address == -1) {
            throw Descriptor.fault(cpu, GuestFault.GP, gateSelector, 0);
        }
        long high = cpu.mmu.readSystem(address + 8, 8);
        if (Descriptor.type(high) != 0) {
            throw Descriptor.fault(cpu, GuestFault.GP, gateSelector, 0);
        }
        int selector = Descriptor.gateSelector(d);
        long code = gateCode(cpu, selector, call);
        long target = Descriptor.gateOffset64(d, high & 0xFFFFFFFFL);
        if (!cpu.isCanonical(target)) {
            throw cpu.gp0();
        }
        int newCpl = Descriptor.dpl(code);
        boolean inner = call && !Descriptor.isConforming(code) && newCpl < cpu.cpl;
        Descriptor.setAccessed(cpu, selector, code);
        long[] frame = cpu.scratch;
        if (inner) {
            long sp = LongDelivery.readTss(cpu, 4 + 8 * newCpl, 0);
            frame[0] = cpu.segSelector[Seg.SS];
            frame[1] = cpu.regs[4];
            frame[2] = cpu.segSelector[Seg.CS];
            frame[3] = cpu.rip;
            sp = Frames.push(cpu, newCpl, 0, 0, 0, Frames.MASK64, sp, 8, 4, 0);
            cpu.regs[4] = sp;
            Segments.setNull(cpu, Seg.SS, newCpl);
        } else {
            newCpl = cpu.cpl;
            if (call) {
                frame[0] = cpu.segSelector[Seg.CS];
                frame[1] = cpu.rip;
                if (cpu.long64) {
                    cpu.regs[4] =
                            Frames.push(cpu, newCpl, 0, 0, 0, Frames.MASK64, cpu.regs[4], 8, 2, 0);
                } else {
                    Frames.setStackPointer(cpu, cpu.stackMask, Frames.pushCurrent(cpu, 8, 2, 0));
                }
            }
        }
        Segments.setCode(cpu, (selector & ~3) | newCpl, code, target);
        cpu.updateMode();
    }

    /** RETF, RETF imm16. */
    static void ret(Cpu cpu, Insn in) {
        int size = in.opSize;
        long extra = in.kind0 == Insn.IMM ? in.imm & 0xFFFF : 0;
        long offset = Frames.peek(cpu, 0, size);
        int selector = (int) Frames.peek(cpu, 1, size) & 0xFFFF;
        long after = 2L * size + extra;
        if (!cpu.protectedMode || cpu.virtual8086) {
            if (offset > cpu.segLimit[Seg.CS]) {
                throw cpu.gp0();
            }
            Frames.setStackPointer(cpu, cpu.stackMask, cpu.regs[4] + after);
            Segments.loadReal(cpu, Seg.CS, selector);
            cpu.rip = offset;
            cpu.updateMode();
            return;
        }
        long code = returnCode(cpu, selector);
        Segments.checkTarget(cpu, code, offset, 0);
        int newCpl = selector & 3;
        if (newCpl == cpu.cpl) {
            Descriptor.setAccessed(cpu, selector, code);
            Frames.setStackPointer(cpu, cpu.stackMask, cpu.regs[4] + after);
            Segments.setCode(cpu, selector, code, offset);
            cpu.updateMode();
            return;
        }
        long at = (cpu.regs[4] + after) & cpu.stackMask;
        long sp = Frames.read(cpu, at, size);
        int ss = (int) Frames.read(cpu, (at + size) & cpu.stackMask, size) & 0xFFFF;
        long stack = returnStack(cpu, ss, newCpl, code);
        Descriptor.setAccessed(cpu, selector, code);
        Segments.setCode(cpu, selector, code, offset);
        outer(cpu, ss, stack, sp, newCpl);
        Frames.setStackPointer(cpu, cpu.stackMask, cpu.regs[4] + extra);
    }

    /** Reads and checks the code segment a far return or IRET goes to. */
    static long returnCode(Cpu cpu, int selector) {
        if (Descriptor.isNull(selector)) {
            throw cpu.gp0();
        }
        long code = Descriptor.read(cpu, selector, GuestFault.GP, 0);
        int rpl = selector & 3;
        int dpl = Descriptor.dpl(code);
        boolean ok = Descriptor.isCode(code) && rpl >= cpu.cpl && !Segments.badLongCode(cpu, code);
        ok &= Descriptor.isConforming(code) ? dpl <= rpl : dpl == rpl;
        if (!ok) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, 0);
        }
        if (!Descriptor.present(code)) {
            throw Descriptor.fault(cpu, GuestFault.NP, selector, 0);
        }
        return code;
    }

    /**
     * Reads and checks the stack segment of a return to {@code newCpl}; 0 for the null selector,
     * which only 64-bit code below level 3 may have.
     */
    static long returnStack(Cpu cpu, int ss, int newCpl, long code) {
        if (Descriptor.isNull(ss)) {
            if (!Segments.isLongCode(cpu, code) || newCpl == 3 || (ss & 3) != newCpl) {
                throw cpu.gp0();
            }
            return 0;
        }
        long stack = Segments.stackDescriptor(cpu, ss, newCpl, GuestFault.GP, 0);
        Descriptor.setAccessed(cpu, ss, stack);
        return stack;
    }

    /** Loads SS:SP of the outer level after CS; drops segments it may not use. */
    static void outer(Cpu cpu, int ss, long stack, long sp, int newCpl) {
        boolean drop = newCpl != cpu.cpl;
        if (stack == 0) {
            Segments.setNull(cpu, Seg.SS, ss);
        } else {
            Segments.set(cpu, Seg.SS, ss, stack);
        }
        if (drop) {
            Segments.dropInnerSegments(cpu, newCpl);
        }
        cpu.updateMode();
        Frames.setStackPointer(cpu, cpu.stackMask, sp);
    }

    /** RFLAGS bits that a program at this level may set. */
    static int writableFlags(Cpu cpu, int size) {
        int mask = Flags.STATUS | Flags.TF | Flags.DF | Flags.NT;
        if (size > 2) {
            mask |= Flags.RF | Flags.AC | Flags.ID;
        }
        if (cpu.cpl == 0) {
            mask |= Flags.IOPL;
            if (size > 2) {
                mask |= Flags.VIF | Flags.VIP;
            }
        }
        if (cpu.cpl <= (cpu.flags.system & Flags.IOPL) >> 12) {
            mask |= Flags.IF;
        }
        return mask;
    }
}
