package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.base.HostTimeSource;
import dev.javisor.boot.BootParameters;
import dev.javisor.boot.KernelImage;
import dev.javisor.boot.MemoryMap;
import dev.javisor.fixtures.TestMemory;
import dev.javisor.guestkit.GuestImages;
import dev.javisor.guestkit.Progress;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.softcpu.SoftHypervisor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The loader on a kernel of the real world, without running it. */
class DebianKernelIT {
    @Test
    void load_debianCloudKernel_isLoadedWhole() throws IOException {
        Path file = GuestImages.standard().prepare(Progress.NONE).kernel();
        GuestMemory memory = TestMemory.of(256 << 20);
        var config = new VirtualMachineConfig("kernel", 1, CpuModel.X86_64_V3, 0);
        try (KernelImage kernel = KernelImage.probe(file);
                var time = new HostTimeSource("kernel");
                var machine = new SoftHypervisor().createVirtualMachine(config, memory, time);
                var vcpu = machine.createVcpu(0)) {
            assertThat(kernel.description())
                    .matches("Linux \\S+ bzImage, boot protocol 2\\.\\d+, 64-bit entry");
            CpuState state =
                    kernel.load(
                            memory,
                            new BootParameters("", List.of(), MemoryMap.of(memory), 0, new byte[0]),
                            vcpu.save());
            // startup_64 of arch/x86/boot/compressed/head_64.S starts with CLD; CLI.
            assertThat(memory.readShort(state.rip())).isEqualTo(0xFAFC);
        }
    }
}
