package dev.javisor.guests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.softcpu.SoftAssistance;
import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The software CPU's ways of executing, state by state against each other. */
class LockstepSuiteTest {
    private static final Hypervisor INTERPRETER = new SoftHypervisor(Translation.OFF);

    private static Stream<DynamicTest> suite(Hypervisor other, Set<String> without) {
        return Lockstep.cases().stream()
                .filter(c -> !without.contains(c.name()))
                .map(c ->
                        DynamicTest.dynamicTest(
                                c.name(),
                                () -> assertThat(c.run(INTERPRETER, other)).isPositive()));
    }

    @TestFactory
    Stream<DynamicTest> translator_agreesWithInterpreter() {
        return suite(new SoftHypervisor(Translation.EAGER), Set.of());
    }

    /** The helpless accelerator has no local APIC, and MSRs that hold everything. */
    @TestFactory
    Stream<DynamicTest> assistant_agreesWithInterpreter() {
        return suite(
                new HelplessHypervisor(new SoftAssistance(), 16),
                Set.of("interrupts", "msrs", "control-registers"));
    }

    /** A guest that is not the same on both sides must be found out. */
    @Test
    void difference_isReported() {
        int[] machines = new int[1];
        Lockstep.Case different =
                new Lockstep.Case(
                        "different",
                        bed -> {
                            machines[0]++;
                            Asm a = new Asm(64, LongMode.CODE);
                            a.mov(Asm.RBX, machines[0]).storeImm(4, Asm.abs(0x200000), machines[0]);
                            bed.load(a.exit(1));
                            bed.start64(0, LongMode.CODE, LongMode.STACK);
                        });
        assertThatThrownBy(() -> different.run(INTERPRETER, INTERPRETER))
                .isInstanceOf(ConformanceException.class)
                .hasMessageContaining("memory at 0x10000");
    }

    @Test
    void differentRegisters_areReported() {
        Lockstep.Case exits =
                new Lockstep.Case(
                        "exits",
                        CpuModel.X86_64_V2,
                        bed -> {
                            Asm a = new Asm(64, LongMode.CODE);
                            // What differs between the two machines is where they were made.
                            a.load(4, Asm.RBX, Asm.abs(0x200000)).exit(1);
                            bed.load(a);
                            bed.memory.writeInt(0x200000, System.identityHashCode(bed) | 1);
                            bed.start64(0, LongMode.CODE, LongMode.STACK);
                        },
                        java.util.List.of(new long[] {0x200000, 8}));
        assertThatThrownBy(() -> exits.run(INTERPRETER, INTERPRETER))
                .isInstanceOf(ConformanceException.class)
                .hasMessageContaining("RBX");
    }
}
