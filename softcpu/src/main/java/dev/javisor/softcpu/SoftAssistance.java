package dev.javisor.softcpu;

import dev.javisor.hypervisor.AssistedVcpu;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.InstructionAssistant;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.softcpu.run.SoftAssistant;

/** Lends the software CPU's instructions to accelerators that lack some. */
public final class SoftAssistance implements InstructionAssistant.Factory {
    public SoftAssistance() {}

    @Override
    public InstructionAssistant create(
            VirtualMachineConfig config, GuestMemory memory, AssistedVcpu vcpu) {
        return new SoftAssistant(config, memory, vcpu);
    }
}
