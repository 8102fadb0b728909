package dev.javisor.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.TestMemory;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class KernelProbeTest {
    @TempDir Path directory;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "1f8b0800| is gzip data",
                "fd377a585a00| is xz data",
                "28b52ffd| is zstd data",
                "23212f62696e2f7368| is a script",
                "4d5a90000000| is a Windows or EFI program",
                "514649fb| is a qcow2 disk image",
                "303730373031| is a cpio archive",
                "68656c6c6f0a| is a text file",
                "010203| is a file of 3 bytes",
                "7f454c46| malformed ELF file: its header is cut short",
            })
    void probe_somethingElse_saysWhatItIs(String hex, String expected) {
        byte[] bytes = java.util.HexFormat.of().parseHex(hex);
        assertThatThrownBy(() -> KernelImage.probe("k", ByteSource.of(bytes)))
                .isInstanceOf(BootException.class)
                .hasMessageContaining(expected.strip())
                .hasMessageNotContaining("\n");
    }

    @Test
    void probe_elfOfAnotherMachine_namesIt() {
        assertThatThrownBy(() -> Images.probe(Images.elf64(183)))
                .hasMessage("kernel k is an ELF file for AArch64, not x86");
    }

    @Test
    void probe_file_emptyMissingOrDirectory_isRefused() throws IOException {
        Path empty = Files.createFile(directory.resolve("empty"));
        assertThatThrownBy(() -> KernelImage.probe(empty)).hasMessageEndingWith("is empty");
        assertThatThrownBy(() -> KernelImage.probe(directory))
                .hasMessageEndingWith("is a directory");
        assertThatThrownBy(() -> KernelImage.probe(directory.resolve("none")))
                .hasMessageEndingWith("does not exist");
    }

    @Test
    void load_fileThatShrankSinceTheProbe_isRefused() throws IOException {
        Path file = directory.resolve("kernel");
        byte[] image = Images.bzImage().array();
        Files.write(file, image);
        GuestMemory memory = TestMemory.of(32 << 20);
        try (KernelImage kernel = KernelImage.probe(file)) {
            Files.write(file, new byte[100]);
            assertThatThrownBy(() -> load(kernel, memory))
                    .isInstanceOf(BootException.class)
                    .hasMessageEndingWith("cannot be read: end of file");
        }
    }

    @Test
    void load_deletedFile_stillLoads() throws IOException {
        Path file = Files.write(directory.resolve("kernel"), Images.bzImage().array());
        GuestMemory memory = TestMemory.of(32 << 20);
        try (KernelImage kernel = KernelImage.probe(file)) {
            Files.delete(file);
            assertThat(load(kernel, memory).rip()).isEqualTo(0x100_0200);
        }
    }

    private static CpuState load(KernelImage kernel, GuestMemory memory) {
        return kernel.load(
                memory,
                new BootParameters("", List.of(), MemoryMap.of(memory), 0, new byte[0]),
                TestCpu.powerOn());
    }

    @Test
    void source_ofBytes_refusesReadsBeyondItsEnd() {
        ByteSource source = ByteSource.of("abc".getBytes(StandardCharsets.US_ASCII));
        assertThatThrownBy(() -> source.peek(2, 2)).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> source.peek(-1, 1)).isInstanceOf(IOException.class);
    }
}
