package dev.javisor.softcpu.sys;

import static dev.javisor.softcpu.sys.SysTestCpu.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.hypervisor.CpuModel;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.core.Watchpoints;
import org.junit.jupiter.api.Test;

class ControlRegistersTest {
    private static final int[] MOV_CR0_RAX = {0x0F, 0x22, 0xC0};
    private static final int[] MOV_CR3_RAX = {0x0F, 0x22, 0xD8};
    private static final int[] MOV_CR4_RAX = {0x0F, 0x22, 0xE0};
    private static final int[] MOV_CR8_RAX = {0x44, 0x0F, 0x22, 0xC0};
    private static final int[] WRMSR = {0x0F, 0x30};
    private static final int[] RDMSR = {0x0F, 0x32};

    private final SysTestCpu t = SysTestCpu.long64();
    private final Cpu cpu = t.cpu;

    private void wrmsr(int index, long value) {
        setMsr(index, value);
        t.step(WRMSR);
    }

    private void setMsr(int index, long value) {
        cpu.regs[1] = index & 0xFFFFFFFFL;
        cpu.regs[0] = value & 0xFFFFFFFFL;
        cpu.regs[2] = value >>> 32;
    }

    private long rdmsr(int index) {
        cpu.regs[1] = index & 0xFFFFFFFFL;
        t.step(RDMSR);
        return cpu.regs[2] << 32 | cpu.regs[0];
    }

    @Test
    void cr0_illegalCombinations_fault() {
        cpu.regs[0] = cpu.cr0 & ~Cpu.CR0_PE;
        t.faults(GuestFault.GP, 0, MOV_CR0_RAX);
        cpu.regs[0] = cpu.cr0 & ~Cpu.CR0_PG;
        t.faults(GuestFault.GP, 0, MOV_CR0_RAX); // in 64-bit mode
        cpu.regs[0] = cpu.cr0 | Cpu.CR0_NW;
        t.faults(GuestFault.GP, 0, MOV_CR0_RAX);
        cpu.regs[0] = cpu.cr0 | 1L << 32;
        t.faults(GuestFault.GP, 0, MOV_CR0_RAX);
        t.user64();
        cpu.regs[0] = cpu.cr0;
        t.faults(GuestFault.GP, 0, MOV_CR0_RAX);
    }

    @Test
    void cr0_writeProtect_takesEffectAtOnce() {
        t.memory.writeLong(0x3000, 0x85); // read-only
        cpu.mmu.flushAll();
        cpu.regs[0] = cpu.cr0 & ~Cpu.CR0_WP;
        t.step(MOV_CR0_RAX);
        cpu.mmu.write64(0x20000, 1);
        cpu.regs[0] = cpu.cr0 | Cpu.CR0_WP;
        t.step(MOV_CR0_RAX);
        boolean faulted = false;
        try {
            cpu.mmu.write64(0x20000, 2);
        } catch (GuestFault fault) {
            faulted = true;
            assertThat(fault.vector()).isEqualTo(GuestFault.PF);
            assertThat(fault.errorCode()).isEqualTo(3);
        }
        assertThat(faulted).isTrue();
    }

    @Test
    void cr4_reservedBits_areThoseTheModelLacks() {
        cpu.regs[0] = cpu.cr4 | Cpu.CR4_OSXSAVE;
        t.faults(GuestFault.GP, 0, MOV_CR4_RAX);
        cpu.regs[0] = cpu.cr4 | Cpu.CR4_LA57;
        t.faults(GuestFault.GP, 0, MOV_CR4_RAX);
        cpu.regs[0] = cpu.cr4 & ~Cpu.CR4_PAE;
        t.faults(GuestFault.GP, 0, MOV_CR4_RAX);
        cpu.regs[0] = cpu.cr4 | Cpu.CR4_SMEP | Cpu.CR4_SMAP | Cpu.CR4_UMIP | Cpu.CR4_FSGSBASE;
        t.step(MOV_CR4_RAX);
        assertThat(cpu.cr4).isEqualTo(cpu.regs[0]);
    }

    @Test
    void pcid_needsLongModeAndCr3WithoutOne() {
        SysTestCpu h = SysTestCpu.long64(CpuModel.HOST);
        h.cpu.cr3 = PML4 | 5;
        h.cpu.regs[0] = h.cpu.cr4 | Cpu.CR4_PCIDE;
        h.faults(GuestFault.GP, 0, MOV_CR4_RAX);
        h.cpu.cr3 = PML4;
        h.step(MOV_CR4_RAX);
        h.cpu.regs[0] = 1L << 63 | PML4 | 7;
        h.step(MOV_CR3_RAX);
        assertThat(h.cpu.cr3).isEqualTo(PML4 | 7);
        h.cpu.regs[0] = 1L << 50;
        h.faults(GuestFault.GP, 0, MOV_CR3_RAX);
    }

    @Test
    void cr8_isTheTaskPriority() {
        cpu.regs[0] = 0xA;
        t.step(MOV_CR8_RAX);
        assertThat(t.platform.apic().taskPriorityClass()).isEqualTo(0xA);
        cpu.regs[3] = 0;
        t.step(0x44, 0x0F, 0x20, 0xC3); // MOV RBX, CR8
        assertThat(cpu.regs[3]).isEqualTo(0xA);
        cpu.regs[0] = 0x10;
        t.faults(GuestFault.GP, 0, MOV_CR8_RAX);
    }

    @Test
    void longModeEntry_fromProtectedMode() {
        SysTestCpu p = SysTestCpu.protected32();
        Cpu c = p.cpu;
        p.memory.writeLong(PML4, 0x2007);
        p.memory.writeLong(0x2000, 0x3007);
        p.memory.writeLong(0x3000, 0x87);
        p.gdt(FREE, 0x00AF9B000000FFFFL);
        c.regs[1] = 0xC0000080L;
        c.regs[0] = Cpu.EFER_LME | Cpu.EFER_NXE;
        c.regs[2] = 0;
        p.step(WRMSR);
        c.regs[0] = PML4;
        p.step(MOV_CR3_RAX);
        c.regs[0] = c.cr0 | Cpu.CR0_PG;
        p.faults(GuestFault.GP, 0, MOV_CR0_RAX); // without PAE
        c.regs[0] = Cpu.CR4_PAE;
        p.step(MOV_CR4_RAX);
        c.regs[0] = c.cr0 | Cpu.CR0_PG;
        p.step(MOV_CR0_RAX);
        assertThat(c.efer & Cpu.EFER_LMA).isNotZero();
        assertThat(c.codeBits).isEqualTo(32);
        p.step(0xEA, 0x00, 0x90, 0x00, 0x00, FREE, 0x00);
        assertThat(c.codeBits).isEqualTo(64);
        assertThat(c.rip).isEqualTo(0x9000);
        c.regs[0] = c.cr4 & ~Cpu.CR4_PAE;
        p.faults(GuestFault.GP, 0, MOV_CR4_RAX);
    }

    @Test
    void paePaging_loadsItsPointersWithCr3() {
        SysTestCpu p = SysTestCpu.protected32();
        Cpu c = p.cpu;
        p.memory.writeLong(0x1000, 0x2001);
        p.memory.writeLong(0x2000, 0x83);
        c.cr3 = 0x1000;
        c.regs[0] = Cpu.CR4_PAE;
        p.step(MOV_CR4_RAX);
        c.regs[0] = c.cr0 | Cpu.CR0_PG;
        p.step(MOV_CR0_RAX);
        assertThat(c.mmu.read32(0x5000)).isZero();
        p.memory.writeLong(0x1800, 0x2001 | 1L << 60); // reserved bit
        c.regs[0] = 0x1800;
        p.faults(GuestFault.GP, 0, MOV_CR3_RAX);
        assertThat(c.cr3).isEqualTo(0x1000);
    }

    @Test
    void debugRegisters_aliasAndReserve() {
        cpu.regs[0] = 0xFFFF;
        t.step(0x0F, 0x23, 0xE0); // MOV DR4: alias of DR6
        assertThat(cpu.dr[6]).isEqualTo(0xFFFFEFFFL);
        cpu.regs[0] = 0;
        t.step(0x0F, 0x23, 0xF8);
        assertThat(cpu.dr[7]).isEqualTo(0x400);
        cpu.regs[0] = 1L << 32;
        t.faults(GuestFault.GP, 0, 0x0F, 0x23, 0xF8);
        cpu.cr4 |= Cpu.CR4_DE;
        t.faults(GuestFault.UD, -1, 0x0F, 0x23, 0xE0);
    }

    @Test
    void generalDetect_isDebugFaultAndCleared() {
        t.gate64(1, CODE0, HANDLER, 0x8E, 0);
        cpu.dr[7] = 0x2400;
        t.step(0x0F, 0x21, 0xC0); // MOV RAX, DR0
        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(cpu.dr[6] & DebugRegisters.DR6_BD).isNotZero();
        assertThat(cpu.dr[7]).isEqualTo(0x400);
        assertThat(t.stack(0, 8)).isEqualTo(CODE);
    }

    @Test
    void breakpoints_matchAlignedRanges() {
        cpu.dr[0] = 0x1002;
        cpu.dr[1] = 0x2000;
        cpu.dr[7] = 0x400 | 3 | 3 << 2 | 0xDL << 16 | 0xBL << 20; // 4-byte write; 8-byte access
        Watchpoints.check(cpu, 0x1003, 1, false);
        assertThat(cpu.pendingDebug).as("write only").isZero();
        Watchpoints.check(cpu, 0x0FFE, 2, true);
        assertThat(cpu.pendingDebug).isZero();
        Watchpoints.check(cpu, 0x0FFE, 4, true);
        assertThat(DebugRegisters.takePending(cpu, false)).isEqualTo(1);
        Watchpoints.check(cpu, 0x2007, 1, false);
        assertThat(DebugRegisters.takePending(cpu, true)).isEqualTo(2 | DebugRegisters.DR6_BS);
    }

    @Test
    void singleStep_ofAnInstructionThatEntersAHandler_doesNotTrap() {
        t.gate64(0x80, CODE0, HANDLER, 0x8E, 0);
        cpu.flags.system |= Flags.TF;
        t.step(0xCD, 0x80);
        assertThat(DebugRegisters.takePending(cpu, true)).isZero();
        cpu.flags.system |= Flags.TF;
        t.step(0xFB);
        assertThat(DebugRegisters.takePending(cpu, true)).isEqualTo(DebugRegisters.DR6_BS);
    }

    @Test
    void instructionBreakpoint_faultsUnlessResumed() {
        cpu.dr[2] = CODE;
        cpu.dr[7] = 0x400 | 3 << 4;
        boolean faulted = false;
        try {
            DebugRegisters.checkInstruction(cpu, CODE);
        } catch (GuestFault fault) {
            faulted = fault.vector() == GuestFault.DB;
        }
        assertThat(faulted).isTrue();
        assertThat(cpu.dr[6] & 0xF).isEqualTo(4);
        cpu.flags.system |= Flags.RF;
        DebugRegisters.checkInstruction(cpu, CODE);
    }

    @Test
    void efer_guardsItsBits() {
        setMsr(Msrs.EFER, cpu.efer | 1 << 12);
        t.faults(GuestFault.GP, 0, WRMSR);
        setMsr(Msrs.EFER, cpu.efer & ~Cpu.EFER_LME);
        t.faults(GuestFault.GP, 0, WRMSR);
        wrmsr(Msrs.EFER, cpu.efer & ~Cpu.EFER_SCE);
        assertThat(rdmsr(Msrs.EFER)).isEqualTo(Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE);
        t.faults(GuestFault.UD, -1, 0x0F, 0x05); // SYSCALL without SCE
    }

    @Test
    void msrs_canonicalOnesRefuseOthers() {
        int[] canonical = {
            Msrs.LSTAR, Msrs.CSTAR, Msrs.FS_BASE, Msrs.GS_BASE, Msrs.KERNEL_GS_BASE, 0x175, 0x176
        };
        for (int index : canonical) {
            setMsr(index, 0x8000_0000_0000L);
            t.faults(GuestFault.GP, 0, WRMSR);
            wrmsr(index, 0xFFFF_8000_1234_5678L);
            assertThat(rdmsr(index)).isEqualTo(0xFFFF_8000_1234_5678L);
        }
        assertThat(cpu.linearBase[Seg.FS]).isEqualTo(0xFFFF_8000_1234_5678L);
    }

    @Test
    void msr_unknown_faultsAndIsCounted() {
        cpu.regs[1] = 0x1234_5678;
        t.faults(GuestFault.GP, 0, RDMSR);
        setMsr(0x1234_5678, 1);
        t.faults(GuestFault.GP, 0, WRMSR);
        assertThat(t.platform.msrs().unknownAccesses()).containsEntry(0x1234_5678, 2);
    }

    @Test
    void pat_refusesReservedTypes() {
        assertThat(rdmsr(Msrs.PAT)).isEqualTo(0x0007040600070406L);
        setMsr(Msrs.PAT, 0x0007040600070402L);
        t.faults(GuestFault.GP, 0, WRMSR);
        wrmsr(Msrs.PAT, 0x0407050600070106L);
        assertThat(rdmsr(Msrs.PAT)).isEqualTo(0x0407050600070106L);
    }

    @Test
    void tsc_followsTheClockAndItsAdjustment() {
        wrmsr(Msrs.TSC, 5_000);
        assertThat(rdmsr(Msrs.TSC_ADJUST)).isEqualTo(5_000);
        t.time.advance(100);
        t.step(0x0F, 0x31);
        assertThat(cpu.regs[0]).isEqualTo(5_100);
        wrmsr(Msrs.TSC_ADJUST, 0);
        assertThat(rdmsr(Msrs.TSC)).isEqualTo(100);
        wrmsr(Msrs.TSC_AUX, 0x77);
        t.step(0x0F, 0x01, 0xF9); // RDTSCP
        assertThat(cpu.regs[1]).isEqualTo(0x77);
        t.user64();
        cpu.cr4 |= Cpu.CR4_TSD;
        t.faults(GuestFault.GP, 0, 0x0F, 0x31);
    }

    @Test
    void kvmClock_pageTurnsTscIntoGuestTime() {
        wrmsr(Msrs.TSC, 1_000_000);
        t.time.advance(500);
        wrmsr(Msrs.KVM_SYSTEM_TIME, 0x30000 | 1);
        long page = 0x30000;
        assertThat(t.memory.readInt(page) & 1).as("version is even").isZero();
        long delta = t.platform.tsc() - t.memory.readLong(page + 8);
        int shift = t.memory.readByte(page + 28) << 24 >> 24;
        long multiplier = t.memory.readInt(page + 24) & 0xFFFFFFFFL;
        long shifted = shift < 0 ? delta >> -shift : delta << shift;
        long nanos = Math.multiplyHigh(shifted, multiplier) << 32 | shifted * multiplier >>> 32;
        assertThat(t.memory.readLong(page + 16) + nanos).isEqualTo(t.clock.nanos());
        assertThat(t.memory.readByte(page + 29)).as("stable").isEqualTo(1);

        wrmsr(Msrs.KVM_WALL_CLOCK, 0x30100);
        // 500 ns before the wall clock's current millisecond.
        assertThat(t.memory.readInt(0x30104)).isEqualTo(1_767_323_044);
        assertThat(t.memory.readInt(0x30108)).isEqualTo(999_999_500);
        wrmsr(Msrs.KVM_SYSTEM_TIME, 0xFFFF_FFFF_F001L);
        assertThat(t.isShutdown()).as("an address without RAM does no harm").isFalse();
    }

    @Test
    void cpuid_isConsistent() {
        cpu.regs[0] = 0;
        t.step(0x0F, 0xA2);
        assertThat(cpu.regs[3]).isEqualTo(0x68747541); // "Auth"
        cpu.regs[0] = 0x40000000;
        t.step(0x0F, 0xA2);
        assertThat(cpu.regs[3]).isEqualTo(0x4B4D564B);
        cpu.regs[0] = 1;
        t.step(0x0F, 0xA2);
        long ecx = cpu.regs[1];
        assertThat(ecx & 1L << 26).as("no XSAVE in v2").isZero();
        assertThat(ecx & 1L << 28).as("no AVX in v2").isZero();
        assertThat(ecx & (1L << 20 | 1L << 23)).as("SSE4.2, POPCNT").isEqualTo(0x900000);
        cpu.regs[0] = 0x80000008L;
        t.step(0x0F, 0xA2);
        assertThat(cpu.regs[0]).isEqualTo(48 << 8 | 40);
        assertThat(cpu.regs[1]).as("four cores").isEqualTo(2 << 12 | 3);
        cpu.regs[0] = 0xB;
        cpu.regs[1] = 1;
        t.step(0x0F, 0xA2);
        assertThat(cpu.regs[3]).isEqualTo(4);
        assertThat(cpu.regs[0]).isEqualTo(2);
    }

    @Test
    void cpuid_v3_hasAvxAndTellsHowItIsSaved() {
        SysTestCpu v3 = SysTestCpu.long64(CpuModel.X86_64_V3);
        long[] leaf = cpuid(v3, 1, 0);
        assertThat(leaf[2] >>> 26 & 1).as("XSAVE").isOne();
        assertThat(leaf[2] >>> 27 & 1).as("OSXSAVE before the system has set it").isZero();
        assertThat(leaf[2] & (1 << 28 | 1 << 29 | 1 << 12 | 1 << 22))
                .as("AVX, F16C, FMA, MOVBE")
                .isEqualTo(1 << 28 | 1 << 29 | 1 << 12 | 1 << 22);
        assertThat(cpuid(v3, 7, 0)[1] & (1 << 3 | 1 << 5 | 1 << 8))
                .as("BMI1, AVX2, BMI2")
                .isEqualTo(1 << 3 | 1 << 5 | 1 << 8);
        assertThat(cpuid(v3, 0x80000001, 0)[2] >>> 5 & 1).as("LZCNT").isOne();
        v3.cpu.regs[0] = v3.cpu.cr4 | Cpu.CR4_OSXSAVE;
        v3.step(MOV_CR4_RAX);
        assertThat(cpuid(v3, 1, 0)[2] >>> 27 & 1).as("OSXSAVE").isOne();
        // SDM 1 §13.2: XCR0's bits, size of what is enabled, size of all.
        assertThat(cpuid(v3, 0xD, 0)).containsExactly(7, 576, 832, 0);
        xsetbv(v3, 7);
        assertThat(cpuid(v3, 0xD, 0)).containsExactly(7, 832, 832, 0);
        assertThat(cpuid(v3, 0xD, 1)[1]).isEqualTo(832);
        assertThat(cpuid(v3, 0xD, 2)).containsExactly(256, 576, 0, 0);
        assertThat(cpuid(v3, 0xD, 3)).containsExactly(0, 0, 0, 0);
        v3.cpu.regs[0] = 5;
        v3.faults(GuestFault.GP, 0, 0x0F, 0x01, 0xD1); // AVX without SSE
    }

    private static void xsetbv(SysTestCpu on, long value) {
        on.cpu.regs[0] = value;
        on.cpu.regs[1] = 0;
        on.cpu.regs[2] = 0;
        on.step(0x0F, 0x01, 0xD1);
    }

    /** EAX, EBX, ECX, EDX. */
    private static long[] cpuid(SysTestCpu on, int leaf, int subleaf) {
        on.cpu.regs[0] = leaf & 0xFFFFFFFFL;
        on.cpu.regs[1] = subleaf;
        on.step(0x0F, 0xA2);
        return new long[] {on.cpu.regs[0], on.cpu.regs[3], on.cpu.regs[1], on.cpu.regs[2]};
    }

    @Test
    void fsGsBase_needsItsBit() {
        t.faults(GuestFault.UD, -1, 0xF3, 0x48, 0x0F, 0xAE, 0xD0); // WRFSBASE RAX
        cpu.cr4 |= Cpu.CR4_FSGSBASE;
        cpu.regs[0] = 0x7FFF_0000_0000L;
        t.step(0xF3, 0x48, 0x0F, 0xAE, 0xD0);
        assertThat(cpu.linearBase[Seg.FS]).isEqualTo(0x7FFF_0000_0000L);
        t.step(0xF3, 0x48, 0x0F, 0xAE, 0xC3); // RDFSBASE RBX
        assertThat(cpu.regs[3]).isEqualTo(0x7FFF_0000_0000L);
        cpu.regs[0] = 1L << 60;
        t.faults(GuestFault.GP, 0, 0xF3, 0x48, 0x0F, 0xAE, 0xD8);
    }

    @Test
    void stac_opensUserPagesUnderSmap() {
        cpu.cr4 |= Cpu.CR4_SMAP;
        cpu.updateMode();
        cpu.mmu.flushAll();
        t.step(0x0F, 0x01, 0xCB);
        assertThat(cpu.mmu.read8(0x20000)).isZero();
        t.step(0x0F, 0x01, 0xCA);
        boolean faulted = false;
        try {
            long unusedValue = cpu.mmu.read8(0x20000);
        } catch (GuestFault fault) {
            faulted = fault.vector() == GuestFault.PF && fault.errorCode() == 1;
        }
        assertThat(faulted).isTrue();
    }

    @Test
    void umip_hidesTablesFromUsers() {
        t.user64();
        t.step(0x0F, 0x01, 0xE0); // SMSW EAX
        assertThat(cpu.regs[0]).isEqualTo(cpu.cr0);
        cpu.cr4 |= Cpu.CR4_UMIP;
        t.faults(GuestFault.GP, 0, 0x0F, 0x01, 0xE0);
        t.faults(GuestFault.GP, 0, 0x0F, 0x00, 0xC8); // STR EAX
        t.faults(GuestFault.GP, 0, 0x0F, 0x01, 0x04, 0x25, 0, 0xA0, 0, 0); // SGDT
    }

    @Test
    void hypercalls_answer() {
        cpu.regs[0] = 99;
        t.step(0x0F, 0x01, 0xD9);
        assertThat(cpu.regs[0]).isEqualTo(-1000);
        cpu.regs[0] = 5;
        cpu.regs[1] = 0;
        t.step(0x0F, 0x01, 0xC1);
        assertThat(cpu.regs[0]).isZero();
        assertThat(t.platform.apic().takeKick()).isTrue();
    }

    @Test
    void stiAndHlt_shadowAndHalt() {
        t.step(0xFB);
        assertThat(cpu.interruptShadow).isTrue();
        t.step(0xFB);
        assertThat(cpu.interruptShadow).as("was on already").isFalse();
        t.step(0xF4);
        assertThat(cpu.halted).isTrue();
        assertThat(cpu.rip).isEqualTo(CODE + 3);
        t.gate64(0x30, CODE0, HANDLER, 0x8E, 0);
        assertThat(Interrupts.deliverExternal(cpu, 0x30)).isTrue();
        assertThat(cpu.halted).isFalse();
    }

    @Test
    void reset_thenSipi_startsInRealMode() {
        SysTestCpu ap = SysTestCpu.reset(2);
        assertThat(ap.cpu.waitsForSipi).isTrue();
        Reset.startUp(ap.cpu, 0x9A);
        assertThat(ap.cpu.waitsForSipi).isFalse();
        assertThat(ap.cpu.segSelector[Seg.CS]).isEqualTo(0x9A00);
        assertThat(ap.cpu.segBase[Seg.CS]).isEqualTo(0x9A000);
        assertThat(ap.cpu.rip).isZero();
        Reset.startUp(ap.cpu, 0x10);
        assertThat(ap.cpu.segSelector[Seg.CS]).as("not waiting any more").isEqualTo(0x9A00);

        SysTestCpu bsp = SysTestCpu.reset(0);
        assertThat(bsp.cpu.waitsForSipi).isFalse();
        assertThat(bsp.cpu.segBase[Seg.CS] + bsp.cpu.rip).isEqualTo(0xFFFFFFF0L);
        assertThat(bsp.cpu.regs[2]).as("signature").isNotZero();
    }
}
