package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.Storage;
import dev.javisor.block.qcow2.Allocations.Allocation;
import java.lang.foreign.MemorySegment;

/** Writes compressed clusters, one behind the other. Called by transfers, which share the image. */
final class CompressedWriter {
    private final Qcow2Metadata meta;
    private final Storage file;
    private final Allocations allocations;
    private final int clusterBits;
    private final int clusterBytes;

    /**
     * Where the next compressed cluster may begin; 0 if in a cluster of its own. Guarded by the
     * metadata lock.
     */
    private long compressedEnd;

    CompressedWriter(Qcow2Metadata meta, Allocations allocations) {
        this.meta = meta;
        this.allocations = allocations;
        file = meta.file;
        clusterBits = meta.header.clusterBits;
        clusterBytes = meta.header.clusterBytes();
    }

    /** Clusters have become free: the next write must not follow on in one of them. */
    void freed(long first, long count) {
        long tail = compressedEnd >>> clusterBits;
        if (tail >= first && tail < first + count) {
            compressedEnd = 0;
        }
    }

    /** Writes a whole cluster that has been compressed, at the offset of a guest cluster. */
    void write(long offset, byte[] compressed, int length) {
        Allocation allocation;
        long host;
        meta.lock.lock();
        try {
            while (allocations.isBusy(offset >>> clusterBits)) {
                allocations.await();
            }
            meta.makeL2(offset);
            host = allocateCompressed(length);
            allocation = allocations.begin(offset >>> clusterBits, 1);
        } finally {
            meta.lock.unlock();
        }
        try {
            file.write(host, MemorySegment.ofArray(compressed).asSlice(0, length));
            meta.lock.lock();
            try {
                Lookup old = new Lookup();
                meta.entry(offset, old);
                meta.dropReference(old.entry);
                long sectors = (host + length - 1 >>> 9) - (host >>> 9);
                long entry = COMPRESSED | host | sectors << 62 - (clusterBits - 8);
                meta.setEntry(offset, entry, 0);
                meta.needBarrier();
            } finally {
                meta.lock.unlock();
            }
        } finally {
            meta.lock.lock();
            try {
                allocations.end(allocation);
            } finally {
                meta.lock.unlock();
            }
        }
    }

    /** Bytes for a compressed cluster: behind the one before, or in a cluster of its own. */
    private long allocateCompressed(int length) {
        long inCluster = compressedEnd & (clusterBytes - 1);
        if (compressedEnd != 0
                && meta.refcounts.get(compressedEnd >>> clusterBits) >= meta.refcounts.max()) {
            compressedEnd = 0;
        }
        long host = compressedEnd;
        if (host == 0 || inCluster == 0) {
            host = newCluster();
        } else if (clusterBytes - inCluster < length) {
            long next = newCluster();
            if (next == (host & -clusterBytes) + clusterBytes) {
                meta.refcounts.increment(host >>> clusterBits);
            } else {
                host = next;
            }
        } else {
            meta.refcounts.increment(host >>> clusterBits);
        }
        if (host + length > 1L << Math.min(56, 62 - (clusterBits - 8))) {
            throw new BlockException("disk %s is too large for compression".formatted(file.name()));
        }
        // Readers read whole sectors: two clusters may share one, as the format allows.
        compressedEnd = host + length;
        if ((compressedEnd & (clusterBytes - 1)) == 0) {
            compressedEnd = 0;
        }
        return host;
    }

    private long newCluster() {
        long cluster = meta.refcounts.allocateRun(1);
        meta.refcounts.used(cluster, 1);
        return cluster << clusterBits;
    }
}
