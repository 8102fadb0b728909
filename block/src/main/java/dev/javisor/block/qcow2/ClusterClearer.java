package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.DiskImage;
import dev.javisor.block.Extent;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/** Makes parts of a disk zero, or gives them up, by the tables alone where that can be. */
final class ClusterClearer {
    /** What is to become of clusters. */
    enum Clear {
        DISCARD,
        ZERO,
        /** Also where they are zero only because nothing lies under them. */
        ALWAYS_ZERO
    }

    private final Qcow2Image image;
    private final Qcow2Metadata meta;
    private final Qcow2Header header;
    private final Allocations allocations;
    private final ReentrantReadWriteLock use;
    private final @Nullable DiskImage backing;
    private final int clusterBits;
    private final int clusterBytes;
    private final boolean extended;

    ClusterClearer(Qcow2Image image, Allocations allocations, @Nullable DiskImage backing) {
        this.image = image;
        this.allocations = allocations;
        this.backing = backing;
        meta = image.meta;
        header = meta.header;
        use = image.use;
        clusterBits = header.clusterBits;
        clusterBytes = header.clusterBytes();
        extended = header.isExtendedL2();
    }

    void clear(long offset, long sizeBytes, Clear how) {
        boolean discard = how == Clear.DISCARD;
        image.relax();
        use.readLock().lock();
        try {
            image.prepareWrite(offset, sizeBytes);
        } finally {
            use.readLock().unlock();
        }
        long end = offset + sizeBytes;
        long first = (offset + clusterBytes - 1) & -clusterBytes;
        // The last cluster of a disk may be cut off by its end.
        long last =
                end == header.sizeBytes
                        ? (end + clusterBytes - 1) & -clusterBytes
                        : end & -clusterBytes;
        boolean byTables = header.version >= 3 || backing == null && how != Clear.ALWAYS_ZERO;
        if (header.isDataFileRaw() || !byTables || first >= last) {
            if (!discard) {
                zeroUnlessZero(offset, end, how);
            }
            return;
        }
        if (!discard) {
            zeroUnlessZero(offset, Math.min(first, end), how);
        }
        use.readLock().lock();
        try {
            for (long at = first; at < last; ) {
                if (meta.isCrowded()) {
                    meta.commit(false);
                }
                at += clearClusters(at, last - at, how);
            }
        } finally {
            use.readLock().unlock();
        }
        if (!discard && last < end) {
            zeroUnlessZero(last, end, how);
        }
    }

    private void zeroUnlessZero(long from, long to, Clear how) {
        Lookup found = new Lookup();
        for (long at = from; at < to; at += found.lengthBytes) {
            use.readLock().lock();
            try {
                image.find(at, to - at, found);
            } finally {
                use.readLock().unlock();
            }
            boolean stays = found.kind == Extent.Kind.ZERO || how != Clear.ALWAYS_ZERO;
            if (!image.isKnownZero(found, at) || !stays) {
                image.writeBytes(at, found.lengthBytes, null);
            }
        }
    }

    /** Clears whole clusters, up to the end of a slice at most. */
    private long clearClusters(long offset, long maxBytes, Clear how) {
        meta.lock.lock();
        try {
            if (how != Clear.ALWAYS_ZERO
                    && !meta.hasL2(offset)
                    && (backing == null || offset >= backing.sizeBytes())) {
                Lookup found = new Lookup();
                meta.find(offset, maxBytes, found);
                return found.lengthBytes;
            }
            long bytes = Math.min(maxBytes, meta.toSliceEnd(offset));
            meta.makeL2(offset);
            Lookup old = new Lookup();
            for (long at = offset; at < offset + bytes; at += clusterBytes) {
                while (allocations.isBusy(at >>> clusterBits)) {
                    allocations.await();
                }
                meta.entry(at, old);
                clearCluster(at, old, how);
            }
            return bytes;
        } finally {
            meta.lock.unlock();
        }
    }

    private void clearCluster(long at, Lookup old, Clear how) {
        boolean covered = backing != null && at < backing.sizeBytes();
        long zeroBits = 0xFFFF_FFFFL << 32;
        long entry = 0;
        long bitmap = 0;
        boolean unallocated = old.entry == 0 && old.bitmap == 0;
        if (covered || how == Clear.ALWAYS_ZERO || how == Clear.ZERO && !unallocated) {
            // Without a backing file an unallocated cluster is zero, but say what was asked for.
            if (header.version < 3) {
                entry = 0;
            } else if (extended) {
                bitmap = zeroBits;
            } else {
                entry = ZERO;
            }
        }
        if (entry == old.entry && bitmap == old.bitmap) {
            return;
        }
        meta.dropReference(old.entry);
        meta.setEntry(at, entry, bitmap);
    }
}
