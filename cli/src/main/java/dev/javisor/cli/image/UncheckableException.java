package dev.javisor.cli.image;

import dev.javisor.base.JavisorException;
import dev.javisor.block.DiskFormat;
import java.nio.file.Path;

/** A format that has nothing to check, which {@code check} reports with a status of its own. */
public final class UncheckableException extends JavisorException {
    private static final long serialVersionUID = 1;

    /** As {@code qemu-img check} ends. */
    public static final int STATUS = 63;

    UncheckableException(Path file, DiskFormat format) {
        super("%s: images of format %s have nothing to check".formatted(file, format.id()));
    }
}
