package dev.javisor.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.hypervisor.AssistedVcpu;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.hypervisor.InstructionAssistant;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.hypervisor.VcpuRegisters;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.SortedMap;
import org.junit.jupiter.api.Test;

/** How an assistant's registers travel: by system calls at first, then in the run page. */
class SyncedRegistersTest {
    private final FakeKvm kernel = new FakeKvm();
    private final Queue<FakeKvm.Guest> script = new ArrayDeque<>();
    private int entryFlags;

    /** Adds 1 to RAX and 2 to RIP; sets an interrupt shadow if {@code shadow}. */
    private static final class Counting implements InstructionAssistant {
        private final VcpuRegisters registers;
        private final boolean shadow;

        Counting(AssistedVcpu vcpu, boolean shadow) {
            this.registers = vcpu.registers();
            this.shadow = shadow;
        }

        @Override
        public Outcome assist(VcpuBus bus, int mostInstructions) {
            registers.gpr[0]++;
            registers.rip += 2;
            registers.changed |= VcpuRegisters.GENERAL;
            if (shadow) {
                registers.interruptShadow = true;
                registers.changed |= VcpuRegisters.EVENTS;
            }
            return Outcome.EXECUTED;
        }

        @Override
        public Outcome step(VcpuBus bus) {
            return assist(bus, 1);
        }

        @Override
        public int breakpoints() {
            return 0;
        }

        @Override
        public int executed() {
            return 1;
        }

        @Override
        public String detail() {
            return "";
        }

        @Override
        public SortedMap<String, Long> counts() {
            return Collections.emptySortedMap();
        }

        @Override
        public void close() {}
    }

    private interface Body {
        void run(Vcpu vcpu);
    }

    private void with(boolean shadow, Body body) {
        try (Arena arena = Arena.ofShared()) {
            GuestMemory memory =
                    new GuestMemory(
                            arena.allocate(1 << 20, 4096),
                            List.of(new Region(0, 0, 1 << 20)),
                            () -> {});
            VirtualMachineConfig config =
                    new VirtualMachineConfig("test", 1, CpuModel.X86_64_V2, 0);
            KvmHypervisor kvm =
                    new KvmHypervisor(kernel, (c, m, vcpu) -> new Counting(vcpu, shadow));
            try (VirtualMachine vm = kvm.createVirtualMachine(config, memory, new NoTime());
                    Vcpu vcpu = vm.createVcpu(0)) {
                kernel.guest =
                        page -> {
                            FakeKvm.Guest next = script.poll();
                            if (next == null) {
                                vcpu.kick();
                                return -Errno.EINTR;
                            }
                            return next.run(page);
                        };
                body.run(vcpu);
            }
        }
    }

    private static int refuse(MemorySegment page) {
        page.set(ValueLayout.JAVA_INT, RunLayout.SUBERROR, KvmAbi.INTERNAL_ERROR_EMULATION);
        page.set(ValueLayout.JAVA_INT, RunLayout.EXIT_REASON, KvmAbi.EXIT_INTERNAL_ERROR);
        return 0;
    }

    private static int window(MemorySegment page) {
        page.set(ValueLayout.JAVA_INT, RunLayout.EXIT_REASON, KvmAbi.EXIT_IRQ_WINDOW_OPEN);
        return 0;
    }

    private void assists(Vcpu vcpu, int count) {
        for (int i = 0; i < count; i++) {
            script.add(SyncedRegistersTest::refuse);
        }
        assertThat(vcpu.run(new NoBus())).isEqualTo(ExitReason.KICKED);
        assertThat(script).isEmpty();
    }

    @Test
    void frequentHelp_needsNoSystemCallForRegisters() {
        with(
                true,
                vcpu -> {
                    assists(vcpu, 1);
                    assertThat(kernel.requests)
                            .contains(KvmAbi.GET_REGS, KvmAbi.GET_SREGS, KvmAbi.GET_VCPU_EVENTS);
                    kernel.requests.clear();
                    assists(vcpu, 10);
                    assertThat(kernel.requests).isEmpty();
                    CpuState s = vcpu.save();
                    assertThat(s.gpr()[0]).isEqualTo(11);
                    assertThat(s.rip()).isEqualTo(22);
                    assertThat(s.events().interruptShadow()).isTrue();
                });
    }

    @Test
    void stateThatWaitsForTheNextEntry_isSavedAndReplaced() {
        with(
                false,
                vcpu -> {
                    assists(vcpu, 2);
                    script.add(page -> {
                        vcpu.kick();
                        return refuse(page);
                    });
                    assertThat(vcpu.run(new NoBus())).isEqualTo(ExitReason.KICKED);
                    assertThat(script).isEmpty();
                    CpuState three = vcpu.save();
                    assertThat(three.gpr()[0]).isEqualTo(3);
                    assists(vcpu, 4);
                    assertThat(vcpu.save().gpr()[0]).isEqualTo(7);
                    script.add(page -> {
                        vcpu.kick();
                        return refuse(page);
                    });
                    assertThat(vcpu.run(new NoBus())).isEqualTo(ExitReason.KICKED);
                    vcpu.restore(three);
                    assists(vcpu, 1);
                    assertThat(vcpu.save().gpr()[0]).isEqualTo(4);
                });
    }

    @Test
    void seldomHelp_costsNothingAtOtherExits() {
        with(
                false,
                vcpu -> {
                    assists(vcpu, 1);
                    for (int i = 0; i < 100; i++) {
                        script.add(SyncedRegistersTest::window);
                    }
                    script.add(page -> {
                        entryFlags =
                                (int) page.get(ValueLayout.JAVA_LONG, RunLayout.VALID_REGISTERS);
                        return window(page);
                    });
                    assists(vcpu, 0);
                    assertThat(entryFlags).isZero();
                    assists(vcpu, 3);
                    assertThat(vcpu.save().gpr()[0]).isEqualTo(4);
                });
    }

    @Test
    void kernelWithoutIt_getsSystemCalls() {
        kernel.capabilities.put(Capability.SYNC_REGS, 1);
        with(
                true,
                vcpu -> {
                    script.add(page -> {
                        entryFlags =
                                (int) page.get(ValueLayout.JAVA_LONG, RunLayout.VALID_REGISTERS);
                        return refuse(page);
                    });
                    assists(vcpu, 3);
                    assertThat(entryFlags).isZero();
                    assertThat(kernel.requests).contains(KvmAbi.SET_REGS, KvmAbi.SET_VCPU_EVENTS);
                    assertThat(vcpu.save().gpr()[0]).isEqualTo(4);
                });
    }
}
