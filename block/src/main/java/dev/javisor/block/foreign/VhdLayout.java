package dev.javisor.block.foreign;

import dev.javisor.block.DiskFormat;
import dev.javisor.block.Storage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Virtual Hard Disk Image Format Specification 1.0: fixed and dynamic; big-endian. A fixed disk has
 * no table.
 */
record VhdLayout(Storage file, long sizeBytes, int blockSize, int[] table) implements Layout {
    private static final int FOOTER_BYTES = 512;
    private static final long COOKIE = 0x636f6e6563746978L;
    private static final long SPARSE_COOKIE = 0x6378737061727365L;
    private static final int FIXED = 2;
    private static final int DYNAMIC = 3;
    private static final int DIFFERENCING = 4;
    private static final int UNUSED = -1;
    private static final int SECTOR = 512;
    private static final long MAX_TABLE_BYTES = 64L << 20;

    static VhdLayout read(Storage file) {
        long end = file.sizeBytes();
        // The last sector; images of before 2003 have one byte less. Dynamic ones begin with a
        // copy.
        ByteBuffer footer = footer(file, end - FOOTER_BYTES);
        if (footer.getLong(0) != COOKIE) {
            footer = footer(file, end - FOOTER_BYTES + 1);
        }
        if (footer.getLong(0) != COOKIE) {
            footer = footer(file, 0);
        }
        if (footer.getLong(0) != COOKIE) {
            throw ForeignImage.bad(file, DiskFormat.VHD, "no footer");
        }
        if (checksum(footer, FOOTER_BYTES, 64) != footer.getInt(64)) {
            throw ForeignImage.bad(file, DiskFormat.VHD, "its footer's checksum is wrong");
        }
        long size = size(footer);
        int type = footer.getInt(60);
        if (size < 0) {
            throw ForeignImage.bad(file, DiskFormat.VHD, "an absurd size");
        }
        return switch (type) {
            case FIXED -> {
                if (size > end) {
                    throw ForeignImage.bad(file, DiskFormat.VHD, "it is cut off");
                }
                yield new VhdLayout(file, size & -SECTOR, 0, new int[0]);
            }
            case DYNAMIC -> dynamic(file, size & -SECTOR, footer.getLong(16));
            case DIFFERENCING ->
                    throw ForeignImage.bad(file, DiskFormat.VHD, "it needs a parent image");
            default -> throw ForeignImage.bad(file, DiskFormat.VHD, "type " + type);
        };
    }

    /** Virtual PC means the geometry, all others the size that they say. */
    private static long size(ByteBuffer footer) {
        byte[] creator = new byte[4];
        footer.get(28, creator);
        if (new String(creator, StandardCharsets.US_ASCII).equals("vpc ")) {
            long cylinders = footer.getShort(56) & 0xFFFF;
            int heads = footer.get(58) & 0xFF;
            int sectors = footer.get(59) & 0xFF;
            boolean largest = cylinders == 65535 && heads == 16 && sectors == 255;
            if (!largest) {
                return cylinders * heads * sectors * SECTOR;
            }
        }
        return footer.getLong(48);
    }

    private static ByteBuffer footer(Storage file, long at) {
        byte[] bytes = new byte[FOOTER_BYTES];
        if (at >= 0) {
            file.read(at, java.lang.foreign.MemorySegment.ofArray(bytes));
        }
        return ByteBuffer.wrap(bytes);
    }

    private static int checksum(ByteBuffer in, int length, int without) {
        int sum = 0;
        for (int i = 0; i < length; i++) {
            if (i < without || i >= without + 4) {
                sum += in.get(i) & 0xFF;
            }
        }
        return ~sum;
    }

    private static VhdLayout dynamic(Storage file, long size, long headerOffset) {
        ByteBuffer header =
                ByteBuffer.wrap(
                        ForeignImage.table(
                                file, DiskFormat.VHD, "header", headerOffset, 1024, 1024));
        if (header.getLong(0) != SPARSE_COOKIE || checksum(header, 1024, 36) != header.getInt(36)) {
            throw ForeignImage.bad(file, DiskFormat.VHD, "no dynamic disk header");
        }
        int entries = header.getInt(28);
        int block = header.getInt(32);
        if (block < SECTOR || block > 1 << 28 || Integer.bitCount(block) != 1) {
            throw ForeignImage.bad(file, DiskFormat.VHD, "blocks of %d bytes".formatted(block));
        }
        if (entries < 0 || size > (long) entries * block) {
            throw ForeignImage.bad(file, DiskFormat.VHD, "a size that its blocks do not cover");
        }
        byte[] raw =
                ForeignImage.table(
                        file,
                        DiskFormat.VHD,
                        "block table",
                        header.getLong(16),
                        entries * 4L,
                        MAX_TABLE_BYTES);
        int[] table = new int[entries];
        ByteBuffer.wrap(raw).asIntBuffer().get(table);
        return new VhdLayout(file, size, block, table);
    }

    @Override
    public void locate(long offset, long max, Place out) {
        if (blockSize == 0) {
            out.data(file, offset, max);
            return;
        }
        long inBlock = offset & (blockSize - 1);
        long length = Math.min(max, blockSize - inBlock);
        int entry = table[(int) (offset / blockSize)];
        if (entry == UNUSED) {
            out.zero(length);
            return;
        }
        // A bitmap of the block's sectors comes first. In a dynamic disk, sectors that it says are
        // not used are zero in the block, too.
        long bitmap = (blockSize / SECTOR / 8 + SECTOR - 1) & -SECTOR;
        out.data(file, (entry & 0xFFFF_FFFFL) * SECTOR + bitmap + inBlock, length);
    }
}
