package dev.javisor.guestkit;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;

/**
 * Writes an archive in the "newc" format of the Linux initramfs (kernel documentation, {@code
 * driver-api/early-userspace/buffer-format.rst}). Owner is root, times are zero, inode numbers
 * count up: the same entries always make the same bytes.
 */
public final class CpioWriter {
    /** Mode bits of {@code stat(2)}. */
    private static final int S_IFMT = 0170000;

    private static final int S_IFDIR = 0040000;
    private static final int S_IFCHR = 0020000;
    private static final int S_IFREG = 0100000;
    private static final int S_IFLNK = 0120000;

    /** The last entry of an archive. */
    private static final String TRAILER = "TRAILER!!!";

    private final ByteArrayOutputStream out = new ByteArrayOutputStream(1 << 16);
    private final Set<String> names = new HashSet<>();
    private int nextInode;

    /**
     * @param firstInode the first inode number; archives that are unpacked one after the other
     *     should not share numbers
     */
    public CpioWriter(int firstInode) {
        nextInode = firstInode;
    }

    /** Adds a directory and the directories above it that are not there yet. */
    public CpioWriter directory(String path, int permissions) {
        parents(path);
        if (names.add(path)) {
            entry(path, S_IFDIR | permissions, 0, 0, new byte[0]);
        }
        return this;
    }

    public CpioWriter file(String path, int permissions, byte[] content) {
        unique(path);
        entry(path, S_IFREG | permissions, 0, 0, content);
        return this;
    }

    public CpioWriter file(String path, int permissions, String content) {
        return file(path, permissions, content.getBytes(StandardCharsets.UTF_8));
    }

    public CpioWriter symlink(String path, String target) {
        unique(path);
        entry(path, S_IFLNK | 0777, 0, 0, target.getBytes(StandardCharsets.UTF_8));
        return this;
    }

    public CpioWriter characterDevice(String path, int permissions, int major, int minor) {
        unique(path);
        entry(path, S_IFCHR | permissions, major, minor, new byte[0]);
        return this;
    }

    /** The whole archive with its trailer, padded to a multiple of 512 bytes. */
    public byte[] toByteArray() {
        entry(TRAILER, 0, 0, 0, new byte[0]);
        pad(512);
        return out.toByteArray();
    }

    private void unique(String path) {
        parents(path);
        if (!names.add(path)) {
            throw new IllegalStateException("two entries named " + path);
        }
    }

    private void parents(String path) {
        int slash = path.lastIndexOf('/');
        if (slash > 0) {
            directory(path.substring(0, slash), 0755);
        }
    }

    private void entry(String path, int mode, int major, int minor, byte[] content) {
        byte[] name = path.getBytes(StandardCharsets.UTF_8);
        boolean directory = (mode & S_IFMT) == S_IFDIR;
        out.writeBytes("070701".getBytes(StandardCharsets.US_ASCII));
        hex(path.equals(TRAILER) ? 0 : nextInode++);
        hex(mode);
        hex(0); // uid
        hex(0); // gid
        hex(directory ? 2 : 1); // links
        hex(0); // mtime
        hex(content.length);
        hex(0); // device of the archive, major
        hex(0); // device of the archive, minor
        hex(major);
        hex(minor);
        hex(name.length + 1);
        hex(0); // checksum, not used by newc
        out.writeBytes(name);
        out.write(0);
        pad(4);
        out.writeBytes(content);
        pad(4);
    }

    private void hex(int value) {
        out.writeBytes("%08X".formatted(value).getBytes(StandardCharsets.US_ASCII));
    }

    private void pad(int alignment) {
        while (out.size() % alignment != 0) {
            out.write(0);
        }
    }
}
