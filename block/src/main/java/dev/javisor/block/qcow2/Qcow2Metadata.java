package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.Extent;
import dev.javisor.block.Storage;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The tables of an open image, and the order in which they reach the file.
 *
 * <p>Between two flushes of the file, the host may make its writes durable in any order, whole or
 * in part (but 512 aligned bytes at once). Whatever it does, and whenever this process is killed,
 * the image stays consistent but for leaked clusters, and has every byte that a completed {@link
 * #commit} covers. That holds because of these invariants:
 *
 * <ol>
 *   <li>A reference to a cluster is written only when the cluster's refcount is durable, and the
 *       path to that refcount: its block before the table's entry for the block. (With lazy
 *       refcounts the dirty bit is durable instead, and refcounts are rebuilt when the image is
 *       opened.)
 *   <li>A reference is written only when what it leads to is durable: a new L2 table, a copied
 *       cluster's old bytes, a refcount table, an L1 table, a snapshot table.
 *   <li>A refcount is decremented, and its cluster used anew, only when no durable reference to it
 *       is left, and no transfer that began before is still in flight.
 *   <li>A table that must change as a whole (refcount table, L1 table, snapshot table, bitmap
 *       directory) is written elsewhere; then the header's fields for it, which lie in one sector,
 *       are written at once.
 *   <li>Operations that change refcounts and COPIED flags of many clusters together (snapshots) set
 *       the dirty bit before, in version 3. In version 2, flags may be left wrong, which a check
 *       repairs, as with QEMU.
 * </ol>
 *
 * <p>A commit goes: refcount blocks; flush; entries of the refcount table for new blocks; flush; L2
 * slices and L1 entries; flush; decrements in memory. Flushes with nothing to order are left out.
 *
 * <p>Locks, in the order in which they are taken: {@code Qcow2Image.use}, {@link #commitLock},
 * {@link #lock}. Flushes happen without {@link #lock}, but for rare table changes.
 */
final class Qcow2Metadata {
    /** Most that the cache of L2 tables takes. */
    static final long L2_CACHE_BYTES = 32L << 20;

    private static final long REFCOUNT_CACHE_BYTES = 4L << 20;

    /** Runs of freed clusters that wait for a commit before one is made. */
    private static final int MAX_FREED_RUNS = 4096;

    final Storage file;

    /** Where guest clusters lie: the file itself, or the external data file. */
    final Storage data;

    final Qcow2Header header;
    final ReentrantLock lock = new ReentrantLock();

    /** Signalled when an allocation in flight has ended. */
    final Condition allocationEnded = lock.newCondition();

    final Refcounts refcounts;

    /** Clusters that hold metadata, as far as the active state knows: never to be guest data. */
    final ClusterSet metadata = new ClusterSet();

    private final ReentrantLock commitLock = new ReentrantLock();
    private final TableCache l2Cache;
    private final TableCache refcountCache;
    private final int clusterBits;
    private final boolean extended;
    private final int entryBytes;
    private long[] l1;

    /** Sectors of the L1 table that are to be written. */
    private BitSet l1Dirty = new BitSet();

    /** References dropped since the last commit began. */
    private final FreedClusters freed = new FreedClusters();

    /** References that are durably gone; see invariant 3. */
    private FreedClusters reclaimable = new FreedClusters();

    /** Something other than refcounts must be durable before L2 entries are (invariant 2). */
    private boolean barrierNeeded;

    Qcow2Metadata(Storage file, Storage data, Qcow2Header header) {
        this.file = file;
        this.data = data;
        this.header = header;
        clusterBits = header.clusterBits;
        extended = header.isExtendedL2();
        entryBytes = header.l2EntryBytes();
        long tables = ((header.sizeBytes >>> clusterBits) + 1) * entryBytes;
        l2Cache =
                new TableCache(
                        file, header.clusterBytes(), Math.min(L2_CACHE_BYTES, tables + (1 << 16)));
        refcountCache = new TableCache(file, header.clusterBytes(), REFCOUNT_CACHE_BYTES);
        metadata.add(0);
        refcounts = new Refcounts(file, header, refcountCache, metadata, freed);
        l1 = readL1(header.l1Offset, header.l1Size);
        noteL1();
    }

    long[] readL1(long offset, int entries) {
        if (entries == 0) {
            // Then the offset means nothing, and may be anything.
            return new long[0];
        }
        byte[] raw = new byte[entries * 8];
        file.read(offset, MemorySegment.ofArray(raw));
        long[] table = new long[entries];
        ByteBuffer.wrap(raw).asLongBuffer().get(table);
        return table;
    }

    private void noteL1() {
        metadata.addAll(header.l1Offset >>> clusterBits, tableClusters(header.l1Size));
        for (long entry : l1) {
            if ((entry & OFFSET) != 0) {
                metadata.add((entry & OFFSET) >>> clusterBits);
            }
        }
    }

    private void forgetL1() {
        metadata.removeAll(header.l1Offset >>> clusterBits, tableClusters(header.l1Size));
        for (long entry : l1) {
            if ((entry & OFFSET) != 0) {
                metadata.remove((entry & OFFSET) >>> clusterBits);
            }
        }
    }

    private long tableClusters(int entries) {
        return (entries * 8L + header.clusterBytes() - 1) >>> clusterBits;
    }

    long[] l1() {
        return l1;
    }

    int l1Index(long offset) {
        int bits = header.l2CoverBits();
        return bits > 62 ? 0 : (int) (offset >>> bits);
    }

    // ---- looking up -------------------------------------------------------------------------

    /** Bytes from {@code offset} to the end of what its L2 slice maps. */
    long toSliceEnd(long offset) {
        long span = (long) (l2Cache.sliceBytes() / entryBytes) << clusterBits;
        return span - (offset & (span - 1));
    }

    private int inSlice(long offset) {
        int perSlice = l2Cache.sliceBytes() / entryBytes;
        return (int) (offset >>> clusterBits & (perSlice - 1)) * entryBytes;
    }

    private int slot(long l2Offset, long offset) {
        if ((l2Offset & (header.clusterBytes() - 1)) != 0) {
            throw damaged("an L2 table at %#x".formatted(l2Offset));
        }
        long inTable =
                (offset >>> clusterBits & ((1L << header.l2CoverBits() - clusterBits) - 1))
                        * entryBytes;
        return l2Cache.slot(l2Offset + (inTable & -l2Cache.sliceBytes()));
    }

    /** What the active state says about at most {@code maxBytes} from a guest offset. */
    void find(long offset, long maxBytes, Lookup out) {
        find(l1, offset, maxBytes, out);
    }

    void find(long[] table, long offset, long maxBytes, Lookup out) {
        int index = l1Index(offset);
        long l2 = index < table.length ? table[index] & OFFSET : 0;
        if (l2 == 0) {
            long cover = header.l2CoverBits() > 62 ? Long.MAX_VALUE : 1L << header.l2CoverBits();
            out.kind = Extent.Kind.UNALLOCATED;
            out.entry = 0;
            out.bitmap = 0;
            out.copied = false;
            out.lengthBytes = Math.min(maxBytes, cover - (offset & (cover - 1)));
            return;
        }
        int slot = slot(l2, offset);
        int at = inSlice(offset);
        long limit = Math.min(maxBytes, toSliceEnd(offset));
        out.entry = l2Cache.getLong(slot, at);
        out.bitmap = extended ? l2Cache.getLong(slot, at + 8) : 0;
        if ((out.entry & COMPRESSED) != 0) {
            compressed(offset, limit, out);
        } else if (extended) {
            findSubclusters(slot, at, offset, limit, out);
        } else {
            findClusters(slot, at, offset, limit, out);
        }
    }

    private void compressed(long offset, long limit, Lookup out) {
        int shift = 62 - (clusterBits - 8);
        out.kind = Extent.Kind.COMPRESSED;
        out.hostOffset = out.entry & ((1L << shift) - 1) & 0x00ff_ffff_ffff_ffffL;
        long sectors = (out.entry & ~(COMPRESSED | COPIED)) >>> shift;
        out.compressedBytes = (int) ((sectors + 1) * 512 - (out.hostOffset & 511));
        out.copied = false;
        out.lengthBytes =
                Math.min(limit, header.clusterBytes() - (offset & (header.clusterBytes() - 1)));
        if (data != file) {
            throw damaged("compressed clusters together with a data file");
        }
    }

    private Extent.Kind kind(long entry) {
        if ((entry & ZERO) != 0 && header.version >= 3) {
            return Extent.Kind.ZERO;
        }
        // With a data file, host offset 0 is guest offset 0.
        boolean present = (entry & OFFSET) != 0 || data != file && (entry & COPIED) != 0;
        return present ? Extent.Kind.DATA : Extent.Kind.UNALLOCATED;
    }

    private void findClusters(int slot, int first, long offset, long limit, Lookup out) {
        int mask = header.clusterBytes() - 1;
        long entry = out.entry;
        out.kind = kind(entry);
        out.copied = (entry & COPIED) != 0;
        long host = entry & OFFSET;
        if (out.kind == Extent.Kind.DATA) {
            checkHost(host, offset);
        }
        out.hostOffset = host + (offset & mask);
        long length = header.clusterBytes() - (offset & mask);
        for (int at = first + 8; length < limit; at += 8) {
            long next = l2Cache.getLong(slot, at);
            if ((next & COMPRESSED) != 0 || kind(next) != out.kind) {
                break;
            }
            if (out.kind == Extent.Kind.DATA) {
                host += header.clusterBytes();
                if ((next & OFFSET) != host || ((next & COPIED) != 0) != out.copied) {
                    break;
                }
            }
            length += header.clusterBytes();
        }
        out.lengthBytes = Math.min(limit, length);
    }

    private Extent.Kind kind(long entry, long bitmap, int subcluster) {
        boolean zero = (bitmap >>> 32 + subcluster & 1) != 0;
        if ((bitmap >>> subcluster & 1) == 0) {
            return zero ? Extent.Kind.ZERO : Extent.Kind.UNALLOCATED;
        }
        if (zero || (entry & OFFSET) == 0 && (data == file || (entry & COPIED) == 0)) {
            throw damaged("subclusters %016x of cluster entry %016x".formatted(bitmap, entry));
        }
        return Extent.Kind.DATA;
    }

    private void findSubclusters(int slot, int first, long offset, long limit, Lookup out) {
        int mask = header.clusterBytes() - 1;
        int subBits = clusterBits - 5;
        long entry = out.entry;
        long bitmap = out.bitmap;
        int sub = (int) (offset & mask) >>> subBits;
        out.kind = kind(entry, bitmap, sub);
        out.copied = (entry & COPIED) != 0;
        long host = entry & OFFSET;
        if (out.kind == Extent.Kind.DATA) {
            checkHost(host, offset);
        }
        out.hostOffset = host + (offset & mask);
        long length = (1L << subBits) - (offset & ((1L << subBits) - 1));
        int at = first;
        while (length < limit) {
            if (++sub == SUBCLUSTERS) {
                sub = 0;
                at += 16;
                entry = l2Cache.getLong(slot, at);
                bitmap = l2Cache.getLong(slot, at + 8);
                if ((entry & COMPRESSED) != 0) {
                    break;
                }
                if (out.kind == Extent.Kind.DATA) {
                    host += header.clusterBytes();
                    if ((entry & OFFSET) != host || ((entry & COPIED) != 0) != out.copied) {
                        break;
                    }
                }
            }
            if (kind(entry, bitmap, sub) != out.kind) {
                break;
            }
            length += 1L << subBits;
        }
        out.lengthBytes = Math.min(limit, length);
    }

    private void checkHost(long host, long offset) {
        if ((host & (header.clusterBytes() - 1)) != 0) {
            throw damaged("guest offset %#x maps to %#x".formatted(offset, host));
        }
        if (data != file && host != (offset & -header.clusterBytes())) {
            throw damaged("guest offset %#x lies elsewhere in the data file".formatted(offset));
        }
    }

    /** Refuses to write guest data over metadata, which a hostile image could ask for. */
    void checkWritable(long hostOffset, long lengthBytes) {
        if (data != file) {
            return;
        }
        for (long at = hostOffset >>> clusterBits;
                at <= (hostOffset + lengthBytes - 1) >>> clusterBits;
                at++) {
            if (metadata.contains(at)) {
                throw corrupt("guest data lies in cluster %d, which is metadata".formatted(at));
            }
        }
    }

    BlockException damaged(String what) {
        return new BlockException(
                "%s is damaged: %s: run 'javisor image check'".formatted(file.name(), what));
    }

    /** Marks the image as corrupt, so that nobody writes it before it is repaired. */
    BlockException corrupt(String what) {
        if (header.version >= 3 && !file.isReadOnly() && !header.isCorrupt()) {
            header.incompatible |= INCOMPATIBLE_CORRUPT;
            writeField(INCOMPATIBLE, header.incompatible);
            file.flush();
        }
        return damaged(what);
    }

    // ---- changing ---------------------------------------------------------------------------

    /** Makes sure that the L2 table of an offset exists and is nobody else's. */
    void makeL2(long offset) {
        int index = l1Index(offset);
        long entry = l1[index];
        if ((entry & OFFSET) != 0 && (entry & COPIED) != 0) {
            return;
        }
        long old = entry & OFFSET;
        long cluster = refcounts.allocateExact(1);
        long at = cluster << clusterBits;
        l2Cache.drop(at, header.clusterBytes());
        if (old == 0) {
            file.zero(at, header.clusterBytes());
        } else {
            slot(old, offset);
            byte[] copy = new byte[header.clusterBytes()];
            file.read(old, MemorySegment.ofArray(copy));
            file.write(at, MemorySegment.ofArray(copy));
        }
        refcounts.used(cluster, 1);
        metadata.add(cluster);
        l1[index] = at | COPIED;
        l1Dirty.set(index / 64);
        barrierNeeded = true;
        if (old != 0) {
            freed.add(old >>> clusterBits, 1);
        }
    }

    boolean hasL2(long offset) {
        return (l1[l1Index(offset)] & OFFSET) != 0;
    }

    /** Sets an entry of a table that {@link #makeL2} has made ready. */
    void setEntry(long offset, long entry, long bitmap) {
        long l2 = l1[l1Index(offset)] & OFFSET;
        int slot = slot(l2, offset);
        int at = inSlice(offset);
        l2Cache.setLong(slot, at, entry);
        if (extended) {
            l2Cache.setLong(slot, at + 8, bitmap);
        }
    }

    /** Reads one entry as it is. */
    void entry(long offset, Lookup out) {
        long l2 = l1[l1Index(offset)] & OFFSET;
        out.entry = 0;
        out.bitmap = 0;
        if (l2 != 0) {
            int slot = slot(l2, offset);
            int at = inSlice(offset);
            out.entry = l2Cache.getLong(slot, at);
            out.bitmap = extended ? l2Cache.getLong(slot, at + 8) : 0;
        }
    }

    long l2Entries() {
        return 1L << header.l2CoverBits() - clusterBits;
    }

    /** Reads the entry of any L2 table, also one that is not active. */
    void entryOf(long l2, long index, Lookup out) {
        int slot = slot(l2, index << clusterBits);
        int at = inSlice(index << clusterBits);
        out.entry = l2Cache.getLong(slot, at);
        out.bitmap = extended ? l2Cache.getLong(slot, at + 8) : 0;
    }

    void setEntryOf(long l2, long index, long entry) {
        l2Cache.setLong(slot(l2, index << clusterBits), inSlice(index << clusterBits), entry);
    }

    /** Changes only the COPIED flag of an entry of the active L1 table. */
    void setL1Copied(int index, boolean copied) {
        long entry = copied ? l1[index] | COPIED : l1[index] & ~COPIED;
        if (entry != l1[index]) {
            l1[index] = entry;
            l1Dirty.set(index / 64);
        }
    }

    /** The clusters that an L2 entry refers to: first, and how many; none gives 0. */
    long referred(long entry, Lookup scratch) {
        if (data != file) {
            scratch.lengthBytes = 0;
            return 0;
        }
        if ((entry & COMPRESSED) != 0) {
            scratch.entry = entry;
            compressed(0, 1, scratch);
            long first = scratch.hostOffset >>> clusterBits;
            long last = (scratch.hostOffset + scratch.compressedBytes - 1) >>> clusterBits;
            scratch.lengthBytes = last - first + 1;
            return first;
        }
        scratch.lengthBytes = (entry & OFFSET) != 0 ? 1 : 0;
        return (entry & OFFSET) >>> clusterBits;
    }

    /** Drops an entry's reference to host clusters, from the next commit on. */
    void dropReference(long entry) {
        Lookup scratch = new Lookup();
        long first = referred(entry, scratch);
        if (scratch.lengthBytes > 0) {
            freed.add(first, scratch.lengthBytes);
        }
    }

    void dropClusters(long first, long count) {
        freed.add(first, count);
    }

    /** Old bytes were copied: they must be durable before the new reference is. */
    void needBarrier() {
        barrierNeeded = true;
    }

    /** Whether a commit should be made soon, to keep memory bounded. */
    boolean isCrowded() {
        return l2Cache.isCrowded() || refcountCache.isCrowded() || freed.runs() > MAX_FREED_RUNS;
    }

    void writeField(int at, long value) {
        ByteBuffer raw = ByteBuffer.allocate(8).putLong(0, value);
        file.write(at, MemorySegment.ofArray(raw.array()));
    }

    /** Writes header fields that belong together: they lie in one sector. */
    void writeFields(int from, int to) {
        byte[] all = header.encode();
        file.write(from, MemorySegment.ofArray(all).asSlice(from, to - from));
    }

    void writeHeader() {
        byte[] all = header.encode();
        // Old extensions that are longer must not be found behind the new ones.
        byte[] padded = java.util.Arrays.copyOf(all, header.clusterBytes());
        file.write(0, MemorySegment.ofArray(padded).asSlice(0, Math.min(padded.length, 4096)));
        if (all.length > 4096) {
            file.write(4096, MemorySegment.ofArray(all).asSlice(4096));
        }
    }

    /** Sets or clears the dirty bit, durably. Only version 3 has it. */
    void setDirty(boolean dirty) {
        if (header.version < 3 || header.isDirty() == dirty) {
            return;
        }
        header.incompatible =
                dirty
                        ? header.incompatible | INCOMPATIBLE_DIRTY
                        : header.incompatible & ~INCOMPATIBLE_DIRTY;
        writeField(INCOMPATIBLE, header.incompatible);
        file.flush();
    }

    // ---- committing -------------------------------------------------------------------------

    /**
     * Makes all that has ended durable: data, then tables, in the order that the invariants ask
     * for. Without {@link #lock} held.
     *
     * @param everything also refcounts that lazy images leave for later
     */
    void commit(boolean everything) {
        commitLock.lock();
        try {
            commitLocked(everything);
        } finally {
            commitLock.unlock();
        }
    }

    private void commitLocked(boolean everything) {
        List<TableCache.Copy> l2;
        List<TableCache.Copy> table;
        @Nullable FreedClusters dropping = null;
        BitSet sectors;
        boolean barrier;
        lock.lock();
        try {
            boolean writeRefcounts =
                    everything
                            || !(header.isLazy() && header.isDirty())
                            || refcountCache.isCrowded();
            barrier = barrierNeeded || data != file && l2Cache.hasDirty();
            table = List.of();
            if (writeRefcounts && refcounts.isDirty()) {
                refcounts.writeBlocks();
                table = refcounts.takeTable();
                barrier = true;
            }
            l2 = new ArrayList<>(l2Cache.takeDirty());
            sectors = l1Dirty;
            l1Dirty = new BitSet();
            sectors.stream().forEach(sector -> l2.add(l1Sector(sector)));
            barrierNeeded = false;
            if (!freed.isEmpty()) {
                dropping = new FreedClusters();
                dropping.addAll(freed);
                freed.clear();
            }
        } finally {
            lock.unlock();
        }
        boolean done = false;
        try {
            if (barrier && !(l2.isEmpty() && table.isEmpty())) {
                flushFiles();
            }
            if (!table.isEmpty()) {
                write(table);
                file.flush();
            }
            write(l2);
            flushFiles();
            done = true;
        } finally {
            lock.lock();
            try {
                ended(done, barrier, sectors, table, dropping);
            } finally {
                lock.unlock();
            }
        }
    }

    private void ended(
            boolean done,
            boolean barrier,
            BitSet sectors,
            List<TableCache.Copy> table,
            @Nullable FreedClusters dropped) {
        if (done) {
            l2Cache.written();
            if (dropped != null) {
                reclaimable.addAll(dropped);
            }
            return;
        }
        l2Cache.notWritten();
        l1Dirty.or(sectors);
        barrierNeeded |= barrier;
        if (!table.isEmpty()) {
            refcounts.tableNotWritten();
        }
        if (dropped != null) {
            freed.addAll(dropped);
        }
    }

    private void flushFiles() {
        if (data != file) {
            data.flush();
        }
        file.flush();
    }

    private TableCache.Copy l1Sector(int sector) {
        int first = sector * 64;
        int count = Math.min(64, l1.length - first);
        ByteBuffer raw = ByteBuffer.allocate(count * 8);
        raw.asLongBuffer().put(l1, first, count);
        return new TableCache.Copy(header.l1Offset + first * 8L, raw.array());
    }

    private void write(List<TableCache.Copy> copies) {
        for (TableCache.Copy copy : copies) {
            file.write(copy.offset(), MemorySegment.ofArray(copy.bytes()));
        }
    }

    boolean hasReclaimable() {
        return !reclaimable.isEmpty();
    }

    /**
     * Takes away the refcounts of references that are durably gone. With nothing in flight, and
     * {@link #lock} held.
     *
     * @return the clusters that are free now
     */
    FreedClusters reclaim() {
        FreedClusters free = new FreedClusters();
        FreedClusters runs = reclaimable;
        reclaimable = new FreedClusters();
        for (int run = 0; run < runs.runs(); run++) {
            for (long i = 0; i < runs.count(run); i++) {
                if (refcounts.decrement(runs.first(run) + i)) {
                    metadata.remove(runs.first(run) + i);
                    free.add(runs.first(run) + i, 1);
                }
            }
        }
        return free;
    }

    // ---- whole tables -----------------------------------------------------------------------

    /** Writes a table into clusters of its own; the caller commits before it refers to it. */
    long writeNewTable(byte[] bytes) {
        long clusters =
                Math.max(1, (bytes.length + (long) header.clusterBytes() - 1) >>> clusterBits);
        long first = refcounts.allocateExact(clusters);
        refcounts.used(first, clusters);
        long at = first << clusterBits;
        file.write(at, MemorySegment.ofArray(bytes));
        long rest = (clusters << clusterBits) - bytes.length;
        file.zero(at + bytes.length, rest);
        l2Cache.drop(at, clusters << clusterBits);
        barrierNeeded = true;
        return at;
    }

    static byte[] bytes(long[] table) {
        ByteBuffer raw = ByteBuffer.allocate(table.length * 8);
        raw.asLongBuffer().put(table);
        return raw.array();
    }

    /**
     * Makes another L1 table the active one (invariant 4). With nothing in flight.
     *
     * @param table with COPIED flags as the refcounts say
     */
    void replaceL1(long[] table) {
        lock.lock();
        long at;
        try {
            at = writeNewTable(bytes(table));
        } finally {
            lock.unlock();
        }
        commit(true);
        lock.lock();
        try {
            forgetL1();
            if (header.l1Size > 0) {
                freed.add(header.l1Offset >>> clusterBits, tableClusters(header.l1Size));
            }
            header.l1Offset = at;
            header.l1Size = table.length;
            l1 = table;
            l1Dirty.clear();
            writeFields(L1_SIZE, L1_OFFSET + 8);
            noteL1();
        } finally {
            lock.unlock();
        }
        commit(true);
    }

    /** Forgets references that were dropped: a check is about to count what is left anew. */
    void forgetFreed() {
        freed.clear();
        reclaimable.clear();
    }

    /** Forgets cached tables, after a repair has replaced the refcounts in the file. */
    void reload() {
        lock.lock();
        try {
            l2Cache.writeDirty();
            l1Dirty.stream().forEach(sector -> write(List.of(l1Sector(sector))));
            l1Dirty.clear();
            l2Cache.clear();
            refcountCache.clear();
            metadata.clear();
            metadata.add(0);
            refcounts.reload();
            l1 = readL1(header.l1Offset, header.l1Size);
            noteL1();
        } finally {
            lock.unlock();
        }
    }
}
