package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Disks whose files are taken away while the guest runs. */
class VanishingDiskIT {
    private static final long MIB = 1L << 20;

    /** The sector at 8 MiB, read from the disk and not from memory, until that fails. */
    private static final String SCRIPT =
            """
            byte() {
                echo 3 > /proc/sys/vm/drop_caches
                dd if=/dev/$1 bs=1M skip=$2 count=1 2> /tmp/error | head -c 1
                grep -q error /tmp/error && echo "$1 at $2 MiB: $(grep -o 'Input/output error' /tmp/error)"
            }
            byte vda 8
            byte vdb 8
            echo ready
            until byte vda 8 | grep 'output error'; do sleep 0.2; done
            byte vda 0
            byte vdb 8
            echo y | dd of=/dev/vdb bs=1M seek=9 conv=fsync 2> /dev/null && byte vdb 9
            echo
            dmesg | grep -c 'I/O error, dev vda'
            exit 9
            """;

    @TempDir Path directory;

    @Test
    void truncatedAndUnlinked_guestGoesOn() throws Exception {
        Path truncated = disk("truncated.img");
        Path unlinked = disk("unlinked.img");
        Javisor javisor =
                Javisor.of(
                        "run",
                        "--timeout",
                        "180s",
                        "--disk",
                        truncated.toString(),
                        "--disk",
                        unlinked.toString(),
                        "--",
                        "sh",
                        "-c",
                        SCRIPT);
        try (Javisor.Started started = javisor.start()) {
            started.awaitOnStandardOutput("ready");
            Files.delete(unlinked);
            try (FileChannel file = FileChannel.open(truncated, StandardOpenOption.WRITE)) {
                file.truncate(MIB);
            }
            Javisor.Run run = started.await();
            String[] lines = run.text().split("\n");
            assertThat(lines[0]).isEqualTo("xxready");
            // What is still there is read; a file without a name is as good as any.
            assertThat(lines[1]).isEqualTo("vda at 8 MiB: Input/output error");
            assertThat(lines[2]).isEqualTo("xxy");
            assertThat(Integer.parseInt(lines[3])).isPositive();
            assertThat(run.status()).isEqualTo(9);
            assertThat(run.err()).startsWith("javisor: disk " + truncated + ": ").hasLineCount(1);
        }
    }

    private Path disk(String name) throws Exception {
        byte[] content = new byte[(int) (16 * MIB)];
        java.util.Arrays.fill(content, (byte) 'x');
        return Files.write(directory.resolve(name), content);
    }
}
