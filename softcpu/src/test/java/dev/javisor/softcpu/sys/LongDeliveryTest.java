package dev.javisor.softcpu.sys;

import static dev.javisor.softcpu.sys.SysTestCpu.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import org.junit.jupiter.api.Test;

class LongDeliveryTest {
    private final SysTestCpu t = SysTestCpu.long64();
    private final Cpu cpu = t.cpu;

    @Test
    void interrupt_fromUser_switchesToRsp0AndPushesFiveSlots() {
        t.gate64(0x40, CODE0, 0xFFFF800000009000L, 0x8E, 0);
        t.user64();
        cpu.flags.setRflags(0x2 | Flags.IF | Flags.TF | Flags.NT | Flags.CF);

        assertThat(Interrupts.deliverExternal(cpu, 0x40)).isTrue();

        assertThat(cpu.rip).isEqualTo(0xFFFF800000009000L);
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.segSelector[Seg.CS]).isEqualTo(CODE0);
        assertThat(cpu.segSelector[Seg.SS]).isZero();
        assertThat(cpu.regs[4]).isEqualTo(KERNEL_STACK - 40);
        assertThat(t.stack(0, 8)).isEqualTo(CODE);
        assertThat(t.stack(1, 8)).isEqualTo(CODE3_64);
        assertThat(t.stack(2, 8)).isEqualTo(2 | Flags.IF | Flags.TF | Flags.NT | Flags.CF);
        assertThat(t.stack(3, 8)).isEqualTo(USER_STACK);
        assertThat(t.stack(4, 8)).isEqualTo(DATA3);
        assertThat(cpu.flags.rflags()).isEqualTo(2 | Flags.CF);
    }

    @Test
    void fault_withErrorCode_pushesItAndSetsRf() {
        t.gate64(13, CODE0, HANDLER, 0x8E, 0);
        t.user64();
        t.step(0xF4); // HLT at level 3

        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(t.stack(0, 8)).isZero();
        assertThat(t.stack(1, 8)).isEqualTo(CODE);
        assertThat(t.stack(3, 8) & Flags.RF).isEqualTo(Flags.RF);
    }

    @Test
    void delivery_sameLevel_alignsStackAndKeepsSs() {
        t.gate64(0x80, CODE0, HANDLER, 0x8F, 0);
        cpu.regs[4] = KERNEL_STACK - 3;
        cpu.flags.system |= Flags.IF;
        t.step(0xCD, 0x80);

        assertThat(cpu.regs[4]).isEqualTo(KERNEL_STACK - 16 - 40);
        assertThat(t.stack(3, 8)).isEqualTo(KERNEL_STACK - 3);
        assertThat(t.stack(0, 8)).isEqualTo(CODE + 2);
        assertThat(cpu.segSelector[Seg.SS]).isEqualTo(DATA0);
        assertThat(cpu.flags.system & Flags.IF).as("trap gate").isNotZero();
    }

    @Test
    void delivery_throughIst_usesItsStack() {
        t.gate64(2, CODE0, HANDLER, 0x8E, 1);
        assertThat(Interrupts.deliverNmi(cpu)).isTrue();

        assertThat(cpu.regs[4]).isEqualTo(IST_STACK - 40);
        assertThat(cpu.nmiMasked).isTrue();
        t.step(0x48, 0xCF);
        assertThat(cpu.nmiMasked).isFalse();
        assertThat(cpu.regs[4]).isEqualTo(KERNEL_STACK);
        assertThat(cpu.rip).isEqualTo(CODE);
    }

    @Test
    void softwareInterrupt_gateDplTooLow_isGpWithIdtBit() {
        t.gate64(0x80, CODE0, HANDLER, 0x8E, 0);
        t.user64();
        t.faults(GuestFault.GP, 0x80 << 3 | 2, 0xCD, 0x80);
    }

    @Test
    void externalInterrupt_gateNotPresent_isNpWithExt() {
        t.gate64(0x40, CODE0, HANDLER, 0x0E, 0);
        t.gate64(11, CODE0, HANDLER, 0x8E, 0);
        assertThat(Interrupts.deliverExternal(cpu, 0x40)).isTrue();
        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(t.stack(0, 8)).isEqualTo(0x40 << 3 | 2 | 1);
    }

    @Test
    void contributoryFaultInContributoryFault_isDoubleFault() {
        t.gate64(8, CODE0, HANDLER, 0x8E, 1);
        // #GP has no gate: its delivery is #GP again.
        t.user64();
        t.step(0xF4);
        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(t.stack(0, 8)).isZero();
        assertThat(cpu.regs[4]).isEqualTo(IST_STACK - 48);
    }

    @Test
    void faultInDoubleFault_isShutdown() {
        t.user64();
        t.step(0xF4);
        assertThat(t.isShutdown()).isTrue();
    }

    @Test
    void pageFaultWhilePushing_isDeliveredAfterContributory_onItsOwnStack() {
        // #GP's frame does not fit: RSP0 points to unmapped memory; #PF has an IST.
        t.memory.writeLong(TSS + 4, 0x400000);
        t.gate64(13, CODE0, HANDLER, 0x8E, 0);
        t.gate64(14, CODE0, HANDLER + 0x100, 0x8E, 1);
        t.user64();
        t.step(0xF4);
        assertThat(cpu.rip).isEqualTo(HANDLER + 0x100);
        assertThat(cpu.cr2).isEqualTo(0x400000 - 8);
        assertThat(t.stack(0, 8)).as("write, supervisor, not present").isEqualTo(2);
        assertThat(t.stack(2, 8)).as("CS of the interrupted code").isEqualTo(CODE3_64);
    }

    @Test
    void iretq_toUser_restoresAllAndDropsInnerSegments() {
        t.memory.writeLong(KERNEL_STACK - 40, CODE + 0x10);
        t.memory.writeLong(KERNEL_STACK - 32, CODE3_64);
        t.memory.writeLong(KERNEL_STACK - 24, 2 | Flags.IF | Flags.ZF);
        t.memory.writeLong(KERNEL_STACK - 16, USER_STACK);
        t.memory.writeLong(KERNEL_STACK - 8, DATA3);
        cpu.regs[4] = KERNEL_STACK - 40;
        t.step(0x48, 0xCF);

        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.rip).isEqualTo(CODE + 0x10);
        assertThat(cpu.regs[4]).isEqualTo(USER_STACK);
        assertThat(cpu.flags.rflags()).isEqualTo(2 | Flags.IF | Flags.ZF);
        assertThat(cpu.segSelector[Seg.DS]).as("level 0 data").isZero();
        assertThat(cpu.segSelector[Seg.SS]).isEqualTo(DATA3);
    }

    @Test
    void iretq_toNonCanonical_isGpWithoutEffect() {
        t.memory.writeLong(KERNEL_STACK - 40, 0x0000_8000_0000_0000L);
        t.memory.writeLong(KERNEL_STACK - 32, CODE3_64);
        t.memory.writeLong(KERNEL_STACK - 24, 2);
        t.memory.writeLong(KERNEL_STACK - 16, USER_STACK);
        t.memory.writeLong(KERNEL_STACK - 8, DATA3);
        cpu.regs[4] = KERNEL_STACK - 40;
        t.faults(GuestFault.GP, 0, 0x48, 0xCF);
    }

    @Test
    void iretq_nullSsToLevel0_isAllowed() {
        t.memory.writeLong(KERNEL_STACK - 40, CODE + 4);
        t.memory.writeLong(KERNEL_STACK - 32, CODE0);
        t.memory.writeLong(KERNEL_STACK - 24, 2);
        t.memory.writeLong(KERNEL_STACK - 16, KERNEL_STACK);
        t.memory.writeLong(KERNEL_STACK - 8, 0);
        cpu.regs[4] = KERNEL_STACK - 40;
        t.step(0x48, 0xCF);
        assertThat(cpu.segSelector[Seg.SS]).isZero();
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.rip).isEqualTo(CODE + 4);
    }

    @Test
    void iret_toCompatibilityMode_runs32BitCode() {
        t.memory.writeLong(KERNEL_STACK - 40, CODE + 4);
        t.memory.writeLong(KERNEL_STACK - 32, CODE3_32);
        t.memory.writeLong(KERNEL_STACK - 24, 2);
        t.memory.writeLong(KERNEL_STACK - 16, USER_STACK);
        t.memory.writeLong(KERNEL_STACK - 8, DATA3);
        cpu.regs[4] = KERNEL_STACK - 40;
        t.step(0x48, 0xCF);
        assertThat(cpu.codeBits).isEqualTo(32);
        assertThat(cpu.stackMask).isEqualTo(0xFFFFFFFFL);

        t.gate64(0x80, CODE0, HANDLER, 0xEE, 0);
        t.step(0xCD, 0x80);
        assertThat(cpu.codeBits).isEqualTo(64);
        assertThat(t.stack(1, 8)).isEqualTo(CODE3_32);
        assertThat(t.stack(0, 8)).isEqualTo(CODE + 6);
    }

    @Test
    void syscallAndSysret_roundTrip() {
        cpu.star = (long) (CODE3_32 & ~3) << 48 | (long) CODE0 << 32;
        cpu.lstar = 0xFFFF800000001234L;
        cpu.sfmask = Flags.IF | Flags.DF;
        t.user64();
        cpu.flags.setRflags(2 | Flags.IF | Flags.DF | Flags.CF);
        t.step(0x0F, 0x05);

        assertThat(cpu.rip).isEqualTo(0xFFFF800000001234L);
        assertThat(cpu.regs[1]).isEqualTo(CODE + 2);
        assertThat(cpu.regs[11]).isEqualTo(2 | Flags.IF | Flags.DF | Flags.CF);
        assertThat(cpu.flags.rflags()).isEqualTo(2 | Flags.CF);
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.segSelector[Seg.CS]).isEqualTo(CODE0);
        assertThat(cpu.segSelector[Seg.SS]).isEqualTo(DATA0);
        assertThat(cpu.regs[4]).isEqualTo(USER_STACK);

        t.step(0x48, 0x0F, 0x07);
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.rip).isEqualTo(CODE + 2);
        assertThat(cpu.segSelector[Seg.CS]).isEqualTo(CODE3_64);
        assertThat(cpu.segSelector[Seg.SS]).isEqualTo(DATA3);
        assertThat(cpu.flags.rflags()).isEqualTo(2 | Flags.IF | Flags.DF | Flags.CF);
        assertThat(cpu.codeBits).isEqualTo(64);
    }

    @Test
    void swapgs_exchangesWithKernelBase() {
        Msrs.setBase(cpu, Seg.GS, 0x1111);
        cpu.kernelGsBase = 0x2222;
        t.step(0x0F, 0x01, 0xF8);
        assertThat(cpu.segBase[Seg.GS]).isEqualTo(0x2222);
        assertThat(cpu.linearBase[Seg.GS]).isEqualTo(0x2222);
        assertThat(cpu.kernelGsBase).isEqualTo(0x1111);
        t.user64();
        t.faults(GuestFault.GP, 0, 0x0F, 0x01, 0xF8);
    }

    @Test
    void callGate64_switchesStackWithoutParameters() {
        t.memory.writeLong(GDT + FREE, gate(CODE0, 0x9000, 0xEC, 0));
        t.memory.writeLong(GDT + FREE + 8, 0);
        t.user64();
        t.memory.writeInt(0xA000, 0);
        t.memory.writeShort(0xA004, FREE | 3);
        // CALL FAR [0xA000]
        t.step(0xFF, 0x1C, 0x25, 0x00, 0xA0, 0x00, 0x00);
        assertThat(cpu.rip).isEqualTo(0x9000);
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.regs[4]).isEqualTo(KERNEL_STACK - 32);
        assertThat(t.stack(0, 8)).isEqualTo(CODE + 7);
        assertThat(t.stack(1, 8)).isEqualTo(CODE3_64);
        assertThat(t.stack(2, 8)).isEqualTo(USER_STACK);
        assertThat(t.stack(3, 8)).isEqualTo(DATA3);
        // RETFQ back.
        t.step(0x48, 0xCB);
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.rip).isEqualTo(CODE + 7);
        assertThat(cpu.regs[4]).isEqualTo(USER_STACK);
    }
}
