package dev.javisor.block.image;

import dev.javisor.block.DiskImage;
import dev.javisor.block.Extent;
import dev.javisor.block.IoBuffers;
import dev.javisor.block.qcow2.Qcow2Image;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Moves contents between an image and what lies under it. */
public final class ImageLayers {
    private static final int PIECE_BYTES = 1 << 20;

    private ImageLayers() {}

    /** Writes what a layer says into the one under it, which is open for writing by itself. */
    public static void commit(DiskImage top, DiskImage into, Progress progress) {
        if (into.sizeBytes() < top.sizeBytes()) {
            into.resize(top.sizeBytes());
        }
        long size = top.sizeBytes();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(PIECE_BYTES);
            for (long at = 0; at < size; ) {
                Extent extent = top.extent(at, Math.min(PIECE_BYTES, size - at));
                MemorySegment bytes = buffer.asSlice(0, extent.lengthBytes());
                switch (extent.kind()) {
                    case DATA, COMPRESSED -> {
                        top.read(at, new IoBuffers(bytes));
                        into.write(at, new IoBuffers(bytes));
                    }
                    case ZERO -> into.writeZeroes(at, extent.lengthBytes());
                    case UNALLOCATED -> {}
                }
                at += extent.lengthBytes();
                progress.at(at, size);
            }
        }
        into.flush();
    }

    /**
     * Makes a layer independent of what lies under it now, so that another image can: what the two
     * have different is copied up.
     *
     * @param next null for none
     */
    public static void rebase(Qcow2Image top, @Nullable DiskImage next, Progress progress) {
        DiskImage old = top.backing().orElse(null);
        long size = top.sizeBytes();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment before = arena.allocate(PIECE_BYTES);
            MemorySegment after = arena.allocate(PIECE_BYTES);
            for (long at = 0; at < size; ) {
                Extent extent = top.extent(at, Math.min(PIECE_BYTES, size - at));
                long n = extent.lengthBytes();
                if (extent.kind() == Extent.Kind.UNALLOCATED) {
                    read(old, at, before.asSlice(0, n));
                    read(next, at, after.asSlice(0, n));
                    copyDifferent(top, at, before.asSlice(0, n), after.asSlice(0, n));
                }
                at += n;
                progress.at(at, size);
            }
        }
        top.flush();
    }

    private static void copyDifferent(
            Qcow2Image top, long offset, MemorySegment before, MemorySegment after) {
        int cluster = top.clusterSizeBytes();
        for (long at = 0; at < before.byteSize(); ) {
            long n = Math.min(cluster - (offset + at) % cluster, before.byteSize() - at);
            if (MemorySegment.mismatch(before, at, at + n, after, at, at + n) >= 0) {
                if (Zeroes.isZero(before, at, n)) {
                    top.writeZeroesAlways(offset + at, n);
                } else {
                    top.write(offset + at, new IoBuffers(before.asSlice(at, n)));
                }
            }
            at += n;
        }
    }

    private static void read(@Nullable DiskImage image, long offset, MemorySegment into) {
        long present =
                image == null ? 0 : Math.clamp(image.sizeBytes() - offset, 0, into.byteSize());
        if (image != null && present > 0) {
            image.read(offset, new IoBuffers(into.asSlice(0, present)));
        }
        into.asSlice(present).fill((byte) 0);
    }
}
