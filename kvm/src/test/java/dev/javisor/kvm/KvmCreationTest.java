package dev.javisor.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.base.JavisorException;
import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.Availability.Reason;
import dev.javisor.hypervisor.Availability.Unavailable;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachine.DoorbellAddress;
import dev.javisor.hypervisor.VirtualMachine.Space;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.linux.Errno;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Probing, creation and release, on a played kernel that fails at any step. */
class KvmCreationTest {
    private static final VirtualMachineConfig CONFIG =
            new VirtualMachineConfig("test", 2, CpuModel.X86_64_V3, 0);

    private final Arena arena = Arena.ofShared();
    private final GuestMemory memory =
            new GuestMemory(
                    arena.allocate(1 << 20, 4096),
                    List.of(new Region(0, 0, 0x80000), new Region(0x100000, 0x80000, 0x80000)),
                    () -> {});

    @AfterEach
    void close() {
        arena.close();
    }

    private VirtualMachine create(FakeKvm kernel) {
        return new KvmHypervisor(kernel, null).createVirtualMachine(CONFIG, memory, new NoTime());
    }

    private static Unavailable probe(FakeKvm kernel) {
        Availability answer = new KvmHypervisor(kernel, null).probe();
        assertThat(answer).isInstanceOf(Unavailable.class);
        assertThat(kernel.open).as("descriptors left open").isEmpty();
        return (Unavailable) answer;
    }

    @ParameterizedTest
    @CsvSource({
        "2, NO_DEVICE_NODE",
        "6, NO_DEVICE_NODE",
        "19, NO_DEVICE_NODE",
        "13, NO_PERMISSION",
        "1, NO_PERMISSION",
        "16, BUSY"
    })
    void probe_nodeCannotBeOpened_saysWhyAndWhatToDo(int errno, Reason reason) {
        FakeKvm kernel = new FakeKvm();
        kernel.openResult = -errno;
        Unavailable no = probe(kernel);
        assertThat(no.reason()).isEqualTo(reason);
        assertThat(no.message()).contains("/dev/kvm").contains(Errno.describe(errno));
        assertThat(no.remedy()).contains("--accel soft");
    }

    @Test
    void probe_otherApiVersion_isMissingCapability() {
        FakeKvm kernel = new FakeKvm();
        kernel.apiVersion = 11;
        assertThat(probe(kernel).reason()).isEqualTo(Reason.MISSING_CAPABILITY);
    }

    @Test
    void probe_withoutSplitIrqchip_namesIt() {
        FakeKvm kernel = new FakeKvm();
        kernel.capabilities.put(Capability.SPLIT_IRQCHIP, 0);
        Unavailable no = probe(kernel);
        assertThat(no.reason()).isEqualTo(Reason.MISSING_CAPABILITY);
        assertThat(no.message()).contains("SPLIT_IRQCHIP");
    }

    @Test
    void probe_machineRefused_isBusy() {
        FakeKvm kernel = new FakeKvm();
        // open, version, one call for each capability, then KVM_CREATE_VM.
        kernel.failAt = 2 + Capability.values().length + 1;
        kernel.failWith = Errno.EBUSY;
        assertThat(probe(kernel).reason()).isEqualTo(Reason.BUSY);
    }

    @Test
    void create_andClose_leavesNothing() {
        FakeKvm kernel = new FakeKvm();
        useAndClose(kernel);
        assertReleased(kernel);
    }

    /** Everything that opens, maps or starts something. */
    private void useAndClose(FakeKvm kernel) {
        try (VirtualMachine vm = create(kernel);
                Vcpu first = vm.createVcpu(0);
                Vcpu second = vm.createVcpu(1);
                var bell =
                        vm.bindDoorbell(
                                new DoorbellAddress(Space.PIO, 0x500, 2, false, 0), () -> {})) {
            assertThat(first.id()).isZero();
            assertThat(second.id()).isEqualTo(1);
            assertThat(bell).isNotNull();
            vm.setDirtyTracking(true);
        }
    }

    private static void assertReleased(FakeKvm kernel) {
        assertThat(kernel.open).as("descriptors left open after " + kernel.failed).isEmpty();
        assertThat(kernel.mapped).as("mappings left after " + kernel.failed).isEmpty();
    }

    /** Each call of a life fails once: a clear error or none, and nothing is left. */
    @Test
    void anyCallFails_everythingIsReleased() {
        FakeKvm whole = new FakeKvm();
        useAndClose(whole);
        List<String> silent = new ArrayList<>();
        for (int n = 1; n <= whole.calls; n++) {
            FakeKvm kernel = new FakeKvm();
            kernel.failAt = n;
            try {
                useAndClose(kernel);
                silent.add(kernel.failed);
            } catch (JavisorException e) {
                assertThat(e.getMessage())
                        .as("call %d: %s", n, kernel.failed)
                        .isNotBlank()
                        .doesNotContain("\n");
            }
            assertThat(kernel.failed).as("call %d", n).isNotEmpty();
            assertReleased(kernel);
        }
        // Only what may be missing may fail without a word.
        assertThat(silent)
                .isNotEmpty()
                .allMatch(call ->
                        call.equals("close")
                                || call.equals("ioctl %#x".formatted(KvmAbi.CHECK_EXTENSION))
                                || call.equals("ioctl %#x".formatted(KvmAbi.HAS_DEVICE_ATTR)));
    }

    @Test
    void thousandLives_leaveNothing() {
        FakeKvm kernel = new FakeKvm();
        for (int i = 0; i < 1000; i++) {
            useAndClose(kernel);
        }
        assertReleased(kernel);
    }

    @Test
    void create_modelThatTheHostCannotBe_namesWhatIsMissing() {
        FakeKvm kernel =
                new FakeKvm() {
                    @Override
                    public synchronized int ioctl(
                            int fd, long request, java.lang.foreign.MemorySegment argument) {
                        int result = super.ioctl(fd, request, argument);
                        if (request == KvmAbi.GET_SUPPORTED_CPUID) {
                            CpuidEntry.write(argument, List.of());
                        }
                        return result;
                    }
                };
        assertThatThrownBy(() -> create(kernel))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("x86-64-v3")
                .hasMessageContaining("AVX2");
        assertReleased(kernel);
    }

    @Test
    void createVcpu_idOutOfRange_isRefused() {
        FakeKvm kernel = new FakeKvm();
        try (VirtualMachine vm = create(kernel)) {
            assertThatThrownBy(() -> vm.createVcpu(2)).isInstanceOf(HypervisorException.class);
        }
    }

    @Test
    void create_otherTscThanTheHosts_withoutScaling_isRefused() {
        FakeKvm kernel = new FakeKvm();
        kernel.capabilities.put(Capability.TSC_CONTROL, 0);
        VirtualMachineConfig config =
                new VirtualMachineConfig("test", 1, CpuModel.X86_64_V2, 3_000_000_000L);
        assertThatThrownBy(() ->
                        new KvmHypervisor(kernel, null)
                                .createVirtualMachine(config, memory, new NoTime()))
                .hasMessageContaining("3000000 kHz")
                .hasMessageContaining("2000000 kHz");
        assertReleased(kernel);
    }
}
