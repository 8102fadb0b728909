package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.core.Seg;

/** Hardware task switching (SDM 3A §9.3). Outside long mode only; rare, so it may allocate. */
final class TaskSwitch {
    private enum Cause {
        JUMP,
        CALL,
        RETURN
    }

    /** Offsets in a TSS; the 32-bit and the 16-bit form differ in slot size. */
    private record Layout(
            int size, int cr3, int ip, int flags, int registers, int segments, int ldt, int limit) {
        int segmentCount() {
            return size == 4 ? 6 : 4;
        }
    }

    private static final Layout TSS32 = new Layout(4, 0x1C, 0x20, 0x24, 0x28, 0x48, 0x60, 0x67);
    private static final Layout TSS16 = new Layout(2, -1, 0x0E, 0x10, 0x12, 0x22, 0x2A, 0x2B);

    private TaskSwitch() {}

    /** Through a task gate of the IDT; pushes the error code on the new task's stack. */
    static void interrupt(Cpu cpu, int selector, int errorCode, int ext) {
        if ((selector & 4) != 0 || Descriptor.isNull(selector)) {
            throw Descriptor.fault(cpu, GuestFault.TS, selector, ext);
        }
        long d = Descriptor.read(cpu, selector, GuestFault.TS, ext);
        if (!isAvailable(d)) {
            throw Descriptor.fault(cpu, GuestFault.TS, selector, ext);
        }
        switchTo(cpu, selector, d, Cause.CALL, ext);
        load(cpu, ext);
        if (errorCode >= 0) {
            int size = Descriptor.isTss32(cpu.segAttributes[Seg.TR] & 0x1F) ? 4 : 2;
            cpu.scratch[0] = errorCode;
            long sp = Frames.pushCurrent(cpu, size, 1, ext);
            Frames.setStackPointer(cpu, cpu.stackMask, sp);
        }
    }

    /** Far JMP or CALL to a TSS or through a task gate; privilege is already checked. */
    static void transfer(Cpu cpu, int selector, boolean call) {
        if ((selector & 4) != 0 || Descriptor.isNull(selector)) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, 0);
        }
        long d = Descriptor.read(cpu, selector, GuestFault.GP, 0);
        if (!isAvailable(d)) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, 0);
        }
        switchTo(cpu, selector, d, call ? Cause.CALL : Cause.JUMP, 0);
        loadOrOwe(cpu);
    }

    /** IRET with NT set: back to the task in the link field. */
    static void nestedReturn(Cpu cpu) {
        int selector = (int) cpu.mmu.readSystem(cpu.segBase[Seg.TR], 2);
        if ((selector & 4) != 0 || Descriptor.isNull(selector)) {
            throw Descriptor.fault(cpu, GuestFault.TS, selector, 0);
        }
        long d = Descriptor.read(cpu, selector, GuestFault.TS, 0);
        int type = Descriptor.type(d);
        if (!Descriptor.isTss(type) || (type & Descriptor.TSS_BUSY_BIT) == 0) {
            throw Descriptor.fault(cpu, GuestFault.TS, selector, 0);
        }
        switchTo(cpu, selector, d, Cause.RETURN, 0);
        loadOrOwe(cpu);
    }

    private static boolean isAvailable(long d) {
        int type = Descriptor.type(d);
        return Descriptor.isTss(type) && (type & Descriptor.TSS_BUSY_BIT) == 0;
    }

    /** A fault once the new task is current belongs to its first instruction. */
    private static void loadOrOwe(Cpu cpu) {
        try {
            load(cpu, 0);
        } catch (GuestFault fault) {
            cpu.owedVector = fault.vector();
            cpu.owedErrorCode = fault.errorCode();
            cpu.owedInterrupt = false;
            cpu.request(Cpu.REQUEST_INTERRUPT);
        }
    }

    private static Layout layout(int type) {
        return Descriptor.isTss32(type) ? TSS32 : TSS16;
    }

    /** Everything up to the commit point: saves the old task, makes TR the new one. */
    private static void switchTo(Cpu cpu, int selector, long d, Cause cause, int ext) {
        Mmu mmu = cpu.mmu;
        if (!Descriptor.present(d)) {
            throw Descriptor.fault(cpu, GuestFault.NP, selector, ext);
        }
        Layout next = layout(Descriptor.type(d));
        if (Descriptor.limit(d) < next.limit) {
            throw Descriptor.fault(cpu, GuestFault.TS, selector, ext);
        }
        Layout old = layout(cpu.segAttributes[Seg.TR] & 0x1F);
        long oldBase = cpu.segBase[Seg.TR];
        int oldSelector = cpu.segSelector[Seg.TR];
        if (cpu.segLimit[Seg.TR] < old.limit) {
            throw Descriptor.fault(cpu, GuestFault.TS, oldSelector, ext);
        }
        long newBase = Descriptor.base(d);
        mmu.probeWriteSystem(oldBase, old.limit + 1);
        mmu.probeWriteSystem(newBase, next.limit + 1);
        long oldDescriptor = Descriptor.address(cpu, oldSelector);
        long newDescriptor = Descriptor.address(cpu, selector);
        if (oldDescriptor != -1) {
            mmu.probeWriteSystem(oldDescriptor, 8);
        }
        mmu.probeWriteSystem(newDescriptor, 8);

        long flags = cpu.flags.rflags();
        if (cause == Cause.RETURN) {
            flags &= ~Flags.NT;
        }
        int size = old.size;
        mmu.writeSystem(oldBase + old.ip, size, cpu.rip);
        mmu.writeSystem(oldBase + old.flags, size, flags);
        for (int i = 0; i < 8; i++) {
            mmu.writeSystem(oldBase + old.registers + (long) i * size, size, cpu.regs[i]);
        }
        for (int i = 0; i < old.segmentCount(); i++) {
            mmu.writeSystem(oldBase + old.segments + (long) i * size, 2, cpu.segSelector[i]);
        }
        if (cause != Cause.CALL && oldDescriptor != -1) {
            long type = mmu.readSystem(oldDescriptor + 5, 1);
            mmu.writeSystem(oldDescriptor + 5, 1, type & ~Descriptor.TSS_BUSY_BIT);
        }
        if (cause == Cause.CALL) {
            mmu.writeSystem(newBase, 2, oldSelector);
        }
        if (cause != Cause.RETURN) {
            mmu.writeSystem(newDescriptor + 5, 1, ((d >>> 40) & 0xFF) | Descriptor.TSS_BUSY_BIT);
        }
        Segments.set(cpu, Seg.TR, selector, d);
        cpu.segAttributes[Seg.TR] = Descriptor.attributes(d) | Descriptor.TSS_BUSY_BIT;
        cpu.cr0 |= Cpu.CR0_TS;
        // What load() needs to know: whether this task was called.
        cpu.scratch[15] = cause == Cause.CALL ? Flags.NT : 0;
    }

    /** Loads the new task's state; faults here happen in the new task. */
    private static void load(Cpu cpu, int ext) {
        Mmu mmu = cpu.mmu;
        long base = cpu.segBase[Seg.TR];
        Layout tss = layout(cpu.segAttributes[Seg.TR] & 0x1F);
        int size = tss.size;
        long flags = mmu.readSystem(base + tss.flags, size) | cpu.scratch[15];
        long ip = mmu.readSystem(base + tss.ip, size);
        long[] registers = new long[8];
        for (int i = 0; i < 8; i++) {
            registers[i] = mmu.readSystem(base + tss.registers + (long) i * size, size);
        }
        int[] selectors = new int[6];
        for (int i = 0; i < tss.segmentCount(); i++) {
            selectors[i] = (int) mmu.readSystem(base + tss.segments + (long) i * size, 2);
        }
        int ldt = (int) mmu.readSystem(base + tss.ldt, 2);
        boolean trap = size == 4 && (mmu.readSystem(base + 0x64, 2) & 1) != 0;
        long cr3 = tss.cr3 < 0 ? 0 : mmu.readSystem(base + tss.cr3, 4);

        cpu.rip = ip;
        for (int i = 0; i < 8; i++) {
            cpu.regs[i] = size == 4 ? registers[i] : registers[i] | 0xFFFF0000L;
        }
        cpu.flags.setRflags(size == 4 ? flags : flags & 0xFFFF);
        boolean vm = (cpu.flags.system & Flags.VM) != 0;
        for (int seg = Seg.ES; seg <= Seg.GS; seg++) {
            Segments.setNull(cpu, seg, selectors[seg]);
        }
        // Until CS and SS are loaded, faults are delivered from the level the new task asks for.
        cpu.segAttributes[Seg.SS] |= (selectors[Seg.CS] & 3) << Seg.DPL_SHIFT;
        Segments.setNull(cpu, Seg.LDTR, ldt);
        if (size == 4 && (cpu.cr0 & Cpu.CR0_PG) != 0) {
            ControlRegisters.loadCr3(cpu, cr3);
        }
        cpu.updateMode();
        loadLdt(cpu, ldt, ext);
        if (vm) {
            for (int seg = Seg.ES; seg <= Seg.GS; seg++) {
                Segments.setVirtual8086(cpu, seg, selectors[seg]);
            }
            cpu.updateMode();
        } else {
            loadSegments(cpu, selectors, ext);
        }
        if (Long.compareUnsigned(ip, cpu.segLimit[Seg.CS]) > 0) {
            throw cpu.fault(GuestFault.GP, ext);
        }
        if (trap) {
            cpu.dr[6] |= DebugRegisters.DR6_BT;
            cpu.owedVector = GuestFault.DB;
            cpu.owedErrorCode = -1;
            cpu.owedInterrupt = false;
            cpu.request(Cpu.REQUEST_INTERRUPT);
        }
    }

    private static void loadLdt(Cpu cpu, int selector, int ext) {
        if (Descriptor.isNull(selector)) {
            return;
        }
        if ((selector & 4) != 0) {
            throw Descriptor.fault(cpu, GuestFault.TS, selector, ext);
        }
        long d = Descriptor.read(cpu, selector, GuestFault.TS, ext);
        if (Descriptor.type(d) != Descriptor.LDT || !Descriptor.present(d)) {
            throw Descriptor.fault(cpu, GuestFault.TS, selector, ext);
        }
        Segments.set(cpu, Seg.LDTR, selector, d);
        cpu.segAttributes[Seg.LDTR] = Descriptor.attributes(d);
    }

    private static void loadSegments(Cpu cpu, int[] selectors, int ext) {
        int cs = selectors[Seg.CS];
        int cpl = cs & 3;
        if (Descriptor.isNull(cs)) {
            throw Descriptor.fault(cpu, GuestFault.TS, cs, ext);
        }
        long code = Descriptor.read(cpu, cs, GuestFault.TS, ext);
        boolean conforming = Descriptor.isConforming(code);
        int dpl = Descriptor.dpl(code);
        if (!Descriptor.isCode(code) || (conforming ? dpl > cpl : dpl != cpl)) {
            throw Descriptor.fault(cpu, GuestFault.TS, cs, ext);
        }
        if (!Descriptor.present(code)) {
            throw Descriptor.fault(cpu, GuestFault.NP, cs, ext);
        }
        Descriptor.setAccessed(cpu, cs, code);
        Segments.set(cpu, Seg.CS, cs, code);
        int ss = selectors[Seg.SS];
        if (Descriptor.isNull(ss)) {
            throw Descriptor.fault(cpu, GuestFault.TS, ss, ext);
        }
        long stack = Segments.stackDescriptor(cpu, ss, cpl, GuestFault.TS, ext);
        Descriptor.setAccessed(cpu, ss, stack);
        Segments.set(cpu, Seg.SS, ss, stack);
        cpu.updateMode();
        for (int seg = Seg.ES; seg <= Seg.GS; seg++) {
            int selector = selectors[seg];
            if (seg != Seg.CS && seg != Seg.SS && !Descriptor.isNull(selector)) {
                long d = Segments.dataDescriptor(cpu, selector, cpl, GuestFault.TS);
                Descriptor.setAccessed(cpu, selector, d);
                Segments.set(cpu, seg, selector, d);
                cpu.updateSegment(seg);
            }
        }
    }
}
