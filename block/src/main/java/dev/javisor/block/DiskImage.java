package dev.javisor.block;

import java.util.Optional;

/**
 * A disk in some format, with blocking operations from any thread. What fails throws {@link
 * BlockException}. Operations that overlap at the same time have no order.
 */
public interface DiskImage extends AutoCloseable {
    DiskFormat format();

    /** For messages: the path of the file. */
    String name();

    /** Of the disk, not of the file. */
    long sizeBytes();

    boolean isReadOnly();

    /** What lies under this layer. */
    Optional<DiskImage> backing();

    void read(long offset, IoBuffers into);

    void write(long offset, IoBuffers from);

    void writeZeroes(long offset, long sizeBytes);

    /** Gives the space back where that can be; reads then give anything, mostly zeroes. */
    void discard(long offset, long sizeBytes);

    /** Whether {@link #discard} gives anything back. */
    default boolean canDiscard() {
        return false;
    }

    /** Makes every operation that has ended durable. */
    void flush();

    /** Shrinking cuts the contents off. */
    void resize(long sizeBytes);

    /**
     * What this layer alone knows about the contents from {@code offset}: an extent that begins
     * there and has at least 1 and at most {@code maxBytes} bytes.
     */
    Extent extent(long offset, long maxBytes);

    /** Bytes that the file takes on its host, or negative if not known. */
    default long allocatedBytes() {
        return -1;
    }

    /** Flushes nothing that a {@link #flush} has not. Also closes the backing images. */
    @Override
    void close();
}
