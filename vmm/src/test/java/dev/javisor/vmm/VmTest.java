package dev.javisor.vmm;

import static dev.javisor.vmm.FakeHypervisor.GO_ON;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.javisor.boot.BootException;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VcpuBus;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(20)
final class VmTest {
    private static final String NAME = "vm-under-test";
    private static final int SERIAL = 0x3F8;
    private static final int SERIAL_LINE_CONTROL = SERIAL + 3;
    private static final int RESET_CONTROL = 0xCF9;
    private static final int DEBUG_EXIT = 0xF4;
    private static final int ACPI_PM1_EVENT = 0x600;
    private static final int ACPI_PM1_CONTROL = 0x604;
    private static final long ENTRY = 0x10_0010;

    @TempDir Path directory;
    private Path kernel;
    private final RecordingConsole console = new RecordingConsole();

    /** A flat Multiboot kernel of one page at 1 MiB. */
    @BeforeEach
    void writeKernel() throws IOException {
        ByteBuffer image = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(0x1BADB002).putInt(1 << 16).putInt(-(0x1BADB002 + (1 << 16)));
        image.putInt(0x10_0000).putInt(0x10_0000).putInt(0).putInt(0).putInt((int) ENTRY);
        kernel = Files.write(directory.resolve("kernel"), image.array());
    }

    @AfterEach
    void noThreadIsLeft() throws InterruptedException {
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getName().startsWith(NAME)) {
                thread.join(2000);
                assertThat(thread.isAlive()).as(thread.getName()).isFalse();
            }
        }
    }

    private static FakeHypervisor idle() {
        return new FakeHypervisor((_, _) -> GO_ON);
    }

    private VmSpec.Builder spec() {
        return VmSpec.builder(kernel).name(NAME).memoryBytes(16 << 20).debugExit(true);
    }

    private static void say(VcpuBus bus, String text) {
        text.chars().forEach(c -> bus.writePort(SERIAL, 1, c));
    }

    @Test
    void start_putsBootProcessorAtTheKernelAndLeavesOthersAtPowerOn() throws InterruptedException {
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    if (vcpu.id() == 0) {
                        bus.writePort(DEBUG_EXIT, 1, 42);
                    }
                    return GO_ON;
                });
        try (Vm vm = Vm.create(spec().cpus(3).build(), console, soft)) {
            assertThat(vm.state()).isEqualTo(VmState.CREATED);
            vm.start();
            assertThat(vm.await()).isEqualTo(new VmOutcome.DebugExit(42));
            assertThat(vm.state()).isEqualTo(VmState.ENDED);
        }
        assertThat(soft.vcpu(0).state.rip()).isEqualTo(ENTRY);
        assertThat(soft.vcpu(1).state.rip()).isEqualTo(0xFFF0);
        assertThat(soft.vcpus)
                .hasSize(3)
                .allSatisfy((id, vcpu) -> assertThat(vcpu.closed).isTrue());
        assertThat(soft.machineClosed).isTrue();
    }

    @Test
    void balloon_outOfRange_isRefused() {
        try (Vm vm = Vm.create(spec().memoryBytes(64 << 20).build(), console, idle())) {
            assertThatThrownBy(() -> vm.balloon(32 << 20)).hasMessageContaining("it is created");
            vm.start();
            vm.balloon(32 << 20);
            assertThat(vm.status().memory().targetBytes()).isEqualTo(32 << 20);
            assertThat(vm.status().text()).contains("balloon 0 of 32 MiB");
            assertThatThrownBy(() -> vm.balloon(65 << 20))
                    .hasMessageContaining("give 16 to 64 MiB");
            assertThatThrownBy(() -> vm.balloon(1 << 20)).isInstanceOf(VmException.class);
            vm.balloon(64 << 20);
            assertThat(vm.status().memory().targetBytes()).isZero();
        }
    }

    @Test
    void memory_ofPagesThatNobodyReserved_saysHowToReserve() throws IOException {
        Path free = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
        assumeTrue(Files.exists(free) && Files.readString(free).strip().equals("0"));
        var pages = new MemorySpec(MemorySpec.Pages.HUGE_2M, false, false, false);
        assertThatThrownBy(() -> Vm.create(spec().memory(pages).build(), console, idle()))
                .isInstanceOf(VmException.class)
                .hasMessageContaining("it takes 8 pages of 2 MiB, 0 are free")
                .hasMessageContaining("echo 8 > /sys/kernel/mm/hugepages");
    }

    @Test
    void cpuModel_notChosen_isTheBestThatThereIs_andSaidIfThatIsLittle() {
        FakeHypervisor little = idle();
        little.bestCpuModel = CpuModel.X86_64_V2;
        try (Vm vm = Vm.create(spec().build(), console, little)) {
            assertThat(little.model()).isEqualTo(CpuModel.X86_64_V2);
            assertThat(vm.status().notes())
                    .singleElement()
                    .asString()
                    .contains("no x86-64-v3: the guest's CPUs are x86-64-v2");
        }
        try (Vm vm = Vm.create(spec().cpuModel(CpuModel.X86_64_V3).build(), console, little)) {
            assertThat(little.model()).isEqualTo(CpuModel.X86_64_V3);
            assertThat(vm.status().notes()).isEmpty();
        }
    }

    @Test
    void await_afterDebugExit_hasDeliveredAllSerialOutput() throws InterruptedException {
        String text = "line of output\n".repeat(20_000);
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    say(bus, text);
                    bus.writePort(DEBUG_EXIT, 1, 0);
                    return GO_ON;
                });
        try (Vm vm = Vm.create(spec().build(), console, soft)) {
            vm.start();
            assertThat(vm.await()).isEqualTo(new VmOutcome.DebugExit(0));
        }
        assertThat(console.text()).startsWith(text);
    }

    @Test
    void guestReset_loadsTheKernelAgainWithDevicesAtPowerOn() throws InterruptedException {
        AtomicInteger lineControlAfterReset = new AtomicInteger(-1);
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    if (vcpu.restores == 1) {
                        bus.writePort(SERIAL_LINE_CONTROL, 1, 0x03);
                        bus.writePort(RESET_CONTROL, 1, 6);
                    } else {
                        lineControlAfterReset.set(bus.readPort(SERIAL_LINE_CONTROL, 1));
                        bus.writePort(DEBUG_EXIT, 1, vcpu.restores);
                    }
                    return GO_ON;
                });
        try (Vm vm = Vm.create(spec().build(), console, soft)) {
            vm.start();
            assertThat(vm.await()).isEqualTo(new VmOutcome.DebugExit(2));
            assertThat(vm.status().resets()).isEqualTo(1);
            assertThat(vm.status().vcpuInstructions().getFirst()).isPositive();
        }
        assertThat(lineControlAfterReset).hasValue(0);
    }

    @Test
    void acpiSleepS5_powersOff() throws InterruptedException {
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    bus.writePort(ACPI_PM1_CONTROL, 2, 5 << 10 | 1 << 13);
                    return GO_ON;
                });
        try (Vm vm = Vm.create(spec().build(), console, soft)) {
            vm.start();
            assertThat(vm.await()).isEqualTo(new VmOutcome.PoweredOff());
        }
    }

    @Test
    void powerButton_setsItsStatusBit() throws InterruptedException {
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    if ((bus.readPort(ACPI_PM1_EVENT, 2) & 1 << 8) != 0) {
                        bus.writePort(DEBUG_EXIT, 1, 8);
                    }
                    return GO_ON;
                });
        try (Vm vm = Vm.create(spec().build(), console, soft)) {
            vm.start();
            vm.powerButton();
            assertThat(vm.await()).isEqualTo(new VmOutcome.DebugExit(8));
        }
    }

    @Test
    void tripleFault_isAReset() throws InterruptedException {
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> Optional.of(Vcpu.ExitReason.SHUTDOWN));
        try (Vm vm = Vm.create(spec().endOnReset(true).build(), console, soft)) {
            vm.start();
            assertThat(vm.await()).isEqualTo(new VmOutcome.Reset());
        }
    }

    @Test
    void resetAfterPanicMessage_isAPanic() throws InterruptedException {
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    say(bus, "[    1.5] Kernel panic - not syncing: No init found.\r\n");
                    bus.writePort(RESET_CONTROL, 1, 6);
                    return GO_ON;
                });
        try (Vm vm = Vm.create(spec().build(), console, soft)) {
            vm.start();
            assertThat(vm.await()).isEqualTo(new VmOutcome.Panicked("No init found."));
        }
    }

    @Test
    void panicWithoutReboot_endsTheMachine() throws InterruptedException {
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    if (vcpu.steps == 1) {
                        say(bus, "[ 1.5][ T1] Kernel panic - not syncing: x\n");
                        say(bus, "[ 1.6][ T1] ---[ end Kernel panic - not syncing: x ]---\n");
                    }
                    return GO_ON;
                });
        try (Vm vm = Vm.create(spec().build(), console, soft)) {
            vm.start();
            assertThat(vm.await()).isEqualTo(new VmOutcome.Panicked("x"));
        }
    }

    @Test
    void panicMessageInsideALine_isNoPanic() throws InterruptedException {
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    say(bus, "grep says Kernel panic - not syncing: x\n");
                    bus.writePort(RESET_CONTROL, 1, 6);
                    return GO_ON;
                });
        try (Vm vm = Vm.create(spec().endOnReset(true).build(), console, soft)) {
            vm.start();
            assertThat(vm.await()).isEqualTo(new VmOutcome.Reset());
        }
    }

    @Test
    void pause_stopsVcpusAndTheGuestsTime_untilResume() throws InterruptedException {
        CountDownLatch running = new CountDownLatch(2);
        AtomicReference<CountDownLatch> latch = new AtomicReference<>(running);
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    latch.get().countDown();
                    return GO_ON;
                });
        try (Vm vm = Vm.create(spec().cpus(2).build(), console, soft)) {
            vm.start();
            running.await();
            vm.pause();
            assertThat(vm.state()).isEqualTo(VmState.PAUSED);
            long steps = soft.vcpu(0).steps + soft.vcpu(1).steps;
            long nanos = soft.nanos();
            assertThatThrownBy(vm::pause)
                    .isInstanceOf(VmException.class)
                    .hasMessage("cannot pause vm-under-test: it is paused");
            assertThat(soft.nanos()).isEqualTo(nanos);
            assertThat(soft.vcpu(0).steps + soft.vcpu(1).steps).isEqualTo(steps);
            CountDownLatch resumed = new CountDownLatch(10);
            latch.set(resumed);
            vm.resume();
            resumed.await();
            assertThat(soft.nanos()).isGreaterThan(nanos);
        }
    }

    @Test
    void reset_ofAPausedMachine_leavesItPaused() throws InterruptedException {
        FakeHypervisor soft = new FakeHypervisor((bus, vcpu) -> GO_ON);
        try (Vm vm = Vm.create(spec().build(), console, soft)) {
            vm.start();
            vm.pause();
            long steps = soft.vcpu(0).steps;
            vm.reset();
            assertThat(vm.state()).isEqualTo(VmState.PAUSED);
            assertThat(soft.vcpu(0).steps).isEqualTo(steps);
            vm.resume();
            while (soft.vcpu(0).restores < 1 || soft.vcpu(0).steps == steps) {
                Thread.onSpinWait();
            }
            vm.stop();
            assertThat(vm.await()).isEqualTo(new VmOutcome.Stopped());
        }
    }

    @Test
    void manyPausesAndResets_neverHang() {
        FakeHypervisor soft = new FakeHypervisor((bus, vcpu) -> GO_ON);
        try (Vm vm = Vm.create(spec().cpus(4).build(), console, soft)) {
            vm.start();
            for (int i = 0; i < 200; i++) {
                vm.pause();
                if (i % 3 == 0) {
                    vm.reset();
                }
                vm.resume();
            }
            assertThat(vm.status().resets()).isEqualTo(67);
        }
    }

    @Test
    void stop_fromTheConsolesOwnThread_ends() throws InterruptedException {
        AtomicReference<Vm> machine = new AtomicReference<>();
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    say(bus, "x");
                    return GO_ON;
                });
        try (Vm vm =
                Vm.create(spec().build(), (bytes, offset, length) -> machine.get().stop(), soft)) {
            machine.set(vm);
            vm.start();
            assertThat(vm.await()).isEqualTo(new VmOutcome.Stopped());
        }
    }

    @Test
    void stop_whileTheConsoleDoesNotRead_ends() throws InterruptedException {
        CountDownLatch blocked = new CountDownLatch(1);
        CountDownLatch never = new CountDownLatch(1);
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    say(bus, "more than the buffer takes ".repeat(10_000));
                    return GO_ON;
                });
        VmConsole stuck =
                (bytes, offset, length) -> {
                    blocked.countDown();
                    try {
                        never.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                };
        try (Vm vm = Vm.create(spec().build(), stuck, soft)) {
            vm.start();
            blocked.await();
            vm.stop();
            assertThat(vm.await()).isEqualTo(new VmOutcome.Stopped());
        } finally {
            never.countDown();
        }
    }

    @Test
    void faultOfAVcpu_isAFailureWithItsDetail() throws InterruptedException {
        FakeHypervisor soft = new FakeHypervisor((bus, vcpu) -> Optional.of(Vcpu.ExitReason.FAULT));
        try (Vm vm = Vm.create(spec().build(), console, soft)) {
            vm.start();
            assertThat(vm.await()).isEqualTo(new VmOutcome.Failed("vCPU 0: detail of 0"));
        }
    }

    @Test
    void exceptionInAVcpu_isAFailure() throws InterruptedException {
        FakeHypervisor soft =
                new FakeHypervisor((bus, vcpu) -> {
                    throw new IllegalStateException("broken");
                });
        try (Vm vm = Vm.create(spec().cpus(2).build(), console, soft)) {
            vm.start();
            assertThat(vm.await())
                    .isInstanceOfSatisfying(
                            VmOutcome.Failed.class,
                            failed -> assertThat(failed.message()).contains("broken"));
        }
    }

    @Test
    void start_withOneMebibyte_saysThatTheKernelDoesNotFit() throws InterruptedException {
        FakeHypervisor soft = new FakeHypervisor((bus, vcpu) -> GO_ON);
        try (Vm vm = Vm.create(spec().memoryBytes(1 << 20).build(), console, soft)) {
            assertThatThrownBy(vm::start)
                    .isInstanceOf(BootException.class)
                    .hasMessageEndingWith("does not fit into 1 MiB of memory");
            assertThat(vm.await()).isInstanceOf(VmOutcome.Failed.class);
            assertThatThrownBy(vm::start).hasMessage("cannot start vm-under-test: it is ended");
        }
    }

    @Test
    void create_withTenTebibytes_saysThatTheHostHasLess() {
        FakeHypervisor soft = new FakeHypervisor((bus, vcpu) -> GO_ON);
        assertThatThrownBy(() -> Vm.create(spec().memoryBytes(10L << 40).build(), console, soft))
                .isInstanceOf(VmException.class)
                .hasMessageStartingWith("memory of 10 TiB is more than this host has");
    }

    @Test
    void create_withDirectoryAsDisk_isRefused() {
        FakeHypervisor soft = new FakeHypervisor((bus, vcpu) -> GO_ON);
        VmSpec spec = spec().disks(List.of(new DiskSpec(directory, false))).build();
        assertThatThrownBy(() -> Vm.create(spec, console, soft))
                .hasMessageContaining("is a directory");
    }

    @Test
    void resizeDisk_byNumberOrSerial_growsTheFile_andNothingElse() throws Exception {
        FakeHypervisor soft = new FakeHypervisor((bus, vcpu) -> GO_ON);
        Path disk = directory.resolve("data.img");
        Files.write(disk, new byte[1 << 16]);
        try (Vm vm =
                Vm.create(
                        spec().disks(List.of(new DiskSpec(disk, false))).build(), console, soft)) {
            assertThatThrownBy(() -> vm.resizeDisk("0", 1 << 20))
                    .hasMessage("cannot resize-disk vm-under-test: it is created");
            vm.start();
            vm.resizeDisk("data.img", 1 << 20);
            assertThat(Files.size(disk)).isEqualTo(1 << 20);
            vm.resizeDisk("0", 2 << 20);
            assertThat(Files.size(disk)).isEqualTo(2 << 20);
            assertThatThrownBy(() -> vm.resizeDisk("vda", 4 << 20))
                    .hasMessage("no disk 'vda': there are 0 data.img");
            assertThatThrownBy(() -> vm.resizeDisk("0", 1 << 20))
                    .hasMessageContaining("it can only grow");
            assertThatThrownBy(() -> vm.resizeDisk("0", (4 << 20) + 1))
                    .hasMessageContaining("multiple of 512");
            assertThat(Files.size(disk)).isEqualTo(2 << 20);
        }
    }

    @Test
    void close_ofAMachineNeverStarted_releasesEverything() throws InterruptedException {
        FakeHypervisor soft = new FakeHypervisor((bus, vcpu) -> GO_ON);
        Vm vm = Vm.create(spec().ports(List.of("a", "b")).build(), console, soft);
        vm.close();
        vm.close();
        assertThat(vm.await()).isEqualTo(new VmOutcome.Stopped());
        assertThat(soft.machineClosed).isTrue();
        vm.port("a").write(new byte[10], 0, 10);
        vm.serialInput(new byte[100], 0, 100);
    }
}
