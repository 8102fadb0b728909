package dev.javisor.boot;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Synthetic kernels, each valid until a test breaks it. */
final class Images {
    /** setup_sects + 1 sectors. */
    static final int BZ_SETUP_BYTES = 3 * 512;

    static final int BZ_KERNEL_BYTES = 0x3000;

    private Images() {}

    /**
     * Protocol 2.15, 64-bit entry, relocatable, preferred at 16 MiB, 1 MiB until memory is known.
     */
    static ByteBuffer bzImage() {
        ByteBuffer image = buffer(BZ_SETUP_BYTES + BZ_KERNEL_BYTES);
        image.put(0x1F1, (byte) 2);
        image.putInt(0x1F4, BZ_KERNEL_BYTES / 16);
        image.putShort(0x1FE, (short) 0xAA55);
        image.put(0x200, (byte) 0xEB).put(0x201, (byte) 0x6A);
        image.put(0x202, "HdrS".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        image.putShort(0x206, (short) 0x020F);
        image.putShort(0x20E, (short) 0x300);
        image.put(0x211, (byte) 1);
        image.putInt(0x22C, 0x7FFF_FFFF);
        image.putInt(0x230, 0x20_0000);
        image.put(0x234, (byte) 1).put(0x235, (byte) 21);
        image.putShort(0x236, (short) 1);
        image.putInt(0x238, 2047);
        image.putLong(0x258, 0x100_0000);
        image.putInt(0x260, 0x10_0000);
        image.put(0x500, "6.1.0-test (x)\0".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        for (int i = BZ_SETUP_BYTES; i < image.limit(); i++) {
            image.put(i, (byte) (i * 7));
        }
        return image;
    }

    /**
     * ELF64 with one segment of 0x100 bytes file, 0x300 memory at 2 MiB, virtual in the high half.
     */
    static ByteBuffer elf64(int machine) {
        ByteBuffer image = buffer(0x2100);
        image.putInt(0, 0x464C457F);
        image.put(4, (byte) 2).put(5, (byte) 1).put(6, (byte) 1);
        image.putShort(0x10, (short) 2).putShort(0x12, (short) machine);
        image.putLong(0x18, 0xFFFF_FFFF_8020_0010L);
        image.putLong(0x20, 0x40);
        image.putShort(0x36, (short) 0x38).putShort(0x38, (short) 2);
        image.putInt(0x40, 1);
        image.putLong(0x48, 0x2000).putLong(0x50, 0xFFFF_FFFF_8020_0000L);
        image.putLong(0x58, 0x20_0000).putLong(0x60, 0x100).putLong(0x68, 0x300);
        image.putInt(0x78, 4);
        image.putLong(0x80, 0x1000).putLong(0x98, 0x40).putLong(0xA0, 0x40);
        for (int i = 0; i < 0x100; i++) {
            image.put(0x2000 + i, (byte) (i + 1));
        }
        return image;
    }

    /** A foreign note first, then Xen's with the entry 0x200020. */
    static ByteBuffer pvh() {
        ByteBuffer image = elf64(62);
        image.putInt(0x1000, 5).putInt(0x1004, 3).putInt(0x1008, 18);
        image.putInt(0x1000 + 12 + 8 + 4, 4).putInt(0x1000 + 28, 4).putInt(0x1000 + 32, 18);
        image.putInt(0x1000 + 36, 0x006E6558).putInt(0x1000 + 40, 0x20_0020);
        return image;
    }

    /** ELF32 with a Multiboot header at 0x100 and one segment at 1 MiB. */
    static ByteBuffer multiboot(int flags) {
        ByteBuffer image = buffer(0x2100);
        image.putInt(0, 0x464C457F);
        image.put(4, (byte) 1).put(5, (byte) 1).put(6, (byte) 1);
        image.putShort(0x10, (short) 2).putShort(0x12, (short) 3);
        image.putInt(0x18, 0x10_000C);
        image.putInt(0x1C, 0x34);
        image.putShort(0x2A, (short) 0x20).putShort(0x2C, (short) 1);
        image.putInt(0x34, 1).putInt(0x38, 0x2000).putInt(0x3C, 0x10_0000).putInt(0x40, 0x10_0000);
        image.putInt(0x44, 0x100).putInt(0x48, 0x1800);
        header(image, 0x100, flags);
        for (int i = 0; i < 0x100; i++) {
            image.put(0x2000 + i, (byte) (i + 3));
        }
        return image;
    }

    static void header(ByteBuffer image, int at, int flags) {
        image.putInt(at, 0x1BADB002).putInt(at + 4, flags);
        image.putInt(at + 8, -(0x1BADB002 + flags));
    }

    static ByteBuffer buffer(int sizeBytes) {
        return ByteBuffer.allocate(sizeBytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    static KernelImage probe(ByteBuffer image) {
        return KernelImage.probe("k", ByteSource.of(image.array()));
    }
}
