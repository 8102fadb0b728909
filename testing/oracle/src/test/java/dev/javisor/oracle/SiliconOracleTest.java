package dev.javisor.oracle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.javisor.softcpu.decode.Op;
import dev.javisor.softcpu.decode.Op.Family;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Properties: {@code oracle.cases} (a million) and {@code oracle.seed} (the clock). The same run by
 * hand: {@link OracleMain}.
 */
class SiliconOracleTest {
    @BeforeEach
    void needsTheRightHost() {
        assumeTrue(Silicon.isHere(), "the host is not x86-64 Linux");
    }

    @Test
    void randomInstructions_onBothCpus_leaveTheSameState() throws IOException {
        long cases = Long.getLong("oracle.cases", 1_000_000);
        long seed = Long.getLong("oracle.seed", System.nanoTime());
        HostProcessor host = HostProcessor.here();
        if (!host.missing().isEmpty()) {
            System.out.println("oracle: not compared, the host lacks it: " + host.missing());
        }
        Oracle oracle = new Oracle(Selection.everything(host), false, false);
        StringBuilder told = new StringBuilder();
        oracle.run(seed, cases, told::append);
        System.out.printf(
                "oracle: seed %d, %d cases of %d operations, %d faults, %d differences%n",
                seed,
                oracle.cases(),
                oracle.counts().size(),
                oracle.faults(),
                oracle.differences());
        if (!oracle.notCompared().isEmpty()) {
            System.out.println(
                    "oracle: not compared, the host cannot return to it: " + oracle.notCompared());
        }
        assertThat(oracle.differences()).as("seed %d%n%s", seed, told).isZero();
        assertThat(oracle.cases()).isEqualTo(cases);
        // Faults must stay a minority, or nothing is tested.
        assertThat(oracle.faults()).isBetween(cases / 1000, cases / 4);
        assertThat(oracle.counts()).hasSizeGreaterThan(250);
    }

    /** Each in a region of its own. Property {@code oracle.translated}: how many. */
    @Test
    void randomInstructions_inTranslatedForm_leaveTheSameStateAsSilicon() throws IOException {
        long cases = Long.getLong("oracle.translated", 60_000);
        long seed = Long.getLong("oracle.seed", System.nanoTime());
        Oracle oracle = new Oracle(Selection.everything(HostProcessor.here()), false, true);
        StringBuilder told = new StringBuilder();
        oracle.run(seed, cases, told::append);
        Set<Op> never = EnumSet.noneOf(Op.class);
        long translated = 0;
        for (Map.Entry<Op, long[]> entry : oracle.counts().entrySet()) {
            translated += entry.getValue()[2];
            if (entry.getValue()[2] == 0) {
                never.add(entry.getKey());
            }
        }
        System.out.printf(
                "oracle: seed %d, %d cases in translated form, %d differences; never translated:"
                        + " %s%n",
                seed, translated, oracle.differences(), never);
        assertThat(oracle.differences()).as("seed %d%n%s", seed, told).isZero();
        assertThat(translated).isGreaterThan(cases / 4);
    }

    @Test
    void oneBitChanged_anywhereInTheResult_isFound() throws IOException {
        Selection selection =
                new Selection(
                        EnumSet.of(Family.INTEGER),
                        EnumSet.of(Op.ADD, Op.XCHG, Op.LEA),
                        HostProcessor.here());
        SplittableRandom random = new SplittableRandom(5);
        long[] places = {
            OracleLayout.GPR[0],
            OracleLayout.GPR[7],
            OracleLayout.RIP,
            OracleLayout.RFLAGS,
            OracleLayout.FX + 24, // MXCSR
            OracleLayout.FX + 32, // ST0
            OracleLayout.FX + 160 + 15 * 16 + 8, // XMM15
            selection.host().hasAvx() ? OracleLayout.YMM_HIGH + 15 * 16 + 8 : OracleLayout.RIP,
            OracleLayout.MEMORY,
            OracleLayout.MEMORY + OracleLayout.PAGE - 8
        };
        try (Silicon silicon = new Silicon()) {
            MemorySegment shared = silicon.shared();
            CaseGenerator generator =
                    new CaseGenerator(shared, selection, HostReturns.probe(silicon));
            generator.fillPool(random);
            for (int i = 0; i < OracleLayout.BATCH; i++) {
                generator.write(i, random);
            }
            silicon.run(OracleLayout.BATCH);
            Comparison comparison = new Comparison(shared, false, selection.host().hasAvx(), false);
            int found = 0;
            int tried = 0;
            for (int i = 0; i < OracleLayout.BATCH; i++) {
                assertThat(comparison.compare(i)).isEmpty();
                if (comparison.faulted) {
                    continue;
                }
                long at =
                        OracleLayout.RESULTS
                                + (long) i * OracleLayout.RESULT_BYTES
                                + places[i % places.length];
                long word = shared.get(ValueLayout.JAVA_LONG, at);
                shared.set(ValueLayout.JAVA_LONG, at, word ^ 1);
                tried++;
                found += comparison.compare(i).isEmpty() ? 0 : 1;
            }
            assertThat(tried).isGreaterThan(OracleLayout.BATCH / 2);
            assertThat(found).isEqualTo(tried);
        }
    }

    @Test
    void sameSeed_twice_makesTheSameCases() throws IOException {
        long first = checksum(77);
        assertThat(checksum(77)).isEqualTo(first);
        assertThat(checksum(78)).isNotEqualTo(first);
    }

    private static long checksum(long seed) throws IOException {
        try (Silicon silicon = new Silicon()) {
            SplittableRandom random = new SplittableRandom(seed);
            CaseGenerator generator =
                    new CaseGenerator(
                            silicon.shared(),
                            Selection.everything(HostProcessor.here()),
                            new HostReturns(true, true));
            generator.fillPool(random);
            long sum = 0;
            for (int i = 0; i < 100; i++) {
                generator.write(i, random);
            }
            for (int i = OracleLayout.POOL; i < OracleLayout.RESULTS; i += 8) {
                sum = sum * 31 + silicon.shared().get(ValueLayout.JAVA_LONG, i);
            }
            return sum;
        }
    }
}
