package dev.javisor.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.javisor.guests.ConformanceException;
import dev.javisor.guests.Lockstep;
import dev.javisor.guests.RefusedCases;
import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.softcpu.SoftAssistance;
import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** This host's KVM against the software CPU, state by state. */
class KvmLockstepIT {
    /**
     * What an {@link EmulatingHost} does wrong by itself, without giving up: name of the guest, the
     * difference, the reason.
     */
    private static final Map<String, List<String>> DEVIATIONS =
            Map.of(
                    "lzcnt",
                    List.of("lzcnt, stop 1", "its emulator takes LZCNT for BSR"),
                    "stac-clac",
                    List.of("57005", "its guests have no SMAP, so STAC raises #UD"),
                    "paging",
                    List.of(
                            "memory at 0x40ff8",
                            "its emulator writes the first page before the second faults"),
                    "interrupts",
                    List.of("local APIC register 0x230", "it takes interrupts late"),
                    "segments",
                    List.of("SS: ", "a null SS keeps its attributes"),
                    "user-mode",
                    List.of("DS: ", "IRET to level 3 keeps segments of level 0"),
                    "msrs",
                    List.of("MSR 0x277", "it takes any value for the PAT"));

    private static void assumeKvm() {
        if (new KvmHypervisor().probe() instanceof Availability.Unavailable no) {
            assumeTrue(false, "no KVM here: " + no.message());
        }
    }

    private static Stream<DynamicTest> suite(List<Lockstep.Case> cases) {
        assumeKvm();
        boolean emulating = EmulatingHost.isHere();
        return cases.stream().map(c -> DynamicTest.dynamicTest(c.name(), () -> run(c, emulating)));
    }

    private static void run(Lockstep.Case guest, boolean emulating) {
        List<String> deviation = emulating ? DEVIATIONS.get(guest.name()) : null;
        try {
            SoftHypervisor soft = new SoftHypervisor(Translation.OFF);
            int stops = guest.run(soft, new KvmHypervisor(new SoftAssistance()));
            assertThat(stops).isPositive();
        } catch (HypervisorException e) {
            // A host that is not of the model that the guest needs.
            assumeTrue(guest.model() == CpuModel.X86_64_V2, String.valueOf(e.getMessage()));
            throw e;
        } catch (ConformanceException e) {
            if (deviation == null) {
                throw e;
            }
            assertThat(String.valueOf(e.getMessage()))
                    .as("known deviation of this host: " + deviation.getLast())
                    .contains(deviation.getFirst());
            return;
        }
        if (deviation != null) {
            fail("passes, but is listed as a deviation of this host: " + deviation.getLast());
        }
    }

    /** Each class that some KVM refuses, whether this one does or not. */
    @TestFactory
    Stream<DynamicTest> refusedInstructions_haveTheRightResult() {
        return suite(RefusedCases.cases());
    }

    @TestFactory
    Stream<DynamicTest> privilegedGuests_agree() {
        return suite(Lockstep.cases());
    }
}
