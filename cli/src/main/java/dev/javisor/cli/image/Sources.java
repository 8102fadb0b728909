package dev.javisor.cli.image;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.qcow2.Qcow2Image;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Opens the images that verbs work on. */
final class Sources {
    private Sources() {}

    /** The format that is named, or what the file's name says. */
    static DiskFormat format(Path file, @Nullable DiskFormat named) {
        return named != null
                ? named
                : DiskFormat.ofExtension(String.valueOf(file.getFileName()))
                        .orElseThrow(() ->
                                new BlockException(
                                        "%s: its name does not tell the format: name it with -f (%s)"
                                                .formatted(file, DiskFormat.names())));
    }

    static DiskImage open(
            Path file,
            @Nullable DiskFormat format,
            boolean readOnly,
            DiskFiles.References references) {
        return DiskFiles.open(file, format(file, format), readOnly, references);
    }

    static Qcow2Image openQcow2(
            Path file,
            @Nullable DiskFormat format,
            boolean readOnly,
            DiskFiles.References references) {
        DiskImage image = open(file, format, readOnly, references);
        if (image instanceof Qcow2Image qcow2) {
            return qcow2;
        }
        image.close();
        throw new BlockException("%s: only qcow2 images have this".formatted(file));
    }
}
