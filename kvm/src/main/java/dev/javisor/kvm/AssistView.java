package dev.javisor.kvm;

import dev.javisor.hypervisor.AssistedVcpu;
import dev.javisor.hypervisor.GuestDebug;
import dev.javisor.hypervisor.VcpuRegisters;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A vCPU as an instruction assistant sees it. Belongs to the vCPU's thread, between entries. */
final class AssistView implements AssistedVcpu {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    /** In the order of {@link VcpuRegisters}' segments. */
    private static final int[] SEGMENTS = {
        SregsLayout.ES,
        SregsLayout.CS,
        SregsLayout.SS,
        SregsLayout.DS,
        SregsLayout.FS,
        SregsLayout.GS,
        SregsLayout.TR,
        SregsLayout.LDT
    };

    /** Legacy area, header and AVX: what {@link #readXsave} and {@link #writeXsave} move. */
    private static final int XSAVE_BYTES = 832;

    /** Where XSTATE_BV is (SDM 1 §13.4.2); bits of x87, SSE, AVX. */
    private static final int XSTATE_BV = 512;

    private static final long KNOWN_COMPONENTS = 7;
    private static final long CR4_PGE = 1 << 7;

    private final int id;
    private final KvmVirtualMachine vm;
    private final KvmVcpu vcpu;
    private final VcpuState state;
    private final VcpuBuffers b;
    private final VcpuRegisters registers = new VcpuRegisters();

    AssistView(KvmVirtualMachine vm, KvmVcpu vcpu, VcpuState state) {
        this.id = vcpu.id();
        this.vm = vm;
        this.vcpu = vcpu;
        this.state = state;
        this.b = state.buffers();
    }

    // ------------------------------------------------------------------ before and after

    void load() {
        b.getRegs();
        b.getSregs();
        b.getEvents();
        VcpuRegisters r = registers;
        for (int i = 0; i < 16; i++) {
            r.gpr[i] = b.regs.get(LONG, RegsLayout.gpr(i));
        }
        r.rip = b.regs.get(LONG, RegsLayout.RIP);
        r.rflags = b.regs.get(LONG, RegsLayout.RFLAGS);
        MemorySegment sregs = b.sregs;
        for (int i = 0; i < SEGMENTS.length; i++) {
            int at = SEGMENTS[i];
            r.segmentSelector[i] = Segments.selector(sregs, at);
            r.segmentBase[i] = Segments.base(sregs, at);
            r.segmentLimit[i] = Segments.limit(sregs, at);
            r.segmentAttributes[i] = Segments.attributes(sregs, at);
        }
        r.gdtBase = Segments.tableBase(sregs, SregsLayout.GDT);
        r.gdtLimit = Segments.tableLimit(sregs, SregsLayout.GDT);
        r.idtBase = Segments.tableBase(sregs, SregsLayout.IDT);
        r.idtLimit = Segments.tableLimit(sregs, SregsLayout.IDT);
        r.cr0 = sregs.get(LONG, SregsLayout.CR0);
        r.cr2 = sregs.get(LONG, SregsLayout.CR2);
        r.cr3 = sregs.get(LONG, SregsLayout.CR3);
        r.cr4 = sregs.get(LONG, SregsLayout.CR4);
        r.cr8 = sregs.get(LONG, SregsLayout.CR8);
        r.efer = sregs.get(LONG, SregsLayout.EFER);
        r.apicBase = sregs.get(LONG, SregsLayout.APIC_BASE);
        EventState events = state.events();
        r.exceptionVector = events.exceptionVector();
        r.exceptionErrorCode = events.exceptionErrorCode();
        r.interruptVector = events.interruptVector();
        r.nmiMasked = events.octet(EventsLayout.NMI_MASKED) != 0;
        r.interruptShadow = events.octet(EventsLayout.INTERRUPT_SHADOW) != 0;
        r.changed = 0;
    }

    /** Gives KVM what was changed. */
    void store() {
        VcpuRegisters r = registers;
        if (r.changed != 0) {
            vcpu.assisted();
        }
        if ((r.changed & VcpuRegisters.SYSTEM) != 0) {
            storeSystem(r);
        }
        if ((r.changed & VcpuRegisters.GENERAL) != 0) {
            for (int i = 0; i < 16; i++) {
                b.regs.set(LONG, RegsLayout.gpr(i), r.gpr[i]);
            }
            b.regs.set(LONG, RegsLayout.RIP, r.rip);
            b.regs.set(LONG, RegsLayout.RFLAGS, r.rflags);
            b.changeRegs();
        }
        if ((r.changed & VcpuRegisters.EVENTS) != 0) {
            EventState events = state.events();
            events.setException(r.exceptionVector, r.exceptionErrorCode);
            events.setInterrupt(r.exceptionVector >= 0 ? -1 : r.interruptVector);
            events.setMasks(r.nmiMasked, r.interruptShadow);
            events.setFlags(EventsLayout.VALID_SHADOW);
            b.changeEvents();
        }
        if ((r.changed & VcpuRegisters.TRANSLATIONS) != 0) {
            dropTranslations();
        }
        r.changed = 0;
    }

    /** KVM drops what it has cached of the guest's page tables when CR4.PGE changes. */
    private void dropTranslations() {
        b.getSregs();
        long cr4 = b.sregs.get(LONG, SregsLayout.CR4);
        b.sregs.set(LONG, SregsLayout.CR4, cr4 ^ CR4_PGE);
        b.setSregs();
        b.sregs.set(LONG, SregsLayout.CR4, cr4);
        b.setSregs();
    }

    private void storeSystem(VcpuRegisters r) {
        MemorySegment sregs = b.sregs;
        for (int i = 0; i < SEGMENTS.length; i++) {
            Segments.write(
                    sregs,
                    SEGMENTS[i],
                    r.segmentSelector[i],
                    r.segmentBase[i],
                    r.segmentLimit[i],
                    r.segmentAttributes[i]);
        }
        Segments.writeTable(sregs, SregsLayout.GDT, r.gdtBase, r.gdtLimit);
        Segments.writeTable(sregs, SregsLayout.IDT, r.idtBase, r.idtLimit);
        sregs.set(LONG, SregsLayout.CR0, r.cr0);
        sregs.set(LONG, SregsLayout.CR2, r.cr2);
        sregs.set(LONG, SregsLayout.CR3, r.cr3);
        sregs.set(LONG, SregsLayout.CR4, r.cr4);
        sregs.set(LONG, SregsLayout.CR8, r.cr8);
        sregs.set(LONG, SregsLayout.EFER, r.efer);
        // What is being injected stays with the events.
        sregs.asSlice(SregsLayout.INTERRUPT_BITMAP, 32).fill((byte) 0);
        b.setSregs();
    }

    // ------------------------------------------------------------------ AssistedVcpu

    @Override
    public int id() {
        return id;
    }

    @Override
    public VcpuRegisters registers() {
        return registers;
    }

    @Override
    public void readXsave(byte[] area) {
        b.getXsave();
        MemorySegment.copy(b.xsave, ValueLayout.JAVA_BYTE, 0, area, 0, XSAVE_BYTES);
        clearHigherComponents(area);
    }

    private static void clearHigherComponents(byte[] area) {
        area[XSTATE_BV] &= (byte) KNOWN_COMPONENTS;
        for (int i = 1; i < 16; i++) {
            area[XSTATE_BV + i] = 0;
        }
    }

    @Override
    public void writeXsave(byte[] area) {
        // Components that the assistant does not know stay as they are.
        b.getXsave();
        long others = b.xsave.get(LONG, XSTATE_BV) & ~KNOWN_COMPONENTS;
        MemorySegment.copy(area, 0, b.xsave, ValueLayout.JAVA_BYTE, 0, XSAVE_BYTES);
        long known = b.xsave.get(LONG, XSTATE_BV) & KNOWN_COMPONENTS;
        b.xsave.set(LONG, XSTATE_BV, known | others);
        b.setXsave();
    }

    @Override
    public long readXcr0() {
        b.getXcrs();
        return state.xcr0();
    }

    @Override
    public void writeXcr0(long value) {
        state.setXcr0(value);
    }

    @Override
    public void readDebug(long[] into) {
        b.getDebug();
        state.readDebug(into);
    }

    @Override
    public void writeDebug(long[] values) {
        state.setDebug(values);
    }

    @Override
    public boolean readMsr(int index, long[] into) {
        if (state.platformMsrs().knows(index)) {
            into[0] = state.platformMsrs().read(index);
            return true;
        }
        return state.msrs().read(index, into);
    }

    @Override
    public boolean writeMsr(int index, long value) {
        if (state.platformMsrs().knows(index)) {
            state.platformMsrs().write(index, value);
            return true;
        }
        b.stale();
        return state.msrs().write(index, value);
    }

    @Override
    public void cpuid(int leaf, int subleaf, long[] into) {
        b.getXcrs();
        vm.cpuid().query(id, registers.cr4, state.xcr0(), registers.apicBase, leaf, subleaf, into);
    }

    @Override
    public GuestDebug debug() {
        return vcpu.debug().asked();
    }

    @Override
    public void exclusively(Runnable action) {
        vm.exclusion().run(vcpu, action);
    }
}
