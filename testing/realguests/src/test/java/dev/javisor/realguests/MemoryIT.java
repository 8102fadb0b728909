package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.realguests.Javisor.Started;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the guest frees goes back to the host. */
class MemoryIT {
    private static final long MIB = 1 << 20;

    /** What the guest fills and frees. */
    private static final int FILLED_MIB = 200;

    /** The virtual machine's own use of the host's memory changes meanwhile. */
    private static final int TOLERANCE_MIB = 60;

    /** Linux reports pages some seconds after they became free, and not all at once. */
    private static final long PATIENCE_SECONDS = 90;

    @Test
    void freedPages_goBackToTheHost() throws Exception {
        String script =
                """
                echo begin
                sleep 1
                dd if=/dev/zero of=/tmp/file bs=1M count=%d 2> /dev/null
                echo filled
                sleep 2
                rm /tmp/file
                echo freed
                sleep %d
                """
                        .formatted(FILLED_MIB, PATIENCE_SECONDS);
        try (Started guest = Javisor.of("run", "--", "sh", "-c", script).start()) {
            guest.awaitOnStandardOutput("begin");
            long before = residentBytes(guest.process());
            guest.awaitOnStandardOutput("filled");
            long filled = residentBytes(guest.process());
            assertThat(filled - before).isGreaterThan((FILLED_MIB - TOLERANCE_MIB) * MIB);
            guest.awaitOnStandardOutput("freed");
            long least = filled;
            for (int i = 0; i < PATIENCE_SECONDS; i++) {
                if (guest.process().waitFor(1, TimeUnit.SECONDS)) {
                    break;
                }
                least = Math.min(least, residentBytes(guest.process()));
                if (filled - least > (FILLED_MIB - TOLERANCE_MIB) * MIB) {
                    break;
                }
            }
            assertThat(filled - least)
                    .as("given back of %d MiB resident", filled / MIB)
                    .isGreaterThan((FILLED_MIB - TOLERANCE_MIB) * MIB);
        }
    }

    /** Of the process and its children. */
    private static long residentBytes(Process process) throws IOException {
        long sum = 0;
        Stream<ProcessHandle> all =
                Stream.concat(Stream.of(process.toHandle()), process.descendants());
        for (ProcessHandle handle : all.toList()) {
            try {
                for (String line :
                        Files.readAllLines(Path.of("/proc/" + handle.pid() + "/status"))) {
                    if (line.startsWith("VmRSS:")) {
                        sum += Long.parseLong(line.replaceAll("\\D", "")) << 10;
                    }
                }
            } catch (NoSuchFileException e) {
                // It has ended.
            }
        }
        return sum;
    }
}
