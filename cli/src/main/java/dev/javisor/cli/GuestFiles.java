package dev.javisor.cli;

import java.nio.file.Path;
import java.util.Optional;

/**
 * What is loaded into a machine.
 *
 * @param overlay an archive to be placed after the initramfs; empty for none
 */
record GuestFiles(Path kernel, Optional<Path> initrd, byte[] overlay, String commandLine) {}
