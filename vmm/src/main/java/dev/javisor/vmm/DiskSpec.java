package dev.javisor.vmm;

import dev.javisor.block.DiskErrors;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskLimits;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A disk in a file. The format is never guessed from the content.
 *
 * @param format empty for what the file's extension says, else raw
 * @param references what the image may refer to: its backing file, its data file
 * @param serial names the disk to the guest, at most 20 printable characters; empty for the file's
 *     name
 * @param errors what happens when the host cannot do what the guest asks for
 */
public record DiskSpec(
        Path path,
        Optional<DiskFormat> format,
        boolean readOnly,
        DiskFiles.References references,
        Optional<String> serial,
        DiskLimits limits,
        DiskErrors errors) {
    /** A disk that refers to nothing, of the format that its extension says, else raw. */
    public DiskSpec(Path path, boolean readOnly) {
        this(
                path,
                Optional.empty(),
                readOnly,
                new DiskFiles.References.Refused(),
                Optional.empty(),
                DiskLimits.NONE,
                DiskErrors.STANDARD);
    }
}
