package dev.javisor.guestkit;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * The downloaded packages and a file {@code index} that names them, one a line with size in bytes
 * and SHA-256 as the package client gave it.
 */
final class PackageIndex {
    private PackageIndex() {}

    /** The package files in their order; empty if there are none or one is not whole. */
    static Optional<List<Path>> load(Path directory) throws IOException {
        Path index = directory.resolve("index");
        if (!Files.isRegularFile(index)) {
            return Optional.empty();
        }
        List<Path> files = new ArrayList<>();
        for (String line : Files.readAllLines(index, StandardCharsets.UTF_8)) {
            String[] fields = line.split(" ");
            if (fields.length != 3 || fields[2].contains("/")) {
                return Optional.empty();
            }
            Path file = directory.resolve(fields[2]);
            if (!Files.isRegularFile(file)
                    || !fields[0].equals(String.valueOf(Files.size(file)))
                    || !fields[1].equals(sha256(file))) {
                return Optional.empty();
            }
            files.add(file);
        }
        return files.isEmpty() ? Optional.empty() : Optional.of(List.copyOf(files));
    }

    /** Moves fresh downloads in and drops what was there. */
    static void store(Path directory, Path downloads, List<AptClient.Download> files)
            throws IOException {
        CacheDirectory.deleteTree(directory);
        StringBuilder index = new StringBuilder();
        for (AptClient.Download file : files) {
            index.append("%d %s %s\n".formatted(file.sizeBytes(), file.sha256(), file.fileName()));
        }
        CacheDirectory.writeAtomically(
                downloads.resolve("index"), index.toString().getBytes(StandardCharsets.UTF_8));
        Files.move(downloads, directory, StandardCopyOption.ATOMIC_MOVE);
    }

    private static String sha256(Path file) throws IOException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
                in.transferTo(java.io.OutputStream.nullOutputStream());
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
