package dev.javisor.guests;

import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The suite on both tiers of the software CPU. */
class SoftConformanceTest {
    @TestFactory
    Stream<DynamicTest> interpreter_conforms() {
        return suite(Translation.OFF);
    }

    @TestFactory
    Stream<DynamicTest> translator_conforms() {
        return suite(Translation.EAGER);
    }

    @TestFactory
    Stream<DynamicTest> bothTiers_conform() {
        return suite(Translation.ON);
    }

    /**
     * Lockstep undoes a region's stores page by page before the interpreter repeats them, and so
     * undoes what a device writes into one of these pages meanwhile.
     */
    private static final Set<String> NOT_IN_LOCKSTEP = Set.of("device-writes-are-seen");

    @TestFactory
    Stream<DynamicTest> lockstep_conforms() {
        return suite(Translation.LOCKSTEP)
                .filter(test -> !NOT_IN_LOCKSTEP.contains(test.getDisplayName()));
    }

    private static Stream<DynamicTest> suite(Translation translation) {
        SoftHypervisor hypervisor = new SoftHypervisor(translation);
        return Conformance.casesWithAssistant().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> c.run(hypervisor)));
    }
}
