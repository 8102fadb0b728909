package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.Extent;
import dev.javisor.block.IoBuffers;
import dev.javisor.block.Storage;
import java.lang.foreign.MemorySegment;
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
    private final ClusterCodec codec;
    private final LiveBitmaps bitmaps;

    private final ClusterWriter writer;
    private final ClusterClearer clearer;
    private final CompressedWriter compressor;
    private volatile boolean closed;

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
        codec = ClusterCodec.of(header.compressionType);
        meta = new Qcow2Metadata(file, data, header);
        bitmaps = new LiveBitmaps(this);
        Allocations allocations = new Allocations(meta);
        writer = new ClusterWriter(this, allocations);
        clearer = new ClusterClearer(this, allocations, backing);
        compressor = new CompressedWriter(meta, allocations);
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

    void find(long offset, long maxBytes, Lookup out) {
        meta.lock.lock();
        try {
            meta.find(offset, maxBytes, out);
        } finally {
            meta.lock.unlock();
        }
    }

    void readFound(Lookup found, long offset, IoBuffers into, long at) {
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
    boolean isKnownZero(Lookup found, long offset) {
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
    void writeBytes(long offset, long sizeBytes, @Nullable IoBuffers from) {
        relax();
        use.readLock().lock();
        try {
            prepareWrite(offset, sizeBytes);
            for (long done = 0; done < sizeBytes; ) {
                if (meta.isCrowded()) {
                    meta.commit(false);
                }
                done += writer.write(offset + done, sizeBytes - done, from, done);
            }
        } finally {
            use.readLock().unlock();
        }
    }

    /** Uses freed clusters anew once there are many, or a flush has made them safe to use. */
    void relax() {
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
                for (int i = 0; i < free.runs(); i++) {
                    file.discard(free.first(i) << clusterBits, free.count(i) << clusterBits);
                    compressor.freed(free.first(i), free.count(i));
                }
            } finally {
                meta.lock.unlock();
            }
        } finally {
            use.writeLock().unlock();
        }
    }

    void prepareWrite(long offset, long sizeBytes) {
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

    // ---- zeroes -----------------------------------------------------------------------------

    @Override
    public void writeZeroes(long offset, long sizeBytes) {
        clearer.clear(offset, sizeBytes, ClusterClearer.Clear.ZERO);
    }

    /** Zeroes that stay so whatever image will lie under this one. */
    public void writeZeroesAlways(long offset, long sizeBytes) {
        clearer.clear(offset, sizeBytes, ClusterClearer.Clear.ALWAYS_ZERO);
    }

    @Override
    public void discard(long offset, long sizeBytes) {
        clearer.clear(offset, sizeBytes, ClusterClearer.Clear.DISCARD);
    }

    /** Gives every cluster its place, without writing it. For an image that was just made. */
    public void preallocate() {
        use.readLock().lock();
        try {
            prepareWrite(0, header.sizeBytes);
            writer.preallocate();
        } finally {
            use.readLock().unlock();
        }
    }

    // ---- compression ------------------------------------------------------------------------

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
            compressor.write(offset, compressed, length);
        } finally {
            use.readLock().unlock();
        }
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
        clearer.clear(from, to - from, ClusterClearer.Clear.ZERO);
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
