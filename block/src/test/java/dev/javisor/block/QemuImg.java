package dev.javisor.block;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;

/** QEMU's tools, the other side of interoperability tests. */
public final class QemuImg {
    public record Outcome(int status, String output) {}

    private QemuImg() {}

    /** Skips the test where the tools are missing. */
    public static void need() {
        try {
            run("qemu-img", "--version");
        } catch (IOException e) {
            Assumptions.abort("qemu-img is missing: apt-get install qemu-utils");
        }
    }

    public static Outcome run(String... command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            return new Outcome(process.waitFor(), output);
        } catch (InterruptedException e) {
            throw new IOException("interrupted", e);
        }
    }

    public static String must(String... command) throws IOException {
        Outcome outcome = run(command);
        assertThat(outcome.status())
                .as("%s: %s", String.join(" ", command), outcome.output())
                .isZero();
        return outcome.output();
    }

    public static void checkClean(Path image) throws IOException {
        must("qemu-img", "check", "-f", "qcow2", image.toString());
    }

    public static void compare(Path image, Path raw) throws IOException {
        must("qemu-img", "compare", "-f", "qcow2", "-F", "raw", image.toString(), raw.toString());
    }

    /** Runs qemu-io's commands on a qcow2 image. */
    public static void io(Path image, List<String> commands) throws IOException {
        List<String> all = new ArrayList<>(List.of("qemu-io", "-f", "qcow2"));
        for (String each : commands) {
            all.add("-c");
            all.add(each);
        }
        all.add(image.toString());
        String output = must(all.toArray(String[]::new));
        assertThat(output).doesNotContain("Pattern verification failed").doesNotContain("error");
    }
}
