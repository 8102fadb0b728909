package dev.javisor.block.qcow2;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.Extent;
import dev.javisor.block.IoBuffers;
import java.util.Optional;

/** What a snapshot holds, read through its own L1 table. */
record SnapshotView(Qcow2Image image, Qcow2Snapshot snapshot, long[] l1) implements DiskImage {
    private BlockException refusal() {
        return new BlockException(
                "snapshot '%s' of %s can only be read".formatted(snapshot.name(), name()));
    }

    @Override
    public DiskFormat format() {
        return DiskFormat.QCOW2;
    }

    @Override
    public String name() {
        return image.name();
    }

    @Override
    public long sizeBytes() {
        return snapshot.diskBytes();
    }

    @Override
    public boolean isReadOnly() {
        return true;
    }

    @Override
    public Optional<DiskImage> backing() {
        return image.backing();
    }

    @Override
    public void read(long offset, IoBuffers into) {
        image.read(l1, offset, into);
    }

    @Override
    public void write(long offset, IoBuffers from) {
        throw refusal();
    }

    @Override
    public void writeZeroes(long offset, long sizeBytes) {
        throw refusal();
    }

    @Override
    public void discard(long offset, long sizeBytes) {
        throw refusal();
    }

    @Override
    public void flush() {}

    @Override
    public void resize(long sizeBytes) {
        throw refusal();
    }

    @Override
    public Extent extent(long offset, long maxBytes) {
        return image.extent(l1, offset, Math.min(maxBytes, sizeBytes() - offset));
    }

    @Override
    public void close() {}
}
