package dev.javisor.guestkit;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.stream.Stream;

/** The directory where prepared guests are kept, shared by all runs of one user. */
final class CacheDirectory {
    private final Path root;

    CacheDirectory(Path root) {
        this.root = root;
    }

    /**
     * {@code $XDG_CACHE_HOME/javisor}, else {@code $HOME/.cache/javisor} (XDG Base Directory
     * Specification: a relative value is ignored).
     *
     * @param home where the environment names no home
     */
    static Path standard(Map<String, String> environment, String home) {
        Path xdg = Path.of(environment.getOrDefault("XDG_CACHE_HOME", ""));
        Path base =
                xdg.isAbsolute() ? xdg : Path.of(environment.getOrDefault("HOME", home), ".cache");
        return base.resolve("javisor");
    }

    Path resolve(String name) {
        return root.resolve(name);
    }

    /** Something that may meet an error of the file system. */
    interface Work<T> {
        T run() throws IOException;
    }

    /**
     * Runs with the cache to itself: other runs, in this process or another, wait.
     *
     * @param waiting is called once if it must wait
     */
    <T> T locked(Runnable waiting, Work<T> work) {
        try {
            Files.createDirectories(root);
            try (FileChannel channel =
                            FileChannel.open(
                                    root.resolve("lock"),
                                    StandardOpenOption.CREATE,
                                    StandardOpenOption.WRITE);
                    FileLock lock = lock(channel, waiting)) {
                if (!lock.isValid()) {
                    throw new IllegalStateException("lock of " + root + " lost");
                }
                return work.run();
            }
        } catch (IOException e) {
            throw failure(e);
        }
    }

    /** Puts a file in place whole or not at all. */
    static void writeAtomically(Path file, byte[] content) throws IOException {
        Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
        try (FileChannel channel =
                FileChannel.open(
                        temporary,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.WRITE)) {
            var buffer = java.nio.ByteBuffer.wrap(content);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            channel.force(true);
        }
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    }

    static void deleteTree(Path tree) throws IOException {
        if (!Files.exists(tree)) {
            return;
        }
        try (Stream<Path> files = Files.walk(tree)) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    private static FileLock lock(FileChannel channel, Runnable waiting) throws IOException {
        boolean told = false;
        while (true) {
            try {
                FileLock lock = channel.tryLock();
                if (lock != null) {
                    return lock;
                }
            } catch (OverlappingFileLockException e) {
                // Another thread of this process has it: the same as another process.
            }
            if (!told) {
                waiting.run();
                told = true;
            }
            try {
                Thread.sleep(100);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new GuestKitException("interrupted while waiting for the cache", e);
            }
        }
    }

    private GuestKitException failure(IOException e) {
        String why =
                switch (e) {
                    case AccessDeniedException denied -> "no permission for " + denied.getFile();
                    case FileAlreadyExistsException exists ->
                            exists.getFile() + " is not a directory";
                    case FileSystemException fs when fs.getReason() != null ->
                            fs.getFile() + ": " + fs.getReason();
                    default -> String.valueOf(e.getMessage());
                };
        return new GuestKitException(
                "cannot write the cache directory %s (%s): make it writable, or point XDG_CACHE_HOME elsewhere"
                        .formatted(root, why),
                e);
    }
}
