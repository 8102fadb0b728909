package dev.javisor.guestkit;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32;

/**
 * The file {@code guest/manifest} that says which prepared guest is the current one:
 *
 * <pre>
 * javisor-guest 1 RECIPE
 * release 6.1.0-13-cloud-amd64
 * kernel SIZE CRC32 FILE
 * initramfs SIZE CRC32 FILE
 * </pre>
 *
 * It is written last, so what it names is complete. The checksums find damage, not malice: the
 * directory is the user's own.
 */
final class GuestManifest {
    private static final String MAGIC = "javisor-guest 1 ";

    private GuestManifest() {}

    /** The current guest, if it was made by this recipe and its files are whole. */
    static Optional<GuestImage> load(CacheDirectory cache, String recipe) {
        Path directory = cache.resolve("guest");
        try {
            List<String> lines =
                    Files.readAllLines(directory.resolve("manifest"), StandardCharsets.UTF_8);
            if (lines.size() != 4
                    || !lines.get(0).equals(MAGIC + recipe)
                    || !lines.get(1).startsWith("release ")) {
                return Optional.empty();
            }
            Optional<Path> kernel = file(directory, "kernel", lines.get(2));
            Optional<Path> initramfs = file(directory, "initramfs", lines.get(3));
            String release = lines.get(1).substring("release ".length());
            return kernel.flatMap(k -> initramfs.map(i -> new GuestImage(k, i, release)));
        } catch (IOException e) {
            return Optional.empty(); // Not there or not readable: it is made anew.
        }
    }

    static GuestImage store(
            CacheDirectory cache, String recipe, String release, byte[] kernel, byte[] initramfs)
            throws IOException {
        Path directory = cache.resolve("guest");
        CacheDirectory.deleteTree(directory);
        Files.createDirectories(directory);
        String kernelName = "vmlinuz-" + release;
        String initramfsName = "initramfs-" + release + ".cpio";
        CacheDirectory.writeAtomically(directory.resolve(kernelName), kernel);
        CacheDirectory.writeAtomically(directory.resolve(initramfsName), initramfs);
        String text =
                MAGIC
                        + recipe
                        + "\nrelease "
                        + release
                        + line("kernel", kernel, kernelName)
                        + line("initramfs", initramfs, initramfsName)
                        + "\n";
        CacheDirectory.writeAtomically(
                directory.resolve("manifest"), text.getBytes(StandardCharsets.UTF_8));
        return new GuestImage(
                directory.resolve(kernelName), directory.resolve(initramfsName), release);
    }

    private static String line(String key, byte[] content, String name) {
        CRC32 crc = new CRC32();
        crc.update(content);
        return "\n%s %d %08x %s".formatted(key, content.length, crc.getValue(), name);
    }

    private static Optional<Path> file(Path directory, String key, String line) throws IOException {
        String[] fields = line.split(" ");
        if (fields.length != 4 || !fields[0].equals(key) || fields[3].contains("/")) {
            return Optional.empty();
        }
        Path file = directory.resolve(fields[3]);
        if (!fields[1].equals(String.valueOf(Files.size(file)))) {
            return Optional.empty();
        }
        CRC32 crc = new CRC32();
        try (FileChannel channel = FileChannel.open(file)) {
            crc.update(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()));
        }
        return fields[2].equals("%08x".formatted(crc.getValue()))
                ? Optional.of(file)
                : Optional.empty();
    }
}
