package dev.javisor.softcpu.sys;

import static dev.javisor.softcpu.sys.SysTestCpu.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import org.junit.jupiter.api.Test;

class ProtectedModeTest {
    private final SysTestCpu t = SysTestCpu.protected32();
    private final Cpu cpu = t.cpu;

    @Test
    void interruptFromUser_pushesStackOfTheTss_iretReturns() {
        t.gate32(0x80, CODE0, HANDLER, 0xEE);
        t.user32();
        cpu.flags.setRflags(2 | Flags.IF);
        t.step(0xCD, 0x80);
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.segSelector[Seg.SS]).isEqualTo(DATA0);
        assertThat(cpu.regs[4]).isEqualTo(KERNEL_STACK - 20);
        assertThat(t.stack(0, 4)).isEqualTo(CODE + 2);
        assertThat(t.stack(1, 4)).isEqualTo(CODE3_32);
        assertThat(t.stack(2, 4)).isEqualTo(2 | Flags.IF);
        assertThat(t.stack(3, 4)).isEqualTo(USER_STACK);
        assertThat(t.stack(4, 4)).isEqualTo(DATA3);
        assertThat(cpu.flags.system & Flags.IF).isZero();

        t.step(0xCF);
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.rip).isEqualTo(CODE + 2);
        assertThat(cpu.regs[4]).isEqualTo(USER_STACK);
        assertThat(cpu.flags.rflags()).isEqualTo(2 | Flags.IF);
    }

    @Test
    void sixteenBitGate_pushesSixteenBitSlots() {
        t.gate32(0x20, CODE0, 0x12349000, 0x86);
        assertThat(Interrupts.deliverExternal(cpu, 0x20)).isTrue();
        assertThat(cpu.rip).as("16-bit offset").isEqualTo(0x9000);
        assertThat(cpu.regs[4]).isEqualTo(KERNEL_STACK - 6);
        assertThat(t.stack(0, 2)).isEqualTo(CODE);
    }

    @Test
    void badTssStack_isInvalidTssWithSelector() {
        t.gate32(0x80, CODE0, HANDLER, 0xEE);
        t.memory.writeInt(TSS + 8, DATA3);
        t.user32();
        t.faults(GuestFault.TS, DATA3 & ~3, 0xCD, 0x80);
        t.memory.writeInt(TSS + 8, 0);
        t.faults(GuestFault.TS, 0, 0xCD, 0x80);
        t.gdt(FREE, 0x00CF13000000FFFFL); // not present
        t.memory.writeInt(TSS + 8, FREE);
        t.faults(GuestFault.SS, FREE, 0xCD, 0x80);
    }

    @Test
    void newStackTooSmall_isStackFaultWithSelector() {
        t.gate32(0x80, CODE0, HANDLER, 0xEE);
        t.gdt(FREE, 0x00CF93000000FFFFL & ~0x00800000_00000000L); // limit 0xFFFFF bytes
        t.memory.writeInt(TSS + 8, FREE);
        t.memory.writeInt(TSS + 4, 0x200000);
        t.user32();
        t.faults(GuestFault.SS, FREE, 0xCD, 0x80);
    }

    @Test
    void dataSegmentLoads_checkTypeAndPrivilege() {
        t.gdt(FREE, 0x00CF99000000FFFFL); // execute-only code
        cpu.regs[0] = FREE;
        t.faults(GuestFault.GP, FREE, 0x8E, 0xD8);
        t.gdt(FREE, 0x00CF13000000FFFFL); // not present
        t.faults(GuestFault.NP, FREE, 0x8E, 0xD8);
        t.faults(GuestFault.SS, FREE, 0x8E, 0xD0);
        cpu.regs[0] = 0xFF8 | 0;
        cpu.gdtLimit = 0x7F;
        t.faults(GuestFault.GP, 0xFF8, 0x8E, 0xD8);
        cpu.regs[0] = 0;
        t.faults(GuestFault.GP, 0, 0x8E, 0xD0);
        t.step(0x8E, 0xD8);
        assertThat(cpu.segAttributes[Seg.DS] & Seg.UNUSABLE).isNotZero();
        t.user32();
        cpu.regs[0] = DATA0;
        t.faults(GuestFault.GP, DATA0, 0x8E, 0xD8);
        t.faults(GuestFault.GP, DATA0, 0x8E, 0xD0);
        cpu.regs[0] = CODE0;
        t.faults(GuestFault.UD, -1, 0x8E, 0xC8); // MOV CS
    }

    @Test
    void segmentLoad_setsAccessedBit() {
        t.gdt(FREE, 0x00CF92000000FFFFL);
        cpu.regs[0] = FREE;
        t.step(0x8E, 0xC0);
        assertThat(t.memory.readByte(GDT + FREE + 5)).isEqualTo(0x93);
        assertThat(cpu.segAttributes[Seg.ES] & Seg.ACCESSED).isNotZero();
    }

    @Test
    void callGate_copiesParametersToTheInnerStack() {
        t.gdt(FREE, gate(CODE0, HANDLER, 0xEC, 2));
        t.user32();
        t.memory.writeInt(USER_STACK - 4, 0x11111111);
        t.memory.writeInt(USER_STACK - 8, 0x22222222);
        cpu.regs[4] = USER_STACK - 8;
        t.step(0x9A, 0, 0, 0, 0, FREE | 3, 0);
        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.regs[4]).isEqualTo(KERNEL_STACK - 24);
        assertThat(t.stack(0, 4)).isEqualTo(CODE + 7);
        assertThat(t.stack(1, 4)).isEqualTo(CODE3_32);
        assertThat(t.stack(2, 4)).isEqualTo(0x22222222);
        assertThat(t.stack(3, 4)).isEqualTo(0x11111111);
        assertThat(t.stack(4, 4)).isEqualTo(USER_STACK - 8);
        assertThat(t.stack(5, 4)).isEqualTo(DATA3);
        t.step(0xCA, 8, 0);
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.regs[4]).isEqualTo(USER_STACK);
        assertThat(cpu.rip).isEqualTo(CODE + 7);
        assertThat(cpu.segAttributes[Seg.DS] & Seg.UNUSABLE).as("DPL 3 survives").isZero();
    }

    @Test
    void farJump_checksPrivilege() {
        t.user32();
        t.faults(GuestFault.GP, CODE0, 0xEA, 0, 0x90, 0, 0, CODE0, 0);
        t.gdt(FREE, 0x00CF9F000000FFFFL); // conforming, level 0
        t.step(0xEA, 0, 0x90, 0, 0, FREE, 0);
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.segSelector[Seg.CS]).isEqualTo(FREE | 3);
        assertThat(cpu.rip).isEqualTo(0x9000);
    }

    @Test
    void ports_followIoplAndBitmap() {
        t.user32();
        cpu.regs[2] = 0x80;
        t.gdt(TSS_SELECTOR, tss(TSS, 0x68 + 0x20, 0xB));
        Segments.set(cpu, Seg.TR, TSS_SELECTOR, tss(TSS, 0x68 + 0x20, 0xB));
        t.memory.writeByte(TSS + 0x68 + 0x10, 0b10);
        t.step(0xEC);
        cpu.rip = CODE;
        t.faults(GuestFault.GP, 0, 0x66, 0xED); // word at 0x80 covers 0x81
        cpu.regs[2] = 0x3F8;
        t.faults(GuestFault.GP, 0, 0xEC);
        cpu.flags.system |= Flags.IOPL;
        t.step(0xEC);
        assertThat(t.bus.log).containsExactly("in 80 1", "in 3f8 1");
    }

    @Test
    void larLslVerr_reportThroughZf() {
        cpu.regs[3] = DATA3;
        t.step(0x0F, 0x02, 0xC3); // LAR EAX, EBX
        assertThat(cpu.flags.zf()).isTrue();
        assertThat(cpu.regs[0]).isEqualTo(0x00CFF300L & 0x00FFFF00L);
        t.step(0x0F, 0x03, 0xC3); // LSL EAX, EBX
        assertThat(cpu.regs[0]).isEqualTo(0xFFFFFFFFL);
        cpu.regs[3] = 0;
        t.step(0x0F, 0x03, 0xC3);
        assertThat(cpu.flags.zf()).isFalse();
        assertThat(cpu.regs[0]).isEqualTo(0xFFFFFFFFL);
        cpu.regs[3] = CODE3_32;
        t.step(0x0F, 0x00, 0xE3); // VERR: readable code
        assertThat(cpu.flags.zf()).isTrue();
        t.step(0x0F, 0x00, 0xEB); // VERW: not writable
        assertThat(cpu.flags.zf()).isFalse();
        t.user32();
        cpu.regs[3] = DATA0;
        t.step(0x0F, 0x00, 0xE3);
        assertThat(cpu.flags.zf()).as("not visible at level 3").isFalse();
    }

    @Test
    void arpl_raisesTheRequestedLevel() {
        cpu.regs[0] = 0x10;
        cpu.regs[3] = 0x0B;
        t.step(0x63, 0xD8); // ARPL AX, BX
        assertThat(cpu.regs[0]).isEqualTo(0x13);
        assertThat(cpu.flags.zf()).isTrue();
        t.step(0x63, 0xD8);
        assertThat(cpu.flags.zf()).isFalse();
    }

    @Test
    void ltrAndLldt_checkTypeAndMarkBusy() {
        t.gdt(FREE, tss(0x6800, 0x67, 9));
        cpu.regs[0] = FREE;
        t.step(0x0F, 0x00, 0xD8);
        assertThat(cpu.segBase[Seg.TR]).isEqualTo(0x6800);
        assertThat(t.memory.readByte(GDT + FREE + 5)).isEqualTo(0x8B);
        t.faults(GuestFault.GP, FREE, 0x0F, 0x00, 0xD8); // now busy
        t.gdt(FREE, tss(LDT, 0x1F, 2));
        t.step(0x0F, 0x00, 0xD0);
        assertThat(cpu.segBase[Seg.LDTR]).isEqualTo(LDT);
        t.memory.writeLong(LDT + 8, 0x00CF93001000FFFFL);
        cpu.regs[0] = 0x0C;
        t.step(0x8E, 0xE0); // MOV FS: from the LDT
        assertThat(cpu.segBase[Seg.FS]).isEqualTo(0x1000);
        cpu.regs[0] = 0;
        t.step(0x0F, 0x00, 0xD0);
        cpu.regs[0] = 0x0C;
        t.faults(GuestFault.GP, 0x0C, 0x8E, 0xE0);
    }

    @Test
    void sysenterAndSysexit_useTheirMsrs() {
        cpu.sysenterCs = CODE0;
        cpu.sysenterEsp = KERNEL_STACK;
        cpu.sysenterEip = HANDLER;
        t.user32();
        cpu.flags.setRflags(2 | Flags.IF);
        t.step(0x0F, 0x34);
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(cpu.regs[4]).isEqualTo(KERNEL_STACK);
        assertThat(cpu.flags.system & Flags.IF).isZero();
        cpu.regs[2] = CODE;
        cpu.regs[1] = USER_STACK;
        t.step(0x0F, 0x35);
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.segSelector[Seg.CS]).isEqualTo(CODE0 + 16 | 3);
        assertThat(cpu.rip).isEqualTo(CODE);
    }

    // ------------------------------------------------------------------ virtual-8086 mode

    private void enterVm(int flags) {
        long[] frame = {
            0x100, 0x0800, 2 | Flags.VM | flags, 0x1000, 0x0300, 0x11, 0x22, 0x33, 0x44
        };
        for (int i = 0; i < frame.length; i++) {
            t.memory.writeInt(KERNEL_STACK - 36 + 4 * i, (int) frame[i]);
        }
        cpu.regs[4] = KERNEL_STACK - 36;
        t.step(0xCF);
    }

    @Test
    void iretToVirtual8086_loadsRealSegments() {
        enterVm(Flags.IF);
        assertThat(cpu.virtual8086).isTrue();
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.codeBits).isEqualTo(16);
        assertThat(cpu.segBase[Seg.CS]).isEqualTo(0x8000);
        assertThat(cpu.rip).isEqualTo(0x100);
        assertThat(cpu.segBase[Seg.SS]).isEqualTo(0x3000);
        assertThat(cpu.regs[4]).isEqualTo(0x1000);
        assertThat(cpu.segSelector[Seg.ES]).isEqualTo(0x11);
        assertThat(cpu.segSelector[Seg.GS]).isEqualTo(0x44);
        assertThat(cpu.segAttributes[Seg.DS]).isEqualTo(0xF3);
    }

    @Test
    void faultInVirtual8086_pushesNineSlotsAndAnErrorCode() {
        t.gate32(13, CODE0, HANDLER, 0x8E);
        enterVm(Flags.IF);
        t.step(0xF4);
        assertThat(cpu.virtual8086).isFalse();
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(cpu.regs[4]).isEqualTo(KERNEL_STACK - 40);
        assertThat(t.stack(0, 4)).isZero();
        assertThat(t.stack(1, 4)).isEqualTo(0x100);
        assertThat(t.stack(2, 4)).isEqualTo(0x800);
        assertThat(t.stack(3, 4) & Flags.VM).isNotZero();
        assertThat(t.stack(4, 4)).isEqualTo(0x1000);
        assertThat(t.stack(5, 4)).isEqualTo(0x300);
        assertThat(t.stack(6, 4)).as("ES").isEqualTo(0x11);
        assertThat(t.stack(9, 4)).as("GS").isEqualTo(0x44);
        assertThat(cpu.segSelector[Seg.DS]).isZero();
        cpu.regs[4] += 4;
        t.step(0xCF);
        assertThat(cpu.virtual8086).isTrue();
        assertThat(cpu.segSelector[Seg.GS]).isEqualTo(0x44);
    }

    @Test
    void softwareInterruptInVirtual8086_needsIopl3() {
        t.gate32(0x21, CODE0, HANDLER, 0xEE);
        enterVm(0);
        t.faults(GuestFault.GP, 0, 0xCD, 0x21);
        t.faults(GuestFault.GP, 0, 0xFA);
        t.faults(GuestFault.GP, 0, 0xCF);
        cpu.flags.system |= Flags.IOPL;
        t.step(0xCD, 0x21);
        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(cpu.cpl).isZero();
    }

    @Test
    void vme_redirectsSoftwareInterruptsAndUsesVif() {
        cpu.cr4 |= Cpu.CR4_VME;
        t.gdt(TSS_SELECTOR, tss(TSS, 0x200, 0xB));
        Segments.set(cpu, Seg.TR, TSS_SELECTOR, tss(TSS, 0x200, 0xB));
        t.memory.writeShort(TSS + 102, 0x88); // redirection map at 0x68, all zero
        t.memory.writeInt(0x21 * 4, 0x0900_0010);
        enterVm(Flags.VIF | Flags.IF);
        t.step(0xCD, 0x21);
        assertThat(cpu.virtual8086).isTrue();
        assertThat(cpu.segBase[Seg.CS]).isEqualTo(0x9000);
        assertThat(cpu.rip).isEqualTo(0x10);
        assertThat(t.stack(2, 2) & Flags.IF).as("VIF seen as IF").isNotZero();
        assertThat(t.stack(2, 2) & Flags.IOPL).isEqualTo(Flags.IOPL);
        assertThat(cpu.flags.system & Flags.VIF).isZero();
        assertThat(cpu.flags.system & Flags.IF).as("the real IF stays").isNotZero();
        t.step(0xFB);
        assertThat(cpu.flags.system & Flags.VIF).isNotZero();
        t.step(0xFA);
        assertThat(cpu.flags.system & Flags.VIF).isZero();
        t.step(0xCF);
        assertThat(cpu.rip).isEqualTo(0x102);
        assertThat(cpu.flags.system & Flags.VIF).isNotZero();
        cpu.flags.system |= Flags.VIP;
        t.faults(GuestFault.GP, 0, 0xFB);
    }

    // ------------------------------------------------------------------ tasks

    private static final int TSS2 = 0x6400;

    private void secondTask() {
        t.gdt(FREE, tss(TSS2, 0x67, 9));
        t.memory.writeInt(TSS2 + 0x20, HANDLER);
        t.memory.writeInt(TSS2 + 0x24, 2 | Flags.CF);
        t.memory.writeInt(TSS2 + 0x28, 0x1234);
        t.memory.writeInt(TSS2 + 0x38, IST_STACK);
        t.memory.writeInt(TSS2 + 0x48, DATA0);
        t.memory.writeInt(TSS2 + 0x4C, CODE0);
        t.memory.writeInt(TSS2 + 0x50, DATA0);
        t.memory.writeInt(TSS2 + 0x54, DATA0);
    }

    @Test
    void callToTask_switches_iretComesBack() {
        secondTask();
        cpu.regs[0] = 0x77;
        cpu.regs[3] = 0x88;
        t.step(0x9A, 0, 0, 0, 0, FREE, 0);
        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(cpu.regs[0]).isEqualTo(0x1234);
        assertThat(cpu.regs[4]).isEqualTo(IST_STACK);
        assertThat(cpu.segSelector[Seg.TR]).isEqualTo(FREE);
        assertThat(cpu.flags.rflags()).isEqualTo(2 | Flags.CF | Flags.NT);
        assertThat(cpu.cr0 & Cpu.CR0_TS).isNotZero();
        assertThat(t.memory.readShort(TSS2)).as("link").isEqualTo(TSS_SELECTOR);
        assertThat(t.memory.readByte(GDT + FREE + 5)).as("busy").isEqualTo(0x8B);
        assertThat(t.memory.readInt(TSS + 0x20)).isEqualTo(CODE + 7);
        assertThat(t.memory.readInt(TSS + 0x28)).isEqualTo(0x77);

        t.step(0xCF);
        assertThat(cpu.rip).isEqualTo(CODE + 7);
        assertThat(cpu.regs[0]).isEqualTo(0x77);
        assertThat(cpu.regs[3]).isEqualTo(0x88);
        assertThat(cpu.segSelector[Seg.TR]).isEqualTo(TSS_SELECTOR);
        assertThat(t.memory.readByte(GDT + FREE + 5)).as("available").isEqualTo(0x89);
        assertThat(cpu.flags.system & Flags.NT).isZero();
    }

    @Test
    void taskGateInIdt_pushesErrorCodeOnTheNewStack() {
        secondTask();
        t.memory.writeLong(IDT + 13 * 8, (long) FREE << 16 | 0x85L << 40);
        t.user32();
        t.step(0xF4);
        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.regs[4]).isEqualTo(IST_STACK - 4);
        assertThat(t.stack(0, 4)).isZero();
        assertThat(t.memory.readInt(TSS + 0x20)).as("faulting EIP").isEqualTo(CODE);
        assertThat(t.memory.readInt(TSS + 0x24) & Flags.RF).isZero();
    }

    @Test
    void jumpToTask_freesTheOldOne() {
        secondTask();
        t.step(0xEA, 0, 0, 0, 0, FREE, 0);
        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(t.memory.readByte(GDT + TSS_SELECTOR + 5)).isEqualTo(0x89);
        assertThat(cpu.flags.system & Flags.NT).isZero();
        t.faults(GuestFault.GP, FREE, 0xEA, 0, 0, 0, 0, FREE, 0); // busy
    }

    @Test
    void taskWithBadStack_faultsInTheNewTask() {
        secondTask();
        t.memory.writeInt(TSS2 + 0x50, DATA3);
        t.step(0xEA, 0, 0, 0, 0, FREE, 0);
        assertThat(cpu.segSelector[Seg.TR]).isEqualTo(FREE);
        assertThat(cpu.rip).isEqualTo(HANDLER);
        assertThat(cpu.owedVector).isEqualTo(GuestFault.TS);
        assertThat(cpu.owedErrorCode).isEqualTo(DATA3 & ~3);
    }
}
