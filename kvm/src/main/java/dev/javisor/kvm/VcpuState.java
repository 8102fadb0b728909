package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuState;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** One vCPU's state, from and to KVM. Belongs to the thread that runs the vCPU, between runs. */
final class VcpuState implements AutoCloseable {
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final int LAPIC_TPR = 0x80;
    private static final int DEBUG_EXCEPTION = 1;
    private static final long RFLAGS_TF = 1 << 8;
    private static final long EFER_LMA = 1 << 10;

    /** Where L is in a segment's attributes. */
    private static final int CS_LONG = 13;

    private final KvmVirtualMachine vm;
    private final int id;
    private final VcpuBuffers b;
    private final EventState events;
    private final MsrAccess msrs;
    private final TscOffset tsc;
    private final PlatformMsrs platformMsrs;

    /** The vCPU's counter minus the guest clock, as last set or told. */
    private long tscOffset;

    VcpuState(KvmVirtualMachine vm, KvmCalls vcpu, int id, RunPage run, SyncedRegisters synced) {
        this.vm = vm;
        this.id = id;
        this.msrs = new MsrAccess(vcpu);
        this.platformMsrs = new PlatformMsrs(vm.hasPlatformMsrs());
        vm.cpuid().set(vcpu, id);
        this.tsc = new TscOffset(vcpu, msrs, vm.vmClock());
        this.b = new VcpuBuffers(vcpu, run, synced, vm.device().value(Capability.XSAVE2));
        this.events = new EventState(b);
    }

    /** What KVM's own reset leaves open. */
    void powerOn() {
        tsc.setNeutral(0);
    }

    /** The counter moves with the clock. */
    void clockChanged() {
        tsc.setNeutral(tscOffset);
    }

    VcpuBuffers buffers() {
        return b;
    }

    EventState events() {
        return events;
    }

    MsrAccess msrs() {
        return msrs;
    }

    PlatformMsrs platformMsrs() {
        return platformMsrs;
    }

    // ------------------------------------------------------------------ save

    CpuState save() {
        // First, as it lets KVM act on INIT and SIPI that have arrived.
        b.getMpState();
        b.getRegs();
        b.getSregs();
        b.getEvents();
        b.getDebug();
        b.getXcrs();
        b.getLapic();
        b.getXsave();
        SortedMap<Integer, Long> values = new TreeMap<>(Integer::compareUnsigned);
        msrs.read(vm.msrs().indices(), values);
        values.put(MsrList.APIC_BASE, b.sregs.get(LONG, SregsLayout.APIC_BASE));
        platformMsrs.saveTo(values);
        tscOffset = tsc.neutral();
        long[] gpr = new long[16];
        for (int i = 0; i < 16; i++) {
            gpr[i] = b.regs.get(LONG, RegsLayout.gpr(i));
        }
        long[] debug = new long[8];
        readDebug(debug);
        return new CpuState(
                gpr,
                b.regs.get(LONG, RegsLayout.RIP),
                b.regs.get(LONG, RegsLayout.RFLAGS),
                new CpuState.Segments(
                        Segments.read(b.sregs, SregsLayout.ES),
                        Segments.read(b.sregs, SregsLayout.CS),
                        Segments.read(b.sregs, SregsLayout.SS),
                        Segments.read(b.sregs, SregsLayout.DS),
                        Segments.read(b.sregs, SregsLayout.FS),
                        Segments.read(b.sregs, SregsLayout.GS),
                        Segments.read(b.sregs, SregsLayout.TR),
                        Segments.read(b.sregs, SregsLayout.LDT)),
                Segments.readTable(b.sregs, SregsLayout.GDT),
                Segments.readTable(b.sregs, SregsLayout.IDT),
                b.sregs.get(LONG, SregsLayout.CR0),
                b.sregs.get(LONG, SregsLayout.CR2),
                b.sregs.get(LONG, SregsLayout.CR3),
                b.sregs.get(LONG, SregsLayout.CR4),
                b.sregs.get(LONG, SregsLayout.CR8),
                b.sregs.get(LONG, SregsLayout.EFER),
                xcr0(),
                debug,
                values,
                b.xsave.toArray(BYTE),
                b.lapic.toArray(BYTE),
                events.events(),
                events.activity(),
                tscOffset);
    }

    /** Of what the buffers hold. */
    void readDebug(long[] into) {
        for (int i = 0; i < 4; i++) {
            into[i] = b.debug.get(LONG, DebugLayout.DB + 8 * i);
        }
        into[6] = b.debug.get(LONG, DebugLayout.DR6);
        into[7] = b.debug.get(LONG, DebugLayout.DR7);
    }

    /** Of what the buffers hold. */
    long xcr0() {
        int count = Math.min(b.xcrs.get(INT, XcrsLayout.COUNT), 16);
        for (int i = 0; i < count; i++) {
            long at = XcrsLayout.FIRST + (long) XcrsLayout.ENTRY_BYTES * i;
            if (b.xcrs.get(INT, at + XcrsLayout.ENTRY_XCR) == 0) {
                return b.xcrs.get(LONG, at + XcrsLayout.ENTRY_VALUE);
            }
        }
        return 1;
    }

    // ------------------------------------------------------------------ restore

    /**
     * @throws IllegalArgumentException if KVM says that no vCPU of this model can be in this state;
     *     another restore is needed then
     */
    void restore(CpuState s) {
        StateCheck.check(s);
        b.forget();
        tscOffset = s.tscOffset();
        tsc.setNeutral(tscOffset);
        restoreSregs(s);
        restoreRegs(s);
        setXcr0(s.xcr0());
        b.xsave.fill((byte) 0);
        int bytes = (int) Math.min(s.xsave().length, b.xsave.byteSize());
        MemorySegment.copy(s.xsave(), 0, b.xsave, BYTE, 0, bytes);
        b.setXsave();
        setDebug(s.debug());
        restoreLapic(s);
        // After the local APIC, whose timer mode decides whether a deadline is taken.
        restoreMsrs(s);
        events.set(s.events());
        b.setEvents();
        events.set(s.activity(), s.events().sipiVector());
        b.setMpState();
    }

    private void restoreSregs(CpuState s) {
        b.getSregs();
        MemorySegment sregs = b.sregs;
        Segments.write(sregs, SregsLayout.ES, s.segments().es());
        Segments.write(sregs, SregsLayout.CS, s.segments().cs());
        Segments.write(sregs, SregsLayout.SS, s.segments().ss());
        Segments.write(sregs, SregsLayout.DS, s.segments().ds());
        Segments.write(sregs, SregsLayout.FS, s.segments().fs());
        Segments.write(sregs, SregsLayout.GS, s.segments().gs());
        Segments.write(sregs, SregsLayout.TR, s.segments().tr());
        Segments.write(sregs, SregsLayout.LDT, s.segments().ldtr());
        Segments.writeTable(sregs, SregsLayout.GDT, s.gdt().base(), s.gdt().limit());
        Segments.writeTable(sregs, SregsLayout.IDT, s.idt().base(), s.idt().limit());
        sregs.set(LONG, SregsLayout.CR0, s.cr0());
        sregs.set(LONG, SregsLayout.CR2, s.cr2());
        sregs.set(LONG, SregsLayout.CR3, s.cr3());
        sregs.set(LONG, SregsLayout.CR4, s.cr4());
        sregs.set(LONG, SregsLayout.CR8, s.cr8());
        sregs.set(LONG, SregsLayout.EFER, s.efer());
        Long base = s.msrs().get(MsrList.APIC_BASE);
        if (base != null) {
            sregs.set(LONG, SregsLayout.APIC_BASE, base);
        }
        sregs.asSlice(SregsLayout.INTERRUPT_BITMAP, 32).fill((byte) 0);
        b.setSregs();
    }

    private void restoreRegs(CpuState s) {
        for (int i = 0; i < 16; i++) {
            b.regs.set(LONG, RegsLayout.gpr(i), s.gpr()[i]);
        }
        b.regs.set(LONG, RegsLayout.RIP, s.rip());
        b.regs.set(LONG, RegsLayout.RFLAGS, s.rflags());
        b.setRegs();
    }

    void setXcr0(long value) {
        b.xcrs.fill((byte) 0);
        b.xcrs.set(INT, XcrsLayout.COUNT, 1);
        b.xcrs.set(LONG, XcrsLayout.FIRST + XcrsLayout.ENTRY_VALUE, value);
        b.setXcrs();
    }

    void setDebug(long[] registers) {
        b.debug.fill((byte) 0);
        for (int i = 0; i < 4; i++) {
            b.debug.set(LONG, DebugLayout.DB + 8 * i, registers[i]);
        }
        b.debug.set(LONG, DebugLayout.DR6, registers[6]);
        b.debug.set(LONG, DebugLayout.DR7, registers[7]);
        b.setDebug();
    }

    /** Raises #DB for the guest after adding to its DR6. */
    void raiseDebug(long dr6) {
        b.getDebug();
        long bits =
                dr6
                        & (DebugLayout.DR6_BREAKPOINTS
                                | DebugLayout.DR6_ACCESS_DETECTED
                                | DebugLayout.DR6_SINGLE_STEP);
        b.debug.set(LONG, DebugLayout.DR6, b.debug.get(LONG, DebugLayout.DR6) | bits);
        b.setDebug();
        b.getEvents();
        events.setException(DEBUG_EXCEPTION, -1);
        events.setFlags(0);
        b.setEvents();
    }

    /** Linear address of the next instruction. */
    long linearRip() {
        b.getRegs();
        b.getSregs();
        long rip = b.regs.get(LONG, RegsLayout.RIP);
        boolean longMode = (b.sregs.get(LONG, SregsLayout.EFER) & EFER_LMA) != 0;
        boolean wide = (Segments.attributes(b.sregs, SregsLayout.CS) >> CS_LONG & 1) != 0;
        return longMode && wide ? rip : Segments.base(b.sregs, SregsLayout.CS) + rip & 0xFFFFFFFFL;
    }

    /** RFLAGS.TF as the guest set it; only while KVM does not step. */
    boolean hasTrapFlag() {
        b.getRegs();
        return (b.regs.get(LONG, RegsLayout.RFLAGS) & RFLAGS_TF) != 0;
    }

    void setTrapFlag() {
        b.getRegs();
        b.regs.set(LONG, RegsLayout.RFLAGS, b.regs.get(LONG, RegsLayout.RFLAGS) | RFLAGS_TF);
        b.setRegs();
    }

    CpuState.Activity activity() {
        b.getMpState();
        return events.activity();
    }

    private void restoreLapic(CpuState s) {
        MemorySegment.copy(s.lapic(), 0, b.lapic, BYTE, 0, 1024);
        // CR8 is the upper half of the task priority; where they differ, CR8 counts.
        int tpr = b.lapic.get(INT, LAPIC_TPR);
        if (tpr >>> 4 != s.cr8()) {
            b.lapic.set(INT, LAPIC_TPR, (int) s.cr8() << 4);
        }
        b.setLapic();
    }

    private void restoreMsrs(CpuState s) {
        platformMsrs.reset();
        for (Map.Entry<Integer, Long> entry : s.msrs().entrySet()) {
            int index = entry.getKey();
            long value = entry.getValue();
            switch (index) {
                case MsrList.APIC_BASE,
                        MsrList.TSC,
                        MsrList.EFER,
                        MsrList.FS_BASE,
                        MsrList.GS_BASE -> {
                    // Elsewhere in the state.
                }
                default -> restoreMsr(index, value);
            }
        }
    }

    private void restoreMsr(int index, long value) {
        if (platformMsrs.knows(index)) {
            platformMsrs.write(index, value);
        } else if (!msrs.write(index, value) && value != 0 && msrs.read(index) != value) {
            throw new IllegalArgumentException(
                    "CPU state: MSR %#x cannot be %#x".formatted(index, value));
        }
    }

    /** All registers as text. */
    String dump() {
        return b.dump(id);
    }

    @Override
    public void close() {
        b.close();
    }
}
