package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.CpuState.Activity;
import dev.javisor.hypervisor.CpuState.Events;
import dev.javisor.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** One vCPU's state by KVM's ioctls. Belongs to the thread that runs the vCPU, between runs. */
final class VcpuState implements AutoCloseable {
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private static final int LAPIC_TPR = 0x80;
    private static final int LAPIC_LINT1 = 0x360;
    private static final int LVT_MASKED = 1 << 16;
    private static final int LVT_MODE = 0x700;
    private static final int LVT_NMI = 0x400;

    private final KvmVirtualMachine vm;
    private final KvmCalls vcpu;
    private final int id;
    private final MsrAccess msrs;
    private final TscOffset tsc;
    private final PlatformMsrs platformMsrs = new PlatformMsrs();

    private final Arena arena = Arena.ofShared();
    private final MemorySegment regs = arena.allocate(RegsLayout.SIZE_BYTES, 8);
    private final MemorySegment sregs = arena.allocate(SregsLayout.SIZE_BYTES, 8);
    private final MemorySegment events = arena.allocate(EventsLayout.SIZE_BYTES, 8);
    private final MemorySegment debug = arena.allocate(DebugLayout.SIZE_BYTES, 8);
    private final MemorySegment xcrs = arena.allocate(XcrsLayout.SIZE_BYTES, 8);
    private final MemorySegment lapic = arena.allocate(1024, 8);
    private final MemorySegment mpState = arena.allocate(4, 8);
    private final MemorySegment xsave;
    private final boolean xsave2;

    VcpuState(KvmVirtualMachine vm, KvmCalls vcpu, int id) {
        this.vm = vm;
        this.vcpu = vcpu;
        this.id = id;
        this.msrs = new MsrAccess(vcpu);
        int large = vm.device().value(Capability.XSAVE2);
        this.xsave2 = large > 4096;
        this.xsave = arena.allocate(Math.max(large, 4096), 64);
        try {
            vm.cpuid().set(vcpu, id);
            this.tsc = new TscOffset(vcpu, msrs, vm.vmClock());
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /** What KVM's own reset leaves open. */
    void powerOn() {
        tsc.setNeutral(0);
    }

    void clockChanged() {
        // The neutral offset stays: the counter moves with the clock.
        tsc.setNeutral(neutralTsc);
    }

    private long neutralTsc;

    PlatformMsrs platformMsrs() {
        return platformMsrs;
    }

    private void get(String what, long request, MemorySegment into) {
        vcpu.call("tell its " + what, request, into);
    }

    /** What KVM refuses in a state is a state that this vCPU cannot have. */
    private void set(String what, long request, MemorySegment from) {
        int result = vcpu.attempt(request, from);
        if (result == -Errno.EINVAL) {
            throw new IllegalArgumentException("CPU state: KVM refuses the " + what);
        }
        KvmCalls.check("set its " + what, result);
    }

    // ------------------------------------------------------------------ events from the machine

    /** Lets the next entry inject an interrupt; only when the vCPU is ready for one. */
    void injectInterrupt(int vector) {
        get("events", KvmAbi.GET_VCPU_EVENTS, events);
        events.set(BYTE, EventsLayout.INTERRUPT_INJECTED, (byte) 1);
        events.set(BYTE, EventsLayout.INTERRUPT_NR, (byte) vector);
        events.set(BYTE, EventsLayout.INTERRUPT_SOFT, (byte) 0);
        events.set(INT, EventsLayout.FLAGS, 0);
        set("events", KvmAbi.SET_VCPU_EVENTS, events);
        get("activity", KvmAbi.GET_MP_STATE, mpState);
        if (mpState.get(INT, 0) == KvmAbi.MP_HALTED) {
            mpState.set(INT, 0, KvmAbi.MP_RUNNABLE);
            set("activity", KvmAbi.SET_MP_STATE, mpState);
        }
    }

    /** The NMI input is wired to LINT1: it counts if that is open and set to NMI. */
    void pulseNmi() {
        get("local APIC", KvmAbi.GET_LAPIC, lapic);
        int entry = lapic.get(INT, LAPIC_LINT1);
        if ((entry & (LVT_MASKED | LVT_MODE)) == LVT_NMI) {
            vcpu.call("take an NMI", KvmAbi.NMI, 0);
        }
    }

    // ------------------------------------------------------------------ save

    CpuState save() {
        // First, as it lets KVM act on INIT and SIPI that have arrived.
        get("activity", KvmAbi.GET_MP_STATE, mpState);
        get("registers", KvmAbi.GET_REGS, regs);
        get("system registers", KvmAbi.GET_SREGS, sregs);
        get("events", KvmAbi.GET_VCPU_EVENTS, events);
        get("debug registers", KvmAbi.GET_DEBUGREGS, debug);
        get("extended control registers", KvmAbi.GET_XCRS, xcrs);
        get("local APIC", KvmAbi.GET_LAPIC, lapic);
        get("vector registers", xsave2 ? KvmAbi.GET_XSAVE2 : KvmAbi.GET_XSAVE, xsave);
        SortedMap<Integer, Long> values = new TreeMap<>(Integer::compareUnsigned);
        msrs.read(vm.msrs().indices(), values);
        values.put(MsrList.APIC_BASE, sregs.get(LONG, SregsLayout.APIC_BASE));
        platformMsrs.saveTo(values);
        neutralTsc = tsc.neutral();
        long[] gpr = new long[16];
        for (int i = 0; i < 16; i++) {
            gpr[i] = regs.get(LONG, RegsLayout.gpr(i));
        }
        long[] dr = new long[8];
        for (int i = 0; i < 4; i++) {
            dr[i] = debug.get(LONG, DebugLayout.DB + 8 * i);
        }
        dr[6] = debug.get(LONG, DebugLayout.DR6);
        dr[7] = debug.get(LONG, DebugLayout.DR7);
        return new CpuState(
                gpr,
                regs.get(LONG, RegsLayout.RIP),
                regs.get(LONG, RegsLayout.RFLAGS),
                new CpuState.Segments(
                        Segments.read(sregs, SregsLayout.ES),
                        Segments.read(sregs, SregsLayout.CS),
                        Segments.read(sregs, SregsLayout.SS),
                        Segments.read(sregs, SregsLayout.DS),
                        Segments.read(sregs, SregsLayout.FS),
                        Segments.read(sregs, SregsLayout.GS),
                        Segments.read(sregs, SregsLayout.TR),
                        Segments.read(sregs, SregsLayout.LDT)),
                Segments.readTable(sregs, SregsLayout.GDT),
                Segments.readTable(sregs, SregsLayout.IDT),
                sregs.get(LONG, SregsLayout.CR0),
                sregs.get(LONG, SregsLayout.CR2),
                sregs.get(LONG, SregsLayout.CR3),
                sregs.get(LONG, SregsLayout.CR4),
                sregs.get(LONG, SregsLayout.CR8),
                sregs.get(LONG, SregsLayout.EFER),
                xcr0(),
                dr,
                values,
                xsave.toArray(BYTE),
                lapic.toArray(BYTE),
                readEvents(),
                activity(mpState.get(INT, 0)),
                neutralTsc);
    }

    private long xcr0() {
        int count = Math.min(xcrs.get(INT, XcrsLayout.COUNT), 16);
        for (int i = 0; i < count; i++) {
            long at = XcrsLayout.FIRST + (long) XcrsLayout.ENTRY_BYTES * i;
            if (xcrs.get(INT, at + XcrsLayout.ENTRY_XCR) == 0) {
                return xcrs.get(LONG, at + XcrsLayout.ENTRY_VALUE);
            }
        }
        return 1;
    }

    private static Activity activity(int mp) {
        return switch (mp) {
            case KvmAbi.MP_UNINITIALIZED -> Activity.WAIT_FOR_INIT;
            case KvmAbi.MP_INIT_RECEIVED, KvmAbi.MP_SIPI_RECEIVED -> Activity.WAIT_FOR_SIPI;
            case KvmAbi.MP_HALTED -> Activity.HALTED;
            default -> Activity.RUNNING;
        };
    }

    private int event(int offset) {
        return events.get(BYTE, offset) & 0xFF;
    }

    private Events readEvents() {
        boolean exception =
                event(EventsLayout.EXCEPTION_INJECTED) != 0
                        || event(EventsLayout.EXCEPTION_PENDING) != 0;
        boolean code = exception && event(EventsLayout.EXCEPTION_HAS_ERROR_CODE) != 0;
        boolean interrupt = event(EventsLayout.INTERRUPT_INJECTED) != 0;
        // An NMI under way is delivered once more, which masks again.
        boolean nmiInjected = event(EventsLayout.NMI_INJECTED) != 0;
        boolean sipi = mpState.get(INT, 0) == KvmAbi.MP_SIPI_RECEIVED;
        return new Events(
                exception ? event(EventsLayout.EXCEPTION_NR) : -1,
                code ? events.get(INT, EventsLayout.EXCEPTION_ERROR_CODE) & 0xFFFFFFFFL : -1,
                interrupt ? event(EventsLayout.INTERRUPT_NR) : -1,
                nmiInjected || event(EventsLayout.NMI_PENDING) != 0,
                !nmiInjected && event(EventsLayout.NMI_MASKED) != 0,
                event(EventsLayout.INTERRUPT_SHADOW) != 0,
                sipi ? events.get(INT, EventsLayout.SIPI_VECTOR) & 0xFF : -1);
    }

    // ------------------------------------------------------------------ restore

    /**
     * @throws IllegalArgumentException if KVM says that no vCPU of this model can be in this state;
     *     another restore is needed then
     */
    void restore(CpuState s) {
        StateCheck.check(s);
        tsc.setNeutral(s.tscOffset());
        neutralTsc = s.tscOffset();
        restoreSregs(s);
        restoreRegs(s);
        xcrs.fill((byte) 0);
        xcrs.set(INT, XcrsLayout.COUNT, 1);
        xcrs.set(LONG, XcrsLayout.FIRST + XcrsLayout.ENTRY_VALUE, s.xcr0());
        set("extended control registers", KvmAbi.SET_XCRS, xcrs);
        xsave.fill((byte) 0);
        int bytes = (int) Math.min(s.xsave().length, xsave.byteSize());
        MemorySegment.copy(s.xsave(), 0, xsave, BYTE, 0, bytes);
        set("vector registers", KvmAbi.SET_XSAVE, xsave);
        debug.fill((byte) 0);
        for (int i = 0; i < 4; i++) {
            debug.set(LONG, DebugLayout.DB + 8 * i, s.debug()[i]);
        }
        debug.set(LONG, DebugLayout.DR6, s.debug()[6]);
        debug.set(LONG, DebugLayout.DR7, s.debug()[7]);
        set("debug registers", KvmAbi.SET_DEBUGREGS, debug);
        restoreLapic(s);
        // After the local APIC, whose timer mode decides whether a deadline is taken.
        restoreMsrs(s);
        restoreEvents(s);
        restoreActivity(s);
    }

    private void restoreSregs(CpuState s) {
        get("system registers", KvmAbi.GET_SREGS, sregs);
        Segments.write(sregs, SregsLayout.ES, s.segments().es());
        Segments.write(sregs, SregsLayout.CS, s.segments().cs());
        Segments.write(sregs, SregsLayout.SS, s.segments().ss());
        Segments.write(sregs, SregsLayout.DS, s.segments().ds());
        Segments.write(sregs, SregsLayout.FS, s.segments().fs());
        Segments.write(sregs, SregsLayout.GS, s.segments().gs());
        Segments.write(sregs, SregsLayout.TR, s.segments().tr());
        Segments.write(sregs, SregsLayout.LDT, s.segments().ldtr());
        Segments.writeTable(sregs, SregsLayout.GDT, s.gdt());
        Segments.writeTable(sregs, SregsLayout.IDT, s.idt());
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
        set("system registers", KvmAbi.SET_SREGS, sregs);
    }

    private void restoreRegs(CpuState s) {
        for (int i = 0; i < 16; i++) {
            regs.set(LONG, RegsLayout.gpr(i), s.gpr()[i]);
        }
        regs.set(LONG, RegsLayout.RIP, s.rip());
        regs.set(LONG, RegsLayout.RFLAGS, s.rflags());
        set("registers", KvmAbi.SET_REGS, regs);
    }

    private void restoreLapic(CpuState s) {
        MemorySegment.copy(s.lapic(), 0, lapic, BYTE, 0, 1024);
        // CR8 is the upper half of the task priority; where they differ, CR8 counts.
        int tpr = lapic.get(INT, LAPIC_TPR);
        if (tpr >>> 4 != s.cr8()) {
            lapic.set(INT, LAPIC_TPR, (int) s.cr8() << 4);
        }
        set("local APIC", KvmAbi.SET_LAPIC, lapic);
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

    private void restoreEvents(CpuState s) {
        Events e = s.events();
        boolean exception = e.exceptionVector() >= 0;
        boolean interrupt = !exception && e.interruptVector() >= 0;
        events.fill((byte) 0);
        events.set(BYTE, EventsLayout.EXCEPTION_INJECTED, (byte) (exception ? 1 : 0));
        if (exception) {
            events.set(BYTE, EventsLayout.EXCEPTION_NR, (byte) e.exceptionVector());
            boolean code = e.exceptionErrorCode() >= 0;
            events.set(BYTE, EventsLayout.EXCEPTION_HAS_ERROR_CODE, (byte) (code ? 1 : 0));
            events.set(
                    INT,
                    EventsLayout.EXCEPTION_ERROR_CODE,
                    code ? (int) e.exceptionErrorCode() : 0);
        }
        if (interrupt) {
            events.set(BYTE, EventsLayout.INTERRUPT_INJECTED, (byte) 1);
            events.set(BYTE, EventsLayout.INTERRUPT_NR, (byte) e.interruptVector());
        }
        events.set(
                BYTE,
                EventsLayout.INTERRUPT_SHADOW,
                (byte) (e.interruptShadow() ? EventsLayout.SHADOW_STI : 0));
        events.set(BYTE, EventsLayout.NMI_PENDING, (byte) (e.nmiPending() ? 1 : 0));
        events.set(BYTE, EventsLayout.NMI_MASKED, (byte) (e.nmiMasked() ? 1 : 0));
        events.set(INT, EventsLayout.SIPI_VECTOR, Math.max(e.sipiVector(), 0));
        events.set(
                INT,
                EventsLayout.FLAGS,
                EventsLayout.VALID_NMI_PENDING
                        | EventsLayout.VALID_SHADOW
                        | EventsLayout.VALID_SIPI_VECTOR);
        set("events", KvmAbi.SET_VCPU_EVENTS, events);
    }

    private void restoreActivity(CpuState s) {
        int mp =
                switch (s.activity()) {
                    case RUNNING -> KvmAbi.MP_RUNNABLE;
                    case HALTED -> KvmAbi.MP_HALTED;
                    case WAIT_FOR_INIT -> KvmAbi.MP_UNINITIALIZED;
                    case WAIT_FOR_SIPI ->
                            s.events().sipiVector() >= 0
                                    ? KvmAbi.MP_SIPI_RECEIVED
                                    : KvmAbi.MP_INIT_RECEIVED;
                };
        mpState.set(INT, 0, mp);
        set("activity", KvmAbi.SET_MP_STATE, mpState);
    }

    // ------------------------------------------------------------------ for a person

    /** All registers, as far as KVM still tells them. */
    String dump() {
        if (vcpu.attempt(KvmAbi.GET_REGS, regs) < 0 || vcpu.attempt(KvmAbi.GET_SREGS, sregs) < 0) {
            return "vCPU " + id + ": KVM does not tell its registers";
        }
        return RegisterDump.of(id, regs, sregs);
    }

    @Override
    public void close() {
        arena.close();
    }
}
