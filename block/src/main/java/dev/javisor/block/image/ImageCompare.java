package dev.javisor.block.image;

import dev.javisor.block.DiskImage;
import dev.javisor.block.IoBuffers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Compares what two disks read as. */
public final class ImageCompare {
    private static final int PIECE_BYTES = 1 << 20;

    /** How a comparison ended. */
    public sealed interface Outcome {
        record Identical(boolean sizesDiffer) implements Outcome {}

        record ContentsDiffer(long offset) implements Outcome {}

        /** Only if it was asked for strictly. */
        record SizesDiffer() implements Outcome {}

        /** Only if it was asked for strictly. */
        record AllocationDiffers(long offset) implements Outcome {}
    }

    private ImageCompare() {}

    /**
     * Without {@code strict}, a longer disk may have zeroes at its end; with it, sizes and what is
     * allocated must agree too.
     */
    public static Outcome compare(DiskImage a, DiskImage b, boolean strict, Progress progress) {
        boolean sizesDiffer = a.sizeBytes() != b.sizeBytes();
        if (strict && sizesDiffer) {
            return new Outcome.SizesDiffer();
        }
        long size = Math.max(a.sizeBytes(), b.sizeBytes());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment first = arena.allocate(PIECE_BYTES);
            MemorySegment second = arena.allocate(PIECE_BYTES);
            for (long at = 0; at < size; ) {
                long n = Math.min(PIECE_BYTES, size - at);
                boolean zeroA = isZero(a, at, n);
                boolean zeroB = isZero(b, at, n);
                if (strict) {
                    ChainExtent one = ChainExtent.at(a, at, n);
                    ChainExtent two = ChainExtent.at(b, at, n);
                    if (one.present() != two.present()) {
                        return new Outcome.AllocationDiffers(at);
                    }
                    n = Math.min(one.lengthBytes(), two.lengthBytes());
                }
                if (!zeroA || !zeroB) {
                    read(a, at, first.asSlice(0, n));
                    read(b, at, second.asSlice(0, n));
                    long difference = MemorySegment.mismatch(first, 0, n, second, 0, n);
                    if (difference >= 0) {
                        return new Outcome.ContentsDiffer((at + difference) & -512);
                    }
                }
                at += n;
                progress.at(at, size);
            }
        }
        return new Outcome.Identical(sizesDiffer);
    }

    /** Whether the tables say that all of it is zero. */
    private static boolean isZero(DiskImage image, long offset, long length) {
        long end = Math.min(offset + length, image.sizeBytes());
        for (long at = offset; at < end; ) {
            ChainExtent extent = ChainExtent.at(image, at, end - at);
            if (!extent.zero()) {
                return false;
            }
            at += extent.lengthBytes();
        }
        return true;
    }

    private static void read(DiskImage image, long offset, MemorySegment into) {
        long present = Math.clamp(image.sizeBytes() - offset, 0, into.byteSize());
        if (present > 0) {
            image.read(offset, new IoBuffers(into.asSlice(0, present)));
        }
        into.asSlice(present).fill((byte) 0);
    }
}
