package dev.javisor.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestDebug;
import dev.javisor.hypervisor.GuestDebug.Breakpoint;
import dev.javisor.hypervisor.GuestDebug.Kind;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What KVM is told to stop at, and what its stops become, without an assistant. */
class KvmDebugTest {
    private static final GuestDebug STEP = new GuestDebug(true, List.of());
    private static final int ENABLE = 1;
    private static final int STEP_FLAGS = ENABLE | DebugLayout.SINGLE_STEP;
    private static final long TRAP_FLAG = 0x100;

    private final Arena arena = Arena.ofShared();
    private final FakeKvm kernel = new FakeKvm();
    private final Queue<FakeKvm.Guest> script = new ArrayDeque<>();
    private final NoBus bus = new NoBus();
    private VirtualMachine vm;
    private Vcpu vcpu;

    @BeforeEach
    void create() {
        kernel.capabilities.put(Capability.SET_GUEST_DEBUG2, DebugLayout.BLOCK_INTERRUPTS);
        GuestMemory memory =
                new GuestMemory(
                        arena.allocate(1 << 20, 4096),
                        List.of(new Region(0, 0, 1 << 20)),
                        () -> {});
        VirtualMachineConfig config = new VirtualMachineConfig("test", 1, CpuModel.X86_64_V2, 0);
        vm = new KvmHypervisor(kernel, null).createVirtualMachine(config, memory, new NoTime());
        vcpu = vm.createVcpu(0);
        kernel.guest =
                page -> {
                    FakeKvm.Guest next = script.poll();
                    if (next == null) {
                        vcpu.kick();
                        return -Errno.EINTR;
                    }
                    return next.run(page);
                };
    }

    @AfterEach
    void close() {
        vcpu.close();
        vm.close();
        assertThat(kernel.open).isEmpty();
        arena.close();
    }

    private static GuestDebug at(Breakpoint... breakpoints) {
        return new GuestDebug(false, List.of(breakpoints));
    }

    private int flags() {
        return kernel.lastSet(KvmAbi.SET_GUEST_DEBUG)
                .get(ValueLayout.JAVA_INT_UNALIGNED, DebugLayout.CONTROL);
    }

    private long debugRegister(int n) {
        return kernel.lastSet(KvmAbi.SET_GUEST_DEBUG)
                .get(ValueLayout.JAVA_LONG_UNALIGNED, DebugLayout.CONTROL_DEBUGREG + 8L * n);
    }

    private static int debugExit(MemorySegment page, long dr6) {
        page.set(ValueLayout.JAVA_INT, RunLayout.DEBUG_EXCEPTION, 1);
        page.set(ValueLayout.JAVA_LONG, RunLayout.DEBUG_DR6, 0xFFFF0FF0L | dr6);
        page.set(ValueLayout.JAVA_INT, RunLayout.EXIT_REASON, KvmAbi.EXIT_DEBUG);
        return 0;
    }

    private void rip(long value) {
        kernel.poke(KvmAbi.GET_REGS, RegsLayout.RIP, value);
    }

    @Test
    void breakpoints_areToldInDr7sForm() {
        vcpu.setDebug(
                at(
                        new Breakpoint(Kind.EXECUTE, 0x1234, 1),
                        new Breakpoint(Kind.WRITE, 0x2008, 8),
                        new Breakpoint(Kind.ACCESS, 0x3004, 4)));
        assertThat(flags()).isEqualTo(ENABLE | DebugLayout.USE_HARDWARE_BREAKPOINTS);
        assertThat(debugRegister(0)).isEqualTo(0x1234);
        assertThat(debugRegister(1)).isEqualTo(0x2008);
        assertThat(debugRegister(2)).isEqualTo(0x3004);
        // R/W 00, 01, 11; LEN 00, 10, 11; G0, G1, G2, GE.
        assertThat(debugRegister(7)).isEqualTo(0xF90062AL);
        vcpu.setDebug(GuestDebug.NONE);
        assertThat(flags()).isZero();
    }

    @Test
    void breakpoints_thatNoProcessorHas_areRefused() {
        Breakpoint one = new Breakpoint(Kind.EXECUTE, 1, 1);
        assertThatThrownBy(() -> at(one, one, one, one, one)).hasMessageContaining("at most 4");
        assertThatThrownBy(() -> new Breakpoint(Kind.WRITE, 0x1002, 4))
                .hasMessageContaining("not aligned");
        assertThatThrownBy(() -> new Breakpoint(Kind.WRITE, 0, 3)).hasMessageContaining("3 bytes");
        assertThatThrownBy(() -> new Breakpoint(Kind.EXECUTE, 0, 2)).hasMessageContaining("code");
    }

    @Test
    void breakpointMet_isAStop_andTheNextRunStepsOverIt() {
        rip(0x1000);
        vcpu.setDebug(at(new Breakpoint(Kind.EXECUTE, 0x1100, 1)));
        script.add(page -> {
            rip(0x1100);
            return debugExit(page, 1);
        });
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.DEBUG);
        assertThat(vcpu.debugStop()).isEqualTo(new GuestDebug.Stop(false, 1));
        script.add(page -> {
            assertThat(flags())
                    .isEqualTo(
                            STEP_FLAGS
                                    | DebugLayout.USE_HARDWARE_BREAKPOINTS
                                    | DebugLayout.BLOCK_INTERRUPTS);
            assertThat(debugRegister(7) & 0xFF).as("no stop before the instruction").isZero();
            rip(0x1101);
            // DR6 tells of breakpoints that are not enabled, too.
            return debugExit(page, DebugLayout.DR6_SINGLE_STEP | 1);
        });
        script.add(page -> {
            assertThat(flags()).isEqualTo(ENABLE | DebugLayout.USE_HARDWARE_BREAKPOINTS);
            rip(0x1100);
            return debugExit(page, 1);
        });
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.DEBUG);
        assertThat(vcpu.debugStop()).isEqualTo(new GuestDebug.Stop(false, 1));
        assertThat(script).isEmpty();
    }

    @Test
    void breakpointWhereTheRunBegins_stopsOnlyOnce() {
        rip(0x1000);
        vcpu.setDebug(at(new Breakpoint(Kind.EXECUTE, 0x1000, 1)));
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.DEBUG);
        script.add(page -> debugExit(page, DebugLayout.DR6_SINGLE_STEP));
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.KICKED);
        assertThat(script).isEmpty();
    }

    @Test
    void step_endsWhenTheInstructionIsComplete() {
        rip(0x1000);
        vcpu.setDebug(STEP);
        assertThat(flags()).isZero();
        script.add(page -> {
            assertThat(flags()).isEqualTo(STEP_FLAGS | DebugLayout.BLOCK_INTERRUPTS);
            page.set(ValueLayout.JAVA_LONG, RunLayout.MMIO_ADDRESS, 0xD0000000L);
            page.set(ValueLayout.JAVA_INT, RunLayout.MMIO_LENGTH, 4);
            page.set(ValueLayout.JAVA_INT, RunLayout.EXIT_REASON, KvmAbi.EXIT_MMIO);
            return 0;
        });
        script.add(page -> debugExit(page, DebugLayout.DR6_SINGLE_STEP));
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.DEBUG);
        assertThat(vcpu.debugStop()).isEqualTo(new GuestDebug.Stop(true, 0));
        assertThat(flags()).isZero();
        assertThat(bus.reads).isEqualTo(1);
    }

    @Test
    void step_kicked_leavesNoTrapFlagBehind() {
        vcpu.setDebug(STEP);
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.KICKED);
        assertThat(flags()).isZero();
    }

    @Test
    void step_ofAHalt_letsInterruptsIn() {
        vcpu.setDebug(STEP);
        kernel.poke(KvmAbi.GET_MP_STATE, 0, KvmAbi.MP_HALTED);
        script.add(page -> {
            assertThat(flags()).isEqualTo(STEP_FLAGS);
            return debugExit(page, DebugLayout.DR6_SINGLE_STEP);
        });
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.DEBUG);
    }

    /** KVM takes the guest's trap flag away with its own. */
    @Test
    void step_ofAGuestThatStepsItself_isTheGuestsAsWell() {
        kernel.poke(KvmAbi.GET_REGS, RegsLayout.RFLAGS, TRAP_FLAG | 2);
        vcpu.setDebug(STEP);
        script.add(page -> {
            kernel.poke(KvmAbi.GET_REGS, RegsLayout.RFLAGS, 2);
            return debugExit(page, DebugLayout.DR6_SINGLE_STEP);
        });
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.DEBUG);
        CpuState s = vcpu.save();
        assertThat(s.rflags()).isEqualTo(TRAP_FLAG | 2);
        assertThat(s.events().exceptionVector()).isEqualTo(1);
        assertThat(s.debug()[6]).isEqualTo(DebugLayout.DR6_SINGLE_STEP);
    }

    @Test
    void exceptionOfTheGuestsOwn_isGivenBack() {
        vcpu.setDebug(at(new Breakpoint(Kind.WRITE, 0x2000, 1)));
        script.add(page -> debugExit(page, DebugLayout.DR6_SINGLE_STEP));
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.KICKED);
        CpuState s = vcpu.save();
        assertThat(s.events().exceptionVector()).isEqualTo(1);
        assertThat(s.debug()[6]).isEqualTo(DebugLayout.DR6_SINGLE_STEP);
    }
}
