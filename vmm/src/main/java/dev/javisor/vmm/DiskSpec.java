package dev.javisor.vmm;

import dev.javisor.block.DiskErrors;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskLimits;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A disk. The format of a file is never guessed from the content.
 *
 * @param format of a file; empty for what the file's extension says, else raw
 * @param references what a file may refer to: its backing file, its data file
 * @param serial names the disk to the guest, at most 20 printable characters; empty for the file's
 *     name
 * @param errors what happens when the host cannot do what the guest asks for
 */
public record DiskSpec(
        DiskSource source,
        Optional<DiskFormat> format,
        boolean readOnly,
        DiskFiles.References references,
        Optional<String> serial,
        DiskLimits limits,
        DiskErrors errors) {
    /** A disk that refers to nothing, of the format that its extension says, else raw. */
    public DiskSpec(Path path, boolean readOnly) {
        this(
                new DiskSource.File(path),
                Optional.empty(),
                readOnly,
                new DiskFiles.References.Refused(),
                Optional.empty(),
                DiskLimits.NONE,
                DiskErrors.STANDARD);
    }
}
