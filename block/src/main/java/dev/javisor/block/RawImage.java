package dev.javisor.block;

import java.util.Optional;

/**
 * A disk whose bytes are those of a storage. If that is no multiple of 512, the rest of the last
 * block reads as zeroes, and writing it makes the file longer.
 */
public final class RawImage implements DiskImage {
    /** Bytes. */
    public static final int BLOCK_BYTES = 512;

    private final Storage storage;
    private volatile long sizeBytes;

    /**
     * @param storage closed with this image
     */
    public RawImage(Storage storage) {
        this.storage = storage;
        sizeBytes = whole(storage.sizeBytes());
    }

    private static long whole(long bytes) {
        return (bytes + BLOCK_BYTES - 1) & -BLOCK_BYTES;
    }

    @Override
    public DiskFormat format() {
        return DiskFormat.RAW;
    }

    @Override
    public String name() {
        return storage.name();
    }

    @Override
    public long sizeBytes() {
        return sizeBytes;
    }

    @Override
    public boolean isReadOnly() {
        return storage.isReadOnly();
    }

    @Override
    public Optional<DiskImage> backing() {
        return Optional.empty();
    }

    @Override
    public void read(long offset, IoBuffers into) {
        if (offset + into.sizeBytes() > whole(storage.sizeBytes())) {
            throw new BlockException(
                    "disk %s: the file has become shorter than the disk".formatted(name()));
        }
        into.readFrom(storage, offset, 0, into.sizeBytes());
    }

    @Override
    public void write(long offset, IoBuffers from) {
        from.writeTo(storage, offset, 0, from.sizeBytes());
    }

    @Override
    public void writeZeroes(long offset, long sizeBytes) {
        storage.zero(offset, sizeBytes);
    }

    @Override
    public void discard(long offset, long sizeBytes) {
        storage.discard(offset, sizeBytes);
    }

    @Override
    public boolean canDiscard() {
        return storage.canDiscard();
    }

    @Override
    public long allocatedBytes() {
        return storage.allocatedBytes();
    }

    @Override
    public void flush() {
        storage.flush();
    }

    @Override
    public void resize(long sizeBytes) {
        storage.resize(sizeBytes);
        this.sizeBytes = whole(sizeBytes);
    }

    @Override
    public Extent extent(long offset, long maxBytes) {
        long run = storage.run(offset, Math.min(maxBytes, sizeBytes - offset));
        Extent.Kind kind = run < 0 ? Extent.Kind.ZERO : Extent.Kind.DATA;
        return new Extent(offset, Math.abs(run), kind, offset);
    }

    @Override
    public void close() {
        storage.close();
    }

    @Override
    public String toString() {
        return "RawImage[%s, %d bytes]".formatted(name(), sizeBytes);
    }
}
