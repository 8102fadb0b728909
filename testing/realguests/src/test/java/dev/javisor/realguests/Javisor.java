package dev.javisor.realguests;

import dev.javisor.guestkit.GuestImages;
import dev.javisor.guestkit.Progress;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The launcher as a child process. */
final class Javisor {
    /** Many times what a boot takes: machines that test are shared and slow. */
    static final Duration PATIENCE = Duration.ofSeconds(300);

    /** What a run left: its status and its two streams. */
    record Run(int status, byte[] out, String err, Duration time) {
        String text() {
            return new String(out, StandardCharsets.UTF_8);
        }
    }

    private final List<String> command = new ArrayList<>();
    private final Map<String, String> environment = new HashMap<>();
    private byte[] input = new byte[0];

    private Javisor(List<String> arguments) {
        command.add(launcher().toString());
        command.addAll(arguments);
    }

    static Javisor of(String... arguments) {
        return new Javisor(List.of(arguments));
    }

    Javisor with(String variable, String value) {
        environment.put(variable, value);
        return this;
    }

    Javisor input(byte[] bytes) {
        input = bytes;
        return this;
    }

    /**
     * In a process group of its own, whose SIGINT is not ignored whatever this process inherited.
     */
    Javisor interruptible() {
        command.addAll(0, List.of("setsid", "env", "--default-signal=INT"));
        return this;
    }

    /** In a network namespace of this host. Needs root. */
    Javisor inNamespace(String name) {
        command.addAll(0, List.of("ip", "netns", "exec", name));
        return this;
    }

    Run run() throws IOException, InterruptedException {
        try (Started started = start()) {
            return started.await();
        }
    }

    /** So that no run but the first tells of its preparations. */
    private static final class Prepared {
        static {
            // In this order: the build replaces the jar that the first line's classes come from.
            GuestImages.standard().prepare(Progress.NONE);
            try {
                HostTools.must(launcher().toString(), "--version");
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while javisor is built", e);
            }
        }

        static void ensure() {}
    }

    Started start() throws IOException {
        Prepared.ensure();
        Path out = Files.createTempFile("javisor", ".out");
        Path err = Files.createTempFile("javisor", ".err");
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().putAll(environment);
        builder.redirectOutput(out.toFile()).redirectError(err.toFile());
        long begin = System.nanoTime();
        Process process = builder.start();
        Thread feeder = Thread.ofPlatform().daemon().start(() -> feed(process.getOutputStream()));
        return new Started(process, feeder, out, err, begin);
    }

    private void feed(OutputStream to) {
        try (to) {
            to.write(input);
        } catch (IOException e) {
            // It ended without reading all: what it was to do with the input is checked elsewhere.
        }
    }

    /** A run that goes on. Closing ends it and removes its files. */
    record Started(Process process, Thread feeder, Path out, Path err, long begin)
            implements AutoCloseable {
        /** Sends a signal to the process and all that share its group. */
        void signalGroup(String name) throws IOException, InterruptedException {
            new ProcessBuilder("kill", "-s", name, "--", "-" + process.pid())
                    .inheritIO()
                    .start()
                    .waitFor();
        }

        /** Waits until this is on standard error. */
        void awaitOnStandardError(String text) throws IOException, InterruptedException {
            awaitIn(err, text);
        }

        void awaitOnStandardOutput(String text) throws IOException, InterruptedException {
            awaitIn(out, text);
        }

        private void awaitIn(Path stream, String text) throws IOException, InterruptedException {
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (!Files.readString(stream, StandardCharsets.ISO_8859_1).contains(text)) {
                if (System.nanoTime() > deadline || !process.isAlive()) {
                    throw new AssertionError("no '" + text + "'; errors: " + Files.readString(err));
                }
                process.waitFor(50, TimeUnit.MILLISECONDS);
            }
        }

        Run await() throws IOException, InterruptedException {
            if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new AssertionError(
                        "does not end in %s; standard output:%n%s%nstandard error:%n%s"
                                .formatted(
                                        PATIENCE,
                                        tail(Files.readString(out, StandardCharsets.ISO_8859_1)),
                                        tail(Files.readString(err, StandardCharsets.ISO_8859_1))));
            }
            feeder.join();
            return new Run(
                    process.exitValue(),
                    Files.readAllBytes(out),
                    Files.readString(err, StandardCharsets.ISO_8859_1),
                    Duration.ofNanos(System.nanoTime() - begin));
        }

        private static String tail(String text) {
            return text.substring(Math.max(0, text.length() - 4000));
        }

        @Override
        public void close() throws IOException {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            Files.deleteIfExists(out);
            Files.deleteIfExists(err);
        }
    }

    /** The script {@code javisor} of the tree that is tested. */
    private static Path launcher() {
        String given = System.getProperty("javisor.launcher");
        if (given != null) {
            return Path.of(given);
        }
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.isExecutable(at.resolve("javisor"))) {
                return at.resolve("javisor");
            }
        }
        throw new IllegalStateException("no javisor here or above: set -Djavisor.launcher");
    }
}
