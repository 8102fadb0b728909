package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.Extent;
import dev.javisor.block.IoBuffers;
import dev.javisor.block.Storage;
import dev.javisor.block.qcow2.Allocations.Allocation;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Writes guest data: in place where a cluster is ours alone, else into new clusters that take along
 * what the write leaves open. Called by transfers, which share the image.
 */
final class ClusterWriter {
    private final Qcow2Image image;
    private final Qcow2Metadata meta;
    private final Qcow2Header header;
    private final Storage file;
    private final Storage data;
    private final Allocations allocations;
    private final int clusterBits;
    private final int clusterBytes;
    private final boolean extended;

    /** What one step of a write is to do. */
    private static final class WriteStep {
        private long lengthBytes;

        /** Where the write goes; the clusters are there already if {@link #allocation} is null. */
        private long hostOffset;

        private @Nullable Allocation allocation;

        /** Whether the new host clusters are known to be zero. */
        private boolean fresh;
    }

    ClusterWriter(Qcow2Image image, Allocations allocations) {
        this.image = image;
        this.allocations = allocations;
        meta = image.meta;
        header = meta.header;
        file = meta.file;
        data = meta.data;
        clusterBits = header.clusterBits;
        clusterBytes = header.clusterBytes();
        extended = header.isExtendedL2();
    }

    /**
     * Writes some of the bytes: those that can be treated alike.
     *
     * @param from zeroes if null
     * @param at in {@code from}
     * @return how many, at least 1
     */
    long write(long offset, long sizeBytes, @Nullable IoBuffers from, long at) {
        WriteStep step = new WriteStep();
        meta.lock.lock();
        try {
            plan(offset, sizeBytes, step);
        } finally {
            meta.lock.unlock();
        }
        Allocation allocation = step.allocation;
        if (allocation == null) {
            put(from, at, step.hostOffset, step.lengthBytes);
            return step.lengthBytes;
        }
        boolean done = false;
        try {
            fillAround(offset, step);
            put(from, at, step.hostOffset, step.lengthBytes);
            meta.lock.lock();
            try {
                link(offset, step, allocation);
                meta.needBarrier();
            } finally {
                meta.lock.unlock();
            }
            done = true;
        } finally {
            endWrite(allocation, done ? -1 : step.hostOffset >>> clusterBits);
        }
        return step.lengthBytes;
    }

    private void put(@Nullable IoBuffers from, long at, long hostOffset, long sizeBytes) {
        if (from == null) {
            data.zero(hostOffset, sizeBytes);
        } else {
            from.writeTo(data, hostOffset, at, sizeBytes);
        }
    }

    /** Decides what the next step of a write is, and takes the clusters for it. */
    private void plan(long offset, long sizeBytes, WriteStep step) {
        Lookup found = new Lookup();
        while (true) {
            meta.find(offset, sizeBytes, found);
            if (found.kind == Extent.Kind.DATA && (found.copied || data != file)) {
                meta.checkWritable(found.hostOffset, found.lengthBytes);
                step.hostOffset = found.hostOffset;
                step.lengthBytes = found.lengthBytes;
                return;
            }
            if (!allocations.isBusy(offset >>> clusterBits)) {
                break;
            }
            allocations.await();
        }
        long inCluster = offset & (clusterBytes - 1);
        long limit = Math.min(sizeBytes, meta.toSliceEnd(offset));
        long first = offset >>> clusterBits;
        meta.makeL2(offset);
        meta.entry(offset, found);
        boolean compressed = (found.entry & COMPRESSED) != 0;
        boolean keepsHost =
                !compressed && (found.entry & OFFSET) != 0 && (found.entry & COPIED) != 0;
        if (data != file) {
            step.lengthBytes = Math.min(limit, clusterBytes - inCluster);
            step.hostOffset = offset;
            step.allocation = allocations.begin(first, 1);
            return;
        }
        if (keepsHost) {
            // A preallocated zero cluster, or subclusters of one that is there.
            step.lengthBytes = Math.min(limit, clusterBytes - inCluster);
            step.hostOffset = (found.entry & OFFSET) + inCluster;
            meta.checkWritable(step.hostOffset - inCluster, clusterBytes);
            step.allocation = allocations.begin(first, 1);
            return;
        }
        long clusters = allocatableClusters(offset, limit, found);
        long host = meta.refcounts.allocateRun(clusters);
        clusters = meta.refcounts.runLength();
        step.fresh = meta.refcounts.isFresh(host);
        meta.refcounts.used(host, clusters);
        step.lengthBytes = Math.min(limit, (clusters << clusterBits) - inCluster);
        step.hostOffset = (host << clusterBits) + inCluster;
        step.allocation = allocations.begin(first, clusters);
    }

    /** How many clusters from {@code offset} on all need new host clusters. */
    private long allocatableClusters(long offset, long limit, Lookup scratch) {
        long inCluster = offset & (clusterBytes - 1);
        long most = (inCluster + limit + clusterBytes - 1) >>> clusterBits;
        if (extended && (inCluster != 0 || limit < clusterBytes)) {
            return 1;
        }
        long start = offset - inCluster;
        long count = 1;
        while (count < most) {
            long at = start + (count << clusterBits);
            if (extended && offset + limit < at + clusterBytes) {
                // Only part of it: a step of its own.
                break;
            }
            meta.entry(at, scratch);
            boolean inPlace = (scratch.entry & COMPRESSED) == 0 && (scratch.entry & COPIED) != 0;
            if (inPlace || allocations.isBusy(at >>> clusterBits)) {
                break;
            }
            count++;
        }
        return count;
    }

    /** Ends an allocation; one that failed gives its host clusters back. */
    private void endWrite(Allocation allocation, long failedHost) {
        meta.lock.lock();
        try {
            if (failedHost >= 0 && data == file) {
                Lookup now = new Lookup();
                meta.entry(allocation.first() << clusterBits, now);
                if ((now.entry & OFFSET) >>> clusterBits != failedHost) {
                    for (long i = 0; i < allocation.count(); i++) {
                        meta.refcounts.decrement(failedHost + i);
                    }
                }
            }
            allocations.end(allocation);
        } finally {
            meta.lock.unlock();
        }
    }

    /**
     * Fills what the write leaves open of its new clusters (of its subclusters, if there are any).
     */
    private void fillAround(long offset, WriteStep step) {
        Lookup old = new Lookup();
        meta.lock.lock();
        try {
            meta.entry(offset, old);
        } finally {
            meta.lock.unlock();
        }
        boolean sameHost = data != file || isIn(old.entry, step.hostOffset);
        long unit = extended ? clusterBytes / SUBCLUSTERS : clusterBytes;
        if (extended && !sameHost && (old.entry & (OFFSET | COMPRESSED)) != 0) {
            // All that lies in the old cluster moves along.
            unit = clusterBytes;
        }
        long end = offset + step.lengthBytes;
        long shift = step.hostOffset - offset;
        fill(offset & -unit, offset, shift, step.fresh);
        fill(end, (end + unit - 1) & -unit, shift, step.fresh);
    }

    private boolean isIn(long entry, long hostOffset) {
        return (entry & COMPRESSED) == 0
                && (entry & OFFSET) != 0
                && (entry & OFFSET) >>> clusterBits == hostOffset >>> clusterBits;
    }

    /** Copies [from, to) of the guest's old view to host offsets that lie {@code shift} higher. */
    private void fill(long from, long to, long shift, boolean fresh) {
        Lookup found = new Lookup();
        for (long at = from; at < to; at += found.lengthBytes) {
            if (at >= header.sizeBytes) {
                // Past the end of the disk, in its last cluster.
                found.kind = Extent.Kind.ZERO;
                found.lengthBytes = to - at;
            } else {
                image.find(at, Math.min(to, header.sizeBytes) - at, found);
            }
            if (image.isKnownZero(found, at)) {
                if (!fresh) {
                    data.zero(at + shift, found.lengthBytes);
                }
            } else if (found.kind != Extent.Kind.DATA || found.hostOffset != at + shift) {
                MemorySegment bytes = MemorySegment.ofArray(new byte[(int) found.lengthBytes]);
                image.readFound(found, at, new IoBuffers(bytes), 0);
                data.write(at + shift, bytes);
            }
        }
    }

    /** The data lie in their clusters: makes the tables say so. */
    private void link(long offset, WriteStep step, Allocation allocation) {
        Lookup old = new Lookup();
        for (long i = 0; i < allocation.count(); i++) {
            long guest = (allocation.first() + i) << clusterBits;
            meta.entry(guest, old);
            long host = (step.hostOffset - (offset & (clusterBytes - 1))) + (i << clusterBits);
            boolean sameHost = (old.entry & COMPRESSED) == 0 && (old.entry & OFFSET) == host;
            if (!sameHost) {
                meta.dropReference(old.entry);
            }
            long bitmap = 0;
            if (extended) {
                bitmap = linkedBitmap(old, sameHost, guest, offset, offset + step.lengthBytes);
            }
            meta.setEntry(guest, host | COPIED, bitmap);
        }
    }

    private long linkedBitmap(Lookup old, boolean sameHost, long guest, long from, long to) {
        int subBits = clusterBits - 5;
        long lowest = Math.max(from, guest) - guest >>> subBits;
        long highest = Math.min(to, guest + clusterBytes) - 1 - guest >>> subBits;
        long touched = (-1L >>> 63 - (highest - lowest)) << lowest;
        if ((old.entry & COMPRESSED) != 0) {
            return 0xFFFF_FFFFL;
        }
        boolean moved = !sameHost && (old.entry & OFFSET) != 0;
        if (moved) {
            // The whole cluster was copied, zeroes and the backing file's bytes included.
            return 0xFFFF_FFFFL;
        }
        return (old.bitmap | touched) & ~(touched << 32);
    }

    /** Gives every cluster its place, without writing it. For an image that was just made. */
    void preallocate() {
        long end = 0;
        for (long at = 0; at < header.sizeBytes; ) {
            if (meta.isCrowded()) {
                meta.commit(false);
            }
            WriteStep step = new WriteStep();
            meta.lock.lock();
            try {
                plan(at, header.sizeBytes - at, step);
                Allocation allocation = step.allocation;
                if (allocation != null) {
                    link(at, step, allocation);
                    allocations.end(allocation);
                }
            } finally {
                meta.lock.unlock();
            }
            at += step.lengthBytes;
            end = Math.max(end, step.hostOffset + step.lengthBytes);
        }
        if (data.sizeBytes() < end) {
            data.resize((end + clusterBytes - 1) & -clusterBytes);
        }
    }
}
