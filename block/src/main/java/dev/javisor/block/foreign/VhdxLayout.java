package dev.javisor.block.foreign;

import dev.javisor.block.DiskFormat;
import dev.javisor.block.Storage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;
import java.util.zip.CRC32C;

/** [MS-VHDX] version 1: fixed and dynamic, cleanly closed; little-endian. */
record VhdxLayout(Storage file, long sizeBytes, int blockSize, int chunkRatio, long[] table)
        implements Layout {
    private static final long FILE_SIGNATURE = 0x656c696678646876L;
    private static final int HEADER_SIGNATURE = 0x64616568;
    private static final int REGION_SIGNATURE = 0x69676572;
    private static final long METADATA_SIGNATURE = 0x617461646174656dL;
    private static final UUID BAT = UUID.fromString("2dc27766-f623-4200-9d64-115e9bfd4a08");
    private static final UUID METADATA = UUID.fromString("8b7ca206-4790-4b9a-b8fe-575f050f886e");
    private static final UUID PARAMETERS = UUID.fromString("caa16737-fa36-4d43-b3b6-33f0aa44e76b");
    private static final UUID DISK_SIZE = UUID.fromString("2fa54224-cd1b-4876-b211-5dbed83bf4b8");
    private static final UUID SECTOR_SIZE = UUID.fromString("8141bf1d-a96f-4709-ba47-f233a8faab5f");
    private static final long MAX_TABLE_BYTES = 512L << 20;
    private static final int MAX_ENTRIES = 2047;
    private static final int NOT_PRESENT = 0;
    private static final int FULLY_PRESENT = 6;
    private static final int PARTIALLY_PRESENT = 7;
    private static final long OFFSET = 0xffff_ffff_fff0_0000L;

    static VhdxLayout read(Storage file) {
        if (bytes(file, "identifier", 0, 8).getLong(0) != FILE_SIGNATURE) {
            throw bad(file, "no identifier");
        }
        checkClean(file);
        ByteBuffer regions = bytes(file, "region table", 192 << 10, 64 << 10);
        if (!isValid(regions, REGION_SIGNATURE, 64 << 10)) {
            regions = bytes(file, "region table", 256 << 10, 64 << 10);
        }
        if (!isValid(regions, REGION_SIGNATURE, 64 << 10)) {
            throw bad(file, "both region tables are damaged");
        }
        long batOffset = 0;
        long batBytes = 0;
        long metadataOffset = 0;
        int count = regions.getInt(8);
        if (count < 0 || count > MAX_ENTRIES) {
            throw bad(file, "%d regions".formatted(count));
        }
        for (int i = 0; i < count; i++) {
            int at = 16 + 32 * i;
            UUID id = guid(regions, at);
            if (id.equals(BAT)) {
                batOffset = regions.getLong(at + 16);
                batBytes = regions.getInt(at + 24) & 0xFFFF_FFFFL;
            } else if (id.equals(METADATA)) {
                metadataOffset = regions.getLong(at + 16);
            } else if ((regions.getInt(at + 28) & 1) != 0) {
                throw bad(file, "it needs a region that is not known: " + id);
            }
        }
        return metadata(file, metadataOffset, batOffset, batBytes);
    }

    private static dev.javisor.block.BlockException bad(Storage file, String what) {
        return ForeignImage.bad(file, DiskFormat.VHDX, what);
    }

    private static ByteBuffer bytes(Storage file, String what, long offset, int length) {
        return ByteBuffer.wrap(
                        ForeignImage.table(file, DiskFormat.VHDX, what, offset, length, length))
                .order(ByteOrder.LITTLE_ENDIAN);
    }

    private static boolean isValid(ByteBuffer in, int signature, int length) {
        if (in.getInt(0) != signature) {
            return false;
        }
        byte[] copy = new byte[length];
        in.get(0, copy);
        copy[4] = copy[5] = copy[6] = copy[7] = 0;
        CRC32C crc = new CRC32C();
        crc.update(copy);
        return (int) crc.getValue() == in.getInt(4);
    }

    /** The newer of two headers says whether a log must be replayed first. */
    private static void checkClean(Storage file) {
        ByteBuffer newest = null;
        for (int at : new int[] {64 << 10, 128 << 10}) {
            ByteBuffer header = bytes(file, "header", at, 4096);
            if (isValid(header, HEADER_SIGNATURE, 4096)
                    && (newest == null || header.getLong(8) > newest.getLong(8))) {
                newest = header;
            }
        }
        if (newest == null) {
            throw bad(file, "both headers are damaged");
        }
        if (newest.getLong(48) != 0 || newest.getLong(56) != 0) {
            throw bad(
                    file,
                    "it was not closed, its log must be replayed: open it once with what wrote it");
        }
    }

    private static UUID guid(ByteBuffer in, int at) {
        long high =
                (in.getInt(at) & 0xFFFF_FFFFL) << 32
                        | (in.getShort(at + 4) & 0xFFFFL) << 16
                        | in.getShort(at + 6) & 0xFFFFL;
        long low = Long.reverseBytes(in.getLong(at + 8));
        return new UUID(high, low);
    }

    private static VhdxLayout metadata(Storage file, long offset, long batOffset, long batBytes) {
        ByteBuffer table = bytes(file, "metadata", offset, 64 << 10);
        int count = table.getShort(10) & 0xFFFF;
        if (table.getLong(0) != METADATA_SIGNATURE || count > MAX_ENTRIES) {
            throw bad(file, "no metadata table");
        }
        int block = 0;
        long size = -1;
        int sector = 0;
        for (int i = 0; i < count; i++) {
            int at = 32 + 32 * i;
            UUID id = guid(table, at);
            long where = offset + (table.getInt(at + 16) & 0xFFFF_FFFFL);
            if (id.equals(PARAMETERS)) {
                ByteBuffer item = bytes(file, "parameters", where, 8);
                block = item.getInt(0);
                if ((item.getInt(4) & 2) != 0) {
                    throw bad(file, "it needs a parent image");
                }
            } else if (id.equals(DISK_SIZE)) {
                size = bytes(file, "size", where, 8).getLong(0);
            } else if (id.equals(SECTOR_SIZE)) {
                sector = bytes(file, "sector size", where, 4).getInt(0);
            }
        }
        if (block < 1 << 20 || block > 256 << 20 || Integer.bitCount(block) != 1) {
            throw bad(file, "blocks of %d bytes".formatted(block));
        }
        if (size < 0 || size > 64L << 40 || sector != 512 && sector != 4096 || size % sector != 0) {
            throw bad(file, "a size of %d in sectors of %d bytes".formatted(size, sector));
        }
        int ratio = (int) ((1L << 23) * sector / block);
        long blocks = (size + block - 1) / block;
        long entries = blocks == 0 ? 0 : blocks + (blocks - 1) / ratio;
        if (batBytes < entries * 8) {
            throw bad(file, "a block table that does not cover the disk");
        }
        byte[] raw =
                ForeignImage.table(
                        file,
                        DiskFormat.VHDX,
                        "block table",
                        batOffset,
                        entries * 8,
                        MAX_TABLE_BYTES);
        long[] bat = new long[(int) entries];
        ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().get(bat);
        return new VhdxLayout(file, size, block, ratio, bat);
    }

    @Override
    public void locate(long offset, long max, Place out) {
        long block = offset / blockSize;
        long inBlock = offset & (blockSize - 1);
        long length = Math.min(max, blockSize - inBlock);
        // After each chunk comes the entry of its sector bitmap.
        long entry = table[(int) (block + block / chunkRatio)];
        switch ((int) (entry & 7)) {
            case FULLY_PRESENT -> out.data(file, (entry & OFFSET) + inBlock, length);
            case PARTIALLY_PRESENT, 4, 5 ->
                    throw bad(file, "block %d is in state %d".formatted(block, entry & 7));
            // Undefined, zero, unmapped.
            case NOT_PRESENT, 1, 2, 3 -> out.zero(length);
            default -> throw new IllegalStateException("three bits");
        }
    }
}
