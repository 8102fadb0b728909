package dev.javisor.vmm;

import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.kvm.KvmHypervisor;
import dev.javisor.softcpu.SoftAssistance;
import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.lang.System.Logger.Level;
import java.util.Optional;

/** Chooses what runs the guest's code. */
final class Accelerators {
    private static final System.Logger LOG = System.getLogger("dev.javisor.accelerator");

    private Accelerators() {}

    /**
     * What was chosen.
     *
     * @param note why it is not the one that a person might expect
     */
    record Selected(Hypervisor hypervisor, Optional<String> note) {}

    /**
     * @throws VmException if it cannot run here
     */
    static Hypervisor select(Accelerator wanted, TranslationMode translation) {
        return choose(wanted, translation).hypervisor();
    }

    /** As {@link #select}, and why. */
    static Selected choose(Accelerator wanted, TranslationMode translation) {
        return switch (wanted) {
            case KVM ->
                    new Selected(
                            checked(new KvmHypervisor(new SoftAssistance())), Optional.empty());
            case SOFT -> new Selected(soft(translation), Optional.empty());
            case AUTO -> {
                AcceleratorChoice choice = AcceleratorChoice.auto();
                choice.why()
                        .ifPresent(why ->
                                LOG.log(choice.surprising() ? Level.INFO : Level.DEBUG, why));
                Hypervisor hypervisor =
                        choice.accelerator() == Accelerator.KVM
                                ? new KvmHypervisor(new SoftAssistance())
                                : soft(translation);
                yield new Selected(hypervisor, choice.why());
            }
        };
    }

    private static Hypervisor soft(TranslationMode translation) {
        return checked(new SoftHypervisor(of(translation)));
    }

    private static Hypervisor checked(Hypervisor hypervisor) {
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

    /**
     * The TSC frequency that every accelerator of this host can have, so that guests can move
     * between them, or 0 if any will do.
     */
    static long commonTscHz() {
        return new KvmHypervisor().fixedTscHz();
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
