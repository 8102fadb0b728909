package dev.javisor.block.image;

import dev.javisor.block.DiskImage;
import dev.javisor.block.Extent;
import org.jspecify.annotations.Nullable;

/**
 * A run of a disk, found through its chain of backing files.
 *
 * @param zero whether it is known to read as zeroes
 * @param present whether some layer says what is there
 * @param compressed whether it lies compressed in its layer
 * @param depth of the layer that it comes from, 0 for the topmost
 * @param hostOffset in that layer's file, negative if it does not lie there as it is
 */
public record ChainExtent(
        long offset,
        long lengthBytes,
        boolean zero,
        boolean present,
        boolean compressed,
        int depth,
        long hostOffset,
        DiskImage layer) {
    /** What lies at {@code offset}; at least 1 and at most {@code maxBytes} bytes. */
    public static ChainExtent at(DiskImage top, long offset, long maxBytes) {
        return at(top, offset, maxBytes, 0, null);
    }

    /**
     * As {@link #at}, but only down to a layer, which is not looked into.
     *
     * @param base what lies there counts as not present
     */
    public static ChainExtent above(
            DiskImage top, @Nullable DiskImage base, long offset, long max) {
        return at(top, offset, max, 0, base);
    }

    private static ChainExtent at(
            DiskImage image, long offset, long max, int depth, @Nullable DiskImage base) {
        Extent extent = image.extent(offset, max);
        DiskImage backing = image.backing().orElse(null);
        if (extent.kind() == Extent.Kind.UNALLOCATED && backing != null && backing != base) {
            if (offset < backing.sizeBytes()) {
                long most = Math.min(extent.lengthBytes(), backing.sizeBytes() - offset);
                return at(backing, offset, most, depth + 1, base);
            }
        }
        return new ChainExtent(
                offset,
                extent.lengthBytes(),
                extent.kind() == Extent.Kind.ZERO || extent.kind() == Extent.Kind.UNALLOCATED,
                extent.kind() != Extent.Kind.UNALLOCATED,
                extent.kind() == Extent.Kind.COMPRESSED,
                depth,
                extent.hostOffset(),
                image);
    }

    /** Whether another follows on from this one and is the same for a person. */
    boolean continuesWith(ChainExtent next) {
        return next.layer == layer
                && next.zero == zero
                && next.present == present
                && next.compressed == compressed
                && (hostOffset < 0
                        ? next.hostOffset < 0
                        : next.hostOffset == hostOffset + lengthBytes);
    }

    ChainExtent joined(ChainExtent next) {
        return new ChainExtent(
                offset,
                lengthBytes + next.lengthBytes,
                zero,
                present,
                compressed,
                depth,
                hostOffset,
                layer);
    }
}
