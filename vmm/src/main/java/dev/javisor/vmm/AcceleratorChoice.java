package dev.javisor.vmm;

import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.kvm.KvmHypervisor;
import java.util.Optional;
import java.util.function.Function;

/**
 * What {@code auto} takes: KVM where it executes guest code natively, which is measured, else the
 * software CPU.
 *
 * @param why nothing where KVM was taken
 * @param surprising whether a person should be told unasked: KVM is there, and is not used
 */
record AcceleratorChoice(Accelerator accelerator, Optional<String> why, boolean surprising) {
    /** On this host. Costs a few milliseconds where there is KVM. */
    static AcceleratorChoice auto() {
        return auto(new KvmHypervisor(), SpeedProbe::measure);
    }

    static AcceleratorChoice auto(
            Hypervisor kvm, Function<Hypervisor, Optional<AcceleratorSpeed>> measure) {
        return switch (kvm.probe()) {
            case Availability.Unavailable unavailable ->
                    soft("KVM is not used: " + unavailable.message(), false);
            case Availability.Available _ ->
                    measure.apply(kvm).map(AcceleratorChoice::of).orElseGet(AcceleratorChoice::bad);
        };
    }

    private static AcceleratorChoice of(AcceleratorSpeed speed) {
        if (speed.isNative()) {
            return new AcceleratorChoice(Accelerator.KVM, Optional.empty(), false);
        }
        String why =
                "this host's KVM only emulates guest code (%.0f ns for a loop's iteration): the"
                        + " software CPU is used, --accel kvm overrides";
        return soft(why.formatted(speed.iterationNanos()), true);
    }

    private static AcceleratorChoice bad() {
        return soft(
                "this host's KVM did not run a tiny guest to its end: the software CPU is used,"
                        + " --accel kvm overrides",
                true);
    }

    private static AcceleratorChoice soft(String why, boolean surprising) {
        return new AcceleratorChoice(Accelerator.SOFT, Optional.of(why), surprising);
    }
}
