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
     * @param surprising whether a person should be told unasked
     */
    record Selected(Hypervisor hypervisor, Optional<String> note, boolean surprising) {
        private static Selected wanted(Hypervisor hypervisor) {
            return new Selected(hypervisor, Optional.empty(), false);
        }

        /** Says why, once the machine is there: what keeps it from being made comes alone. */
        void tell() {
            note.ifPresent(why -> LOG.log(surprising ? Level.INFO : Level.DEBUG, why));
        }
    }

    /**
     * @throws VmException if it cannot run here
     */
    static Hypervisor select(Accelerator wanted, TranslationMode translation) {
        Selected selected = choose(wanted, translation);
        selected.tell();
        return selected.hypervisor();
    }

    /** As {@link #select}, with the reason, which is not told yet. */
    static Selected choose(Accelerator wanted, TranslationMode translation) {
        return switch (wanted) {
            case KVM -> Selected.wanted(checked(new KvmHypervisor(new SoftAssistance())));
            case SOFT -> Selected.wanted(soft(translation));
            case AUTO -> {
                AcceleratorChoice choice = AcceleratorChoice.auto();
                Hypervisor hypervisor =
                        choice.accelerator() == Accelerator.KVM
                                ? new KvmHypervisor(new SoftAssistance())
                                : soft(translation);
                yield new Selected(hypervisor, choice.why(), choice.surprising());
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
