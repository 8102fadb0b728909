package dev.javisor.guests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.SoftAssistance;
import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The classes that KVMs refuse, executed by the assistant, against the interpreter. */
class RefusedCasesTest {
    @TestFactory
    Stream<DynamicTest> assistant_hasTheInterpretersResult() {
        SoftHypervisor soft = new SoftHypervisor(Translation.OFF);
        HelplessHypervisor helpless = new HelplessHypervisor(new SoftAssistance(), 64);
        return RefusedCases.cases().stream()
                .map(c ->
                        DynamicTest.dynamicTest(
                                c.name(), () -> assertThat(c.run(soft, helpless)).isEqualTo(2)));
    }
}
