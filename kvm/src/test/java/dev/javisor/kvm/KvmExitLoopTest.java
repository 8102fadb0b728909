package dev.javisor.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the exit loop does about each exit, with KVM_RUN played. */
class KvmExitLoopTest {
    private final Arena arena = Arena.ofShared();
    private final FakeKvm kernel = new FakeKvm();
    private final List<String> log = new ArrayList<>();
    private final Queue<FakeKvm.Guest> script = new ArrayDeque<>();
    private VirtualMachine vm;
    private Vcpu vcpu;

    private final VcpuBus bus =
            new VcpuBus() {
                @Override
                public int readPort(int port, int sizeBytes) {
                    log.add("in%d %x".formatted(sizeBytes, port));
                    return 0x89ABCDEF;
                }

                @Override
                public void writePort(int port, int sizeBytes, int value) {
                    log.add("out%d %x %x".formatted(sizeBytes, port, value));
                }

                @Override
                public long readMemory(long address, int sizeBytes) {
                    log.add("r%d %x".formatted(sizeBytes, address));
                    return 0x1122334455667788L;
                }

                @Override
                public void writeMemory(long address, int sizeBytes, long value) {
                    log.add("w%d %x %x".formatted(sizeBytes, address, value));
                }

                @Override
                public int acknowledgeExternalInterrupt() {
                    log.add("inta");
                    vm.setExternalInterrupt(false);
                    return 0x31;
                }

                @Override
                public void endOfInterrupt(int vector) {
                    log.add("eoi %x".formatted(vector));
                }
            };

    @BeforeEach
    void create() {
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

    private static int exit(MemorySegment page, int reason) {
        page.set(ValueLayout.JAVA_INT, RunLayout.EXIT_REASON, reason);
        return 0;
    }

    private static int io(MemorySegment page, boolean out, int size, int port, int count) {
        page.set(ValueLayout.JAVA_BYTE, RunLayout.IO_DIRECTION, (byte) (out ? 1 : 0));
        page.set(ValueLayout.JAVA_BYTE, RunLayout.IO_SIZE, (byte) size);
        page.set(ValueLayout.JAVA_SHORT, RunLayout.IO_PORT, (short) port);
        page.set(ValueLayout.JAVA_INT, RunLayout.IO_COUNT, count);
        page.set(ValueLayout.JAVA_LONG, RunLayout.IO_DATA_OFFSET, 4096);
        return exit(page, KvmAbi.EXIT_IO);
    }

    private static int mmio(MemorySegment page, boolean write, long address, int length) {
        page.set(ValueLayout.JAVA_LONG, RunLayout.MMIO_ADDRESS, address);
        page.set(ValueLayout.JAVA_INT, RunLayout.MMIO_LENGTH, length);
        page.set(ValueLayout.JAVA_BYTE, RunLayout.MMIO_IS_WRITE, (byte) (write ? 1 : 0));
        return exit(page, KvmAbi.EXIT_MMIO);
    }

    private void runs(FakeKvm.Guest... steps) {
        script.addAll(List.of(steps));
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.KICKED);
        assertThat(script).isEmpty();
    }

    @Test
    void io_ofSeveral_isServedInOrder() {
        runs(
                page -> {
                    page.set(ValueLayout.JAVA_INT, 4096, 0x00434241);
                    return io(page, true, 1, 0x3F8, 3);
                },
                page -> io(page, false, 2, 0x60, 2),
                page -> {
                    assertThat(page.get(ValueLayout.JAVA_INT, 4096)).isEqualTo(0xCDEFCDEF);
                    return -Errno.EAGAIN;
                });
        assertThat(log)
                .containsExactly("out1 3f8 41", "out1 3f8 42", "out1 3f8 43", "in2 60", "in2 60");
    }

    @Test
    void mmio_isCutToAlignedPowersOfTwo() {
        runs(
                page -> {
                    page.set(ValueLayout.JAVA_LONG, RunLayout.MMIO_DATA, 0x8877665544332211L);
                    return mmio(page, true, 0xD0000005L, 8);
                },
                page -> mmio(page, false, 0xD0000000L, 8),
                page -> mmio(page, false, 0xD0000FFDL, 3));
        assertThat(log)
                .containsExactly(
                        "w2 d0000005 2211",
                        "w1 d0000007 33",
                        "w4 d0000008 77665544",
                        "w1 d000000c 88",
                        "r8 d0000000",
                        "r2 d0000ffd",
                        "r1 d0000fff");
    }

    @Test
    void platformMsr_holdsWhatIsWritten_othersAreRefused() {
        runs(
                page -> {
                    page.set(ValueLayout.JAVA_INT, RunLayout.MSR_INDEX, 0xC0010010);
                    page.set(ValueLayout.JAVA_LONG, RunLayout.MSR_DATA, 0x1234);
                    return exit(page, KvmAbi.EXIT_X86_WRMSR);
                },
                page -> {
                    assertThat(page.get(ValueLayout.JAVA_BYTE, RunLayout.MSR_ERROR)).isZero();
                    page.set(ValueLayout.JAVA_LONG, RunLayout.MSR_DATA, 0);
                    return exit(page, KvmAbi.EXIT_X86_RDMSR);
                },
                page -> {
                    assertThat(page.get(ValueLayout.JAVA_LONG, RunLayout.MSR_DATA))
                            .isEqualTo(0x1234);
                    page.set(ValueLayout.JAVA_INT, RunLayout.MSR_INDEX, 0xC0DE0000);
                    return exit(page, KvmAbi.EXIT_X86_RDMSR);
                },
                page -> {
                    assertThat(page.get(ValueLayout.JAVA_BYTE, RunLayout.MSR_ERROR)).isOne();
                    return -Errno.EINTR;
                });
        assertThat(vcpu.save().msrs()).containsEntry(0xC0010010, 0x1234L);
    }

    @Test
    void endOfInterrupt_reachesTheBus() {
        runs(page -> {
            page.set(ValueLayout.JAVA_BYTE, RunLayout.EOI_VECTOR, (byte) 0xF1);
            return exit(page, KvmAbi.EXIT_IOAPIC_EOI);
        });
        assertThat(log).containsExactly("eoi f1");
    }

    /** The vector is fetched when KVM says that the vCPU takes it, not before. */
    @Test
    void externalInterrupt_waitsForTheWindow() {
        vm.setExternalInterrupt(true);
        runs(
                page -> {
                    assertThat(page.get(ValueLayout.JAVA_BYTE, RunLayout.REQUEST_INTERRUPT_WINDOW))
                            .isOne();
                    assertThat(log).isEmpty();
                    page.set(
                            ValueLayout.JAVA_BYTE,
                            RunLayout.READY_FOR_INTERRUPT_INJECTION,
                            (byte) 1);
                    return exit(page, KvmAbi.EXIT_IRQ_WINDOW_OPEN);
                },
                page -> {
                    assertThat(log).containsExactly("inta");
                    assertThat(page.get(ValueLayout.JAVA_BYTE, RunLayout.REQUEST_INTERRUPT_WINDOW))
                            .isZero();
                    return -Errno.EINTR;
                });
        assertThat(vcpu.save().events().interruptVector()).isEqualTo(0x31);
    }

    private static CpuState with(CpuState s, CpuState.Events events, CpuState.Activity activity) {
        return new CpuState(
                s.gpr(),
                s.rip(),
                s.rflags() | 2,
                s.segments(),
                s.gdt(),
                s.idt(),
                s.cr0(),
                s.cr2(),
                s.cr3(),
                s.cr4(),
                s.cr8(),
                s.efer(),
                s.xcr0(),
                s.debug(),
                s.msrs(),
                s.xsave(),
                s.lapic(),
                events,
                activity,
                s.tscOffset());
    }

    @Test
    void externalMessage_savedBeforeItIsTaken_isTakenWhereItIsRestored() {
        CpuState.Events waiting = new CpuState.Events(-1, -1, -1, false, false, false, -1, true);
        vcpu.restore(with(vcpu.save(), waiting, CpuState.Activity.RUNNING));
        assertThat(vcpu.save().events().externalPending()).isTrue();
        runs(page -> {
            assertThat(page.get(ValueLayout.JAVA_BYTE, 0)).as("window").isEqualTo((byte) 1);
            page.set(ValueLayout.JAVA_BYTE, RunLayout.READY_FOR_INTERRUPT_INJECTION, (byte) 1);
            return exit(page, KvmAbi.EXIT_IRQ_WINDOW_OPEN);
        });
        assertThat(log).containsExactly("inta");
        CpuState.Events after = vcpu.save().events();
        assertThat(after.externalPending()).isFalse();
        assertThat(after.interruptVector()).isEqualTo(0x31);
    }

    /** Every event that can be under way comes back as it was. */
    @Test
    void events_savedAndRestored_areTheSame() {
        CpuState state = vcpu.save();
        for (CpuState.Events events :
                List.of(
                        new CpuState.Events(14, 2, -1, false, false, false, -1),
                        new CpuState.Events(6, -1, -1, false, false, false, -1),
                        new CpuState.Events(-1, -1, 0x31, false, false, false, -1),
                        new CpuState.Events(-1, -1, -1, true, false, false, -1),
                        new CpuState.Events(-1, -1, -1, true, true, false, -1),
                        new CpuState.Events(-1, -1, -1, false, true, true, -1),
                        new CpuState.Events(13, 0, -1, true, true, true, -1, true))) {
            vcpu.restore(with(state, events, CpuState.Activity.RUNNING));
            assertThat(vcpu.save().events()).isEqualTo(events);
        }
        CpuState.Events none = new CpuState.Events(-1, -1, -1, false, false, false, -1);
        for (CpuState.Activity activity : CpuState.Activity.values()) {
            vcpu.restore(with(state, none, activity));
            assertThat(vcpu.save().activity()).isEqualTo(activity);
            assertThat(vcpu.save().events()).isEqualTo(none);
        }
        CpuState.Events sipi = new CpuState.Events(-1, -1, -1, false, false, false, 0x9A);
        vcpu.restore(with(state, sipi, CpuState.Activity.WAIT_FOR_SIPI));
        assertThat(vcpu.save().events()).isEqualTo(sipi);
        assertThat(vcpu.save().activity()).isEqualTo(CpuState.Activity.WAIT_FOR_SIPI);
    }

    /** KVM finishes the instruction before run() returns, also if it has a second half. */
    @Test
    void kick_afterIo_completesTheInstruction() {
        List<Byte> immediate = new ArrayList<>();
        kernel.guest =
                page -> {
                    immediate.add(page.get(ValueLayout.JAVA_BYTE, RunLayout.IMMEDIATE_EXIT));
                    return switch (immediate.size()) {
                        case 1 -> {
                            vcpu.kick();
                            yield mmio(page, false, 0xD0000000L, 8);
                        }
                        case 2 -> mmio(page, false, 0xD0000008L, 8);
                        default -> -Errno.EINTR;
                    };
                };
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.KICKED);
        assertThat(log).containsExactly("r8 d0000000", "r8 d0000008");
        assertThat(immediate).containsExactly((byte) 0, (byte) 1, (byte) 1);
    }

    @Test
    void kick_fromAnotherThread_signalsTheRunningOne() throws InterruptedException {
        kernel.guest =
                page -> {
                    Thread other = Thread.ofPlatform().start(vcpu::kick);
                    try {
                        other.join();
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                    assertThat(page.get(ValueLayout.JAVA_BYTE, RunLayout.IMMEDIATE_EXIT)).isOne();
                    return -Errno.EINTR;
                };
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.KICKED);
        assertThat(kernel.kicks).containsExactly("100 101 40");
        vcpu.kick();
        assertThat(kernel.kicks).as("nobody runs: no signal").hasSize(1);
    }

    @Test
    void shutdown_isReturnedWithRegisters() {
        script.add(page -> exit(page, KvmAbi.EXIT_SHUTDOWN));
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.SHUTDOWN);
        assertThat(vcpu.exitDetail()).contains("triple fault").contains("RIP").contains("CR3");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 5, 9, 11, 12, 16, 17, 27, 32, 34, 37, 39, 40, 41, 99})
    void exitThatNobodyServes_isAFaultWithAllRegisters(int reason) {
        script.add(page -> exit(page, reason));
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.FAULT);
        assertThat(vcpu.exitDetail())
                .contains("KVM exit " + KvmAbi.exitName(reason))
                .contains("RIP", "R15", "CR4", "EFER", "GDT");
    }

    @Test
    void exitThatNobodyKnows_isToldAsItIs() {
        script.add(page -> {
            page.set(ValueLayout.JAVA_LONG, RunLayout.UNION, 0x1234);
            page.set(ValueLayout.JAVA_LONG, RunLayout.UNION + 56, 0x5678);
            return exit(page, 1000);
        });
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.FAULT);
        assertThat(vcpu.exitDetail())
                .startsWith("KVM exit reason 1000: 0x1234 0x0 0x0 0x0 0x0 0x0 0x0 0x5678");
    }

    @Test
    void exitReasons_allHaveNames() {
        for (int reason = 0; reason <= 41; reason++) {
            assertThat(KvmAbi.exitName(reason)).matches("[A-Z0-9_]+");
        }
        assertThat(KvmAbi.exitName(KvmAbi.EXIT_NMI)).isEqualTo("NMI");
        assertThat(KvmAbi.exitName(KvmAbi.EXIT_HYPERV)).isEqualTo("HYPERV");
        assertThat(KvmAbi.exitName(KvmAbi.EXIT_NOTIFY)).isEqualTo("NOTIFY");
        assertThat(KvmAbi.exitName(KvmAbi.EXIT_TDX)).isEqualTo("TDX");
        assertThat(KvmAbi.exitName(-1)).isEqualTo("reason -1");
    }

    @Test
    void emulationFailureWithoutAssistant_namesTheInstruction() {
        script.add(page -> {
            page.set(ValueLayout.JAVA_INT, RunLayout.SUBERROR, 1);
            page.set(ValueLayout.JAVA_INT, RunLayout.INTERNAL_COUNT, 4);
            page.set(ValueLayout.JAVA_LONG, RunLayout.EMULATION_FLAGS, 1);
            page.set(ValueLayout.JAVA_BYTE, RunLayout.EMULATION_SIZE, (byte) 2);
            page.set(ValueLayout.JAVA_BYTE, RunLayout.EMULATION_BYTES, (byte) 0xCD);
            page.set(ValueLayout.JAVA_BYTE, RunLayout.EMULATION_BYTES + 1, (byte) 0x80);
            return exit(page, KvmAbi.EXIT_INTERNAL_ERROR);
        });
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.FAULT);
        assertThat(vcpu.exitDetail()).contains("cannot emulate cd 80");
    }

    @Test
    void kernelRefusesToRun_isAFaultThatSaysWhy() {
        script.add(page -> -Errno.EFAULT);
        assertThat(vcpu.run(bus)).isEqualTo(ExitReason.FAULT);
        assertThat(vcpu.exitDetail()).contains("KVM_RUN: bad address");
    }

    @Test
    void exits_allocateNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().threadId();
        int exits = 20_000;
        int[] left = {0};
        kernel.guest =
                page -> {
                    if (left[0]-- == 0) {
                        vcpu.kick();
                        return -Errno.EINTR;
                    }
                    return (left[0] & 1) == 0
                            ? io(page, true, 4, 0x500, 1)
                            : mmio(page, false, 0xD0000000L, 4);
                };
        Quiet quiet = new Quiet();
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 10; round++) {
            left[0] = exits;
            long before = threads.getThreadAllocatedBytes(self);
            vcpu.run(quiet);
            least = Math.min(least, threads.getThreadAllocatedBytes(self) - before);
        }
        assertThat(quiet.accesses).isEqualTo(10 * exits);
        // What one run costs, whatever its length: the counter's own answer among it.
        assertThat(least).isLessThan(4096);
    }

    /** Counts. */
    private static final class Quiet implements VcpuBus {
        int accesses;

        @Override
        public int readPort(int port, int sizeBytes) {
            return accesses++;
        }

        @Override
        public void writePort(int port, int sizeBytes, int value) {
            accesses++;
        }

        @Override
        public long readMemory(long address, int sizeBytes) {
            return accesses++;
        }

        @Override
        public void writeMemory(long address, int sizeBytes, long value) {
            accesses++;
        }

        @Override
        public int acknowledgeExternalInterrupt() {
            return -1;
        }

        @Override
        public void endOfInterrupt(int vector) {}
    }
}
