package dev.javisor.block.image;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskImage;
import dev.javisor.block.IoBuffers;
import dev.javisor.block.qcow2.Qcow2Image;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Copies a disk's contents into an image that was just made, so that all of it reads as zeroes.
 *
 * @param sparseBytes runs of zeroes of this length and alignment are left out; 0 for none
 * @param compress whether clusters are compressed
 * @param threads that work side by side
 * @param base a layer under the source that also lies under the target: what is there is not copied
 * @param targetBacked whether something lies under the target, so that zeroes must be written
 */
public record ImageCopy(
        DiskImage source,
        DiskImage target,
        int sparseBytes,
        boolean compress,
        int threads,
        @Nullable DiskImage base,
        boolean targetBacked) {
    /** Also the memory that each thread takes, mostly. */
    private static final int PIECE_BYTES = 2 << 20;

    /** What people mostly want. */
    public static ImageCopy of(DiskImage source, DiskImage target) {
        int threads = Math.clamp(Runtime.getRuntime().availableProcessors(), 2, 8);
        return new ImageCopy(source, target, 4096, false, threads, null, false);
    }

    public void run(Progress progress) {
        if (compress && !(target instanceof Qcow2Image image && image.canCompress())) {
            throw new BlockException(
                    "only a qcow2 image without a data file can be compressed, not %s"
                            .formatted(target.name()));
        }
        Workers.run(source.sizeBytes(), PIECE_BYTES, threads, progress, this::copy);
    }

    private void copy(long offset, long length, MemorySegment buffer) {
        if (compress && target instanceof Qcow2Image image) {
            copyCompressed(image, offset, length, buffer);
            return;
        }
        for (long done = 0; done < length; ) {
            ChainExtent extent = extent(offset + done, length - done);
            if (extent.present() || targetBacked && base == null) {
                copyExtent(extent, buffer.asSlice(done, extent.lengthBytes()));
            }
            done += extent.lengthBytes();
        }
    }

    private ChainExtent extent(long offset, long max) {
        return ChainExtent.above(source, base, offset, max);
    }

    private void copyExtent(ChainExtent extent, MemorySegment bytes) {
        if (extent.zero()) {
            if (targetBacked) {
                target.writeZeroes(extent.offset(), extent.lengthBytes());
            } else if (sparseBytes == 0) {
                write(extent.offset(), bytes.fill((byte) 0));
            }
            return;
        }
        source.read(extent.offset(), new IoBuffers(bytes));
        if (sparseBytes == 0) {
            write(extent.offset(), bytes);
            return;
        }
        int unit = target instanceof Qcow2Image image ? image.clusterSizeBytes() : sparseBytes;
        writeNonZero(extent.offset(), bytes, Math.max(unit, sparseBytes));
    }

    /** Writes runs of units that are not all zeroes. */
    private void writeNonZero(long offset, MemorySegment bytes, int unit) {
        long size = bytes.byteSize();
        long runStart = -1;
        for (long at = 0; at < size; ) {
            // Units are aligned on the disk.
            long n = Math.min(size - at, unit - (offset + at) % unit);
            boolean zero = Zeroes.isZero(bytes, at, n);
            if (!zero && runStart < 0) {
                runStart = at;
            } else if (zero && runStart >= 0) {
                write(offset + runStart, bytes.asSlice(runStart, at - runStart));
                runStart = -1;
            }
            if (zero && targetBacked) {
                target.writeZeroes(offset + at, n);
            }
            at += n;
        }
        if (runStart >= 0) {
            write(offset + runStart, bytes.asSlice(runStart));
        }
    }

    private void write(long offset, MemorySegment bytes) {
        target.write(offset, new IoBuffers(bytes));
    }

    private void copyCompressed(Qcow2Image image, long offset, long length, MemorySegment buffer) {
        int cluster = image.clusterSizeBytes();
        byte[] bytes = new byte[cluster];
        byte[] out = new byte[cluster];
        MemorySegment all = MemorySegment.ofArray(bytes);
        for (long done = 0; done < length; done += cluster) {
            long n = Math.min(cluster, length - done);
            MemorySegment part = buffer.asSlice(done, n);
            if (!isPresent(offset + done, n)) {
                continue;
            }
            source.read(offset + done, new IoBuffers(part));
            if (!targetBacked && Zeroes.isZero(part, 0, n)) {
                continue;
            }
            all.fill((byte) 0);
            MemorySegment.copy(part, 0, all, 0, n);
            int compressed = image.compress(bytes, out);
            if (compressed < 0) {
                write(offset + done, part);
            } else {
                image.writeCompressed(offset + done, out, compressed);
            }
        }
    }

    private boolean isPresent(long offset, long length) {
        for (long done = 0; done < length; ) {
            ChainExtent extent = extent(offset + done, length - done);
            if (targetBacked ? extent.present() || base == null : !extent.zero()) {
                return true;
            }
            done += extent.lengthBytes();
        }
        return false;
    }
}
