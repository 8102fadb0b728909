package dev.javisor.softcpu.exec;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import org.junit.jupiter.api.Test;

class StackOpsTest {
    private final ExecTestCpu real = new ExecTestCpu(16);
    private final ExecTestCpu flat = new ExecTestCpu(32);
    private final ExecTestCpu wide = new ExecTestCpu(64);

    @Test
    void push_stackPointer_pushesOldValue() {
        wide.cpu.regs[4] = 0x4000;
        wide.execute(0x54); // push rsp
        assertThat(wide.cpu.regs[4]).isEqualTo(0x3FF8);
        assertThat(wide.cpu.mmu.read64(0x3FF8)).isEqualTo(0x4000);
    }

    @Test
    void pop_stackPointer_takesPoppedValue() {
        wide.cpu.regs[4] = 0x4000;
        wide.cpu.mmu.write64(0x4000, 0x1234);
        wide.execute(0x5C); // pop rsp
        assertThat(wide.cpu.regs[4]).isEqualTo(0x1234);
    }

    @Test
    void pop_memoryBasedOnStackPointer_addressesAfterIncrement() {
        wide.cpu.regs[4] = 0x4000;
        wide.cpu.mmu.write64(0x4000, 0x55);
        wide.execute(0x8F, 0x04, 0x24); // pop qword [rsp]
        assertThat(wide.cpu.mmu.read64(0x4008)).isEqualTo(0x55);
        assertThat(wide.cpu.regs[4]).isEqualTo(0x4008);
    }

    @Test
    void pop_faultingDestination_leavesStackPointer() {
        flat.cpu.regs[4] = 0x4000;
        flat.cpu.segLimit[Seg.DS] = 0xFFF;
        flat.cpu.updateMode();
        assertThat(flat.faultOf(0x8F, 0x05, 0, 0x20, 0, 0)).isEqualTo(GuestFault.GP);
        assertThat(flat.cpu.regs[4]).isEqualTo(0x4000);
    }

    @Test
    void pushaPopa_roundTrip_keepsAllButStackPointer() {
        for (int i = 0; i < 8; i++) {
            flat.cpu.regs[i] = 0x1111_1111L * (i + 1);
        }
        flat.cpu.regs[4] = 0x4000;
        flat.execute(0x60);
        assertThat(flat.cpu.regs[4]).isEqualTo(0x4000 - 32);
        assertThat(flat.cpu.mmu.read32(0x3FFC)).isEqualTo(0x11111111);
        assertThat(flat.cpu.mmu.read32(0x4000 - 20)).isEqualTo(0x4000);
        for (int i = 0; i < 8; i++) {
            if (i != 4) {
                flat.cpu.regs[i] = 0;
            }
        }
        flat.execute(0x61);
        for (int i = 0; i < 8; i++) {
            assertThat(flat.cpu.regs[i]).isEqualTo(i == 4 ? 0x4000 : 0x1111_1111L * (i + 1));
        }
    }

    @Test
    void pusha_beyondSegmentLimit_faultsWithoutEffect() {
        flat.cpu.regs[4] = 16;
        flat.cpu.mmu.write64(8, 0x77);
        assertThat(flat.faultOf(0x60)).isEqualTo(-1); // wraps at 4 GiB: no RAM there, no fault
        real.cpu.regs[4] = 0x1009;
        real.cpu.segLimit[Seg.SS] = 0x1007;
        assertThat(real.faultOf(0x60)).isEqualTo(GuestFault.SS);
        assertThat(real.cpu.regs[4]).isEqualTo(0x1009);
        assertThat(real.cpu.mmu.read16(0x1007)).isZero();
    }

    @Test
    void push_inRealMode_wrapsAt64KiB() {
        real.cpu.regs[4] = 0xABCD_0000L;
        real.cpu.regs[0] = 0x1234;
        real.execute(0x50);
        assertThat(real.cpu.regs[4]).isEqualTo(0xABCD_FFFEL);
        assertThat(real.cpu.mmu.read16(0xFFFE)).isEqualTo(0x1234);
    }

    @Test
    void enterLeave_nested_buildDisplay() {
        flat.cpu.regs[4] = 0x4000;
        flat.cpu.regs[5] = 0x5000;
        flat.cpu.mmu.write32(0x4FFC, 0xAAAA);
        flat.cpu.mmu.write32(0x4FF8, 0xBBBB);
        flat.execute(0xC8, 0x10, 0x00, 0x23); // enter 16, 3 (level modulo 32)
        assertThat(flat.cpu.mmu.read32(0x3FFC)).isEqualTo(0x5000);
        assertThat(flat.cpu.mmu.read32(0x3FF8)).isEqualTo(0xAAAA);
        assertThat(flat.cpu.mmu.read32(0x3FF4)).isEqualTo(0xBBBB);
        assertThat(flat.cpu.mmu.read32(0x3FF0)).isEqualTo(0x3FFC);
        assertThat(flat.cpu.regs[5]).isEqualTo(0x3FFC);
        assertThat(flat.cpu.regs[4]).isEqualTo(0x3FE0);
        flat.execute(0xC9);
        assertThat(flat.cpu.regs[5]).isEqualTo(0x5000);
        assertThat(flat.cpu.regs[4]).isEqualTo(0x4000);
    }

    @Test
    void popf_byPrivilege_changesWhatItMay() {
        Cpu cpu = flat.cpu;
        int all = Flags.STATUS | Flags.SYSTEM;
        assertThat(popf(cpu, 0, 0, all))
                .isEqualTo(all & ~(Flags.RF | Flags.VM | Flags.VIF | Flags.VIP));
        int user = Flags.STATUS | Flags.TF | Flags.DF | Flags.NT | Flags.AC | Flags.ID;
        assertThat(popf(cpu, 3, 0, all)).isEqualTo(user);
        assertThat(popf(cpu, 3, Flags.IOPL, all)).isEqualTo(user | Flags.IF | Flags.IOPL);
        assertThat(popf(cpu, 3, Flags.IF, 0)).isEqualTo(Flags.IF);
    }

    private int popf(Cpu cpu, int cpl, int system, int image) {
        cpu.segSelector[Seg.CS] = cpl;
        cpu.segAttributes[Seg.SS] = (cpu.segAttributes[Seg.SS] & ~0x60) | cpl << Seg.DPL_SHIFT;
        cpu.flags.setRflags(system);
        cpu.updateMode();
        cpu.regs[4] = 0x4000;
        cpu.mmu.write32(0x4000, image);
        flat.execute(0x9D);
        return (int) cpu.flags.rflags() & ~2;
    }

    @Test
    void flagsOnStack_inVirtual8086Mode_followVmeRules() {
        ExecTestCpu test = new ExecTestCpu(16);
        Cpu cpu = test.cpu;
        cpu.cr0 |= Cpu.CR0_PE;
        cpu.flags.system = Flags.VM | Flags.IF | Flags.VIF;
        cpu.updateMode();
        cpu.regs[4] = 0x4000;
        assertThat(test.faultOf(0x9C)).isEqualTo(GuestFault.GP);
        assertThat(test.faultOf(0x9D)).isEqualTo(GuestFault.GP);
        cpu.cr4 |= Cpu.CR4_VME;
        assertThat(test.faultOf(0x66, 0x9C)).isEqualTo(GuestFault.GP);
        test.execute(0x9C);
        assertThat(cpu.mmu.read16(0x3FFE) & (Flags.IF | Flags.IOPL))
                .isEqualTo(Flags.IF | Flags.IOPL);
        cpu.mmu.write16(0x3FFE, Flags.CF);
        test.execute(0x9D);
        assertThat(cpu.flags.system).isEqualTo(Flags.VM | Flags.IF);
        assertThat(cpu.flags.cf()).isTrue();
        cpu.flags.system |= Flags.VIP;
        cpu.mmu.write16(0x4000, Flags.IF);
        assertThat(test.faultOf(0x9D)).isEqualTo(GuestFault.GP);
        assertThat(cpu.regs[4]).isEqualTo(0x4000);
    }

    @Test
    void stackPointer_nonCanonical_isStackFaultWhateverTheOperandIs() {
        ExecTestCpu wide = new ExecTestCpu(64);
        Cpu cpu = wide.cpu;
        cpu.regs[0] = 0x4000; // [RAX], in DS
        cpu.mmu.write64(0x4000, 0x5000);
        cpu.regs[4] = 0x8000_0000_1000L;
        assertThat(wide.faultOf(0xFF, 0x30)).as("push [rax]").isEqualTo(GuestFault.SS);
        assertThat(wide.faultOf(0x8F, 0x00)).as("pop [rax]").isEqualTo(GuestFault.SS);
        assertThat(wide.faultOf(0xFF, 0x10)).as("call [rax]").isEqualTo(GuestFault.SS);
        assertThat(cpu.regs[4]).isEqualTo(0x8000_0000_1000L);
        cpu.regs[4] = 0x4000;
        cpu.regs[0] = 0x8000_0000_1000L;
        assertThat(wide.faultOf(0xFF, 0x30)).as("the operand itself").isEqualTo(GuestFault.GP);
        assertThat(wide.faultOf(0x8F, 0x00)).isEqualTo(GuestFault.GP);
        assertThat(cpu.regs[4]).isEqualTo(0x4000);
    }
}
