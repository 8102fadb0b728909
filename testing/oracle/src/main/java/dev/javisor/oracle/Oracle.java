package dev.javisor.oracle;

import dev.javisor.softcpu.decode.Op;
import java.io.IOException;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/** A run of random cases on both CPUs. */
final class Oracle {
    /** Differences told in full for each operation. */
    private static final int TOLD_PER_OP = 3;

    private final Selection selection;
    private final boolean strict;
    private final Map<Op, long[]> counts = new EnumMap<>(Op.class);
    private final boolean translated;
    private List<String> notCompared = List.of();
    private long cases;
    private long faults;
    private long differences;

    /**
     * @param strict flags that are undefined count too
     * @param translated execute 64-bit code in translated form, where it has one
     */
    Oracle(Selection selection, boolean strict, boolean translated) {
        this.translated = translated;
        this.selection = selection;
        this.strict = strict;
    }

    /**
     * Runs {@code wanted} cases. Batch n of a seed is the same whatever was before it.
     *
     * @param tell hears of differences
     */
    void run(long seed, long wanted, Consumer<String> tell) throws IOException {
        try (Silicon silicon = new Silicon()) {
            HostReturns returns = HostReturns.probe(silicon);
            notCompared = returns.missing();
            CaseGenerator generator = new CaseGenerator(silicon.shared(), selection, returns);
            Comparison comparison =
                    new Comparison(silicon.shared(), strict, selection.host().hasAvx(), translated);
            for (long batch = 0; cases < wanted; batch++) {
                SplittableRandom random = new SplittableRandom(seed + batch);
                generator.fillPool(random);
                int count = (int) Math.min(OracleLayout.BATCH, wanted - cases);
                for (int i = 0; i < count; i++) {
                    generator.write(i, random);
                }
                try {
                    silicon.run(count);
                } catch (IOException e) {
                    throw new IOException("seed %d batch %d".formatted(seed, batch), e);
                }
                for (int i = 0; i < count; i++) {
                    String difference = comparison.compare(i);
                    long[] count0 = counts.computeIfAbsent(comparison.op(), op -> new long[3]);
                    count0[0]++;
                    count0[2] += comparison.wasTranslated() ? 1 : 0;
                    faults += comparison.faulted ? 1 : 0;
                    if (!difference.isEmpty()) {
                        differences++;
                        if (count0[1]++ < TOLD_PER_OP) {
                            tell.accept(
                                    "seed %d batch %d case %d%n%s"
                                            .formatted(seed, batch, i, difference));
                        }
                    }
                }
                cases += count;
            }
        }
    }

    long cases() {
        return cases;
    }

    /** States that the host cannot be given, see {@link HostReturns}. */
    List<String> notCompared() {
        return notCompared;
    }

    /** How many ended in a fault. */
    long faults() {
        return faults;
    }

    long differences() {
        return differences;
    }

    /** Operations seen, with cases, differences, and cases in translated form. */
    Map<Op, long[]> counts() {
        return counts;
    }
}
