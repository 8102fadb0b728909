package dev.javisor.block.foreign;

import dev.javisor.block.DiskFormat;
import dev.javisor.block.Storage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** VirtualBox's format, version 1.1 (VBox/Storage/VDICore.h); little-endian. */
record VdiLayout(Storage file, long sizeBytes, int blockSize, long dataOffset, int[] map)
        implements Layout {
    private static final int HEADER_BYTES = 512;
    private static final int SIGNATURE = 0xbeda107f;
    private static final int VERSION_1_1 = 0x00010001;
    private static final int UNALLOCATED = -1;
    private static final int ZERO = -2;

    /** 64 TiB in blocks of 1 MiB. */
    private static final long MAX_MAP_BYTES = 256L << 20;

    static VdiLayout read(Storage file) {
        ByteBuffer in =
                ByteBuffer.wrap(
                                ForeignImage.table(
                                        file,
                                        DiskFormat.VDI,
                                        "header",
                                        0,
                                        HEADER_BYTES,
                                        HEADER_BYTES))
                        .order(ByteOrder.LITTLE_ENDIAN);
        if (in.getInt(64) != SIGNATURE || in.getInt(68) != VERSION_1_1) {
            throw ForeignImage.bad(file, DiskFormat.VDI, "no header of version 1.1");
        }
        long size = in.getLong(368);
        int block = in.getInt(376);
        int blocks = in.getInt(384);
        int type = in.getInt(76);
        if (type != 1 && type != 2) {
            throw ForeignImage.bad(
                    file, DiskFormat.VDI, "type %d: only whole disks are read".formatted(type));
        }
        if (in.getLong(424) != 0 || in.getLong(432) != 0) {
            throw ForeignImage.bad(file, DiskFormat.VDI, "it needs a parent image");
        }
        if (in.getInt(360) != 512 || in.getInt(380) != 0) {
            throw ForeignImage.bad(file, DiskFormat.VDI, "sectors or blocks of an odd size");
        }
        if (block < 4096 || block > 1 << 28 || Integer.bitCount(block) != 1) {
            throw ForeignImage.bad(file, DiskFormat.VDI, "blocks of %d bytes".formatted(block));
        }
        if (size < 0 || blocks < 0 || size > (long) blocks * block) {
            throw ForeignImage.bad(file, DiskFormat.VDI, "a size that its blocks do not cover");
        }
        byte[] raw =
                ForeignImage.table(
                        file,
                        DiskFormat.VDI,
                        "block map",
                        in.getInt(340) & 0xFFFF_FFFFL,
                        blocks * 4L,
                        MAX_MAP_BYTES);
        int[] map = new int[blocks];
        ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(map);
        return new VdiLayout(file, (size + 511) & -512, block, in.getInt(344) & 0xFFFF_FFFFL, map);
    }

    @Override
    public void locate(long offset, long max, Place out) {
        long inBlock = offset & (blockSize - 1);
        long length = Math.min(max, blockSize - inBlock);
        int index = (int) (offset / blockSize);
        int entry = index < map.length ? map[index] : ZERO;
        if (entry == UNALLOCATED || entry == ZERO) {
            out.zero(length);
            return;
        }
        long at = dataOffset + (entry & 0xFFFF_FFFFL) * blockSize + inBlock;
        out.data(file, at, length);
    }
}
