package dev.javisor.softcpu.sys;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.CpuState.Activity;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class StateCodecTest {
    private final SysTestCpu from = SysTestCpu.long64();

    private CpuState state() {
        Cpu cpu = from.cpu;
        for (int i = 0; i < 16; i++) {
            cpu.regs[i] = 0x1111_1111_1111_1111L * i;
            cpu.vec[4 * i] = i;
        }
        cpu.flags.setRflags(2 | Flags.IF | Flags.ZF | Flags.SF | Flags.PF);
        cpu.cr2 = 0xDEAD;
        cpu.lstar = 0xFFFF_8000_0000_1000L;
        cpu.kernelGsBase = 0x5555;
        cpu.dr[0] = 0x1234;
        cpu.halted = true;
        cpu.nmiMasked = true;
        cpu.request(Cpu.REQUEST_NMI);
        from.platform.setTaskPriorityClass(3);
        from.platform.writeMsr(Msrs.TSC, 123_456);
        from.platform.writeMsr(Msrs.KVM_SYSTEM_TIME, 0x30001);
        return StateCodec.save(cpu, from.platform);
    }

    @Test
    void saveThenLoad_givesTheSameState() {
        CpuState saved = state();
        SysTestCpu to = SysTestCpu.reset(0);
        StateCodec.load(to.cpu, to.platform, saved);
        CpuState again = StateCodec.save(to.cpu, to.platform);
        assertThat(again).usingRecursiveComparison().isEqualTo(saved);
        assertThat(to.cpu.dump()).isEqualTo(from.cpu.dump());
        assertThat(to.cpu.codeBits).isEqualTo(64);
        assertThat(to.platform.tsc()).isEqualTo(from.platform.tsc());
        assertThat(to.memory.readInt(0x30000)).as("clock page is written").isNotZero();
    }

    @Test
    void activityAndEvents_areCarried() {
        CpuState saved = state();
        assertThat(saved.activity()).isEqualTo(Activity.HALTED);
        assertThat(saved.events().nmiPending()).isTrue();
        assertThat(saved.events().nmiMasked()).isTrue();
        SysTestCpu ap = SysTestCpu.reset(1);
        CpuState waiting = StateCodec.save(ap.cpu, ap.platform);
        assertThat(waiting.activity()).isEqualTo(Activity.WAIT_FOR_SIPI);
        SysTestCpu other = SysTestCpu.reset(1);
        other.cpu.waitsForSipi = false;
        StateCodec.load(other.cpu, other.platform, waiting);
        assertThat(other.cpu.waitsForSipi).isTrue();
    }

    @Test
    void owedInterrupt_isDeliveredAfterLoad() {
        CpuState s = state();
        from.gate64(0x55, SysTestCpu.CODE0, SysTestCpu.HANDLER, 0x8E, 0);
        CpuState.Events events = new CpuState.Events(-1, -1, 0x55, false, false, false, -1);
        StateCodec.load(from.cpu, from.platform, with(s, events));
        from.cpu.regs[4] = SysTestCpu.KERNEL_STACK;
        assertThat(Interrupts.deliverOwed(from.cpu)).isTrue();
        assertThat(from.cpu.rip).isEqualTo(SysTestCpu.HANDLER);
        assertThat(from.cpu.halted).isFalse();
        assertThat(Interrupts.deliverOwed(from.cpu)).as("only once").isTrue();
    }

    @Test
    void externalMessage_notYetTaken_isCarried() {
        CpuState.Events waiting = new CpuState.Events(-1, -1, -1, false, false, false, -1, true);
        StateCodec.load(from.cpu, from.platform, with(state(), waiting));
        assertThat(from.platform.apic().hasInterrupt()).isTrue();
        CpuState saved = StateCodec.save(from.cpu, from.platform);
        assertThat(saved.events()).isEqualTo(waiting);
        SysTestCpu to = SysTestCpu.reset(0);
        StateCodec.load(to.cpu, to.platform, saved);
        assertThat(to.platform.apic().hasInterrupt()).isTrue();
        CpuState.Events none = new CpuState.Events(-1, -1, -1, false, false, false, -1);
        StateCodec.load(to.cpu, to.platform, with(saved, none));
        assertThat(to.platform.apic().hasExternalMessage()).isFalse();
    }

    /** Whatever can be under way comes back as it was. */
    @Test
    void events_savedAndLoaded_areTheSame() {
        for (CpuState.Events events :
                List.of(
                        new CpuState.Events(14, 2, -1, false, false, false, -1),
                        new CpuState.Events(6, -1, -1, false, false, false, -1),
                        new CpuState.Events(-1, -1, 0x31, false, false, false, -1),
                        new CpuState.Events(-1, -1, -1, true, true, false, -1),
                        new CpuState.Events(-1, -1, -1, false, true, true, -1),
                        new CpuState.Events(-1, -1, -1, false, false, false, 0x9A),
                        new CpuState.Events(13, 0, -1, true, true, true, -1, true))) {
            StateCodec.load(from.cpu, from.platform, with(state(), events));
            assertThat(StateCodec.save(from.cpu, from.platform).events()).isEqualTo(events);
        }
    }

    private static CpuState with(CpuState s, CpuState.Events events) {
        return copy(
                s, s.rflags(), s.cr0(), s.cr3(), s.cr4(), s.efer(), s.msrs(), s.xsave(), events);
    }

    private static CpuState copy(
            CpuState s,
            long rflags,
            long cr0,
            long cr3,
            long cr4,
            long efer,
            SortedMap<Integer, Long> msrs,
            byte[] xsave,
            CpuState.Events events) {
        return new CpuState(
                s.gpr(),
                s.rip(),
                rflags,
                s.segments(),
                s.gdt(),
                s.idt(),
                cr0,
                s.cr2(),
                cr3,
                cr4,
                s.cr8(),
                efer,
                s.xcr0(),
                s.debug(),
                msrs,
                xsave,
                s.lapic(),
                events,
                s.activity(),
                s.tscOffset());
    }

    private void refused(CpuState bad) {
        assertThatThrownBy(() -> StateCodec.load(from.cpu, from.platform, bad))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void impossibleStates_areRefused() {
        CpuState s = state();
        CpuState.Events e = s.events();
        long pg = Cpu.CR0_PG;
        refused(copy(s, s.rflags(), pg, s.cr3(), s.cr4(), s.efer(), s.msrs(), s.xsave(), e));
        refused(copy(s, 1L << 40, s.cr0(), s.cr3(), s.cr4(), s.efer(), s.msrs(), s.xsave(), e));
        refused(copy(s, s.rflags(), s.cr0(), -1, s.cr4(), s.efer(), s.msrs(), s.xsave(), e));
        refused(copy(s, s.rflags(), s.cr0(), s.cr3(), -1, s.efer(), s.msrs(), s.xsave(), e));
        refused(copy(s, s.rflags(), s.cr0(), s.cr3(), 0, s.efer(), s.msrs(), s.xsave(), e));
        refused(copy(s, s.rflags(), s.cr0(), s.cr3(), s.cr4(), 0x500 | 2, s.msrs(), s.xsave(), e));
        refused(copy(s, s.rflags(), s.cr0(), s.cr3(), s.cr4(), 0x100, s.msrs(), s.xsave(), e));
        refused(
                copy(
                        s,
                        s.rflags() | Flags.VM,
                        s.cr0(),
                        s.cr3(),
                        s.cr4(),
                        s.efer(),
                        s.msrs(),
                        s.xsave(),
                        e));
        refused(
                copy(
                        s,
                        s.rflags(),
                        s.cr0(),
                        s.cr3(),
                        s.cr4(),
                        s.efer(),
                        s.msrs(),
                        new byte[100],
                        e));
        SortedMap<Integer, Long> msrs = new TreeMap<>(s.msrs());
        msrs.put(Msrs.LSTAR, 1L << 55);
        refused(copy(s, s.rflags(), s.cr0(), s.cr3(), s.cr4(), s.efer(), msrs, s.xsave(), e));
        StateCodec.load(from.cpu, from.platform, s);
    }

    @Test
    void msrsOfOtherAccelerators_mayBeNamedWithZero() {
        CpuState s = state();
        SortedMap<Integer, Long> msrs = new TreeMap<>(s.msrs());
        msrs.put(0x12345, 0L);
        CpuState fine =
                copy(
                        s,
                        s.rflags(),
                        s.cr0(),
                        s.cr3(),
                        s.cr4(),
                        s.efer(),
                        msrs,
                        s.xsave(),
                        s.events());
        StateCodec.load(from.cpu, from.platform, fine);
        msrs.put(0x12345, 1L);
        refused(fine);
    }
}
