package dev.javisor.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.block.MemoryStorage;
import dev.javisor.block.RawImage;
import dev.javisor.block.Storage;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Many threads on one image, each with sectors of its own that lie between those of the others, so
 * that they meet in clusters and tables.
 */
class Qcow2ConcurrencyTest {
    private static final int THREADS = 4;
    private static final int SECTOR = 512;
    private static final int SECTORS = 6000;
    private static final int SIZE = SECTORS * SECTOR;
    private static final int STEPS = 300;

    static List<Qcow2Spec> specs() {
        List<Qcow2Spec> all = new ArrayList<>();
        for (Qcow2Spec spec : Specs.matrix(SIZE)) {
            all.add(spec);
            all.add(spec.withBacking("base", "raw"));
        }
        return all;
    }

    /** Owns every sector whose number gives {@code self} modulo the number of threads. */
    private static final class Worker implements Runnable {
        private final Qcow2Image image;
        private final byte[] model;
        private final int self;
        private final Random random;
        private final AtomicReference<@Nullable Throwable> failure;

        Worker(
                Qcow2Image image,
                byte[] model,
                int self,
                long seed,
                AtomicReference<@Nullable Throwable> failure) {
            this.image = image;
            this.model = model;
            this.self = self;
            random = new Random(seed + self);
            this.failure = failure;
        }

        @Override
        public void run() {
            try {
                for (int i = 0; i < STEPS && failure.get() == null; i++) {
                    step();
                }
            } catch (RuntimeException | AssertionError e) {
                failure.compareAndSet(null, e);
            }
        }

        private void step() {
            int sector = random.nextInt(SECTORS / THREADS) * THREADS + self;
            int at = sector * SECTOR;
            switch (random.nextInt(12)) {
                case 0 -> {
                    image.writeZeroes(at, SECTOR);
                    Arrays.fill(model, at, at + SECTOR, (byte) 0);
                }
                case 1 -> image.flush();
                case 2, 3, 4 ->
                        assertThat(Specs.read(image, at, SECTOR))
                                .isEqualTo(Arrays.copyOfRange(model, at, at + SECTOR));
                default -> {
                    byte[] bytes = Specs.random(random, SECTOR);
                    Specs.write(image, at, bytes);
                    System.arraycopy(bytes, 0, model, at, SECTOR);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("specs")
    void threadsInTheSameClusters_loseNothing(Qcow2Spec spec) throws InterruptedException {
        long seed = Long.getLong("javisor.test.seed", System.nanoTime());
        byte[] base = Specs.random(new Random(seed), SIZE);
        boolean backed = !spec.backingFile().isEmpty();
        Storage file = new MemoryStorage();
        spec.create(file, null);
        byte[] model = backed ? base.clone() : new byte[SIZE];
        try (Qcow2Image image = Specs.open(file, under(backed, base))) {
            AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                threads.add(Thread.ofPlatform().start(new Worker(image, model, i, seed, failure)));
            }
            if (spec.refcountBits() >= 16) {
                Qcow2Snapshots snapshots = new Qcow2Snapshots(image);
                for (int i = 0; i < 6; i++) {
                    snapshots.create("s" + i, Instant.EPOCH);
                    if (i % 2 == 1) {
                        snapshots.delete("s" + (i - 1));
                    }
                }
            }
            for (Thread each : threads) {
                each.join();
            }
            assertThat(failure.get()).as("seed %d", seed).isNull();
        }
        try (Qcow2Image image = Specs.open(file, under(backed, base))) {
            assertThat(Arrays.mismatch(Specs.read(image, 0, SIZE), model))
                    .as("seed %d", seed)
                    .isEqualTo(-1);
            assertThat(Qcow2Check.check(image, Qcow2Check.Repair.NONE).messages())
                    .as("seed %d", seed)
                    .isEmpty();
        }
    }

    private static @Nullable RawImage under(boolean backed, byte[] base) {
        return backed ? new RawImage(new MemoryStorage(base)) : null;
    }
}
