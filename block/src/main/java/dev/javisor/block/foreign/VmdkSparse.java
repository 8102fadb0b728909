package dev.javisor.block.foreign;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.Extent;
import dev.javisor.block.Storage;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * A hosted sparse extent, also stream-optimised (VMware Virtual Disk Format 5.0, "Hosted Sparse
 * Extents"); little-endian, counted in sectors.
 */
record VmdkSparse(
        Storage file,
        long sizeBytes,
        int grainBytes,
        int tableEntries,
        boolean compressed,
        boolean marked,
        boolean zeroGrains,
        int[] directory,
        String descriptor) {
    private static final int MAGIC = 0x564d444b;
    private static final long DIRECTORY_AT_END = -1;
    private static final int FLAG_ZERO_GRAINS = 1 << 2;
    private static final int FLAG_COMPRESSED = 1 << 16;
    private static final int FLAG_MARKERS = 1 << 17;
    private static final int SECTOR = 512;

    /** Marker, footer, end of stream: the last three sectors. */
    private static final int FOOTER_FROM_END = 1024;

    private static final long MAX_DIRECTORY_BYTES = 64L << 20;
    private static final int MAX_DESCRIPTOR_BYTES = 1 << 20;

    static boolean is(Storage file) {
        byte[] start = new byte[4];
        file.read(0, MemorySegment.ofArray(start));
        return ByteBuffer.wrap(start).order(ByteOrder.LITTLE_ENDIAN).getInt() == MAGIC;
    }

    static VmdkSparse read(Storage file) {
        ByteBuffer in = header(file, 0);
        String descriptor = descriptor(file, in);
        if (in.getLong(56) == DIRECTORY_AT_END) {
            in = header(file, file.sizeBytes() - FOOTER_FROM_END);
        }
        int version = in.getInt(4);
        if (version < 1 || version > 3) {
            throw bad(file, "version %d".formatted(version));
        }
        int flags = in.getInt(8);
        long capacity = in.getLong(12);
        long grain = in.getLong(20);
        int entries = in.getInt(44);
        if (grain < 8 || grain > 2048 || Long.bitCount(grain) != 1) {
            throw bad(file, "grains of %d sectors".formatted(grain));
        }
        if (entries < 1 || entries > 1 << 16 || capacity < 0 || capacity > 1L << 45) {
            throw bad(file, "a capacity of %d sectors".formatted(capacity));
        }
        boolean compressed = (flags & FLAG_COMPRESSED) != 0;
        if (compressed && in.getShort(77) != 1) {
            throw bad(file, "compression %d".formatted(in.getShort(77)));
        }
        long covered = grain * entries;
        long count = (capacity + covered - 1) / covered;
        long at = in.getLong(56);
        if (at < 0 || at > file.sizeBytes() / SECTOR) {
            throw bad(file, "a grain directory outside of the file");
        }
        byte[] raw =
                ForeignImage.table(
                        file,
                        DiskFormat.VMDK,
                        "grain directory",
                        at * SECTOR,
                        count * 4,
                        MAX_DIRECTORY_BYTES);
        int[] directory = new int[(int) count];
        ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(directory);
        return new VmdkSparse(
                file,
                capacity * SECTOR,
                (int) grain * SECTOR,
                entries,
                compressed,
                (flags & FLAG_MARKERS) != 0,
                (flags & FLAG_ZERO_GRAINS) != 0,
                directory,
                descriptor);
    }

    private static BlockException bad(Storage file, String what) {
        return ForeignImage.bad(file, DiskFormat.VMDK, what);
    }

    private static ByteBuffer header(Storage file, long at) {
        ByteBuffer in =
                ByteBuffer.wrap(
                                ForeignImage.table(
                                        file, DiskFormat.VMDK, "header", at, SECTOR, SECTOR))
                        .order(ByteOrder.LITTLE_ENDIAN);
        if (in.getInt(0) != MAGIC) {
            throw bad(file, "no header");
        }
        return in;
    }

    private static String descriptor(Storage file, ByteBuffer header) {
        long at = header.getLong(28);
        long sectors = header.getLong(36);
        if (at <= 0 || sectors <= 0) {
            return "";
        }
        if (at > file.sizeBytes() / SECTOR || sectors > MAX_DESCRIPTOR_BYTES / SECTOR) {
            throw bad(file, "a descriptor outside of the file");
        }
        byte[] raw = new byte[(int) sectors * SECTOR];
        file.read(at * SECTOR, MemorySegment.ofArray(raw));
        return new String(raw, StandardCharsets.UTF_8);
    }

    void locate(long offset, long max, Place out) {
        long inGrain = offset & (grainBytes - 1);
        long length = Math.min(max, grainBytes - inGrain);
        long grain = offset / grainBytes;
        long table = directory[(int) (grain / tableEntries)] & 0xFFFF_FFFFL;
        if (table == 0) {
            long covered = (long) grainBytes * tableEntries;
            out.zero(Math.min(max, covered - offset % covered));
            return;
        }
        byte[] raw = new byte[4];
        file.read(table * SECTOR + grain % tableEntries * 4, MemorySegment.ofArray(raw));
        long entry = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN).getInt() & 0xFFFF_FFFFL;
        if (entry == 0 || entry == 1 && zeroGrains) {
            out.zero(length);
        } else if (compressed) {
            out.kind = Extent.Kind.COMPRESSED;
            out.storage = file;
            out.hostOffset = entry * SECTOR;
            out.lengthBytes = length;
        } else {
            out.data(file, entry * SECTOR + inGrain, length);
        }
    }

    /** The grain whose marker, or compressed bytes, begin at an offset. */
    byte[] decompress(long hostOffset) {
        byte[] marker = new byte[12];
        file.read(hostOffset, MemorySegment.ofArray(marker));
        int size =
                marked
                        ? ByteBuffer.wrap(marker).order(ByteOrder.LITTLE_ENDIAN).getInt(8)
                        : grainBytes + SECTOR;
        if (size < 1 || size > 2 * grainBytes) {
            throw bad(file, "a compressed grain of %d bytes".formatted(size));
        }
        byte[] in = new byte[size];
        file.read(hostOffset + (marked ? 12 : 0), MemorySegment.ofArray(in));
        byte[] grain = new byte[grainBytes];
        try (Inflater inflater = new Inflater()) {
            inflater.setInput(in);
            for (int done = 0; done < grainBytes; ) {
                int n = inflater.inflate(grain, done, grainBytes - done);
                if (n == 0) {
                    // The last grain of a disk may be shorter.
                    break;
                }
                done += n;
            }
        } catch (DataFormatException e) {
            throw bad(file, "a compressed grain: " + e.getMessage());
        }
        return grain;
    }
}
