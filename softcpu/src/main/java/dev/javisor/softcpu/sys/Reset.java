package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Seg;
import java.util.Arrays;

/** State after power-on, INIT and SIPI (SDM 3A §11.1.1, table 11-1; §10.4.4). */
public final class Reset {
    private static final long CR0_POWER_ON = 0x60000010L;

    private Reset() {}

    /** Power-on or RESET. vCPU 0 starts at its reset vector, the others wait for INIT and SIPI. */
    public static void powerOn(Cpu cpu, VcpuPlatform platform) {
        cpu.cr0 = CR0_POWER_ON;
        cpu.xcr0 = 1;
        cpu.clearRegisters();
        // Power-on's x87 control word, 0x40; FNINIT makes it 0x37F.
        cpu.fpControl = 0x40;
        cpu.fpStatus = 0;
        cpu.fpTop = 0;
        cpu.fpEmpty = 0;
        cpu.fpLastIp = 0;
        cpu.fpLastData = 0;
        cpu.fpLastOpcode = 0;
        cpu.fpLastCs = 0;
        cpu.fpLastDs = 0;
        cpu.mxcsr = 0x1F80;
        platform.timeStampCounter().restoreAdjust(0);
        platform.msrs().reset();
        platform.apic().powerOn();
        cpu.acknowledge(
                Cpu.REQUEST_INTERRUPT | Cpu.REQUEST_NMI | Cpu.REQUEST_INIT | Cpu.REQUEST_SIPI);
        common(cpu);
    }

    /**
     * INIT: as power-on, but x87, SSE, MSRs, the TSC and CR0's cache bits stay. vCPU 0 starts at
     * its reset vector, the others wait for SIPI.
     */
    public static void init(Cpu cpu, VcpuPlatform platform) {
        cpu.cr0 = (cpu.cr0 & (Cpu.CR0_CD | Cpu.CR0_NW)) | Cpu.CR0_ET;
        platform.apic().reset();
        common(cpu);
    }

    /** SIPI while waiting for it: real mode at page {@code vector}. Ignored otherwise. */
    public static void startUp(Cpu cpu, int vector) {
        if (!cpu.waitsForSipi || vector < 0) {
            return;
        }
        cpu.waitsForSipi = false;
        cpu.segSelector[Seg.CS] = (vector & 0xFF) << 8;
        cpu.segBase[Seg.CS] = (vector & 0xFFL) << 12;
        cpu.rip = 0;
        cpu.updateMode();
    }

    private static void common(Cpu cpu) {
        Arrays.fill(cpu.regs, 0);
        cpu.cr2 = 0;
        cpu.cr3 = 0;
        cpu.cr4 = 0;
        cpu.efer = 0;
        cpu.flags.setRflags(2);
        cpu.rip = 0xFFF0;
        for (int seg = Seg.ES; seg <= Seg.GS; seg++) {
            Segments.set(cpu, seg, 0, 0, 0xFFFF, 0x93);
        }
        Segments.set(cpu, Seg.CS, 0xF000, 0xFFFF0000L, 0xFFFF, 0x9B);
        Segments.set(cpu, Seg.LDTR, 0, 0, 0xFFFF, 0x82);
        Segments.set(cpu, Seg.TR, 0, 0, 0xFFFF, 0x8B);
        cpu.gdtBase = 0;
        cpu.gdtLimit = 0xFFFF;
        cpu.idtBase = 0;
        cpu.idtLimit = 0xFFFF;
        Arrays.fill(cpu.dr, 0);
        cpu.dr[6] = DebugRegisters.dr6(0);
        cpu.dr[7] = DebugRegisters.dr7(0);
        cpu.platform.cpuid(1, 0, cpu.scratch);
        cpu.regs[2] = cpu.scratch[0];
        cpu.halted = false;
        cpu.waitsForSipi = cpu.id != 0;
        cpu.interruptShadow = false;
        cpu.nmiMasked = false;
        cpu.owedVector = -1;
        cpu.pendingDebug = 0;
        cpu.mmu.updateWatch();
        cpu.mmu.flushAll();
        cpu.updateMode();
    }
}
