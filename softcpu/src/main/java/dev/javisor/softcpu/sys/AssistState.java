package dev.javisor.softcpu.sys;

import dev.javisor.hypervisor.VcpuRegisters;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;

/** Between an assisted vCPU's cheap registers and the core that executes for it. */
public final class AssistState {
    private AssistState() {}

    /**
     * Takes over everything in {@code from}.
     *
     * @throws GuestFault if PAE's pointer registers cannot be loaded again
     */
    public static void load(Cpu cpu, AssistPlatform platform, VcpuRegisters from) {
        System.arraycopy(from.gpr, 0, cpu.regs, 0, 16);
        cpu.rip = from.rip;
        cpu.flags.setRflags(from.rflags);
        System.arraycopy(from.segmentSelector, 0, cpu.segSelector, 0, 8);
        System.arraycopy(from.segmentBase, 0, cpu.segBase, 0, 8);
        System.arraycopy(from.segmentAttributes, 0, cpu.segAttributes, 0, 8);
        for (int i = 0; i < 8; i++) {
            cpu.segLimit[i] = from.segmentLimit[i] & 0xFFFFFFFFL;
        }
        cpu.gdtBase = from.gdtBase;
        cpu.gdtLimit = from.gdtLimit;
        cpu.idtBase = from.idtBase;
        cpu.idtLimit = from.idtLimit;
        cpu.cr0 = from.cr0;
        cpu.cr2 = from.cr2;
        cpu.cr3 = from.cr3;
        cpu.cr4 = from.cr4;
        cpu.efer = from.efer;
        platform.begin(from.apicBase, (int) from.cr8 & 0xF);
        boolean exception = from.exceptionVector >= 0;
        cpu.owedVector = exception ? from.exceptionVector : from.interruptVector;
        cpu.owedErrorCode = exception ? (int) from.exceptionErrorCode : -1;
        cpu.owedInterrupt = !exception && from.interruptVector >= 0;
        cpu.nmiMasked = from.nmiMasked;
        cpu.interruptShadow = from.interruptShadow;
        cpu.pendingDebug = 0;
        cpu.halted = false;
        cpu.waitsForSipi = false;
        cpu.mmu.nonCanonical = false;
        cpu.updateMode();
        if (ControlRegisters.usesPdptes(cpu.cr0, cpu.cr4, cpu.efer)) {
            cpu.mmu.walker().loadPdptes(cpu.cr3);
        }
    }

    /** Gives everything back and says what is different. */
    public static void store(Cpu cpu, AssistPlatform platform, VcpuRegisters to) {
        int changed = VcpuRegisters.GENERAL;
        System.arraycopy(cpu.regs, 0, to.gpr, 0, 16);
        to.rip = cpu.rip;
        to.rflags = cpu.flags.rflags();
        if (isSystemChanged(cpu, platform, to)) {
            changed |= VcpuRegisters.SYSTEM;
            System.arraycopy(cpu.segSelector, 0, to.segmentSelector, 0, 8);
            System.arraycopy(cpu.segBase, 0, to.segmentBase, 0, 8);
            System.arraycopy(cpu.segAttributes, 0, to.segmentAttributes, 0, 8);
            for (int i = 0; i < 8; i++) {
                to.segmentLimit[i] = (int) cpu.segLimit[i];
            }
            to.gdtBase = cpu.gdtBase;
            to.gdtLimit = cpu.gdtLimit;
            to.idtBase = cpu.idtBase;
            to.idtLimit = cpu.idtLimit;
            to.cr0 = cpu.cr0;
            to.cr2 = cpu.cr2;
            to.cr3 = cpu.cr3;
            to.cr4 = cpu.cr4;
            to.cr8 = platform.taskPriorityClass();
            to.efer = cpu.efer;
        }
        int exception = cpu.owedInterrupt ? -1 : cpu.owedVector;
        int interrupt = cpu.owedInterrupt ? cpu.owedVector : -1;
        if (to.exceptionVector != exception
                || to.interruptVector != interrupt
                || to.nmiMasked != cpu.nmiMasked
                || to.interruptShadow != cpu.interruptShadow) {
            changed |= VcpuRegisters.EVENTS;
            to.exceptionVector = exception;
            to.exceptionErrorCode = exception < 0 ? -1 : cpu.owedErrorCode;
            to.interruptVector = interrupt;
            to.nmiMasked = cpu.nmiMasked;
            to.interruptShadow = cpu.interruptShadow;
        }
        to.changed |= changed;
    }

    private static boolean isSystemChanged(Cpu cpu, AssistPlatform platform, VcpuRegisters old) {
        boolean same =
                old.gdtBase == cpu.gdtBase
                        && old.gdtLimit == cpu.gdtLimit
                        && old.idtBase == cpu.idtBase
                        && old.idtLimit == cpu.idtLimit
                        && old.cr0 == cpu.cr0
                        && old.cr2 == cpu.cr2
                        && old.cr3 == cpu.cr3
                        && old.cr4 == cpu.cr4
                        && old.cr8 == platform.taskPriorityClass()
                        && old.efer == cpu.efer;
        for (int i = 0; i < 8; i++) {
            same &= old.segmentSelector[i] == cpu.segSelector[i];
            same &= old.segmentBase[i] == cpu.segBase[i];
            same &= old.segmentLimit[i] == (int) cpu.segLimit[i];
            same &= old.segmentAttributes[i] == cpu.segAttributes[i];
        }
        return !same;
    }
}
