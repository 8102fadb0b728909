package dev.javisor.vmm;

import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.Hypervisor;

/** Chooses what runs the guest's code. */
final class Accelerators {
    private Accelerators() {}

    /**
     * @throws VmException if it cannot run here
     */
    static Hypervisor select(Accelerator wanted) {
        if (wanted == Accelerator.KVM) {
            throw new VmException("accelerator kvm is not built yet: use soft or auto");
        }
        throw new VmException("accelerator soft is not built yet");
    }

    /** Its name with what it says about itself. */
    static String describe(Hypervisor hypervisor) {
        return hypervisor.probe() instanceof Availability.Available(String detail)
                ? "%s (%s)".formatted(hypervisor.name(), detail)
                : hypervisor.name();
    }
}
