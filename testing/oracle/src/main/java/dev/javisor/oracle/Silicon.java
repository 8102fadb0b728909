package dev.javisor.oracle;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** The host's processor, behind a child process that shares a file with this one. */
final class Silicon implements AutoCloseable {
    private final Path directory;
    private final Process process;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment shared;

    Silicon() throws IOException {
        directory = Files.createTempDirectory("javisor-oracle");
        Path image = directory.resolve("runner");
        Files.write(image, RunnerImage.build());
        if (!image.toFile().setExecutable(true)) {
            throw new IOException("cannot make " + image + " executable");
        }
        Path file = directory.resolve("shared");
        try (FileChannel channel =
                FileChannel.open(
                        file,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE)) {
            shared =
                    channel.map(
                            FileChannel.MapMode.READ_WRITE, 0, OracleLayout.SHARED_BYTES, arena);
        }
        process =
                new ProcessBuilder(image.toString(), file.toString())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
        awaitByte();
    }

    /** Whether this host can run it: x86-64 Linux. */
    static boolean isHere() {
        String name = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch");
        return name.equals("linux") && (arch.equals("amd64") || arch.equals("x86_64"));
    }

    /** The shared file; see {@link OracleLayout}. */
    MemorySegment shared() {
        return shared;
    }

    /** Runs the first {@code count} cases. */
    void run(int count) throws IOException {
        shared.set(ValueLayout.JAVA_LONG, 0, count);
        process.getOutputStream().write(1);
        process.getOutputStream().flush();
        awaitByte();
    }

    private void awaitByte() throws IOException {
        if (process.getInputStream().read() < 0) {
            throw new IOException("the runner ended: " + process);
        }
    }

    @Override
    public void close() {
        try {
            process.getOutputStream().close();
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
            arena.close();
            Files.deleteIfExists(directory.resolve("runner"));
            Files.deleteIfExists(directory.resolve("shared"));
            Files.deleteIfExists(directory);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
