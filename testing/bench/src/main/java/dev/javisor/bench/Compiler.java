package dev.javisor.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The host's C compiler. */
final class Compiler {
    private Compiler() {}

    /**
     * Runs gcc.
     *
     * @param arguments with {@code -o}, whose directory is made
     */
    static void gcc(List<String> arguments) throws IOException, InterruptedException {
        Files.createDirectories(Path.of(arguments.get(arguments.indexOf("-o") + 1)).getParent());
        List<String> command = new ArrayList<>(List.of("gcc"));
        command.addAll(arguments);
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException e) {
            throw new IOException("gcc is not installed; on Debian: apt-get install gcc", e);
        }
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException("gcc failed:\n" + output);
        }
    }
}
