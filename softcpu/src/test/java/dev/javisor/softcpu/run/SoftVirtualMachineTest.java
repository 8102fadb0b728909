package dev.javisor.softcpu.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.base.HostTimeSource;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.softcpu.Translation;
import java.lang.foreign.MemorySegment;
import java.security.SecureRandom;
import java.util.List;
import org.junit.jupiter.api.Test;

class SoftVirtualMachineTest {
    private static GuestMemory memory() {
        return new GuestMemory(
                MemorySegment.ofArray(new long[0x10000 / 8]),
                List.of(new GuestMemory.Region(0, 0, 0x10000)),
                () -> {});
    }

    @Test
    void vcpu_randomInstructions_readASecureSource() {
        VirtualMachineConfig config = new VirtualMachineConfig("test", 1, CpuModel.X86_64_V2, 0);
        try (HostTimeSource time = new HostTimeSource("test timers");
                SoftVirtualMachine vm =
                        new SoftVirtualMachine(config, memory(), time, Translation.ON);
                SoftVcpu vcpu = (SoftVcpu) vm.createVcpu(0)) {
            assertThat(vcpu.cpu().random).isInstanceOf(SecureRandom.class);
        }
    }
}
