package dev.javisor.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.FileStorage;
import dev.javisor.block.MemoryStorage;
import dev.javisor.block.QemuImg;
import dev.javisor.block.RecordingStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Images of ours read by QEMU, and QEMU's by us. Random; the seed is in the failure. */
class Qcow2QemuIT {
    private static final int SIZE = 5 << 20;

    @TempDir private Path folder;

    private final long seed = Long.getLong("javisor.test.seed", System.nanoTime());
    private final Random random = new Random(seed);

    @BeforeAll
    static void tools() {
        QemuImg.need();
    }

    static List<Qcow2Spec> specs() {
        return Specs.matrix(SIZE);
    }

    private Path file(String name) {
        return folder.resolve(name);
    }

    private Qcow2Image open(Path path) {
        return (Qcow2Image)
                DiskFiles.open(path, DiskFormat.QCOW2, false, new DiskFiles.References.Followed());
    }

    /** Random writes, zeroes, discards and compressed clusters of ours. */
    private void scribble(Qcow2Image image, byte[] model, int steps) {
        for (int i = 0; i < steps; i++) {
            int length = (1 + random.nextInt(random.nextBoolean() ? 16 : 1000)) * 512;
            int offset = random.nextInt((model.length - length) / 512 + 1) * 512;
            switch (random.nextInt(8)) {
                case 0 -> {
                    image.writeZeroes(offset, length);
                    Arrays.fill(model, offset, offset + length, (byte) 0);
                }
                case 1 -> {
                    image.discard(offset, length);
                    byte[] now = Specs.read(image, offset, length);
                    System.arraycopy(now, 0, model, offset, length);
                }
                case 2 -> {
                    int cluster = image.clusterSizeBytes();
                    int at = offset / cluster * cluster;
                    byte[] bytes = new byte[cluster];
                    Arrays.fill(bytes, 0, cluster / 2, (byte) i);
                    byte[] out = new byte[cluster];
                    int n = image.compress(bytes, out);
                    if (n > 0 && at + cluster <= model.length) {
                        image.writeCompressed(at, out, n);
                        System.arraycopy(bytes, 0, model, at, cluster);
                    }
                }
                case 3 -> image.flush();
                default -> {
                    byte[] bytes = Specs.random(random, length);
                    Specs.write(image, offset, bytes);
                    System.arraycopy(bytes, 0, model, offset, length);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("specs")
    void ours_withRandomOperations_isCleanAndEqualForQemu(Qcow2Spec spec) throws IOException {
        Path path = file("ours.qcow2");
        try (FileStorage storage = FileStorage.create(path)) {
            spec.create(storage, null);
        }
        QemuImg.checkClean(path);
        byte[] model = new byte[SIZE];
        try (Qcow2Image image = open(path)) {
            scribble(image, model, 60);
        }
        Path raw = Files.write(file("model.raw"), model);
        QemuImg.checkClean(path);
        QemuImg.compare(path, raw);
        // QEMU writes into it, we read that.
        QemuImg.io(
                path, List.of("write -P 0x5a 1000k 300k", "write -z 2M 512k", "discard 3M 128k"));
        Arrays.fill(model, 1000 << 10, 1300 << 10, (byte) 0x5a);
        Arrays.fill(model, 2 << 20, (2 << 20) + (512 << 10), (byte) 0);
        try (Qcow2Image image = open(path)) {
            byte[] now = Specs.read(image, 0, SIZE);
            System.arraycopy(now, 3 << 20, model, 3 << 20, 128 << 10);
            assertThat(Arrays.mismatch(now, model)).as("seed %d", seed).isEqualTo(-1);
            assertThat(Qcow2Check.check(image, Qcow2Check.Repair.NONE).messages()).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "compat=0.10",
                "compat=0.10,cluster_size=512",
                "compat=1.1",
                "cluster_size=2M",
                "cluster_size=4k,refcount_bits=64",
                "cluster_size=512,refcount_bits=1",
                "lazy_refcounts=on",
                "extended_l2=on",
                "extended_l2=on,cluster_size=16k,lazy_refcounts=on",
                "preallocation=metadata",
                "preallocation=falloc",
                "preallocation=metadata,extended_l2=on",
                "data_file=DATA",
                "data_file=DATA,data_file_raw=on"
            })
    void qemus_withFeatures_isReadAndWrittenByUs(String options) throws IOException {
        Path path = file("theirs.qcow2");
        String with = options.replace("DATA", file("data.bin").toString());
        QemuImg.must(
                "qemu-img", "create", "-q", "-f", "qcow2", "-o", with, path.toString(), SIZE + "");
        QemuImg.io(
                path,
                List.of(
                        "write -P 1 0 100k",
                        "write -P 2 777k 500k",
                        "write -z 800k 64k",
                        "write -P 3 4M 1k",
                        "discard 900k 128k"));
        Path raw = file("theirs.raw");
        QemuImg.must(
                "qemu-img", "convert", "-f", "qcow2", "-O", "raw", path.toString(), raw.toString());
        byte[] model = Files.readAllBytes(raw);
        try (Qcow2Image image = open(path)) {
            byte[] now = Specs.read(image, 0, SIZE);
            assertThat(Arrays.mismatch(now, model)).as("seed %d", seed).isEqualTo(-1);
            for (int i = 0; i < 40; i++) {
                int length = (1 + random.nextInt(400)) * 512;
                int offset = random.nextInt((SIZE - length) / 512 + 1) * 512;
                if (i % 5 == 0) {
                    image.writeZeroes(offset, length);
                    Arrays.fill(model, offset, offset + length, (byte) 0);
                } else {
                    byte[] bytes = Specs.random(random, length);
                    Specs.write(image, offset, bytes);
                    System.arraycopy(bytes, 0, model, offset, length);
                }
            }
        }
        Files.write(raw, model);
        QemuImg.checkClean(path);
        QemuImg.compare(path, raw);
        if (options.contains("data_file_raw")) {
            QemuImg.must(
                    "qemu-img",
                    "compare",
                    "-f",
                    "raw",
                    "-F",
                    "raw",
                    file("data.bin").toString(),
                    raw.toString());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"compat=1.1", "compat=0.10", "extended_l2=on", "cluster_size=8k"})
    void overlay_onBackingFile_agreesWithQemu(String options) throws IOException {
        byte[] model = Specs.random(random, SIZE / 2 + 512 * 7);
        Path base = Files.write(file("base.raw"), model);
        model = Arrays.copyOf(model, SIZE);
        Path path = file("overlay.qcow2");
        QemuImg.must(
                "qemu-img",
                "create",
                "-q",
                "-f",
                "qcow2",
                "-o",
                options,
                "-b",
                base.toString(),
                "-F",
                "raw",
                path.toString(),
                SIZE + "");
        try (Qcow2Image image = open(path)) {
            scribble(image, model, 60);
        }
        QemuImg.checkClean(path);
        QemuImg.compare(path, Files.write(file("model.raw"), model));
    }

    @Test
    void snapshots_ofBoth_areUsedByTheOther() throws IOException {
        Path path = file("snap.qcow2");
        QemuImg.must("qemu-img", "create", "-q", "-f", "qcow2", path.toString(), SIZE + "");
        QemuImg.io(path, List.of("write -P 1 0 2M"));
        QemuImg.must("qemu-img", "snapshot", "-c", "theirs", path.toString());
        try (Qcow2Image image = open(path)) {
            byte[] two = new byte[3 << 20];
            Arrays.fill(two, (byte) 2);
            Specs.write(image, 1 << 20, two);
            new Qcow2Snapshots(image).create("ours", Instant.now());
            Specs.write(image, 0, new byte[SIZE]);
            assertThat(new Qcow2Snapshots(image).list())
                    .extracting(Qcow2Snapshot::name)
                    .containsExactly("theirs", "ours");
        }
        QemuImg.checkClean(path);
        assertThat(QemuImg.must("qemu-img", "snapshot", "-l", path.toString()))
                .contains("theirs")
                .contains("ours");
        QemuImg.must("qemu-img", "snapshot", "-a", "ours", path.toString());
        QemuImg.io(path, List.of("read -P 1 0 1M", "read -P 2 1M 3M"));
        try (Qcow2Image image = open(path)) {
            new Qcow2Snapshots(image).apply("theirs");
            new Qcow2Snapshots(image).delete("ours");
        }
        QemuImg.checkClean(path);
        QemuImg.io(path, List.of("read -P 1 0 2M", "read -P 0 2M 3M"));
        QemuImg.must("qemu-img", "snapshot", "-d", "theirs", path.toString());
        QemuImg.checkClean(path);
    }

    @Test
    void bitmaps_ofBoth_areUsedByTheOther() throws IOException {
        Path path = file("bitmap.qcow2");
        QemuImg.must("qemu-img", "create", "-q", "-f", "qcow2", path.toString(), "64M");
        QemuImg.must("qemu-img", "bitmap", "--add", path.toString(), "theirs");
        QemuImg.io(path, List.of("write -P 1 1M 200k"));
        try (Qcow2Image image = open(path)) {
            assertThat(image.bitmaps().dirty("theirs"))
                    .containsExactly(new long[] {1 << 20, 256 << 10});
            image.bitmaps().add("ours", 1 << 16);
            Specs.write(image, 10 << 20, new byte[1000]);
        }
        QemuImg.checkClean(path);
        assertThat(QemuImg.must("qemu-img", "info", path.toString()))
                .contains("name: theirs")
                .contains("name: ours")
                .doesNotContain("in-use");
        QemuImg.io(path, List.of("write -P 1 20M 4k"));
        try (Qcow2Image image = open(path)) {
            assertThat(image.bitmaps().dirty("ours"))
                    .containsExactly(
                            new long[] {10 << 20, 1 << 16}, new long[] {20 << 20, 1 << 16});
            image.bitmaps().remove("theirs");
        }
        QemuImg.checkClean(path);
        QemuImg.must("qemu-img", "bitmap", "--remove", path.toString(), "ours");
        QemuImg.checkClean(path);
    }

    @ParameterizedTest
    @MethodSource("specs")
    void crash_leavesWhatQemuFindsConsistent(Qcow2Spec spec) throws IOException {
        RecordingStorage file = new RecordingStorage();
        spec.create(file, null);
        file.flush();
        int first = file.events().size();
        byte[] model = new byte[SIZE];
        try (Qcow2Image image = Specs.open(file, null)) {
            scribble(image, model, 40);
        }
        for (int i = 0; i < 6; i++) {
            int events = first + random.nextInt(file.events().size() - first);
            byte[] left = RecordingStorage.reordered(file.events(), events, random);
            Path path = Files.write(file("crashed" + i + ".qcow2"), left);
            QemuImg.Outcome outcome;
            if (Qcow2Files.info(new MemoryStorage(left)).dirty()) {
                outcome = QemuImg.run("qemu-img", "check", "-r", "all", path.toString());
                assertThat(outcome.status()).as("%s", outcome.output()).isZero();
            }
            outcome = QemuImg.run("qemu-img", "check", "-f", "qcow2", path.toString());
            // 3: only leaked clusters.
            assertThat(outcome.status())
                    .as("seed %d, %d events: %s", seed, events, outcome.output())
                    .isIn(0, 3);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"512", "4k", "64k", "2M"})
    void zstd_ofBoth_isReadByTheOther(String cluster) throws IOException {
        byte[] model = new byte[SIZE];
        for (int at = 0; at < SIZE; ) {
            int n = Math.min(SIZE - at, 1 + random.nextInt(3000));
            byte[] part = Specs.random(random, 1 + random.nextInt(n));
            for (int i = 0; i < n; i++) {
                model[at + i] = random.nextInt(9) == 0 ? (byte) i : part[i % part.length];
            }
            at += n;
        }
        Path raw = Files.write(file("model.raw"), model);
        Path theirs = file("theirs.qcow2");
        QemuImg.Outcome made =
                QemuImg.run(
                        "qemu-img",
                        "convert",
                        "-c",
                        "-f",
                        "raw",
                        "-O",
                        "qcow2",
                        "-o",
                        "compression_type=zstd,cluster_size=" + cluster,
                        raw.toString(),
                        theirs.toString());
        Assumptions.assumeTrue(made.status() == 0, made.output());
        try (Qcow2Image image = open(theirs)) {
            assertThat(Arrays.mismatch(Specs.read(image, 0, SIZE), model))
                    .as("seed %d", seed)
                    .isEqualTo(-1);
        }
        Path ours = file("ours.qcow2");
        int bytes = (int) dev.javisor.base.Sizes.parse(cluster);
        try (FileStorage storage = FileStorage.create(ours)) {
            new Qcow2Spec(SIZE, 3, bytes, 16, false, false, "zstd", "", "", "", false)
                    .create(storage, null);
        }
        try (Qcow2Image image = open(ours)) {
            byte[] out = new byte[bytes];
            for (int at = 0; at + bytes <= SIZE; at += bytes) {
                byte[] part = Arrays.copyOfRange(model, at, at + bytes);
                int n = image.compress(part, out);
                if (n < 0) {
                    Specs.write(image, at, part);
                } else {
                    image.writeCompressed(at, out, n);
                }
            }
            int rest = SIZE % bytes;
            Specs.write(image, SIZE - rest, Arrays.copyOfRange(model, SIZE - rest, SIZE));
        }
        QemuImg.checkClean(ours);
        QemuImg.compare(ours, raw);
    }

    @Test
    void qemusCompressed_isReadByUs() throws IOException {
        List<byte[]> parts = new ArrayList<>();
        byte[] model = new byte[SIZE];
        for (int at = 0; at < SIZE; at += 1000) {
            Arrays.fill(model, at, Math.min(SIZE, at + 1000), (byte) random.nextInt());
        }
        parts.add(model);
        Path raw = Files.write(file("model.raw"), model);
        for (String cluster : List.of("512", "64k", "2M")) {
            Path path = file("compressed" + cluster + ".qcow2");
            QemuImg.must(
                    "qemu-img",
                    "convert",
                    "-c",
                    "-f",
                    "raw",
                    "-O",
                    "qcow2",
                    "-o",
                    "cluster_size=" + cluster,
                    raw.toString(),
                    path.toString());
            try (Qcow2Image image = open(path)) {
                byte[] now = Specs.read(image, 0, SIZE);
                assertThat(Arrays.mismatch(now, model)).isEqualTo(-1);
                assertThat(Qcow2Check.check(image, Qcow2Check.Repair.NONE).messages()).isEmpty();
                scribble(image, now, 30);
                model = now;
            }
            QemuImg.checkClean(path);
            QemuImg.compare(path, Files.write(file("after.raw"), model));
            model = parts.getFirst();
        }
    }
}
