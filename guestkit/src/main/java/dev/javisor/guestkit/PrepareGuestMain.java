package dev.javisor.guestkit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/**
 * Puts the default guest's files into a directory as {@code vmlinuz} and {@code initramfs}, for
 * other machines and for tests. With a command after the directory, the initramfs runs it.
 */
public final class PrepareGuestMain {
    private PrepareGuestMain() {}

    /** Arguments: DIRECTORY [COMMAND...]. */
    public static void main(String[] arguments) throws IOException {
        if (arguments.length == 0) {
            System.err.println("usage: PrepareGuestMain DIRECTORY [COMMAND...]");
            System.exit(64);
        }
        Path directory = Files.createDirectories(Path.of(arguments[0]));
        GuestImage image = GuestImages.standard().prepare(Progress.NONE);
        Files.copy(
                image.kernel(), directory.resolve("vmlinuz"), StandardCopyOption.REPLACE_EXISTING);
        Path initramfs = directory.resolve("initramfs");
        Files.copy(image.initramfs(), initramfs, StandardCopyOption.REPLACE_EXISTING);
        List<String> command = List.of(arguments).subList(1, arguments.length);
        if (!command.isEmpty()) {
            byte[] overlay = new GuestOverlay().ports().command(command).toByteArray();
            Files.write(initramfs, overlay, java.nio.file.StandardOpenOption.APPEND);
        }
        System.out.println(image.version());
    }
}
