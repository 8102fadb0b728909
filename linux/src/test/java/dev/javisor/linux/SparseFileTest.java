package dev.javisor.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SparseFileTest {
    private static final int MEBIBYTE = 1 << 20;

    @TempDir private Path folder;

    @Test
    void holes_areFoundAndMade() throws IOException {
        Path path = folder.resolve("sparse");
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            byte[] data = new byte[MEBIBYTE];
            Arrays.fill(data, (byte) 1);
            file.seek(2 * MEBIBYTE);
            file.write(data);
            file.setLength(4 * MEBIBYTE);
        }
        try (SparseFile sparse = SparseFile.open(path.toString(), true).orElseThrow()) {
            assertThat(sparse.nextData(0)).isIn(0L, 2L * MEBIBYTE);
            assertThat(sparse.nextHole(2 * MEBIBYTE)).isIn(3L * MEBIBYTE, 4L * MEBIBYTE);
            if (sparse.punch(2 * MEBIBYTE, 65536)) {
                byte[] bytes = Files.readAllBytes(path);
                assertThat(bytes).hasSize(4 * MEBIBYTE);
                assertThat(bytes[2 * MEBIBYTE]).isZero();
                assertThat(bytes[2 * MEBIBYTE + 65536]).isEqualTo((byte) 1);
            } else {
                assertThat(sparse.canPunch()).isFalse();
            }
        }
    }

    @Test
    void missingFile_isEmpty() {
        assertThat(SparseFile.open(folder.resolve("none").toString(), false)).isEmpty();
    }
}
