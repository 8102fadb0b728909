package dev.javisor.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The peer: QEMU with its own translator, TCG. */
final class Qemu {
    private static final String PROGRAM = "qemu-system-x86_64";

    private Qemu() {}

    /** The version line. */
    static String version() throws IOException, InterruptedException {
        try {
            Process process = new ProcessBuilder(PROGRAM, "--version").start();
            String text =
                    new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            process.waitFor();
            return text.lines().findFirst().orElse("");
        } catch (IOException e) {
            throw new IOException(
                    PROGRAM + " is not installed; on Debian: apt-get install qemu-system-x86", e);
        }
    }

    static List<String> command(String memory, List<String> more) {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                PROGRAM,
                                "-accel",
                                "tcg",
                                "-M",
                                "q35",
                                "-m",
                                memory,
                                "-display",
                                "none",
                                "-monitor",
                                "none",
                                "-serial",
                                "stdio",
                                "-no-reboot",
                                "-nic",
                                "none"));
        command.addAll(more);
        return command;
    }
}
