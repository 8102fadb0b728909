package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskImage;
import java.util.Arrays;

/** Changes the size of a disk that is open; waits for transfers in flight. */
final class Qcow2Resize {
    private static final int BLOCK = 512;

    private Qcow2Resize() {}

    static void resize(Qcow2Image image, long sizeBytes) {
        Qcow2Header header = image.meta.header;
        if (image.isReadOnly()) {
            throw new BlockException("disk %s is read-only".formatted(image.name()));
        }
        if (sizeBytes < 0 || sizeBytes % BLOCK != 0) {
            throw new BlockException(
                    "disk %s: a size must be a multiple of 512 bytes".formatted(image.name()));
        }
        if (header.version < 3 && header.snapshots > 0) {
            throw new BlockException(
                    "disk %s: version 2 with snapshots has no place for another size"
                            .formatted(image.name()));
        }
        image.use.writeLock().lock();
        try {
            image.bitmaps().resized(sizeBytes);
            if (sizeBytes > header.sizeBytes) {
                grow(image, sizeBytes);
            } else if (sizeBytes < header.sizeBytes) {
                shrink(image, sizeBytes);
            }
        } finally {
            image.use.writeLock().unlock();
        }
    }

    /** How many L1 entries a size needs. */
    static int l1Entries(Qcow2Header header, long sizeBytes, String name) {
        long entries =
                sizeBytes == 0
                        ? 0
                        : header.l2CoverBits() > 62
                                ? 1
                                : ((sizeBytes - 1) >>> header.l2CoverBits()) + 1;
        if (entries * 8 > MAX_L1_BYTES) {
            throw new BlockException(
                    "disk %s: %d bytes are too much for clusters of %d bytes"
                            .formatted(name, sizeBytes, header.clusterBytes()));
        }
        return (int) entries;
    }

    private static void grow(Qcow2Image image, long sizeBytes) {
        Qcow2Metadata meta = image.meta;
        Qcow2Header header = meta.header;
        long old = header.sizeBytes;
        int entries = l1Entries(header, sizeBytes, image.name());
        if (entries > header.l1Size) {
            meta.replaceL1(Arrays.copyOf(meta.l1(), entries));
        }
        header.sizeBytes = sizeBytes;
        boolean done = false;
        try {
            // What a longer backing file has there must not be seen, nor what a cluster's end
            // holds.
            long backed = image.backing().map(DiskImage::sizeBytes).orElse(0L);
            long clusterEnd = (old + header.clusterBytes() - 1) & -header.clusterBytes();
            long end = Math.min(sizeBytes, Math.max(clusterEnd, backed));
            if (end > old) {
                image.zeroGrown(old, end);
            }
            if (header.isDataFileRaw() && image.dataFile().sizeBytes() < sizeBytes) {
                image.dataFile().resize(sizeBytes);
            }
            meta.commit(true);
            meta.writeField(SIZE, sizeBytes);
            meta.file.flush();
            done = true;
        } finally {
            if (!done) {
                header.sizeBytes = old;
            }
        }
    }

    private static void shrink(Qcow2Image image, long sizeBytes) {
        Qcow2Metadata meta = image.meta;
        Qcow2Header header = meta.header;
        long old = header.sizeBytes;
        meta.commit(true);
        meta.writeField(SIZE, sizeBytes);
        meta.file.flush();
        header.sizeBytes = sizeBytes;
        long first = (sizeBytes + header.clusterBytes() - 1) & -header.clusterBytes();
        if (first < old) {
            image.forgetBeyond(first, old);
        }
        image.reclaimAll();
        if (header.isDataFileRaw()) {
            image.dataFile().resize(sizeBytes);
        }
    }
}
