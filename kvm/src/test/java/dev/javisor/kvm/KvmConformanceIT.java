package dev.javisor.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.javisor.guests.Conformance;
import dev.javisor.guests.Conformance.Case;
import dev.javisor.guests.ConformanceException;
import dev.javisor.hypervisor.Availability;
import dev.javisor.softcpu.SoftAssistance;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The conformance suite on this host's KVM, with the assistant that the product gives it. */
class KvmConformanceIT {
    private static void assumeKvm() {
        if (new KvmHypervisor().probe() instanceof Availability.Unavailable no) {
            assumeTrue(false, "no KVM here: " + no.message());
        }
    }

    @TestFactory
    Stream<DynamicTest> kvm_conforms() {
        assumeKvm();
        Map<String, EmulatingHost.Deviation> deviations =
                EmulatingHost.isHere() ? EmulatingHost.deviations() : Map.of();
        return Conformance.casesWithAssistant().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> check(c, deviations)));
    }

    private static void check(Case c, Map<String, EmulatingHost.Deviation> deviations) {
        KvmHypervisor kvm = new KvmHypervisor(new SoftAssistance());
        EmulatingHost.Deviation deviation = deviations.get(c.name());
        if (deviation == null) {
            c.run(kvm);
            return;
        }
        try {
            c.run(kvm);
        } catch (ConformanceException e) {
            assertThat(String.valueOf(e.getMessage()))
                    .as("known deviation of this host: " + deviation.reason())
                    .containsPattern(deviation.failure());
            return;
        }
        fail("passes, but is listed as a deviation of this host: " + deviation.reason());
    }

    @TestFactory
    Stream<DynamicTest> kvmWithDirtyRings_conforms() {
        assumeKvm();
        KvmHypervisor kvm = new KvmHypervisor(new SoftAssistance(), DirtyTracking.RING);
        return Conformance.cases().stream()
                .filter(c -> c.name().startsWith("dirty-log"))
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> c.run(kvm)));
    }

    @Test
    void deviations_nameCasesThatExist() {
        assertThat(Conformance.cases().stream().map(Case::name).collect(Collectors.toSet()))
                .containsAll(new TreeSet<>(EmulatingHost.deviations().keySet()));
    }
}
