package dev.javisor.boot;

/**
 * A file that the kernel gets beside itself. To Linux all modules together are the initial RAM
 * disk, one archive behind the other.
 *
 * @param commandLine the module's own arguments; Linux ignores them
 */
public record BootModule(ByteSource content, String commandLine) {
    /** A module without arguments. */
    public BootModule(ByteSource content) {
        this(content, "");
    }
}
