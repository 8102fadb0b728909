package dev.javisor.guests;

import static dev.javisor.guests.Litmus.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * x86's memory order between vCPUs on both tiers. Property {@code litmus.runs}: how many times
 * 655,000 rounds each.
 */
class MemoryOrderTest {
    private static final int RUNS = Integer.getInteger("litmus.runs", 1);
    private static final int BATCHES = 20;

    /** How often what must show at some time may be tried. */
    private static final int PATIENCE = 100;

    private static final int X = 0;
    private static final int Y = 1;

    private static final Litmus MESSAGE_PASSING =
            new Litmus(
                    "message passing",
                    List.of(List.of(store(X), store(Y)), List.of(load(Y, 0), load(X, 1))),
                    List.of(isNew(0), isOld(1)));

    private static final Litmus LOAD_BUFFER =
            new Litmus(
                    "load buffer",
                    List.of(List.of(load(X, 0), store(Y)), List.of(load(Y, 1), store(X))),
                    List.of(isNew(0), isNew(1)));

    private static final Litmus STORE_BUFFER_FENCED =
            new Litmus(
                    "store buffer with MFENCE",
                    List.of(
                            List.of(store(X), new Fence(), load(Y, 0)),
                            List.of(store(Y), new Fence(), load(X, 1))),
                    List.of(isOld(0), isOld(1)));

    private static final Litmus STORE_BUFFER_LOCKED =
            new Litmus(
                    "store buffer with XCHG",
                    List.of(
                            List.of(new Exchange(X), load(Y, 0)),
                            List.of(new Exchange(Y), load(X, 1))),
                    List.of(isOld(0), isOld(1)));

    private static final Litmus INDEPENDENT_READS =
            new Litmus(
                    "independent reads of independent writes",
                    List.of(
                            List.of(store(X)),
                            List.of(store(Y)),
                            List.of(load(X, 0), load(Y, 1)),
                            List.of(load(Y, 2), load(X, 3))),
                    List.of(isNew(0), isOld(1), isNew(2), isOld(3)));

    private static final Litmus CAUSALITY =
            new Litmus(
                    "writes seen are transitive",
                    List.of(
                            List.of(store(X)),
                            List.of(load(X, 0), store(Y)),
                            List.of(load(Y, 1), load(X, 2))),
                    List.of(isNew(0), isNew(1), isOld(2)));

    /** A processor sees its own store at once, wherever it is buffered. */
    private static final Litmus FORWARDING =
            new Litmus(
                    "a processor sees its own stores",
                    List.of(
                            List.of(store(X), load(X, 0), load(Y, 1)),
                            List.of(store(Y), load(Y, 2), load(X, 3))),
                    List.of(isOld(0)));

    private static final List<Litmus> FORBIDDEN =
            List.of(
                    MESSAGE_PASSING,
                    LOAD_BUFFER,
                    STORE_BUFFER_FENCED,
                    STORE_BUFFER_LOCKED,
                    INDEPENDENT_READS,
                    CAUSALITY,
                    FORWARDING);

    /** What a reordered message passing would look like: the program itself is in that order. */
    private static final Litmus WRONG_ORDER =
            new Litmus(
                    "message passing, stored in the wrong order",
                    List.of(List.of(store(Y), store(X)), List.of(load(Y, 0), load(X, 1))),
                    List.of(isNew(0), isOld(1)));

    private static final Litmus STORE_BUFFER =
            new Litmus(
                    "store buffer",
                    List.of(List.of(store(X), load(Y, 0)), List.of(store(Y), load(X, 1))),
                    List.of(isOld(0), isOld(1)));

    @TestFactory
    Stream<DynamicTest> forbiddenOutcomes_interpreted_neverShow() {
        return FORBIDDEN.stream().map(litmus -> never(litmus, Translation.OFF));
    }

    @TestFactory
    Stream<DynamicTest> forbiddenOutcomes_translated_neverShow() {
        return FORBIDDEN.stream().map(litmus -> never(litmus, Translation.EAGER));
    }

    private static DynamicTest never(Litmus litmus, Translation translation) {
        return DynamicTest.dynamicTest(
                litmus.name(),
                () -> {
                    for (int i = 0; i < RUNS; i++) {
                        assertThat(run(litmus, translation)).isZero();
                    }
                });
    }

    /** The tests above can fail: an outcome that two instructions' order decides is seen. */
    @Test
    void wrongOrder_isSeen() {
        assertThat(untilSeen(WRONG_ORDER, Translation.OFF)).isPositive();
        assertThat(untilSeen(WRONG_ORDER, Translation.EAGER)).isPositive();
    }

    private static long untilSeen(Litmus litmus, Translation translation) {
        long seen = 0;
        int tries = 0;
        while (seen == 0 && tries++ < PATIENCE) {
            seen = run(litmus, translation);
        }
        System.out.printf(
                "litmus: %s, %s: %d of %d rounds%n",
                litmus.name(), translation, seen, (long) tries * BATCHES * PLACES);
        return seen;
    }

    /** Allowed on x86, so it proves nothing if it does not show: for the curious. */
    @Test
    void storeBuffer_mayReorder() {
        for (Translation translation : List.of(Translation.OFF, Translation.EAGER)) {
            long seen = run(STORE_BUFFER, translation);
            System.out.printf(
                    "litmus: %s, %s: %d of %d rounds%n",
                    STORE_BUFFER.name(), translation, seen, BATCHES * PLACES);
            assertThat(seen).isBetween(0L, (long) BATCHES * PLACES);
        }
    }

    private static long run(Litmus litmus, Translation translation) {
        try (Testbed bed = new Testbed(new SoftHypervisor(translation), litmus.threads().size())) {
            return litmus.run(bed, BATCHES);
        }
    }
}
