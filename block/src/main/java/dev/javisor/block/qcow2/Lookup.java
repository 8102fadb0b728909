package dev.javisor.block.qcow2;

import dev.javisor.block.Extent;

/** The answer of {@link Qcow2Metadata#find}; reused. */
final class Lookup {
    Extent.Kind kind = Extent.Kind.UNALLOCATED;

    /** Guest bytes from the offset asked for that this answer is good for. */
    long lengthBytes;

    /** For DATA: where they lie, without gaps. For COMPRESSED: where the compressed bytes begin. */
    long hostOffset;

    /** For COMPRESSED: bytes up to the end of the last sector. */
    int compressedBytes;

    /** For DATA: the clusters belong to nobody else. */
    boolean copied;

    /** The L2 entry of the first cluster, and its subclusters. */
    long entry;

    long bitmap;
}
