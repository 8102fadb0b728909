package dev.javisor.vmm;

import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.kvm.KvmHypervisor;
import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What can be said about an accelerator on this host.
 *
 * @param name as typed on a command line
 * @param availability whether it can run here
 * @param speed measured; empty where it cannot run
 * @param capabilities what it can make use of on this host, by name; 0 for what is not there
 */
public record AcceleratorReport(
        String name,
        Availability availability,
        Optional<AcceleratorSpeed> speed,
        SortedMap<String, Integer> capabilities) {
    /** Tries KVM out. */
    public static AcceleratorReport kvm() {
        KvmHypervisor kvm = new KvmHypervisor();
        return of(kvm, kvm.capabilities());
    }

    /** Tries the software CPU out, cold: hot code becomes much faster. */
    public static AcceleratorReport soft() {
        return of(new SoftHypervisor(Translation.ON), new TreeMap<>());
    }

    static AcceleratorReport of(Hypervisor hypervisor, SortedMap<String, Integer> capabilities) {
        Availability availability = hypervisor.probe();
        return new AcceleratorReport(
                hypervisor.name(),
                availability,
                availability instanceof Availability.Available
                        ? SpeedProbe.measure(hypervisor)
                        : Optional.empty(),
                capabilities);
    }

    public boolean isAvailable() {
        return availability instanceof Availability.Available;
    }

    /** What {@code auto} would take. */
    public boolean isNative() {
        return speed.isPresent() && speed.get().isNative();
    }
}
