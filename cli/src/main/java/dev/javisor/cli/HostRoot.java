package dev.javisor.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;

/** The host's files as {@code javisor doctor} sees them; a test gives another root. */
class HostRoot {
    private final Path root;

    HostRoot(Path root) {
        this.root = root;
    }

    private Path path(String absolute) {
        return root.resolve(absolute.substring(1));
    }

    boolean exists(String absolute) {
        return Files.exists(path(absolute));
    }

    /** The file's text without white space around it; empty where it cannot be read. */
    Optional<String> text(String absolute) {
        try {
            return Optional.of(
                    Files.readString(path(absolute), StandardCharsets.ISO_8859_1).strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** The value behind {@code key:} in a file of such lines, as in /proc. */
    Optional<String> value(String absolute, String key) {
        return text(absolute).stream()
                .flatMap(String::lines)
                .filter(line -> line.startsWith(key))
                .map(line -> line.substring(key.length()).strip())
                .filter(rest -> rest.startsWith(":"))
                .map(rest -> rest.substring(1).strip())
                .findFirst();
    }

    boolean isUsable(String absolute) {
        return Files.isReadable(path(absolute)) && Files.isWritable(path(absolute));
    }

    /**
     * Who may use a file.
     *
     * @param permissions as {@code ls} writes them, such as {@code rw-rw----}
     */
    record Owner(String user, String group, String permissions) {
        boolean groupMayUse() {
            return permissions.startsWith("rw", 3);
        }
    }

    Optional<Owner> owner(String absolute) {
        try {
            PosixFileAttributes a =
                    Files.readAttributes(
                            path(absolute), PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            return Optional.of(
                    new Owner(
                            a.owner().getName(),
                            a.group().getName(),
                            PosixFilePermissions.toString(a.permissions())));
        } catch (IOException | UnsupportedOperationException e) {
            return Optional.empty();
        }
    }
}
