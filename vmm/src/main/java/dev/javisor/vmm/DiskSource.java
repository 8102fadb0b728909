package dev.javisor.vmm;

import dev.javisor.block.nbd.NbdAddress;
import java.nio.file.Path;
import java.time.Duration;

/** Where a disk's contents are. */
public sealed interface DiskSource {
    /** In an image file. */
    record File(Path path) implements DiskSource {}

    /**
     * At an NBD server.
     *
     * @param patience how long requests wait for a server that is gone
     */
    record Nbd(NbdAddress address, Duration patience) implements DiskSource {}
}
