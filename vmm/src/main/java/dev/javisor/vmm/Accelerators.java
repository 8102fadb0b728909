package dev.javisor.vmm;

import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.softcpu.SoftHypervisor;

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
        Hypervisor soft = new SoftHypervisor();
        return switch (soft.probe()) {
            case Availability.Available _ -> soft;
            case Availability.Unavailable unavailable ->
                    throw new VmException(
                            "accelerator %s: %s: %s"
                                    .formatted(
                                            soft.name(),
                                            unavailable.message(),
                                            unavailable.remedy()));
        };
    }

    /** Its name with what it says about itself. */
    static String describe(Hypervisor hypervisor) {
        return hypervisor.probe() instanceof Availability.Available(String detail)
                ? "%s (%s)".formatted(hypervisor.name(), detail)
                : hypervisor.name();
    }
}
