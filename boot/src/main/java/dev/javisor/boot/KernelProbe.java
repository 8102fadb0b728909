package dev.javisor.boot;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** Tells what a file is by its first bytes. */
final class KernelProbe {
    /** Enough for a Linux setup header and for the search of a Multiboot header. */
    private static final int HEAD_BYTES = MultibootKernel.SEARCH_BYTES;

    private KernelProbe() {}

    static KernelImage probe(String name, ByteSource source) {
        if (source.sizeBytes() == 0) {
            throw new BootException("kernel %s is empty".formatted(name));
        }
        try {
            ByteBuffer head = source.peek(0, (int) Math.min(HEAD_BYTES, source.sizeBytes()));
            if (BzImage.matches(head)) {
                return BzImage.from(name, source, head);
            }
            Optional<MultibootHeader> multiboot = MultibootHeader.find(head);
            if (ElfFile.matches(head)) {
                return probeElf(name, source, head, multiboot);
            }
            if (multiboot.isPresent()) {
                return MultibootKernel.flat(name, source, multiboot.get());
            }
            throw new BootException(
                    "kernel %s is %s; a Linux bzImage, an ELF image with a PVH note or a Multiboot 1 image is needed"
                            .formatted(name, describe(head)));
        } catch (IOException e) {
            throw new BootException(
                    "kernel %s cannot be read: %s".formatted(name, e.getMessage()), e);
        }
    }

    private static KernelImage probeElf(
            String name, ByteSource source, ByteBuffer head, Optional<MultibootHeader> multiboot)
            throws IOException {
        ElfFile elf = ElfFile.from(name, source, head);
        Optional<Long> pvhEntry = elf.pvhEntry();
        if (pvhEntry.isPresent()) {
            return new PvhKernel(name, elf, pvhEntry.get());
        }
        if (multiboot.isPresent()) {
            return MultibootKernel.elf(name, source, elf, multiboot.get());
        }
        throw new BootException(
                "kernel %s is an ELF file with neither a PVH note nor a Multiboot header; of Linux, use the bzImage or build with CONFIG_PVH=y"
                        .formatted(name));
    }

    private static String describe(ByteBuffer head) {
        if (startsWith(head, 0x1F, 0x8B)) {
            return "gzip data (an initrd or a compressed kernel?)";
        }
        if (startsWith(head, 0xFD, '7', 'z', 'X', 'Z', 0)) {
            return "xz data (an initrd or a compressed kernel?)";
        }
        if (startsWith(head, 0x28, 0xB5, 0x2F, 0xFD)) {
            return "zstd data (an initrd or a compressed kernel?)";
        }
        if (startsWith(head, 0x04, 0x22, 0x4D, 0x18) || startsWith(head, 0x02, 0x21, 0x4C, 0x18)) {
            return "lz4 data (an initrd or a compressed kernel?)";
        }
        if (startsWith(head, 'B', 'Z', 'h')) {
            return "bzip2 data";
        }
        if (startsWith(head, '0', '7', '0', '7', '0')) {
            return "a cpio archive (an initrd?)";
        }
        if (startsWith(head, 'Q', 'F', 'I', 0xFB)) {
            return "a qcow2 disk image";
        }
        if (startsWith(head, '!', '<', 'a', 'r', 'c', 'h', '>')) {
            return "a Debian package or ar archive";
        }
        if (startsWith(head, '#', '!')) {
            return "a script";
        }
        if (head.limit() > 0x3C && head.getInt(0x38) == 0x644D5241) {
            return "a Linux kernel for AArch64";
        }
        if (startsWith(head, 'M', 'Z')) {
            return "a Windows or EFI program";
        }
        if (head.limit() >= 0x200 && (head.getShort(0x1FE) & 0xFFFF) == 0xAA55) {
            return "a boot sector or disk image";
        }
        if (isText(head)) {
            return "a text file";
        }
        if (head.limit() < 0x200) {
            return "a file of %d bytes".formatted(head.limit());
        }
        return "of an unknown format";
    }

    private static boolean startsWith(ByteBuffer head, int... bytes) {
        if (head.limit() < bytes.length) {
            return false;
        }
        for (int i = 0; i < bytes.length; i++) {
            if ((head.get(i) & 0xFF) != bytes[i]) {
                return false;
            }
        }
        return true;
    }

    private static boolean isText(ByteBuffer head) {
        String text = StandardCharsets.ISO_8859_1.decode(head.duplicate()).toString();
        return text.chars()
                .allMatch(c -> c == '\n' || c == '\r' || c == '\t' || (c >= ' ' && c < 127));
    }
}
