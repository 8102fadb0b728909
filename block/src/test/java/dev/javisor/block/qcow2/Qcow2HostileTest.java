package dev.javisor.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskImage;
import dev.javisor.block.MemoryStorage;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Images that are cut off, loop, overlap, or are absurd: an error in one line, or wrong contents.
 */
class Qcow2HostileTest {
    private static final int SIZE = 1 << 20;
    private static final int MUTATIONS = 150;

    private static byte[] image(Qcow2Spec spec) {
        MemoryStorage file = new MemoryStorage();
        spec.create(file, null);
        Random random = new Random(7);
        try (Qcow2Image image = Specs.open(file, null)) {
            Specs.write(image, 3000 / 512 * 512, Specs.random(random, 200 * 512));
            image.writeZeroes(50 * 1024, 65536);
            byte[] out = new byte[image.clusterSizeBytes()];
            int n = image.compress(new byte[image.clusterSizeBytes()], out);
            if (n > 0) {
                image.writeCompressed(0, out, n);
            }
            if (spec.refcountBits() >= 16) {
                new Qcow2Snapshots(image).create("one", Instant.EPOCH);
            }
            if (spec.version() == 3) {
                image.bitmaps().add("bits", 65536);
            }
            Specs.write(image, 0, Specs.random(random, 4096));
        }
        return file.contents();
    }

    static List<Qcow2Spec> specs() {
        return Specs.matrix(SIZE).stream().filter(s -> s.clusterBytes() <= 1 << 16).toList();
    }

    @ParameterizedTest
    @MethodSource("specs")
    void mutations_giveErrorsOrContents(Qcow2Spec spec) {
        long seed = Long.getLong("javisor.test.seed", System.nanoTime());
        byte[] whole = image(spec);
        for (int i = 0; i < MUTATIONS; i++) {
            Random random = new Random(seed + i);
            byte[] bytes = mutate(whole, random);
            try {
                use(bytes, random);
            } catch (BlockException e) {
                assertThat(e.getMessage()).doesNotContain("\n");
            } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
                throw new AssertionError("seed %d".formatted(seed + i), e);
            }
        }
    }

    private static byte[] mutate(byte[] whole, Random random) {
        byte[] bytes =
                random.nextInt(10) == 0
                        ? Arrays.copyOf(whole, random.nextInt(whole.length))
                        : whole.clone();
        for (int j = 1 + random.nextInt(5); j > 0 && bytes.length >= 128; j--) {
            // Mostly where there is metadata: the header, and words that are not zero.
            int at = random.nextInt(bytes.length - 8) & -8;
            for (int tries = 0; tries < 200 && bytes[at] == 0 && bytes[at + 5] == 0; tries++) {
                at = random.nextInt(bytes.length - 8) & -8;
            }
            if (random.nextInt(3) == 0) {
                at = random.nextInt(112) & -4;
            }
            ByteBuffer word = ByteBuffer.wrap(bytes);
            switch (random.nextInt(5)) {
                case 0 -> word.putLong(at, random.nextLong());
                case 1 -> word.putLong(at, word.getLong(at) ^ 1L << random.nextInt(64));
                case 2 -> word.putInt(at, random.nextInt(100));
                case 3 -> word.putLong(at, (long) random.nextInt(bytes.length) & -512);
                default -> word.put(at, (byte) -1);
            }
        }
        return bytes;
    }

    private static void use(byte[] bytes, Random random) {
        MemoryStorage file = new MemoryStorage(bytes);
        try (Qcow2Image image =
                Qcow2Files.open(
                        file,
                        false,
                        Specs.backedBy(null),
                        random.nextBoolean()
                                ? Qcow2Files.Repair.WHEN_DIRTY
                                : Qcow2Files.Repair.NEVER)) {
            long size = Math.min(image.sizeBytes(), 4L * SIZE);
            for (int i = 0; i < 20 && size >= 8192; i++) {
                long at = random.nextLong(size - 8191) & -512;
                switch (random.nextInt(6)) {
                    case 0, 1 -> assertThat(Specs.read(image, at, 8192)).hasSize(8192);
                    case 2, 3 -> Specs.write(image, at, new byte[4096]);
                    case 4 -> image.discard(at, 8192);
                    default -> image.flush();
                }
            }
            useMetadata(image, random);
            Qcow2Check.Repair repair =
                    Qcow2Check.Repair.values()[random.nextInt(Qcow2Check.Repair.values().length)];
            Qcow2Check.check(image, repair);
        }
    }

    private static void useMetadata(Qcow2Image image, Random random) {
        Qcow2Snapshots snapshots = new Qcow2Snapshots(image);
        for (Qcow2Snapshot each : snapshots.list()) {
            DiskImage view = snapshots.view(each.id());
            long length = Math.min(8192, view.sizeBytes());
            assertThat(Specs.read(view, 0, (int) length)).hasSize((int) length);
        }
        image.bitmaps().list().stream()
                .filter(bitmap -> !bitmap.inconsistent())
                .forEach(bitmap -> image.bitmaps().dirty(bitmap.name()));
        for (long at = 0, n = 0; at < image.sizeBytes() && n < 50; n++) {
            at = image.extent(at, image.sizeBytes() - at).endOffset();
        }
        switch (random.nextInt(8)) {
            case 0 -> snapshots.create("two", Instant.EPOCH);
            case 1 -> snapshots.apply("one");
            case 2 -> snapshots.delete("one");
            case 3 -> image.resize(SIZE + 8192);
            case 4 -> image.resize(SIZE / 2);
            case 5 -> image.bitmaps().remove("bits");
            case 6 -> image.writeZeroes(0, Math.min(image.sizeBytes(), SIZE));
            default -> {}
        }
    }

    @ParameterizedTest
    @CsvSource({
        "4,9,version 9",
        "20,40,clusters",
        "36,2147483647,L1 table",
        "56,2147483647,refcount table",
        "60,2147483647,snapshots",
        "96,7,refcounts",
        "100,8,header",
        "76,256,feature"
    })
    void absurdHeader_saysWhatIsWrong(int at, int value, String message) {
        byte[] bytes = image(Qcow2Spec.of(SIZE));
        ByteBuffer.wrap(bytes).putInt(at, value);
        assertThatThrownBy(() -> Specs.open(new MemoryStorage(bytes), null))
                .isInstanceOf(BlockException.class)
                .hasMessageContaining(message);
    }

    @Test
    void dataInMetadata_isNotWritten_andTheImageIsMarked() {
        byte[] bytes = image(Qcow2Spec.of(SIZE));
        ByteBuffer in = ByteBuffer.wrap(bytes);
        long l1 = in.getLong(40);
        long l2 = in.getLong((int) l1) & 0xffffffffffff00L;
        // The second guest cluster "lies" in the L1 table.
        in.putLong((int) l2 + 8, l1 | 1L << 63);
        MemoryStorage file = new MemoryStorage(bytes);
        try (Qcow2Image image = Specs.open(file, null)) {
            assertThatThrownBy(() -> Specs.write(image, 65536, new byte[4096]))
                    .hasMessageContaining("metadata");
        }
        assertThat(Qcow2Files.info(file).corrupt()).isTrue();
        assertThatThrownBy(() -> Specs.open(file, null)).hasMessageContaining("corrupt");
    }

    @Test
    void refcountBlocksLost_areRebuilt() {
        byte[] bytes = image(Qcow2Spec.of(SIZE));
        ByteBuffer in = ByteBuffer.wrap(bytes);
        in.putLong((int) in.getLong(48), 0x1_0000_0000L);
        MemoryStorage file = new MemoryStorage(bytes);
        byte[] before;
        try (Qcow2Image image =
                Qcow2Files.open(file, false, Specs.backedBy(null), Qcow2Files.Repair.NEVER)) {
            before = Specs.read(image, 0, SIZE);
            Qcow2Check.Result result = Qcow2Check.check(image, Qcow2Check.Repair.ALL);
            assertThat(result.corruptions()).isZero();
            assertThat(result.corruptionsFixed()).isPositive();
        }
        try (Qcow2Image image = Specs.open(file, null)) {
            assertThat(Qcow2Check.check(image, Qcow2Check.Repair.NONE).messages()).isEmpty();
            assertThat(Specs.read(image, 0, SIZE)).isEqualTo(before);
        }
    }
}
