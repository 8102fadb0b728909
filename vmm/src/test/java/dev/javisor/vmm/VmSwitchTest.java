package dev.javisor.vmm;

import static dev.javisor.vmm.FakeHypervisor.GO_ON;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Moving a machine from one accelerator to another. */
@Timeout(120)
final class VmSwitchTest {
    private static final int DEBUG_EXIT = 0xF4;
    private static final int LOAD_ADDRESS = 0x10_0000;
    private static final int CODE_OFFSET = 0x20;

    @TempDir Path directory;
    private final RecordingConsole console = new RecordingConsole();

    private VmSpec.Builder spec(String... code) throws IOException {
        ByteBuffer image = ByteBuffer.allocate(0x2000).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(0x1BADB002).putInt(1 << 16).putInt(-(0x1BADB002 + (1 << 16)));
        image.putInt(LOAD_ADDRESS).putInt(LOAD_ADDRESS).putInt(0).putInt(0);
        image.putInt(LOAD_ADDRESS + CODE_OFFSET);
        image.put(
                CODE_OFFSET,
                HexFormat.of().parseHex(String.join("\n", code).replaceAll("#.*|\\s", "")));
        Path kernel = Files.write(directory.resolve("kernel"), image.array());
        return VmSpec.builder(kernel).name("moving").memoryBytes(16 << 20).debugExit(true);
    }

    private static Optional<dev.javisor.hypervisor.Vcpu.ExitReason> idle(
            VcpuBus bus, FakeHypervisor.FakeVcpu vcpu) {
        return GO_ON;
    }

    @Test
    void runningMachine_goesOnOnTheOther_withItsState() throws Exception {
        FakeHypervisor from = new FakeHypervisor(VmSwitchTest::idle);
        AtomicBoolean firstRuns = new AtomicBoolean();
        FakeHypervisor to =
                new FakeHypervisor((bus, vcpu) -> {
                    if (vcpu.id() == 0) {
                        firstRuns.set(true);
                    } else if (firstRuns.get()) {
                        bus.writePort(DEBUG_EXIT, 1, 9);
                    }
                    return GO_ON;
                });
        try (Vm vm = Vm.create(spec().cpus(2).build(), console, from)) {
            vm.start();
            vm.switchTo(to);
            assertThat(vm.await()).isEqualTo(new VmOutcome.DebugExit(9));
            assertThat(vm.status().switches()).isEqualTo(1);
        }
        CpuState moved = from.vcpu(0).state;
        assertThat(to.vcpu(0).state).isSameAs(moved);
        assertThat(from.vcpus.values()).allMatch(vcpu -> vcpu.closed);
        assertThat(from.machineClosed).isTrue();
        assertThat(to.machineClosed).isTrue();
    }

    @Test
    void pausedMachine_staysPausedOnTheOther() throws Exception {
        FakeHypervisor from = new FakeHypervisor(VmSwitchTest::idle);
        FakeHypervisor to = new FakeHypervisor(VmSwitchTest::idle);
        try (Vm vm = Vm.create(spec().build(), console, from)) {
            assertThatThrownBy(() -> vm.switchTo(to))
                    .isInstanceOf(VmException.class)
                    .hasMessage("cannot switch-to moving: it is created");
            vm.start();
            vm.pause();
            vm.switchTo(to);
            assertThat(vm.state()).isEqualTo(VmState.PAUSED);
            assertThat(to.vcpu(0).steps).isZero();
            vm.resume();
            while (to.vcpu(0).steps == 0) {
                Thread.onSpinWait();
            }
            vm.reset();
            assertThat(vm.state()).isEqualTo(VmState.RUNNING);
        }
    }

    @Test
    void otherAcceleratorFails_machineGoesOnWhereItWas() throws Exception {
        FakeHypervisor from = new FakeHypervisor(VmSwitchTest::idle);
        FakeHypervisor full = new FakeHypervisor(VmSwitchTest::idle);
        full.refusesVcpus = true;
        FakeHypervisor narrow = new FakeHypervisor(VmSwitchTest::idle);
        narrow.refusesStates = true;
        try (Vm vm = Vm.create(spec().cpus(2).build(), console, from)) {
            vm.start();
            assertThatThrownBy(() -> vm.switchTo(full))
                    .isInstanceOf(VmException.class)
                    .hasMessage("cannot move moving to fake: no vCPUs left: it goes on on fake");
            assertThat(full.machineClosed).isTrue();
            assertThatThrownBy(() -> vm.switchTo(narrow))
                    .isInstanceOf(VmException.class)
                    .hasMessageContaining("CPU state: CR4");
            assertThat(narrow.vcpus.values()).allMatch(vcpu -> vcpu.closed);
            assertThat(narrow.machineClosed).isTrue();
            assertThat(vm.state()).isEqualTo(VmState.RUNNING);
            assertThat(vm.status().switches()).isZero();
            long steps = from.vcpu(0).steps;
            while (from.vcpu(0).steps == steps) {
                Thread.onSpinWait();
            }
        }
    }

    @Test
    void hostModel_movesToNoOtherKindOfAccelerator() throws Exception {
        FakeHypervisor from = new FakeHypervisor(VmSwitchTest::idle);
        try (Vm vm = Vm.create(spec().cpuModel(CpuModel.HOST).build(), console, from)) {
            vm.start();
            assertThatThrownBy(() -> vm.switchTo(new SoftHypervisor()))
                    .isInstanceOf(VmException.class)
                    .hasMessageContaining("named one");
        }
    }

    /**
     * Interrupts from the PIT through the 8259s, each counted in the handler, while the main
     * program halts: a lost one would leave it halted for ever, as the handler arms the next.
     */
    @Test
    void halfHaltedGuest_manyMoves_noInterruptIsLost() throws Exception {
        int moves = 60;
        VmSpec spec =
                spec(
                                "0F 01 1D 80 00 10 00", // lidt [0x100080]
                                "B0 11 E6 20 B0 20 E6 21", // ICW1, ICW2: 0x20
                                "B0 04 E6 21 B0 01 E6 21", // ICW3, ICW4
                                "B0 FE E6 21", // all but IRQ 0 masked
                                "BC 00 00 20 00 31 C9", // mov esp, 0x200000; xor ecx, ecx
                                "E8 19 00 00 00", // call arm
                                "FB F4", // wait: sti; hlt
                                "81 F9 E8 03 00 00", // cmp ecx, 1000
                                "72 F6", // jb wait
                                "B0 07 E6 F4", // mov al, 7; out 0xF4, al
                                "F4 EB FD", // hlt for ever
                                "90 90 90 90 90 90 90 90", // up to 0x60
                                // arm: PIT channel 0, mode 0, 1193 ticks: 1 ms
                                "B0 30 E6 43 B0 A9 E6 40 B0 04 E6 40 C3",
                                // handler, at 0x6D
                                "41", // inc ecx
                                "50 E8 EC FF FF FF", // push eax; call arm
                                "B0 20 E6 20 58 CF", // EOI; pop eax; iret
                                "00 00 00 00 00 00", // up to 0x80
                                "FF 07 00 10 10 00") // IDT of 256 entries at 0x101000
                        .build();
        gate(spec.kernel(), 0x20, LOAD_ADDRESS + 0x6D);
        Translation[] modes = {Translation.OFF, Translation.ON, Translation.EAGER};
        try (Vm vm = Vm.create(spec, console, new SoftHypervisor())) {
            vm.start();
            for (int i = 0; i < moves && vm.state() == VmState.RUNNING; i++) {
                vm.switchTo(new SoftHypervisor(modes[i % modes.length]));
            }
            assertThat(vm.await()).isEqualTo(new VmOutcome.DebugExit(7));
            assertThat(vm.status().switches()).isGreaterThan(moves / 4);
        }
    }

    private static void gate(Path kernel, int vector, int handler) throws IOException {
        ByteBuffer image =
                ByteBuffer.wrap(Files.readAllBytes(kernel)).order(ByteOrder.LITTLE_ENDIAN);
        int gate = 0x1000 + vector * 8;
        image.putShort(gate, (short) handler).putShort(gate + 2, (short) 0x10);
        image.putShort(gate + 4, (short) 0x8E00).putShort(gate + 6, (short) (handler >>> 16));
        Files.write(kernel, image.array());
    }
}
