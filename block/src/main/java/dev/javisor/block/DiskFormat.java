package dev.javisor.block;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * How a disk's contents lie in a file. Always named by a person, never guessed where it matters.
 */
public enum DiskFormat {
    RAW("raw"),
    QCOW2("qcow2"),
    /** VMware; reading only. */
    VMDK("vmdk"),
    /** Microsoft's older format, which QEMU calls vpc; reading only. */
    VHD("vhd"),
    /** Microsoft's newer format; reading only. */
    VHDX("vhdx"),
    /** VirtualBox; reading only. */
    VDI("vdi");

    private final String id;

    DiskFormat(String id) {
        this.id = id;
    }

    /** As people and image headers write it. */
    public String id() {
        return id;
    }

    /** All of them, for messages. */
    public static String names() {
        return Arrays.stream(values()).map(DiskFormat::id).collect(Collectors.joining(", "));
    }

    /** By its name, or one that QEMU uses for it. */
    public static Optional<DiskFormat> of(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        for (DiskFormat format : values()) {
            if (format.id.equals(lower)) {
                return Optional.of(format);
            }
        }
        return lower.equals("vpc") ? Optional.of(VHD) : Optional.empty();
    }

    /** What a file's name says: {@code .img}, {@code .raw}, {@code .iso} are raw. */
    public static Optional<DiskFormat> ofExtension(String fileName) {
        int dot = fileName.lastIndexOf('.');
        String extension = dot < 0 ? "" : fileName.substring(dot + 1).toLowerCase(Locale.ROOT);
        return switch (extension) {
            case "img", "raw", "iso" -> Optional.of(RAW);
            case "qcow2", "qcow" -> Optional.of(QCOW2);
            case "vmdk" -> Optional.of(VMDK);
            case "vhd", "vpc" -> Optional.of(VHD);
            case "vhdx" -> Optional.of(VHDX);
            case "vdi" -> Optional.of(VDI);
            default -> Optional.empty();
        };
    }
}
