package dev.javisor.guests;

import dev.javisor.hypervisor.AssistedVcpu;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.CpuState.DescriptorTable;
import dev.javisor.hypervisor.CpuState.Events;
import dev.javisor.hypervisor.CpuState.Segment;
import dev.javisor.hypervisor.CpuState.Segments;
import dev.javisor.hypervisor.GuestDebug;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.InstructionAssistant;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.hypervisor.VcpuRegisters;
import dev.javisor.hypervisor.VirtualMachineConfig;
import java.util.Arrays;
import java.util.SortedMap;
import java.util.TreeMap;

/** The vCPU of a {@link HelplessHypervisor}. */
final class HelplessVcpu implements Vcpu, AssistedVcpu {
    private static final int TSC = 0x10;
    private static final int APIC_BASE = 0x1B;

    private final InstructionAssistant assistant;
    private final int burst;
    private final VcpuRegisters registers = new VcpuRegisters();
    private final long[] debug = new long[8];
    private final SortedMap<Integer, Long> msrs = new TreeMap<>(Integer::compareUnsigned);
    private byte[] xsave = new byte[0];
    private byte[] lapic = new byte[0];
    private long xcr0 = 1;
    private CpuState.Activity activity = CpuState.Activity.RUNNING;
    private long tscOffset;
    private GuestDebug asked = GuestDebug.NONE;
    private GuestDebug.Stop stop = GuestDebug.Stop.NONE;
    private boolean stopped;
    private volatile boolean kicked;

    /** How often an assist said that translations are void. */
    int translationsDropped;

    /** How often vector state was fetched and stored. */
    int xsaveReads;

    int xsaveWrites;

    HelplessVcpu(
            VirtualMachineConfig config,
            GuestMemory memory,
            CpuState powerOn,
            InstructionAssistant.Factory assistants,
            int burst) {
        this.burst = burst;
        restore(powerOn);
        assistant = assistants.create(config, memory, this);
    }

    @Override
    public int id() {
        return 0;
    }

    @Override
    public ExitReason run(VcpuBus bus) {
        boolean resumes = stopped;
        stopped = false;
        while (!kicked) {
            // At level 0 of 64-bit code: no segment base.
            int before = resumes ? 0 : asked.at(registers.rip);
            resumes = false;
            if (before != 0) {
                return stop(false, before);
            }
            registers.changed = 0;
            InstructionAssistant.Outcome outcome = assistant.assist(bus, asked.isOn() ? 1 : burst);
            if ((registers.changed & VcpuRegisters.TRANSLATIONS) != 0) {
                translationsDropped++;
            }
            switch (outcome) {
                case EXECUTED -> {
                    if (asked.singleStep() || assistant.breakpoints() != 0) {
                        return stop(
                                asked.singleStep(),
                                assistant.breakpoints() | asked.at(registers.rip));
                    }
                }
                case DECLINED -> {
                    return ExitReason.FAULT;
                }
                case SHUTDOWN -> {
                    return ExitReason.SHUTDOWN;
                }
            }
        }
        kicked = false;
        return ExitReason.KICKED;
    }

    @Override
    public String exitDetail() {
        return assistant.detail();
    }

    @Override
    public void kick() {
        kicked = true;
    }

    private ExitReason stop(boolean stepped, int breakpoints) {
        stop = new GuestDebug.Stop(stepped, breakpoints);
        stopped = true;
        return ExitReason.DEBUG;
    }

    @Override
    public void setDebug(GuestDebug newDebug) {
        asked = newDebug;
    }

    @Override
    public GuestDebug.Stop debugStop() {
        return stop;
    }

    @Override
    public GuestDebug debug() {
        return asked;
    }

    @Override
    public long instructions() {
        return -1;
    }

    @Override
    public SortedMap<String, Long> assists() {
        return assistant.counts();
    }

    @Override
    public void close() {
        assistant.close();
    }

    // ------------------------------------------------------------------ what the assistant sees

    @Override
    public VcpuRegisters registers() {
        return registers;
    }

    @Override
    public void readXsave(byte[] area) {
        xsaveReads++;
        Arrays.fill(area, (byte) 0);
        System.arraycopy(xsave, 0, area, 0, Math.min(area.length, xsave.length));
    }

    @Override
    public void writeXsave(byte[] area) {
        xsaveWrites++;
        xsave = area.clone();
    }

    @Override
    public long readXcr0() {
        return xcr0;
    }

    @Override
    public void writeXcr0(long value) {
        xcr0 = value;
    }

    @Override
    public void readDebug(long[] into) {
        System.arraycopy(debug, 0, into, 0, 8);
    }

    @Override
    public void writeDebug(long[] from) {
        System.arraycopy(from, 0, debug, 0, 8);
    }

    @Override
    public boolean readMsr(int index, long[] into) {
        if (index == TSC) {
            into[0] = System.nanoTime();
            return true;
        }
        Long value = msrs.get(index);
        into[0] = value == null ? 0 : value;
        return value != null;
    }

    @Override
    public boolean writeMsr(int index, long value) {
        if (msrs.replace(index, value) == null) {
            return false;
        }
        if (index == APIC_BASE) {
            registers.apicBase = value;
        }
        return true;
    }

    /** SMAP, SMEP, XSAVE and AVX are there. */
    @Override
    public void cpuid(int leaf, int subleaf, long[] into) {
        Arrays.fill(into, 0, 4, 0);
        switch (leaf) {
            case 1 -> into[2] = 1 << 26 | 1 << 28;
            case 7 -> into[1] = 1 | 1 << 7 | 1 << 20;
            case 0xD -> into[0] = 7;
            default -> {}
        }
    }

    @Override
    public void exclusively(Runnable action) {
        action.run();
    }

    // ------------------------------------------------------------------ state

    private Segment segment(int n) {
        return new Segment(
                registers.segmentSelector[n],
                registers.segmentBase[n],
                registers.segmentLimit[n],
                registers.segmentAttributes[n]);
    }

    @Override
    public CpuState save() {
        VcpuRegisters r = registers;
        return new CpuState(
                r.gpr.clone(),
                r.rip,
                r.rflags,
                new Segments(
                        segment(VcpuRegisters.ES),
                        segment(VcpuRegisters.CS),
                        segment(VcpuRegisters.SS),
                        segment(VcpuRegisters.DS),
                        segment(VcpuRegisters.FS),
                        segment(VcpuRegisters.GS),
                        segment(VcpuRegisters.TR),
                        segment(VcpuRegisters.LDTR)),
                new DescriptorTable(r.gdtBase, r.gdtLimit),
                new DescriptorTable(r.idtBase, r.idtLimit),
                r.cr0,
                r.cr2,
                r.cr3,
                r.cr4,
                r.cr8,
                r.efer,
                xcr0,
                debug.clone(),
                new TreeMap<>(msrs),
                xsave.clone(),
                lapic.clone(),
                new Events(
                        r.exceptionVector,
                        r.exceptionErrorCode,
                        r.interruptVector,
                        false,
                        r.nmiMasked,
                        r.interruptShadow,
                        -1),
                activity,
                tscOffset);
    }

    @Override
    public void restore(CpuState s) {
        stopped = false;
        VcpuRegisters r = registers;
        System.arraycopy(s.gpr(), 0, r.gpr, 0, 16);
        r.rip = s.rip();
        r.rflags = s.rflags();
        set(VcpuRegisters.ES, s.segments().es());
        set(VcpuRegisters.CS, s.segments().cs());
        set(VcpuRegisters.SS, s.segments().ss());
        set(VcpuRegisters.DS, s.segments().ds());
        set(VcpuRegisters.FS, s.segments().fs());
        set(VcpuRegisters.GS, s.segments().gs());
        set(VcpuRegisters.TR, s.segments().tr());
        set(VcpuRegisters.LDTR, s.segments().ldtr());
        r.gdtBase = s.gdt().base();
        r.gdtLimit = s.gdt().limit();
        r.idtBase = s.idt().base();
        r.idtLimit = s.idt().limit();
        r.cr0 = s.cr0();
        r.cr2 = s.cr2();
        r.cr3 = s.cr3();
        r.cr4 = s.cr4();
        r.cr8 = s.cr8();
        r.efer = s.efer();
        r.exceptionVector = s.events().exceptionVector();
        r.exceptionErrorCode = s.events().exceptionErrorCode();
        r.interruptVector = s.events().interruptVector();
        r.nmiMasked = s.events().nmiMasked();
        r.interruptShadow = s.events().interruptShadow();
        xcr0 = s.xcr0();
        System.arraycopy(s.debug(), 0, debug, 0, 8);
        msrs.clear();
        msrs.putAll(s.msrs());
        Long base = s.msrs().get(APIC_BASE);
        r.apicBase = base == null ? 0 : base;
        xsave = s.xsave().clone();
        lapic = s.lapic().clone();
        activity = s.activity();
        tscOffset = s.tscOffset();
    }

    private void set(int n, Segment s) {
        registers.segmentSelector[n] = s.selector();
        registers.segmentBase[n] = s.base();
        registers.segmentLimit[n] = s.limit();
        registers.segmentAttributes[n] = s.attributes();
    }
}
