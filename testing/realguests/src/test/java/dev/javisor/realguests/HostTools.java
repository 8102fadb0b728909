package dev.javisor.realguests;

import static org.assertj.core.api.Assumptions.assumeThat;

import dev.javisor.guestkit.GuestImages;
import dev.javisor.guestkit.Progress;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Programs of the host that the tests need beside Javisor. */
final class HostTools {
    private HostTools() {}

    /** What a program printed, both streams, and its status. */
    record Output(int status, byte[] bytes) {
        String text() {
            return new String(bytes, StandardCharsets.UTF_8);
        }
    }

    /** Skips the test, with the names, where one of these is missing. */
    static void need(String... programs) {
        for (String program : programs) {
            assumeThat(find(program)).as("the host has %s", program).isNotNull();
        }
    }

    static Output run(String... command) throws IOException, InterruptedException {
        List<String> full = new ArrayList<>(List.of(command));
        String found = find(full.getFirst());
        if (found != null) {
            full.set(0, found);
        }
        Process process = new ProcessBuilder(full).redirectErrorStream(true).start();
        process.getOutputStream().close();
        byte[] bytes = process.getInputStream().readAllBytes();
        return new Output(process.waitFor(), bytes);
    }

    /** Runs what must succeed. */
    static String must(String... command) throws IOException, InterruptedException {
        Output output = run(command);
        if (output.status != 0) {
            throw new AssertionError(String.join(" ", command) + ": " + output.text());
        }
        return output.text();
    }

    /** The guest's own busybox: static, so the host runs it too. */
    static void busybox(Path to) throws IOException, InterruptedException {
        Path archive = GuestImages.standard().prepare(Progress.NONE).initramfs();
        byte[] cpio = Files.readAllBytes(archive);
        // cpio(5), "new ASCII": 6 bytes of magic, 13 fields of 8 hexadecimal digits, the name and
        // the content each padded to 4 bytes.
        int at = 0;
        while (true) {
            int size = field(cpio, at, 6);
            int nameSize = field(cpio, at, 11);
            String name = new String(cpio, at + 110, nameSize - 1, StandardCharsets.UTF_8);
            int content = (at + 110 + nameSize + 3) & ~3;
            if (name.equals("bin/busybox")) {
                Files.write(to, Arrays.copyOfRange(cpio, content, content + size));
                must("chmod", "755", to.toString());
                return;
            }
            at = (content + size + 3) & ~3;
        }
    }

    private static int field(byte[] cpio, int at, int index) {
        String digits = new String(cpio, at + 6 + 8 * index, 8, StandardCharsets.US_ASCII);
        return Integer.parseUnsignedInt(digits, 16);
    }

    /** A file of the test resources. */
    static void resource(String name, Path to) throws IOException {
        try (InputStream in = HostTools.class.getResourceAsStream("/programs/" + name)) {
            if (in == null) {
                throw new IllegalStateException("no resource " + name);
            }
            Files.copy(in, to);
        }
    }

    private static @org.jspecify.annotations.Nullable String find(String program) {
        if (program.contains("/")) {
            return program;
        }
        // File system tools lie where an ordinary user's PATH does not lead.
        String path = System.getenv().getOrDefault("PATH", "") + ":/usr/sbin:/sbin";
        for (String directory : path.split(":")) {
            if (!directory.isEmpty() && Files.isExecutable(Path.of(directory, program))) {
                return Path.of(directory, program).toString();
            }
        }
        return null;
    }
}
