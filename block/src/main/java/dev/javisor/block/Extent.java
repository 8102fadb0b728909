package dev.javisor.block;

/**
 * A run of a disk whose contents come from one place.
 *
 * @param offset bytes from the start of the disk
 * @param hostOffset where in the file, bytes; negative if the contents do not lie there as they are
 */
public record Extent(long offset, long lengthBytes, Kind kind, long hostOffset) {
    /** Where the contents come from. */
    public enum Kind {
        /** This layer's file. */
        DATA,
        /** This layer's file, compressed. */
        COMPRESSED,
        /** This layer says: zeroes. */
        ZERO,
        /** This layer does not say: from the backing file, or zeroes if there is none. */
        UNALLOCATED
    }

    public long endOffset() {
        return offset + lengthBytes;
    }
}
