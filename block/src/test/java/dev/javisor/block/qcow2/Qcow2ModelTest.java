package dev.javisor.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.block.DiskImage;
import dev.javisor.block.MemoryStorage;
import dev.javisor.block.RawImage;
import dev.javisor.block.Storage;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random operations, compared with bytes in memory. The seed is in each test's name. */
class Qcow2ModelTest {
    private static final int SIZE = 3 * (1 << 20) + 5 * 512;
    private static final int STEPS = 250;

    record Case(Qcow2Spec spec, boolean backed, long seed) {}

    static List<Case> cases() {
        long seed = Long.getLong("javisor.test.seed", System.nanoTime());
        List<Case> all = new ArrayList<>();
        for (Qcow2Spec spec : Specs.matrix(SIZE)) {
            all.add(new Case(spec, false, seed++));
            all.add(new Case(spec.withBacking("base", "raw"), true, seed++));
        }
        return all;
    }

    private static final class Run {
        private final Random random;
        private final Case test;
        private final Storage file = new MemoryStorage();
        private final byte[] base;
        private byte[] model;
        private final Map<String, byte[]> snapshots = new HashMap<>();
        private Qcow2Image image;
        private int names;

        Run(Case test) {
            this.test = test;
            random = new Random(test.seed);
            // Shorter than the disk, and ends within a cluster.
            base = Specs.random(random, 2 * (1 << 20) + 512 * 3);
            test.spec.create(file, null);
            image = open();
            model = new byte[SIZE];
            if (test.backed) {
                System.arraycopy(base, 0, model, 0, base.length);
            }
        }

        private Qcow2Image open() {
            DiskImage backing = test.backed ? new RawImage(new MemoryStorage(base)) : null;
            return Specs.open(file, backing);
        }

        void step() {
            int length = length();
            int offset = random.nextInt((model.length - length) / 512 + 1) * 512;
            switch (random.nextInt(20)) {
                case 0, 1, 2, 3, 4, 5, 6, 7 -> {
                    byte[] bytes = Specs.random(random, length);
                    Specs.write(image, offset, bytes);
                    System.arraycopy(bytes, 0, model, offset, length);
                }
                case 8, 9, 10 -> {
                    image.writeZeroes(offset, length);
                    Arrays.fill(model, offset, offset + length, (byte) 0);
                }
                case 11, 12 -> {
                    image.discard(offset, length);
                    // Anything may be read there, but always the same.
                    byte[] now = Specs.read(image, offset, length);
                    System.arraycopy(now, 0, model, offset, length);
                }
                case 13 -> compressed();
                case 14, 15 -> image.flush();
                case 16 -> {
                    image.close();
                    image = open();
                }
                case 17 -> snapshot();
                case 18 -> resize();
                default ->
                        assertThat(Specs.read(image, offset, length))
                                .isEqualTo(Arrays.copyOfRange(model, offset, offset + length));
            }
        }

        private int length() {
            int most = random.nextBoolean() ? 512 * 20 : model.length / 512 * 512 / 2;
            return (1 + random.nextInt(most / 512)) * 512;
        }

        private void compressed() {
            int cluster = image.clusterSizeBytes();
            int offset = random.nextInt(model.length / cluster + 1) * cluster;
            if (offset >= model.length) {
                return;
            }
            byte[] bytes = new byte[cluster];
            Arrays.fill(bytes, (byte) random.nextInt(256));
            System.arraycopy(Specs.random(random, cluster / 3), 0, bytes, 0, cluster / 3);
            byte[] out = new byte[cluster];
            int n = image.compress(bytes, out);
            if (n > 0) {
                image.writeCompressed(offset, out, n);
                System.arraycopy(bytes, 0, model, offset, Math.min(cluster, model.length - offset));
            }
        }

        private void snapshot() {
            if (test.spec.refcountBits() < 16) {
                return;
            }
            Qcow2Snapshots all = new Qcow2Snapshots(image);
            List<String> present = new ArrayList<>(snapshots.keySet());
            present.sort(null);
            int what = random.nextInt(3);
            if (present.isEmpty() || what == 0) {
                String name = "s" + names++;
                all.create(name, Instant.ofEpochSecond(1_700_000_000));
                snapshots.put(name, model.clone());
                return;
            }
            String name = present.get(random.nextInt(present.size()));
            if (what == 1) {
                all.delete(name);
                snapshots.remove(name);
            } else if (test.spec.version() == 3
                    || Objects.requireNonNull(snapshots.get(name)).length == model.length) {
                all.apply(name);
                model = Objects.requireNonNull(snapshots.get(name)).clone();
            }
        }

        private void resize() {
            if (test.spec.version() == 2 && !snapshots.isEmpty()) {
                return;
            }
            int size = SIZE / 512 / 2 + random.nextInt(SIZE / 512 / 2) + 1;
            image.resize(size * 512L);
            int old = model.length;
            model = Arrays.copyOf(model, size * 512);
            assertThat(image.sizeBytes()).isEqualTo(size * 512L);
            assertThat(old).isPositive();
        }

        void finish() {
            compare();
            image.close();
            image = open();
            compare();
            Qcow2Check.Result result = Qcow2Check.check(image, Qcow2Check.Repair.NONE);
            assertThat(result.messages()).isEmpty();
            assertThat(result.leaks() + result.corruptions()).isZero();
            image.close();
        }

        private void compare() {
            byte[] now = Specs.read(image, 0, model.length);
            int at = Arrays.mismatch(now, model);
            assertThat(at).as("first difference").isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void randomOperations_readBackAsWritten(Case test) {
        Run run = new Run(test);
        for (int i = 0; i < STEPS; i++) {
            run.step();
        }
        run.finish();
    }
}
