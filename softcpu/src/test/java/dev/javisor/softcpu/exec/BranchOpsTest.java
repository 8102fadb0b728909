package dev.javisor.softcpu.exec;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import org.junit.jupiter.api.Test;

class BranchOpsTest {
    private final ExecTestCpu flat = new ExecTestCpu(32);
    private final ExecTestCpu wide = new ExecTestCpu(64);

    @Test
    void jcc_allFlagsAndConditions_followDefinition() {
        for (int flags = 0; flags < 64; flags++) {
            int status =
                    (flags & 1)
                            | (flags & 2) << 1
                            | (flags & 4) << 2
                            | (flags & 8) << 3
                            | (flags & 16) << 3
                            | (flags & 32) << 6;
            boolean c = (status & Flags.CF) != 0;
            boolean z = (status & Flags.ZF) != 0;
            boolean s = (status & Flags.SF) != 0;
            boolean o = (status & Flags.OF) != 0;
            boolean p = (status & Flags.PF) != 0;
            boolean[] conditions = {o, c, z, c || z, s, p, s != o, z || s != o};
            for (int code = 0; code < 16; code++) {
                wide.cpu.flags.setStatus(status);
                wide.execute(0x70 | code, 0x10);
                boolean taken = conditions[code >> 1] != ((code & 1) != 0);
                assertThat(wide.cpu.rip).isEqualTo(taken ? 0x8012 : 0x8002);
            }
        }
    }

    @Test
    void call_nonCanonicalTarget_faultsBeforePush() {
        wide.cpu.regs[4] = 0x4000;
        wide.cpu.regs[0] = 0x8000_0000_0000L;
        assertThat(wide.faultOf(0xFF, 0xD0)).isEqualTo(GuestFault.GP);
        assertThat(wide.cpu.regs[4]).isEqualTo(0x4000);
        assertThat(wide.cpu.mmu.read64(0x3FF8)).isZero();
    }

    @Test
    void near_targetBeyondLimit_faults() {
        flat.cpu.segLimit[Seg.CS] = 0x8FFF;
        flat.cpu.updateMode();
        flat.cpu.regs[4] = 0x4000;
        flat.cpu.mmu.write32(0x4000, 0x9000);
        assertThat(flat.faultOf(0xC3)).isEqualTo(GuestFault.GP);
        assertThat(flat.cpu.regs[4]).isEqualTo(0x4000);
        flat.cpu.regs[1] = 2;
        assertThat(flat.faultOf(0xE9, 0xFB, 0x0F, 0, 0)).isEqualTo(GuestFault.GP);
        flat.cpu.mmu.write32(0x4000, 0x8FFF);
        flat.execute(0xC2, 0x10, 0); // ret 16
        assertThat(flat.cpu.rip).isEqualTo(0x8FFF);
        assertThat(flat.cpu.regs[4]).isEqualTo(0x4014);
    }

    @Test
    void callRet_roundTrip_returnsBehindCall() {
        wide.cpu.regs[4] = 0x4000;
        wide.execute(0xE8, 0x00, 0x01, 0, 0);
        assertThat(wide.cpu.rip).isEqualTo(0x8105);
        wide.execute(0xC3);
        assertThat(wide.cpu.rip).isEqualTo(0x8005);
        assertThat(wide.cpu.regs[4]).isEqualTo(0x4000);
    }

    @Test
    void loop_addressSize_choosesCounter() {
        wide.cpu.regs[1] = 0x1_0000_0001L;
        wide.execute(0x67, 0xE2, 0x10); // loop with ECX
        assertThat(wide.cpu.rip).isEqualTo(0x8003);
        assertThat(wide.cpu.regs[1]).isZero();
        wide.cpu.regs[1] = 0x1_0000_0001L;
        wide.execute(0xE2, 0x10);
        assertThat(wide.cpu.rip).isEqualTo(0x8012);
        assertThat(wide.cpu.regs[1]).isEqualTo(0x1_0000_0000L);
        wide.cpu.flags.setStatus(Flags.ZF);
        wide.execute(0xE0, 0x10); // loopne
        assertThat(wide.cpu.rip).isEqualTo(0x8002);
        assertThat(wide.cpu.regs[1]).isEqualTo(0xFFFF_FFFFL);
        wide.cpu.regs[1] = 0x1_0000_0000L;
        wide.execute(0x67, 0xE3, 0x10); // jecxz
        assertThat(wide.cpu.rip).isEqualTo(0x8013);
    }
}
