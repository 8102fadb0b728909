package dev.javisor.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageBackendTest {
    private static final int SIZE = 64 * 1024;

    @TempDir private Path folder;

    private Path file(int sizeBytes) throws IOException {
        byte[] bytes = new byte[sizeBytes];
        new Random(1).nextBytes(bytes);
        return Files.write(folder.resolve("disk.img"), bytes);
    }

    private static ImageBackend open(Path path, boolean readOnly) {
        return new ImageBackend(
                DiskFiles.open(path, DiskFormat.RAW, readOnly, new DiskFiles.References.Refused()));
    }

    private static MemorySegment memory(int sizeBytes) {
        return Arena.ofAuto().allocate(sizeBytes);
    }

    /** Keeps the outcome of one operation. */
    private static final class Outcome implements BlockIo.Completion {
        private final CompletableFuture<Optional<BlockException>> future =
                new CompletableFuture<>();

        @Override
        public void completed(@Nullable BlockException error) {
            assertThat(future.complete(Optional.ofNullable(error))).isTrue();
        }

        Optional<BlockException> get() {
            return future.join();
        }
    }

    private static void read(ImageBackend disk, long offset, MemorySegment... into) {
        Outcome outcome = new Outcome();
        disk.submit(BlockIo.read(offset, into, outcome));
        assertThat(outcome.get()).isEmpty();
    }

    private static Optional<BlockException> run(
            ImageBackend disk, java.util.function.Function<BlockIo.Completion, BlockIo> io) {
        Outcome outcome = new Outcome();
        disk.submit(io.apply(outcome));
        return outcome.get();
    }

    @Test
    void open_directory_saysSo() {
        assertThatThrownBy(() -> open(folder, false))
                .isInstanceOf(BlockException.class)
                .hasMessage("disk %s is a directory: name a file", folder);
    }

    @Test
    void open_missing_saysSo() {
        Path missing = folder.resolve("missing");
        assertThatThrownBy(() -> open(missing, true))
                .isInstanceOf(BlockException.class)
                .hasMessage("disk %s does not exist", missing);
    }

    @Test
    void open_empty_saysSo() throws IOException {
        Path empty = file(0);
        assertThatThrownBy(() -> open(empty, true))
                .isInstanceOf(BlockException.class)
                .hasMessageContaining("too small");
    }

    @Test
    void open_sizeNotAMultiple_isPaddedWithZeroes() throws IOException {
        Path path = file(1500);
        byte[] expected = Arrays.copyOf(Files.readAllBytes(path), 1536);
        try (ImageBackend disk = open(path, true)) {
            assertThat(disk.sizeBytes()).isEqualTo(1536);
            MemorySegment all = memory(1536);
            read(disk, 0, all);
            assertThat(all.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(expected);
        }
    }

    @Test
    void open_twiceForReading_bothRead_andAWriterIsRefused() throws IOException {
        Path path = file(SIZE);
        try (ImageBackend first = open(path, true)) {
            open(path, true).close();
            read(first, 0, memory(512));
            assertThatThrownBy(() -> open(path, false)).hasMessageContaining("in use");
        }
        open(path, false).close();
    }

    @Test
    void open_twiceForWriting_secondIsRefusedUntilTheFirstCloses() throws IOException {
        Path path = file(SIZE);
        try (ImageBackend first = open(path, false)) {
            assertThat(first.isReadOnly()).isFalse();
            for (boolean readOnly : new boolean[] {false, true}) {
                assertThatThrownBy(() -> open(path, readOnly))
                        .isInstanceOf(BlockException.class)
                        .hasMessageContaining("in use by another virtual machine");
            }
        }
        open(path, false).close();
    }

    @Test
    void readWrite_scatteredBuffers_moveTheRightBytes() throws IOException {
        Path path = file(SIZE);
        byte[] expected = Files.readAllBytes(path);
        try (ImageBackend disk = open(path, false)) {
            MemorySegment a = memory(512);
            MemorySegment b = memory(1536);
            read(disk, 1024, a, b);
            assertThat(a.toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo(Arrays.copyOfRange(expected, 1024, 1536));
            assertThat(b.toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo(Arrays.copyOfRange(expected, 1536, 3072));

            assertThat(run(disk, c -> BlockIo.write(8192, new MemorySegment[] {b, a}, c)))
                    .isEmpty();
            assertThat(run(disk, BlockIo::flush)).isEmpty();
        }
        System.arraycopy(expected, 1536, expected, 8192, 1536);
        System.arraycopy(Arrays.copyOfRange(expected, 1024, 1536), 0, expected, 9728, 512);
        assertThat(Files.readAllBytes(path)).isEqualTo(expected);
    }

    @Test
    void manyInFlight_distinctBlocks_allLand() throws IOException {
        Path path = file(SIZE);
        try (ImageBackend disk = open(path, false)) {
            List<Outcome> outcomes = new ArrayList<>();
            for (int i = 0; i < SIZE / 512; i++) {
                MemorySegment block = memory(512).fill((byte) i);
                Outcome outcome = new Outcome();
                outcomes.add(outcome);
                disk.submit(BlockIo.write(i * 512L, new MemorySegment[] {block}, outcome));
            }
            outcomes.forEach(outcome -> assertThat(outcome.get()).isEmpty());
        }
        byte[] bytes = Files.readAllBytes(path);
        for (int i = 0; i < SIZE; i++) {
            assertThat(bytes[i]).isEqualTo((byte) (i / 512));
        }
    }

    @Test
    void writeZeroes_unevenRange_zeroesExactlyIt() throws IOException {
        Path path = file(256 * 1024);
        byte[] expected = Files.readAllBytes(path);
        try (ImageBackend disk = open(path, false)) {
            assertThat(run(disk, c -> BlockIo.writeZeroes(1024, 200 * 1024, c))).isEmpty();
        }
        Arrays.fill(expected, 1024, 201 * 1024, (byte) 0);
        assertThat(Files.readAllBytes(path)).isEqualTo(expected);
    }

    @Test
    void submit_readOnlyOrBeyondTheEnd_isAnError() throws IOException {
        Path path = file(SIZE);
        MemorySegment[] block = {memory(512)};
        try (ImageBackend disk = open(path, true)) {
            assertThat(run(disk, c -> BlockIo.write(0, block, c)).orElseThrow())
                    .hasMessageContaining("read-only");
            assertThat(run(disk, c -> BlockIo.writeZeroes(0, 512, c)).orElseThrow())
                    .hasMessageContaining("read-only");
            assertThat(run(disk, c -> BlockIo.discard(0, 512, c))).isPresent();
            assertThat(run(disk, c -> BlockIo.read(SIZE, block, c))).isPresent();
            assertThat(run(disk, c -> BlockIo.read(-512, block, c))).isPresent();
            assertThat(run(disk, c -> BlockIo.read(Long.MAX_VALUE - 10, block, c))).isPresent();
            assertThat(run(disk, BlockIo::flush)).isEmpty();
        }
    }

    @Test
    void read_fileHasShrunk_isAnErrorNotAnEnd() throws IOException {
        Path path = file(SIZE);
        try (ImageBackend disk = open(path, false)) {
            try (FileChannel other = FileChannel.open(path, StandardOpenOption.WRITE)) {
                other.truncate(1000);
            }
            assertThat(
                            run(disk, c -> BlockIo.read(512, new MemorySegment[] {memory(1024)}, c))
                                    .orElseThrow())
                    .hasMessageContaining("has become shorter");
            read(disk, 0, memory(512));
        }
    }

    @Test
    void read_fileWasRemoved_goesOn() throws IOException {
        Path path = file(SIZE);
        byte[] expected = Arrays.copyOf(Files.readAllBytes(path), 512);
        try (ImageBackend disk = open(path, false)) {
            Files.delete(path);
            MemorySegment block = memory(512);
            read(disk, 0, block);
            assertThat(block.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(expected);
        }
    }

    @Test
    void submit_afterClose_completesWithAnError() throws IOException {
        ImageBackend disk = open(file(SIZE), false);
        disk.close();
        assertThat(run(disk, BlockIo::flush).orElseThrow()).hasMessageContaining("is closed");
    }

    @Test
    void submit_bufferFreed_completesWithAnError() throws IOException {
        try (ImageBackend disk = open(file(SIZE), false)) {
            MemorySegment[] freed = new MemorySegment[1];
            try (Arena arena = Arena.ofShared()) {
                freed[0] = arena.allocate(512);
            }
            assertThat(run(disk, c -> BlockIo.read(0, freed, c))).isPresent();
        }
    }

    @Test
    void id_oddFileName_isPrintableAndShort() throws IOException {
        Path path = folder.resolve("a disk with a very long name.img");
        Files.write(path, new byte[512]);
        try (ImageBackend disk = open(path, true)) {
            assertThat(disk.id()).isEqualTo("a_disk_with_a_very_l");
        }
    }
}
