package dev.javisor.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.block.MemoryStorage;
import dev.javisor.block.RawImage;
import dev.javisor.block.RecordingStorage;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The invariants of {@link Qcow2Metadata}: after a crash at any write, with the writes since the
 * last flush done in any part, the image is consistent and has every byte that a flush covered.
 */
class Qcow2CrashTest {
    private static final int SIZE = 1 << 20;
    private static final int STEPS = 40;
    private static final int SECTOR = 512;

    record Case(Qcow2Spec spec, boolean backed, boolean snapshots, long seed) {}

    static List<Case> cases() {
        long seed = Long.getLong("javisor.test.seed", System.nanoTime());
        List<Case> all = new ArrayList<>();
        for (Qcow2Spec spec : Specs.matrix(SIZE)) {
            if (spec.clusterBytes() > 1 << 16) {
                continue;
            }
            all.add(new Case(spec, false, false, seed++));
            all.add(new Case(spec.withBacking("base", "raw"), true, false, seed++));
            if (spec.refcountBits() >= 16 && spec.version() == 3) {
                all.add(new Case(spec, false, true, seed++));
            }
        }
        return all;
    }

    /**
     * What a flush promised: how many events had been recorded when it ended, and the contents
     * then.
     */
    private record Promise(int events, byte[] contents) {}

    /** Runs operations, and keeps for each sector the values that it may have after each event. */
    private static final class Run {
        private final Case test;
        private final Random random;
        private final byte[] base;
        private final RecordingStorage file = new RecordingStorage();
        private final Qcow2Image image;
        private final byte[] model;
        private final List<Promise> promises = new ArrayList<>();

        /**
         * The contents after each operation, with the number of events recorded before it began.
         */
        private final List<Promise> history = new ArrayList<>();

        private int names;

        Run(Case test) {
            this.test = test;
            random = new Random(test.seed);
            base = Specs.random(random, SIZE);
            test.spec.create(file, null);
            file.flush();
            image = Specs.open(file, backing());
            model = test.backed ? base.clone() : new byte[SIZE];
            promise();
        }

        private @Nullable RawImage backing() {
            return test.backed ? new RawImage(new MemoryStorage(base)) : null;
        }

        private void promise() {
            promises.add(new Promise(file.events().size(), model.clone()));
        }

        void step() {
            int length = (1 + random.nextInt(random.nextBoolean() ? 8 : 300)) * SECTOR;
            int offset = random.nextInt((SIZE - length) / SECTOR + 1) * SECTOR;
            int before = file.events().size();
            switch (random.nextInt(test.snapshots ? 12 : 10)) {
                case 0, 1, 2, 3 -> {
                    byte[] bytes = Specs.random(random, length);
                    Specs.write(image, offset, bytes);
                    System.arraycopy(bytes, 0, model, offset, length);
                    history.add(new Promise(before, model.clone()));
                }
                case 4, 5 -> {
                    image.writeZeroes(offset, length);
                    Arrays.fill(model, offset, offset + length, (byte) 0);
                    history.add(new Promise(before, model.clone()));
                }
                case 6 -> {
                    image.discard(offset, length);
                    System.arraycopy(Specs.read(image, offset, length), 0, model, offset, length);
                    history.add(new Promise(before, model.clone()));
                }
                case 7, 8, 9 -> {
                    image.flush();
                    promise();
                }
                default -> {
                    Qcow2Snapshots all = new Qcow2Snapshots(image);
                    if (names % 3 == 2) {
                        all.delete("s" + (names - 2));
                        names++;
                    } else {
                        all.create("s" + names++, Instant.EPOCH);
                    }
                    promise();
                }
            }
        }

        void checkAfter(int events, boolean reordered) {
            byte[] left =
                    reordered
                            ? RecordingStorage.reordered(file.events(), events, random)
                            : RecordingStorage.prefix(file.events(), events);
            MemoryStorage crashed = new MemoryStorage(left);
            try (Qcow2Image again = Specs.open(crashed, backing())) {
                Qcow2Check.Result result = Qcow2Check.check(again, Qcow2Check.Repair.NONE);
                assertThat(result.corruptions())
                        .as("after %d events: %s", events, result.messages())
                        .isZero();
                compare(Specs.read(again, 0, SIZE), events);
            }
        }

        /** Each sector is what the last promise says, or what an operation after it made of it. */
        private void compare(byte[] found, int events) {
            Promise last = promises.getFirst();
            for (Promise each : promises) {
                if (each.events <= events) {
                    last = each;
                }
            }
            List<byte[]> allowed = new ArrayList<>();
            allowed.add(last.contents);
            for (Promise each : history) {
                // Operations that began before the crash, and ended after the promise.
                if (each.events >= last.events && each.events <= events) {
                    allowed.add(each.contents);
                }
            }
            for (int at = 0; at < SIZE; at += SECTOR) {
                int from = at;
                boolean fine =
                        allowed.stream()
                                .anyMatch(a ->
                                        Arrays.equals(
                                                found,
                                                from,
                                                from + SECTOR,
                                                a,
                                                from,
                                                from + SECTOR));
                assertThat(fine).as("sector at %d after %d events", at, events).isTrue();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void crashAtAnyWrite_leavesConsistentImageWithEveryFlushedByte(Case test) {
        Run run = new Run(test);
        for (int i = 0; i < STEPS; i++) {
            run.step();
        }
        int first = run.promises.getFirst().events;
        int last = run.file.events().size();
        int stride = Math.max(1, (last - first) / 120);
        for (int events = first; events <= last; events += stride) {
            run.checkAfter(events, false);
            run.checkAfter(events, true);
        }
        run.image.close();
    }
}
