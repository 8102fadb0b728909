package dev.javisor.softcpu.sys;

import static dev.javisor.softcpu.sys.SysTestCpu.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import org.junit.jupiter.api.Test;

class RealModeTest {
    private final SysTestCpu t = SysTestCpu.real();
    private final Cpu cpu = t.cpu;

    @Test
    void interruptAndIret_throughTheVectorTable() {
        t.memory.writeInt(0x21 * 4, 0x1234_0056);
        cpu.flags.setRflags(2 | Flags.IF | Flags.TF | Flags.CF);
        t.step(0xCD, 0x21);
        assertThat(cpu.segSelector[Seg.CS]).isEqualTo(0x1234);
        assertThat(cpu.segBase[Seg.CS]).isEqualTo(0x12340);
        assertThat(cpu.rip).isEqualTo(0x56);
        assertThat(cpu.regs[4]).isEqualTo(0x7000 - 6);
        assertThat(t.stack(0, 2)).isEqualTo(CODE + 2);
        assertThat(t.stack(1, 2)).isZero();
        assertThat(t.stack(2, 2)).isEqualTo(2 | Flags.IF | Flags.TF | Flags.CF);
        assertThat(cpu.flags.rflags()).isEqualTo(2 | Flags.CF);

        t.step(0xCF);
        assertThat(cpu.rip).isEqualTo(CODE + 2);
        assertThat(cpu.segSelector[Seg.CS]).isZero();
        assertThat(cpu.regs[4]).isEqualTo(0x7000);
        assertThat(cpu.flags.rflags()).isEqualTo(2 | Flags.IF | Flags.TF | Flags.CF);
    }

    @Test
    void exception_pushesNoErrorCode() {
        t.memory.writeInt(13 * 4, 0x0900);
        assertThat(Interrupts.deliverFault(cpu, GuestFault.GP, 0)).isTrue();
        assertThat(cpu.rip).isEqualTo(0x900);
        assertThat(cpu.regs[4]).isEqualTo(0x7000 - 6);
    }

    @Test
    void vectorBeyondTheTable_endsInShutdown() {
        cpu.idtLimit = 3;
        assertThat(Interrupts.deliverExternal(cpu, 0x20)).isFalse();
    }

    @Test
    void farCallAndReturn_useSixteenBitSlots() {
        t.step(0x9A, 0x10, 0x00, 0x00, 0x09); // CALL 0900:0010
        assertThat(cpu.segBase[Seg.CS]).isEqualTo(0x9000);
        assertThat(cpu.rip).isEqualTo(0x10);
        assertThat(t.stack(0, 2)).isEqualTo(CODE + 5);
        t.step(0xCA, 0x04, 0x00); // RETF 4
        assertThat(cpu.rip).isEqualTo(CODE + 5);
        assertThat(cpu.regs[4]).isEqualTo(0x7004);
    }

    @Test
    void segmentLoad_setsBaseOnly_keepsTheLimit() {
        cpu.segLimit[Seg.DS] = 0xFFFFFFFFL; // as protected mode may leave it
        cpu.regs[0] = 0x2000;
        t.step(0x8E, 0xD8);
        assertThat(cpu.segBase[Seg.DS]).isEqualTo(0x20000);
        assertThat(cpu.linearBase[Seg.DS]).isEqualTo(0x20000);
        assertThat(cpu.segLimit[Seg.DS]).isEqualTo(0xFFFFFFFFL);
    }

    @Test
    void pushAndPopSegment_moveTheSelector() {
        cpu.segSelector[Seg.ES] = 0x1234;
        t.step(0x06);
        assertThat(t.stack(0, 2)).isEqualTo(0x1234);
        t.step(0x1F);
        assertThat(cpu.segBase[Seg.DS]).isEqualTo(0x12340);
        assertThat(cpu.regs[4]).isEqualTo(0x7000);
    }

    @Test
    void enterProtectedMode_asBootCodeDoes() {
        t.memory.writeLong(GDT + CODE0, 0x00CF9B000000FFFFL);
        t.memory.writeLong(GDT + DATA0, 0x00CF93000000FFFFL);
        t.memory.writeShort(0x600, 0x1F);
        t.memory.writeInt(0x602, GDT);
        t.step(0x0F, 0x01, 0x16, 0x00, 0x06); // LGDT [0x600]
        assertThat(cpu.gdtBase).isEqualTo(GDT);
        assertThat(cpu.gdtLimit).isEqualTo(0x1F);
        cpu.regs[0] = cpu.cr0 | 1;
        t.step(0x0F, 0x22, 0xC0); // MOV CR0, EAX
        assertThat(cpu.protectedMode).isTrue();
        assertThat(cpu.codeBits).isEqualTo(16);
        t.step(0x66, 0xEA, 0x00, 0x90, 0x00, 0x00, CODE0, 0x00); // JMP 0008:00009000
        assertThat(cpu.codeBits).isEqualTo(32);
        assertThat(cpu.rip).isEqualTo(0x9000);
        cpu.regs[0] = DATA0;
        t.step(0x8E, 0xD0); // MOV SS, EAX
        assertThat(cpu.stackMask).isEqualTo(0xFFFFFFFFL);
        assertThat(cpu.interruptShadow).isTrue();
    }

    @Test
    void protectedModeInstructions_areUndefined() {
        t.faults(GuestFault.UD, -1, 0x0F, 0x00, 0xD8); // LTR AX
        t.faults(GuestFault.UD, -1, 0x0F, 0x02, 0xC0); // LAR AX, AX
        t.faults(GuestFault.UD, -1, 0x0F, 0x00, 0xE0); // VERR AX
    }

    @Test
    void lmsw_setsProtectionButNeverClearsIt() {
        cpu.regs[0] = 1;
        t.step(0x0F, 0x01, 0xF0);
        assertThat(cpu.protectedMode).isTrue();
        cpu.regs[0] = 0;
        t.step(0x0F, 0x01, 0xF0);
        assertThat(cpu.protectedMode).isTrue();
    }

    @Test
    void ports_needNoPermission() {
        t.bus.value = 0xABCDEF12L;
        cpu.regs[2] = 0x3F8;
        t.step(0x66, 0xED);
        assertThat(cpu.regs[0]).isEqualTo(0xABCDEF12L);
        t.step(0xE6, 0x80);
        assertThat(t.bus.log).containsExactly("in 3f8 4", "out 80 1 12");
    }

    @Test
    void intoAndInt3_areTraps() {
        t.memory.writeInt(3 * 4, 0x0300);
        t.memory.writeInt(4 * 4, 0x0400);
        t.step(0xCE);
        assertThat(cpu.rip).as("OF clear").isEqualTo(CODE + 1);
        cpu.flags.setRflags(2 | Flags.OF);
        t.step(0xCE);
        assertThat(cpu.rip).isEqualTo(0x400);
        t.step(0xCC);
        assertThat(cpu.rip).isEqualTo(0x300);
        assertThat(t.stack(0, 2)).isEqualTo(0x401);
    }
}
