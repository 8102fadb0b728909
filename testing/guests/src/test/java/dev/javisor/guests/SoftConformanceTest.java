package dev.javisor.guests;

import dev.javisor.softcpu.SoftHypervisor;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The suite on the software CPU. */
class SoftConformanceTest {
    @TestFactory
    Stream<DynamicTest> softwareCpu_conforms() {
        SoftHypervisor hypervisor = new SoftHypervisor();
        return Conformance.cases().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> c.run(hypervisor)));
    }
}
