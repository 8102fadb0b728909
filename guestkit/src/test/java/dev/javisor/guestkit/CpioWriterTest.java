package dev.javisor.guestkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream;
import org.junit.jupiter.api.Test;

class CpioWriterTest {
    private record Read(String name, long mode, String content, CpioArchiveEntry entry) {}

    private static List<Read> read(byte[] archive) throws IOException {
        List<Read> entries = new ArrayList<>();
        var in = new CpioArchiveInputStream(new ByteArrayInputStream(archive));
        for (CpioArchiveEntry e; (e = in.getNextEntry()) != null; ) {
            String content = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            entries.add(new Read(e.getName(), e.getMode(), content, e));
        }
        return entries;
    }

    @Test
    void archive_everyKindOfEntry_isReadByAnotherImplementation() throws IOException {
        byte[] archive =
                new CpioWriter(7)
                        .characterDevice("dev/console", 0600, 5, 1)
                        .file("init", 0755, "#!/bin/sh\n")
                        .symlink("bin/sh", "busybox")
                        .toByteArray();

        List<Read> entries = read(archive);

        assertThat(entries)
                .extracting(Read::name)
                .containsExactly("dev", "dev/console", "init", "bin", "bin/sh");
        assertThat(entries)
                .extracting(Read::mode)
                .containsExactly(040755L, 020600L, 0100755L, 040755L, 0120777L);
        assertThat(entries.get(1).entry().getRemoteDeviceMaj()).isEqualTo(5);
        assertThat(entries.get(1).entry().getRemoteDeviceMin()).isEqualTo(1);
        assertThat(entries.get(2).content()).isEqualTo("#!/bin/sh\n");
        assertThat(entries.get(4).content()).isEqualTo("busybox");
        assertThat(entries)
                .extracting(e -> e.entry().getInode())
                .containsExactly(7L, 8L, 9L, 10L, 11L);
    }

    @Test
    void archive_anyLengths_isPaddedSoThatAnotherMayFollow() {
        for (int length = 0; length < 9; length++) {
            byte[] archive = new CpioWriter(1).file("a", 0644, "x".repeat(length)).toByteArray();
            assertThat(archive.length % 512).isZero();
        }
    }

    @Test
    void sameName_twice_isRefused() {
        CpioWriter cpio = new CpioWriter(1).file("a", 0644, "");
        assertThatThrownBy(() -> cpio.symlink("a", "b")).hasMessage("two entries named a");
    }
}
