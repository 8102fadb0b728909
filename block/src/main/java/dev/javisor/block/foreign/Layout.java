package dev.javisor.block.foreign;

import java.util.List;

/** How a foreign format lays out a disk. All that it read from the file has been checked. */
interface Layout {
    long sizeBytes();

    /** Says where the bytes from {@code offset} lie: at least 1 and at most {@code max} of them. */
    void locate(long offset, long max, Place out);

    /**
     * The whole block that a COMPRESSED place lies in, and the block's first offset on the disk.
     */
    default byte[] decompress(Place place) {
        throw new IllegalStateException("nothing is compressed in this format");
    }

    /** Of a compressed block. */
    default int blockBytes() {
        return 1;
    }

    /** Closed with the disk, besides its file. */
    default List<dev.javisor.block.Storage> others() {
        return List.of();
    }
}
