package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.guestkit.GuestImages;
import dev.javisor.guestkit.Progress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What cannot work says so in one line, and with {@code -v} says more. */
class BadInputIT {
    /** Not the command, but what runs it. */
    private static final int VM_FAILED = 125;

    @TempDir Path directory;

    @Test
    void kernel_truncated_isRefused() throws Exception {
        byte[] kernel = Files.readAllBytes(GuestImages.standard().prepare(Progress.NONE).kernel());
        for (int size : new int[] {1000, 0x260, 100_000, kernel.length / 2}) {
            Path truncated = directory.resolve("bzImage-" + size);
            Files.write(truncated, Arrays.copyOf(kernel, size));
            refused(truncated.toString(), "--kernel", truncated.toString());
        }
    }

    @Test
    void kernel_noKernel_isRefusedWithWhatItIs() throws Exception {
        Path script = Files.writeString(directory.resolve("script"), "#!/bin/sh\necho no\n");
        refused(script.toString(), "--kernel", script.toString());
        Path empty = Files.createFile(directory.resolve("empty"));
        refused(empty.toString(), "--kernel", empty.toString());
    }

    @Test
    void disk_directory_isRefused() throws Exception {
        refused("is a directory", "--disk", directory.toString());
    }

    @Test
    void disk_missing_isRefused() throws Exception {
        refused("no such file", "--disk", directory.resolve("missing.img").toString());
    }

    @Test
    void memory_oneMebibyte_isRefused() throws Exception {
        refused("--memory 1M", "--memory", "1M");
    }

    @Test
    void memory_tenTebibytes_isRefused() throws Exception {
        refused("--memory 10", "--memory", "10T");
    }

    @Test
    void cache_notWritable_isNamed() throws Exception {
        // Not even root can make a directory below a file.
        Path file = Files.createFile(directory.resolve("file"));
        oneLine("cache", List.of(), "XDG_CACHE_HOME", file.resolve("cache").toString());
    }

    @Test
    void network_packageClientFails_isNamed() throws Exception {
        Path programs = Files.createDirectory(directory.resolve("bin"));
        Path client =
                Files.writeString(
                        programs.resolve("apt-get"),
                        "#!/bin/sh\necho 'E: no route to host' >&2\nexit 100\n");
        HostTools.must("chmod", "755", client.toString());
        Javisor.Run run =
                Javisor.of("run", "--", "true")
                        .with("PATH", programs + ":" + System.getenv("PATH"))
                        .with("XDG_CACHE_HOME", directory.resolve("cache").toString())
                        .run();
        assertThat(run.status()).isEqualTo(VM_FAILED);
        assertThat(run.out()).isEmpty();
        // What it was about to do comes before.
        List<String> lines = run.err().lines().toList();
        assertThat(lines).allMatch(line -> line.startsWith("javisor: "));
        assertThat(lines.getLast())
                .contains("no route to host")
                .contains("network")
                .contains("--kernel");
    }

    private static void refused(String why, String... options) throws Exception {
        oneLine(why, List.of(options), "UNUSED", "");
    }

    private static void oneLine(String why, List<String> options, String variable, String value)
            throws Exception {
        Javisor.Run plain = attempt(List.of(), options, variable, value);
        assertThat(plain.status()).as(plain.err()).isEqualTo(VM_FAILED);
        assertThat(plain.out()).isEmpty();
        assertThat(plain.err()).startsWith("javisor: ").endsWith("\n").contains(why);
        assertThat(plain.err().lines()).hasSize(1);

        Javisor.Run verbose = attempt(List.of("-v"), options, variable, value);
        assertThat(verbose.status()).isEqualTo(VM_FAILED);
        assertThat(verbose.err()).contains(plain.err()).contains("\tat ");
    }

    private static Javisor.Run attempt(
            List<String> first, List<String> options, String variable, String value)
            throws Exception {
        List<String> arguments = new ArrayList<>(List.of("run"));
        arguments.addAll(first);
        arguments.addAll(options);
        // Nothing here boots: should it, it is not for long.
        arguments.addAll(List.of("--timeout", "30s"));
        return Javisor.of(arguments.toArray(String[]::new)).with(variable, value).run();
    }
}
