package dev.javisor.softcpu.sys;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.CpuState.Activity;
import dev.javisor.hypervisor.CpuState.DescriptorTable;
import dev.javisor.hypervisor.CpuState.Segment;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.PageWalker;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.fp.FpuArea;
import java.util.Arrays;
import java.util.SortedMap;

/** Between a vCPU and its neutral state, which may come from anywhere and is checked. */
public final class StateCodec {
    private static final int ATTRIBUTE_BITS = 0xF0FF | Seg.UNUSABLE;
    private static final int XSAVE_MIN_BYTES = 576;

    private StateCodec() {}

    /** Only between instructions. */
    public static CpuState save(Cpu cpu, VcpuPlatform platform) {
        byte[] xsave = new byte[FpuArea.SIZE_BYTES];
        FpuArea.save(cpu, xsave);
        boolean owedException = cpu.owedVector >= 0 && !cpu.owedInterrupt;
        boolean owedInterrupt = cpu.owedVector >= 0 && cpu.owedInterrupt;
        return new CpuState(
                Arrays.copyOf(cpu.regs, 16),
                cpu.rip,
                cpu.flags.rflags(),
                new CpuState.Segments(
                        segment(cpu, Seg.ES),
                        segment(cpu, Seg.CS),
                        segment(cpu, Seg.SS),
                        segment(cpu, Seg.DS),
                        segment(cpu, Seg.FS),
                        segment(cpu, Seg.GS),
                        segment(cpu, Seg.TR),
                        segment(cpu, Seg.LDTR)),
                new DescriptorTable(cpu.gdtBase, cpu.gdtLimit),
                new DescriptorTable(cpu.idtBase, cpu.idtLimit),
                cpu.cr0,
                cpu.cr2,
                cpu.cr3,
                cpu.cr4,
                platform.taskPriorityClass(),
                cpu.efer,
                cpu.xcr0,
                cpu.dr.clone(),
                platform.msrs().save(),
                xsave,
                platform.apic().save(),
                new CpuState.Events(
                        owedException ? cpu.owedVector : -1,
                        owedException ? cpu.owedErrorCode : -1,
                        owedInterrupt ? cpu.owedVector : -1,
                        (cpu.requests() & Cpu.REQUEST_NMI) != 0,
                        cpu.nmiMasked,
                        cpu.interruptShadow,
                        platform.apic().pendingSipi(),
                        platform.apic().hasExternalMessage()),
                activity(cpu, platform),
                platform.timeStampCounter().offset());
    }

    private static Activity activity(Cpu cpu, VcpuPlatform platform) {
        if (cpu.waitsForSipi) {
            return Activity.WAIT_FOR_SIPI;
        }
        return cpu.halted && !platform.apic().isKicked() ? Activity.HALTED : Activity.RUNNING;
    }

    private static Segment segment(Cpu cpu, int seg) {
        return new Segment(
                cpu.segSelector[seg],
                cpu.segBase[seg],
                (int) cpu.segLimit[seg],
                cpu.segAttributes[seg]);
    }

    /**
     * Replaces all state. Guest memory must be there already (PAE's pointers are read from it).
     *
     * @throws IllegalArgumentException if a CPU of this model cannot be in this state; what the
     *     vCPU holds then is undefined but harmless, and another load is needed
     */
    public static void load(Cpu cpu, VcpuPlatform platform, CpuState state) {
        check(state, platform);
        System.arraycopy(state.gpr(), 0, cpu.regs, 0, 16);
        cpu.rip = state.rip();
        cpu.flags.setRflags(state.rflags());
        CpuState.Segments s = state.segments();
        load(cpu, Seg.ES, s.es());
        load(cpu, Seg.CS, s.cs());
        load(cpu, Seg.SS, s.ss());
        load(cpu, Seg.DS, s.ds());
        load(cpu, Seg.FS, s.fs());
        load(cpu, Seg.GS, s.gs());
        load(cpu, Seg.TR, s.tr());
        load(cpu, Seg.LDTR, s.ldtr());
        cpu.gdtBase = state.gdt().base();
        cpu.gdtLimit = state.gdt().limit();
        cpu.idtBase = state.idt().base();
        cpu.idtLimit = state.idt().limit();
        cpu.cr0 = state.cr0() | Cpu.CR0_ET;
        cpu.cr2 = state.cr2();
        cpu.cr3 = state.cr3();
        cpu.cr4 = state.cr4();
        cpu.efer = state.efer();
        cpu.xcr0 = state.xcr0();
        System.arraycopy(state.debug(), 0, cpu.dr, 0, 4);
        cpu.dr[6] = DebugRegisters.dr6(state.debug()[6]);
        cpu.dr[7] = DebugRegisters.dr7(state.debug()[7]);
        FpuArea.load(cpu, state.xsave());
        platform.timeStampCounter().setOffset(state.tscOffset());
        cpu.acknowledge(Cpu.REQUEST_NMI | Cpu.REQUEST_INIT | Cpu.REQUEST_SIPI);
        long apicBase = platform.apic().base();
        SortedMap<Integer, Long> msrs = state.msrs();
        Long savedBase = msrs.get(Msrs.APIC_BASE);
        platform.apic().restore(state.lapic(), savedBase == null ? apicBase : savedBase);
        platform.setTaskPriorityClass((int) state.cr8());
        platform.msrs().restore(msrs);
        loadEvents(cpu, platform, state);
        cpu.mmu.updateWatch();
        cpu.mmu.flushAll();
        loadPdptes(cpu);
        cpu.updateMode();
        cpu.request(Cpu.REQUEST_INTERRUPT);
    }

    private static void loadEvents(Cpu cpu, VcpuPlatform platform, CpuState state) {
        CpuState.Events events = state.events();
        boolean exception = events.exceptionVector() >= 0;
        cpu.owedVector = exception ? events.exceptionVector() : events.interruptVector();
        cpu.owedErrorCode = exception ? (int) events.exceptionErrorCode() : -1;
        cpu.owedInterrupt = !exception && events.interruptVector() >= 0;
        cpu.nmiMasked = events.nmiMasked();
        cpu.interruptShadow = events.interruptShadow();
        cpu.pendingDebug = 0;
        if (events.nmiPending()) {
            cpu.request(Cpu.REQUEST_NMI);
        }
        platform.apic().setExternalMessage(events.externalPending());
        platform.apic().setPendingSipi(events.sipiVector());
        if (events.sipiVector() >= 0) {
            cpu.request(Cpu.REQUEST_SIPI);
        }
        cpu.halted = state.activity() == Activity.HALTED;
        cpu.waitsForSipi =
                switch (state.activity()) {
                    case WAIT_FOR_INIT, WAIT_FOR_SIPI -> true;
                    case RUNNING, HALTED -> false;
                };
    }

    private static void loadPdptes(Cpu cpu) {
        if (ControlRegisters.usesPdptes(cpu.cr0, cpu.cr4, cpu.efer)) {
            try {
                cpu.mmu.walker().loadPdptes(cpu.cr3);
            } catch (GuestFault fault) {
                throw new IllegalArgumentException("PAE pointers with reserved bits", fault);
            }
        }
    }

    private static void load(Cpu cpu, int seg, Segment s) {
        Segments.set(
                cpu, seg, s.selector() & 0xFFFF, s.base(), s.limit() & 0xFFFFFFFFL, s.attributes());
    }

    private static void check(CpuState s, VcpuPlatform platform) {
        require(s.gpr().length == 16 && s.debug().length == 8, "register count");
        require(s.xsave().length >= XSAVE_MIN_BYTES, "XSAVE area too short");
        require(ControlRegisters.isValidCr0(s.cr0()), "CR0");
        require((s.cr4() & ~platform.cr4Bits()) == 0, "CR4");
        require(s.cr3() >>> PageWalker.PHYSICAL_BITS == 0, "CR3");
        require((s.cr8() & ~0xFL) == 0, "CR8");
        require(ControlRegisters.isValidXcr0(s.xcr0(), platform.xcr0Bits()), "XCR0");
        require(ControlRegisters.isValidEfer(s.efer()), "EFER");
        boolean paging = (s.cr0() & Cpu.CR0_PG) != 0;
        boolean lma = (s.efer() & Cpu.EFER_LMA) != 0;
        require(lma == (paging && (s.efer() & Cpu.EFER_LME) != 0), "EFER.LMA");
        require(!lma || (s.cr4() & Cpu.CR4_PAE) != 0, "long mode without PAE");
        require((s.cr4() & Cpu.CR4_PCIDE) == 0 || lma, "PCIDs outside long mode");
        long known = Flags.STATUS | Flags.SYSTEM | 2;
        require((s.rflags() & ~known) == 0 && (s.rflags() & 2) != 0, "RFLAGS");
        boolean vm = (s.rflags() & Flags.VM) != 0;
        require(!vm || ((s.cr0() & Cpu.CR0_PE) != 0 && !lma), "RFLAGS.VM");
        require(((s.debug()[6] | s.debug()[7]) >>> 32) == 0, "DR6, DR7");
        require(isTable(s.gdt()) && isTable(s.idt()), "descriptor table limit");
        CpuState.Segments segments = s.segments();
        checkSegment(segments.es());
        checkSegment(segments.cs());
        checkSegment(segments.ss());
        checkSegment(segments.ds());
        checkSegment(segments.fs());
        checkSegment(segments.gs());
        checkSegment(segments.tr());
        checkSegment(segments.ldtr());
        require((segments.cs().attributes() & Seg.UNUSABLE) == 0, "CS");
        CpuState.Events e = s.events();
        require(e.exceptionVector() >= -1 && e.exceptionVector() < 32, "pending exception");
        require(e.interruptVector() >= -1 && e.interruptVector() < 256, "pending interrupt");
        require(e.sipiVector() >= -1 && e.sipiVector() < 256, "pending SIPI");
        require(
                e.exceptionErrorCode() >= -1 && e.exceptionErrorCode() <= Integer.MAX_VALUE,
                "pending error code");
    }

    private static boolean isTable(DescriptorTable table) {
        return table.limit() >= 0 && table.limit() <= 0xFFFF;
    }

    private static void checkSegment(Segment s) {
        require((s.attributes() & ~ATTRIBUTE_BITS) == 0, "segment attributes");
        require(s.selector() >= 0 && s.selector() <= 0xFFFF, "segment selector");
    }

    private static void require(boolean condition, String what) {
        if (!condition) {
            throw new IllegalArgumentException("CPU state: " + what);
        }
    }
}
