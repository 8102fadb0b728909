package dev.javisor.vmm;

import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.kvm.KvmHypervisor;
import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;

/** Chooses what runs the guest's code. */
final class Accelerators {
    private Accelerators() {}

    /**
     * @throws VmException if it cannot run here
     */
    static Hypervisor select(Accelerator wanted, TranslationMode translation) {
        Hypervisor hypervisor =
                switch (wanted) {
                    case KVM -> new KvmHypervisor();
                    case SOFT, AUTO -> new SoftHypervisor(of(translation));
                };
        return switch (hypervisor.probe()) {
            case Availability.Available _ -> hypervisor;
            case Availability.Unavailable unavailable ->
                    throw new VmException(
                            "accelerator %s: %s: %s"
                                    .formatted(
                                            hypervisor.name(),
                                            unavailable.message(),
                                            unavailable.remedy()));
        };
    }

    private static Translation of(TranslationMode mode) {
        return switch (mode) {
            case OFF -> Translation.OFF;
            case ON -> Translation.ON;
            case EAGER -> Translation.EAGER;
            case LOCKSTEP -> Translation.LOCKSTEP;
        };
    }

    /** Its name with what it says about itself. */
    static String describe(Hypervisor hypervisor) {
        return hypervisor.probe() instanceof Availability.Available(String detail)
                ? "%s (%s)".formatted(hypervisor.name(), detail)
                : hypervisor.name();
    }
}
