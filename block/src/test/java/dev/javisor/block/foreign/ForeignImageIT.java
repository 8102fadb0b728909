package dev.javisor.block.foreign;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.IoBuffers;
import dev.javisor.block.MemoryStorage;
import dev.javisor.block.QemuImg;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Images that QEMU makes in other systems' formats; whole, and damaged in random places. */
class ForeignImageIT {
    private static final int SIZE = 9 << 20;

    @TempDir private Path folder;

    private final long seed = Long.getLong("javisor.test.seed", System.nanoTime());
    private final Random random = new Random(seed);

    @BeforeAll
    static void tools() {
        QemuImg.need();
    }

    private byte[] contents() {
        byte[] bytes = new byte[SIZE];
        for (int i = 0; i < 12; i++) {
            int at = random.nextInt(SIZE / 512) * 512;
            int length = Math.min(SIZE - at, random.nextInt(1 << 19));
            byte[] part = new byte[length];
            random.nextBytes(part);
            System.arraycopy(part, 0, bytes, at, length);
        }
        return bytes;
    }

    private static DiskImage open(Path path, DiskFormat format) {
        return DiskFiles.open(path, format, true, new DiskFiles.References.Followed());
    }

    private static byte[] read(DiskImage image) {
        byte[] bytes = new byte[(int) image.sizeBytes()];
        image.read(0, new IoBuffers(MemorySegment.ofArray(bytes)));
        return bytes;
    }

    @ParameterizedTest
    @CsvSource({
        "VMDK,vmdk,subformat=monolithicSparse",
        "VMDK,vmdk,subformat=monolithicFlat",
        "VMDK,vmdk,subformat=streamOptimized",
        "VMDK,vmdk,subformat=twoGbMaxExtentSparse",
        "VHD,vpc,'subformat=dynamic,force_size=on'",
        "VHD,vpc,'subformat=fixed,force_size=on'",
        "VHDX,vhdx,subformat=dynamic",
        "VHDX,vhdx,subformat=fixed",
        "VDI,vdi,static=off",
        "VDI,vdi,static=on",
    })
    void qemusImage_readsAsItsSource_andDamagedIsNoFault(
            DiskFormat format, String qemus, String options) throws IOException {
        byte[] expected = contents();
        Path raw = Files.write(folder.resolve("source.raw"), expected);
        Path path = folder.resolve("disk." + qemus);
        QemuImg.must(
                "qemu-img",
                "convert",
                "-f",
                "raw",
                "-O",
                qemus,
                "-o",
                options,
                raw.toString(),
                path.toString());
        try (DiskImage image = open(path, format)) {
            byte[] found = read(image);
            assertThat(found.length).isGreaterThanOrEqualTo(SIZE);
            assertThat(Arrays.mismatch(Arrays.copyOf(found, SIZE), expected))
                    .as("seed %d", seed)
                    .isEqualTo(-1);
            for (long at = 0; at < image.sizeBytes(); ) {
                at = image.extent(at, image.sizeBytes()).endOffset();
            }
        }
        damage(Files.readAllBytes(path), format);
    }

    /** Whatever is in the file, the outcome is contents or an error in one line. */
    private void damage(byte[] whole, DiskFormat format) {
        for (int i = 0; i < 150; i++) {
            byte[] bytes =
                    random.nextInt(8) == 0
                            ? Arrays.copyOf(whole, random.nextInt(whole.length))
                            : whole.clone();
            int changes = 1 + random.nextInt(6);
            for (int j = 0; j < changes && bytes.length > 0; j++) {
                int near = random.nextBoolean() ? 2048 : Math.min(bytes.length, 1 << 20);
                int at = random.nextInt(Math.min(near, bytes.length));
                bytes[random.nextInt(5) == 0 ? bytes.length - 1 - at % 600 % bytes.length : at] =
                        (byte) (random.nextBoolean() ? -1 : random.nextInt());
            }
            try (DiskImage image =
                    ForeignImage.open(
                            format,
                            new MemoryStorage(bytes),
                            name -> {
                                throw new BlockException("no other files: " + name);
                            })) {
                byte[] piece = new byte[4096];
                for (int k = 0; k < 20 && image.sizeBytes() >= 4096; k++) {
                    long at = random.nextLong(image.sizeBytes() - 4095);
                    image.read(at, new IoBuffers(MemorySegment.ofArray(piece)));
                }
            } catch (BlockException e) {
                assertThat(e.getMessage()).doesNotContain("\n");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"VMDK", "VHD", "VHDX", "VDI"})
    void noise_isRefused(DiskFormat format) throws IOException {
        byte[] bytes = new byte[1 << 19];
        random.nextBytes(bytes);
        Path path = Files.write(folder.resolve("noise"), bytes);
        assertThatThrownBy(() -> open(path, format)).isInstanceOf(BlockException.class);
    }
}
