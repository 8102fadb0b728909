package dev.javisor.guestkit;

import java.nio.file.Path;

/**
 * A guest that is ready to boot.
 *
 * @param kernel a Linux bzImage
 * @param initramfs a newc archive, not compressed, its length a multiple of 4 bytes: more archives
 *     may follow it in memory
 * @param version the kernel's release, as {@code uname -r} prints it
 */
public record GuestImage(Path kernel, Path initramfs, String version) {}
