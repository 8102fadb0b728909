package dev.javisor.block.foreign;

import dev.javisor.block.Extent;
import dev.javisor.block.Storage;
import org.jspecify.annotations.Nullable;

/** Where a run of a disk lies; reused. */
final class Place {
    Extent.Kind kind = Extent.Kind.UNALLOCATED;
    long lengthBytes;

    /** For DATA and COMPRESSED. */
    @Nullable Storage storage;

    /** For DATA, of the first byte asked for; for COMPRESSED, of the block's own header. */
    long hostOffset;

    void zero(long length) {
        kind = Extent.Kind.ZERO;
        lengthBytes = length;
    }

    void data(Storage in, long at, long length) {
        kind = Extent.Kind.DATA;
        storage = in;
        hostOffset = at;
        lengthBytes = length;
    }
}
