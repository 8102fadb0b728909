package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.Extent;
import dev.javisor.block.IoBuffers;
import dev.javisor.block.RawImage;
import dev.javisor.block.Storage;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/**
 * An open qcow2 image (QEMU docs/interop/qcow2). Transfers run side by side: the mapping is looked
 * up and changed under one lock, data moves without it. An allocation in flight is known by its
 * guest clusters; whoever needs one of them waits for it.
 */
public final class Qcow2Image implements DiskImage {
    final Qcow2Metadata meta;
    final Storage file;

    /** Shared by transfers; alone for what changes the image as a whole or uses clusters anew. */
    final ReentrantReadWriteLock use = new ReentrantReadWriteLock();

    private final Storage data;
    private final @Nullable DiskImage backing;
    private final boolean readOnly;
    private final Qcow2Header header;
    private final int clusterBits;
    private final int clusterBytes;
    private final boolean extended;
    private final ClusterCodec codec;
    private final LiveBitmaps bitmaps;

    /** Guest clusters that are being allocated; guarded by the metadata lock. */
    private final List<Allocation> allocations = new ArrayList<>();

    /** Where the next compressed cluster may begin; 0 if in a cluster of its own. */
    private long compressedEnd;

    private volatile boolean closed;

    /** Guest clusters [first, first + count). */
    private record Allocation(long first, long count) {}

    /** What one step of a write is to do. */
    private static final class WriteStep {
        private long lengthBytes;

        /** Where the write goes; the clusters are there already if {@link #allocation} is null. */
        private long hostOffset;

        private @Nullable Allocation allocation;

        /** Whether the new host clusters are known to be zero. */
        private boolean fresh;
    }

    Qcow2Image(
            Storage file,
            @Nullable Storage dataFile,
            Qcow2Header header,
            @Nullable DiskImage backing,
            boolean readOnly) {
        this.file = file;
        this.data = dataFile == null ? file : dataFile;
        this.header = header;
        this.backing = backing;
        this.readOnly = readOnly;
        clusterBits = header.clusterBits;
        clusterBytes = header.clusterBytes();
        extended = header.isExtendedL2();
        codec = ClusterCodec.of(header.compressionType);
        meta = new Qcow2Metadata(file, data, header);
        bitmaps = new LiveBitmaps(this);
    }

    @Override
    public DiskFormat format() {
        return DiskFormat.QCOW2;
    }

    @Override
    public String name() {
        return file.name();
    }

    @Override
    public long sizeBytes() {
        return header.sizeBytes;
    }

    @Override
    public boolean isReadOnly() {
        return readOnly;
    }

    @Override
    public Optional<DiskImage> backing() {
        return Optional.ofNullable(backing);
    }

    public int clusterSizeBytes() {
        return clusterBytes;
    }

    /** The bitmaps that follow this image's changes. */
    public LiveBitmaps bitmaps() {
        return bitmaps;
    }

    public Qcow2Info info() {
        return Qcow2Info.of(header);
    }

    // ---- reading ----------------------------------------------------------------------------

    @Override
    public void read(long offset, IoBuffers into) {
        use.readLock().lock();
        try {
            readShared(offset, into);
        } finally {
            use.readLock().unlock();
        }
    }

    private void readShared(long offset, IoBuffers into) {
        checkOpen();
        Lookup at = new Lookup();
        long size = into.sizeBytes();
        for (long done = 0; done < size; done += at.lengthBytes) {
            find(offset + done, size - done, at);
            readFound(at, offset + done, into, done);
        }
    }

    private void find(long offset, long maxBytes, Lookup out) {
        meta.lock.lock();
        try {
            meta.find(offset, maxBytes, out);
        } finally {
            meta.lock.unlock();
        }
    }

    private void readFound(Lookup found, long offset, IoBuffers into, long at) {
        switch (found.kind) {
            case DATA -> into.readFrom(data, found.hostOffset, at, found.lengthBytes);
            case ZERO -> into.fillZero(at, found.lengthBytes);
            case UNALLOCATED -> readBacking(offset, into, at, found.lengthBytes);
            case COMPRESSED -> {
                byte[] cluster = decompress(found);
                int from = (int) (offset & (clusterBytes - 1));
                into.copyFrom(MemorySegment.ofArray(cluster).asSlice(from, found.lengthBytes), at);
            }
        }
    }

    private void readBacking(long offset, IoBuffers into, long at, long sizeBytes) {
        long present = backing == null ? 0 : Math.clamp(backing.sizeBytes() - offset, 0, sizeBytes);
        if (present > 0 && backing != null) {
            backing.read(offset, into.slice(at, present));
        }
        if (present < sizeBytes) {
            into.fillZero(at + present, sizeBytes - present);
        }
    }

    private byte[] decompress(Lookup found) {
        byte[] in = new byte[found.compressedBytes];
        file.read(found.hostOffset, MemorySegment.ofArray(in));
        byte[] cluster = new byte[clusterBytes];
        try {
            codec.decompress(in, in.length, cluster);
        } catch (BlockException e) {
            throw new BlockException("%s: %s".formatted(name(), e.getMessage()), e);
        }
        return cluster;
    }

    /** Whether bytes read as zeroes, as far as the tables say; backing data count as not. */
    private boolean isKnownZero(Lookup found, long offset) {
        return found.kind == Extent.Kind.ZERO
                || found.kind == Extent.Kind.UNALLOCATED
                        && (backing == null || offset >= backing.sizeBytes());
    }

    // ---- writing ----------------------------------------------------------------------------

    @Override
    public void write(long offset, IoBuffers from) {
        writeBytes(offset, from.sizeBytes(), from);
    }

    /** Writes buffers, or zeroes if there are none. */
    private void writeBytes(long offset, long sizeBytes, @Nullable IoBuffers from) {
        relax();
        use.readLock().lock();
        try {
            prepareWrite(offset, sizeBytes);
            for (long done = 0; done < sizeBytes; ) {
                if (meta.isCrowded()) {
                    meta.commit(false);
                }
                done += writeStep(offset + done, sizeBytes - done, from, done);
            }
        } finally {
            use.readLock().unlock();
        }
    }

    /** Uses freed clusters anew once there are many, or a flush has made them safe to use. */
    private void relax() {
        meta.lock.lock();
        boolean some;
        try {
            some = meta.hasReclaimable();
        } finally {
            meta.lock.unlock();
        }
        if (some) {
            reclaim();
        }
    }

    private void reclaim() {
        use.writeLock().lock();
        try {
            meta.lock.lock();
            try {
                FreedClusters free = meta.reclaim();
                long tail = compressedEnd >>> clusterBits;
                for (int i = 0; i < free.runs(); i++) {
                    file.discard(free.first(i) << clusterBits, free.count(i) << clusterBits);
                    if (tail >= free.first(i) && tail < free.first(i) + free.count(i)) {
                        compressedEnd = 0;
                    }
                }
            } finally {
                meta.lock.unlock();
            }
        } finally {
            use.writeLock().unlock();
        }
    }

    private void prepareWrite(long offset, long sizeBytes) {
        checkOpen();
        if (readOnly) {
            throw new BlockException("disk %s is read-only".formatted(name()));
        }
        if (offset < 0 || sizeBytes < 0 || offset > header.sizeBytes - sizeBytes) {
            throw new BlockException(
                    "disk %s: %d bytes at %d lie past its end"
                            .formatted(name(), sizeBytes, offset));
        }
        meta.lock.lock();
        try {
            if (header.isCorrupt()) {
                throw meta.damaged("it is marked as corrupt");
            }
            if (header.isLazy()) {
                meta.setDirty(true);
            }
            bitmaps.changed(offset, sizeBytes);
        } finally {
            meta.lock.unlock();
        }
    }

    private long writeStep(long offset, long sizeBytes, @Nullable IoBuffers from, long at) {
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
            end(allocation, done ? -1 : step.hostOffset >>> clusterBits);
        }
        return step.lengthBytes;
    }

    private void put(@Nullable IoBuffers from, long at, long hostOffset, long sizeBytes) {
        if (from == null) {
            RawImage.zero(data, hostOffset, sizeBytes);
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
            if (!isBusy(offset >>> clusterBits, 1)) {
                break;
            }
            meta.allocationEnded.awaitUninterruptibly();
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
            step.allocation = begin(first, 1);
            return;
        }
        if (keepsHost) {
            // A preallocated zero cluster, or subclusters of one that is there.
            step.lengthBytes = Math.min(limit, clusterBytes - inCluster);
            step.hostOffset = (found.entry & OFFSET) + inCluster;
            meta.checkWritable(step.hostOffset - inCluster, clusterBytes);
            step.allocation = begin(first, 1);
            return;
        }
        long clusters = allocatableClusters(offset, limit, found);
        long host = meta.refcounts.allocateRun(clusters);
        clusters = meta.refcounts.runLength();
        step.fresh = meta.refcounts.isFresh(host);
        meta.refcounts.used(host, clusters);
        step.lengthBytes = Math.min(limit, (clusters << clusterBits) - inCluster);
        step.hostOffset = (host << clusterBits) + inCluster;
        step.allocation = begin(first, clusters);
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
            if (inPlace || isBusy(at >>> clusterBits, 1)) {
                break;
            }
            count++;
        }
        return count;
    }

    private boolean isBusy(long first, long count) {
        for (int i = 0; i < allocations.size(); i++) {
            Allocation each = allocations.get(i);
            if (first < each.first + each.count && each.first < first + count) {
                return true;
            }
        }
        return false;
    }

    private Allocation begin(long first, long count) {
        Allocation allocation = new Allocation(first, count);
        allocations.add(allocation);
        return allocation;
    }

    /** Ends an allocation; one that failed gives its host clusters back. */
    private void end(Allocation allocation, long failedHost) {
        meta.lock.lock();
        try {
            if (failedHost >= 0 && data == file) {
                Lookup now = new Lookup();
                meta.entry(allocation.first << clusterBits, now);
                if ((now.entry & OFFSET) >>> clusterBits != failedHost) {
                    for (long i = 0; i < allocation.count; i++) {
                        meta.refcounts.decrement(failedHost + i);
                    }
                }
            }
            allocations.remove(allocation);
            meta.allocationEnded.signalAll();
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
                find(at, Math.min(to, header.sizeBytes) - at, found);
            }
            if (isKnownZero(found, at)) {
                if (!fresh) {
                    RawImage.zero(data, at + shift, found.lengthBytes);
                }
            } else if (found.kind != Extent.Kind.DATA || found.hostOffset != at + shift) {
                MemorySegment bytes = MemorySegment.ofArray(new byte[(int) found.lengthBytes]);
                readFound(found, at, new IoBuffers(bytes), 0);
                data.write(at + shift, bytes);
            }
        }
    }

    /** The data lie in their clusters: makes the tables say so. */
    private void link(long offset, WriteStep step, Allocation allocation) {
        Lookup old = new Lookup();
        for (long i = 0; i < allocation.count; i++) {
            long guest = (allocation.first + i) << clusterBits;
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

    /** What is to become of clusters. */
    private enum Clear {
        DISCARD,
        ZERO,
        /** Also where they are zero only because nothing lies under them. */
        ALWAYS_ZERO
    }

    // ---- zeroes -----------------------------------------------------------------------------

    @Override
    public void writeZeroes(long offset, long sizeBytes) {
        clear(offset, sizeBytes, Clear.ZERO);
    }

    /** Zeroes that stay so whatever image will lie under this one. */
    public void writeZeroesAlways(long offset, long sizeBytes) {
        clear(offset, sizeBytes, Clear.ALWAYS_ZERO);
    }

    @Override
    public void discard(long offset, long sizeBytes) {
        clear(offset, sizeBytes, Clear.DISCARD);
    }

    private void clear(long offset, long sizeBytes, Clear how) {
        boolean discard = how == Clear.DISCARD;
        relax();
        use.readLock().lock();
        try {
            prepareWrite(offset, sizeBytes);
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
                find(at, to - at, found);
            } finally {
                use.readLock().unlock();
            }
            boolean stays = found.kind == Extent.Kind.ZERO || how != Clear.ALWAYS_ZERO;
            if (!isKnownZero(found, at) || !stays) {
                writeBytes(at, found.lengthBytes, null);
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
                while (isBusy(at >>> clusterBits, 1)) {
                    meta.allocationEnded.awaitUninterruptibly();
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

    /** Gives every cluster its place, without writing it. For an image that was just made. */
    public void preallocate() {
        use.readLock().lock();
        try {
            prepareWrite(0, header.sizeBytes);
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
                        end(allocation, -1);
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
        } finally {
            use.readLock().unlock();
        }
    }

    // ---- compressed writes ------------------------------------------------------------------

    /** Compresses a cluster for {@link #writeCompressed}. From any thread. */
    public int compress(byte[] cluster, byte[] out) {
        return codec.compress(cluster, out, clusterBytes);
    }

    /** Whether this image can have compressed clusters. */
    public boolean canCompress() {
        return data == file && header.cryptMethod == CRYPT_NONE;
    }

    /** Writes a whole cluster that has been compressed, at the offset of a guest cluster. */
    public void writeCompressed(long offset, byte[] compressed, int length) {
        if (!canCompress()) {
            throw new BlockException(
                    "disk %s: an image with a data file cannot be compressed".formatted(name()));
        }
        relax();
        use.readLock().lock();
        try {
            prepareWrite(offset, Math.min(clusterBytes, header.sizeBytes - offset));
            if (meta.isCrowded()) {
                meta.commit(false);
            }
            Allocation allocation;
            long host;
            meta.lock.lock();
            try {
                while (isBusy(offset >>> clusterBits, 1)) {
                    meta.allocationEnded.awaitUninterruptibly();
                }
                meta.makeL2(offset);
                host = allocateCompressed(length);
                allocation = begin(offset >>> clusterBits, 1);
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
                end(allocation, -1);
            }
        } finally {
            use.readLock().unlock();
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
            throw new BlockException("disk %s is too large for compression".formatted(name()));
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

    // ---- the rest ---------------------------------------------------------------------------

    @Override
    public void flush() {
        if (readOnly) {
            return;
        }
        checkOpen();
        meta.commit(false);
        relax();
    }

    @Override
    public Extent extent(long offset, long maxBytes) {
        Lookup found = new Lookup();
        use.readLock().lock();
        try {
            checkOpen();
            find(offset, Math.min(maxBytes, header.sizeBytes - offset), found);
        } finally {
            use.readLock().unlock();
        }
        boolean plain = found.kind == Extent.Kind.DATA;
        return new Extent(offset, found.lengthBytes, found.kind, plain ? found.hostOffset : -1);
    }

    @Override
    public boolean canDiscard() {
        return !readOnly;
    }

    @Override
    public long allocatedBytes() {
        return file.allocatedBytes();
    }

    @Override
    public void resize(long sizeBytes) {
        Qcow2Resize.resize(this, sizeBytes);
    }

    /** Whether a crash has left refcounts that must be counted anew before anything is written. */
    public boolean needsRepair() {
        return header.isDirty() || header.isCorrupt();
    }

    /**
     * Writes another backing file's name into the header; this open image goes on with its own.
     *
     * @param name empty for none
     */
    public void renameBacking(String name, String format) {
        if (name.getBytes(java.nio.charset.StandardCharsets.UTF_8).length
                > MAX_BACKING_NAME_BYTES) {
            throw new BlockException("the backing file's name is longer than 1023 bytes");
        }
        if (!name.isEmpty() && header.isDataFileRaw()) {
            throw new BlockException(
                    "%s has a raw data file, which cannot have a backing file".formatted(name()));
        }
        flush();
        meta.lock.lock();
        try {
            header.backingFile = name;
            header.setExtension(
                    EXTENSION_BACKING_FORMAT,
                    format.getBytes(java.nio.charset.StandardCharsets.UTF_8));
            header.setExtension(EXTENSION_FEATURES, new byte[0]);
            meta.writeHeader();
            file.flush();
        } finally {
            meta.lock.unlock();
        }
    }

    Storage dataFile() {
        return data;
    }

    /** Makes bytes zero that become part of the disk. Alone; the new size is set already. */
    void zeroGrown(long from, long to) {
        clear(from, to - from, Clear.ZERO);
    }

    /** Forgets all contents: the disk then reads as what lies under it. */
    public void empty() {
        use.writeLock().lock();
        try {
            prepareWrite(0, header.sizeBytes);
            forgetBeyond(0, header.sizeBytes);
            reclaimAll();
        } finally {
            use.writeLock().unlock();
        }
    }

    /** Reads by another L1 table than the active one. */
    void read(long[] l1, long offset, IoBuffers into) {
        use.readLock().lock();
        try {
            checkOpen();
            Lookup at = new Lookup();
            long size = into.sizeBytes();
            for (long done = 0; done < size; done += at.lengthBytes) {
                find(l1, offset + done, size - done, at);
                readFound(at, offset + done, into, done);
            }
        } finally {
            use.readLock().unlock();
        }
    }

    private void find(long[] l1, long offset, long maxBytes, Lookup out) {
        meta.lock.lock();
        try {
            meta.find(l1, offset, maxBytes, out);
        } finally {
            meta.lock.unlock();
        }
    }

    Extent extent(long[] l1, long offset, long maxBytes) {
        Lookup found = new Lookup();
        find(l1, offset, maxBytes, found);
        boolean plain = found.kind == Extent.Kind.DATA;
        return new Extent(offset, found.lengthBytes, found.kind, plain ? found.hostOffset : -1);
    }

    /** Drops the clusters behind the end of a disk that has shrunk. Alone. */
    void forgetBeyond(long first, long end) {
        Lookup old = new Lookup();
        for (long at = first; at < end; ) {
            if (meta.isCrowded()) {
                meta.commit(false);
            }
            meta.lock.lock();
            try {
                long bytes = Math.min(end - at, meta.toSliceEnd(at));
                if (meta.hasL2(at)) {
                    meta.makeL2(at);
                    for (long c = at; c < at + bytes; c += clusterBytes) {
                        meta.entry(c, old);
                        if (old.entry != 0 || old.bitmap != 0) {
                            meta.dropReference(old.entry);
                            meta.setEntry(c, 0, 0);
                        }
                    }
                }
                at += bytes;
            } finally {
                meta.lock.unlock();
            }
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new BlockException("disk %s is closed".formatted(name()));
        }
    }

    /** Makes everything durable and the image clean, and lets the files go. */
    @Override
    public void close() {
        use.writeLock().lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            try {
                if (!readOnly) {
                    finish();
                }
            } finally {
                codec.close();
                closeFiles();
            }
        } finally {
            use.writeLock().unlock();
        }
    }

    private void finish() {
        meta.commit(true);
        if (!header.isCorrupt()) {
            bitmaps.store();
            reclaimAll();
        }
        long odd = file.sizeBytes() & 511;
        if (odd != 0) {
            // Others read compressed clusters by sectors.
            file.resize(file.sizeBytes() + 512 - odd);
        }
        meta.commit(true);
        if (header.isDirty()) {
            meta.setDirty(false);
        }
    }

    /** Commits until nothing waits; alone. */
    void reclaimAll() {
        meta.commit(true);
        meta.lock.lock();
        boolean some;
        try {
            some = meta.hasReclaimable();
        } finally {
            meta.lock.unlock();
        }
        if (some) {
            reclaim();
            meta.commit(true);
        }
    }

    private void closeFiles() {
        try {
            file.close();
        } finally {
            try {
                if (data != file) {
                    data.close();
                }
            } finally {
                if (backing != null) {
                    backing.close();
                }
            }
        }
    }

    @Override
    public String toString() {
        return "Qcow2Image[%s, %d bytes%s]"
                .formatted(name(), header.sizeBytes, readOnly ? ", read-only" : "");
    }
}
