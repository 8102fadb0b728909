package dev.javisor.vmm;

import java.nio.file.Path;

/** A disk: a file that holds its raw bytes. The format is never guessed from the content. */
public record DiskSpec(Path path, boolean readOnly) {}
