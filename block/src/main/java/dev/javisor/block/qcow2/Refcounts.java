package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.Storage;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * How often each host cluster is used, and the allocation of those that are not. Guarded by the
 * metadata lock. Increments may reach the file at any time; decrements are made only for references
 * that are durably gone (invariant 3 of {@link Qcow2Metadata}).
 */
final class Refcounts {
    private final Storage file;
    private final Qcow2Header header;
    private final TableCache cache;
    private final ClusterSet metadata;
    private final int order;

    /** Refcounts in one block; its log2. */
    private final int blockBits;

    private long[] table;

    /** Entries of the table that lie in the file already are [0, n) but for these. */
    private boolean tableDirty;

    private int dirtyFrom;
    private int dirtyTo;

    /** No cluster below is free. */
    private long hint;

    /** Where the file has never been written: what is allocated from here on reads as zeroes. */
    private long freshFrom;

    /** Clusters of the run that {@link #allocateRun} gave. */
    private long runLength;

    /** References to a refcount table that was replaced, free once the header is durable. */
    private final FreedClusters freed;

    Refcounts(
            Storage file,
            Qcow2Header header,
            TableCache cache,
            ClusterSet metadata,
            FreedClusters freed) {
        this.file = file;
        this.header = header;
        this.cache = cache;
        this.metadata = metadata;
        this.freed = freed;
        order = header.refcountOrder;
        blockBits = header.clusterBits + 3 - order;
        table = new long[0];
        reload();
    }

    /** Reads the table anew. */
    void reload() {
        int bytes = header.refcountTableClusters << header.clusterBits;
        byte[] raw = new byte[bytes];
        file.read(header.refcountTableOffset, MemorySegment.ofArray(raw));
        table = new long[bytes / 8];
        ByteBuffer.wrap(raw).asLongBuffer().get(table);
        freshFrom = (file.sizeBytes() + header.clusterBytes() - 1) >>> header.clusterBits;
        hint = 0;
        tableDirty = false;
        metadata.addAll(
                header.refcountTableOffset >>> header.clusterBits, header.refcountTableClusters);
        for (long entry : table) {
            if (isBlock(entry)) {
                metadata.add(entry >>> header.clusterBits);
            }
        }
    }

    private boolean isBlock(long entry) {
        return entry != 0 && (entry & (header.clusterBytes() - 1)) == 0 && entry > 0;
    }

    long max() {
        return order == 6 ? Long.MAX_VALUE : (1L << (1 << order)) - 1;
    }

    int tableLength() {
        return table.length;
    }

    long tableEntry(int index) {
        return table[index];
    }

    /** The first cluster that lies past what was ever written. */
    long freshFrom() {
        return freshFrom;
    }

    long get(long cluster) {
        long index = cluster >>> blockBits;
        if (index >= table.length || table[(int) index] == 0) {
            return 0;
        }
        return cache.getBits(slot(cluster, blockOffset((int) index)), inSlice(cluster), order);
    }

    private long blockOffset(int index) {
        long entry = table[index];
        if (!isBlock(entry)) {
            throw new BlockException(
                    "%s is damaged: refcount block %d lies at %#x: run 'javisor image check'"
                            .formatted(file.name(), index, entry));
        }
        return entry;
    }

    private int slot(long cluster, long blockOffset) {
        long inBlock = cluster & ((1L << blockBits) - 1);
        long byteInBlock = inBlock << order >>> 3;
        return cache.slot(blockOffset + (byteInBlock & -cache.sliceBytes()));
    }

    private int inSlice(long cluster) {
        int perSlice = cache.sliceBytes() * 8 >>> order;
        return (int) (cluster & (perSlice - 1));
    }

    private void set(long cluster, long value) {
        int index = (int) (cluster >>> blockBits);
        cache.setBits(slot(cluster, blockOffset(index)), inSlice(cluster), order, value);
    }

    /** Adds a reference to clusters that have one or more. */
    void increment(long cluster) {
        long now = get(cluster);
        if (now >= max()) {
            throw new BlockException(
                    "%s: a cluster cannot be used more than %d times with refcounts of %d bits"
                            .formatted(file.name(), max(), 1 << order));
        }
        makeBlocks(cluster, 1);
        set(cluster, now + 1);
    }

    /** Takes a reference away; with the last one, the cluster can be allocated anew. */
    boolean decrement(long cluster) {
        long now = get(cluster);
        if (now == 0) {
            // The image was wrong before; the checker says so.
            return false;
        }
        set(cluster, now - 1);
        if (now == 1) {
            hint = Math.min(hint, cluster);
            return true;
        }
        return false;
    }

    /** For repairs: whatever was there before. */
    void force(long cluster, long value) {
        if (get(cluster) != value) {
            makeBlocks(cluster, 1);
            set(cluster, value);
            hint = Math.min(hint, cluster);
        }
    }

    /**
     * Allocates the first free cluster and those after it that are free too.
     *
     * @param most clusters, from 1
     * @return the first; see {@link #runLength}
     */
    long allocateRun(long most) {
        while (true) {
            long first = hint;
            while (get(first) != 0) {
                first++;
            }
            hint = first;
            long length = 1;
            while (length < most && get(first + length) == 0) {
                length++;
            }
            // Making a block may take the first of these very clusters.
            if (!makeBlocks(first, length)) {
                take(first, length);
                hint = first + length;
                runLength = length;
                return first;
            }
        }
    }

    long runLength() {
        return runLength;
    }

    /** Allocates clusters that lie together. */
    long allocateExact(long clusters) {
        long first = hint;
        while (true) {
            long length = 0;
            while (length < clusters && get(first + length) == 0) {
                length++;
            }
            if (length < clusters) {
                first += length + 1;
            } else if (!makeBlocks(first, clusters)) {
                take(first, clusters);
                return first;
            }
        }
    }

    private void take(long first, long clusters) {
        if (first + clusters > 1L << (56 - header.clusterBits)) {
            throw new BlockException("%s has reached its largest size".formatted(file.name()));
        }
        for (long cluster = first; cluster < first + clusters; cluster++) {
            if (cluster == 0 || metadata.contains(cluster)) {
                throw new BlockException(
                        "%s is damaged: cluster %d is in use, but counted as free: run 'javisor image check -r all'"
                                .formatted(file.name(), cluster));
            }
            set(cluster, 1);
        }
    }

    /** Whether clusters from {@code first} on have never been written, so that they are zero. */
    boolean isFresh(long first) {
        return first >= freshFrom;
    }

    /** To be called once clusters will be written. */
    void used(long first, long clusters) {
        freshFrom = Math.max(freshFrom, first + clusters);
    }

    /** Makes the refcount blocks for clusters. Whether any was missing. */
    private boolean makeBlocks(long first, long clusters) {
        boolean made = false;
        for (long index = first >>> blockBits;
                index <= (first + clusters - 1) >>> blockBits;
                index++) {
            if (index >= table.length) {
                growTable(index);
                made = true;
            } else if (table[(int) index] == 0) {
                makeBlock((int) index);
                made = true;
            }
        }
        return made;
    }

    /** A new block lies in the first cluster that it counts: none of them is used yet. */
    private void makeBlock(int index) {
        long cluster = (long) index << blockBits;
        if (cluster == 0 || metadata.contains(cluster)) {
            throw new BlockException(
                    "%s is damaged: refcount block %d is missing: run 'javisor image check -r all'"
                            .formatted(file.name(), index));
        }
        long offset = cluster << header.clusterBits;
        cache.drop(offset, header.clusterBytes());
        file.zero(offset, header.clusterBytes());
        used(cluster, 1);
        metadata.add(cluster);
        table[index] = offset;
        dirtyFrom = tableDirty ? Math.min(dirtyFrom, index) : index;
        dirtyTo = tableDirty ? Math.max(dirtyTo, index + 1) : index + 1;
        tableDirty = true;
        set(cluster, 1);
    }

    /**
     * Replaces the table by a larger one, which lies with its own blocks where nothing has been
     * counted yet. Durable at once, as it is rare.
     */
    private void growTable(long index) {
        int cluster = header.clusterBits;
        long start = index << blockBits;
        long entries = Math.max(index + 1, table.length + table.length / 2L);
        long tableClusters;
        long blocks = 1;
        while (true) {
            long needed = Math.max(entries, index + blocks);
            tableClusters = (needed * 8 + (1L << cluster) - 1) >>> cluster;
            long covering = (blocks + tableClusters + (1L << blockBits) - 1) >>> blockBits;
            if (covering <= blocks) {
                break;
            }
            blocks = covering;
        }
        if (tableClusters << cluster > MAX_REFCOUNT_TABLE_BYTES) {
            throw new BlockException(
                    "%s has reached the largest size that its clusters and refcounts allow"
                            .formatted(file.name()));
        }
        long[] larger = new long[(int) (tableClusters << cluster >>> 3)];
        System.arraycopy(table, 0, larger, 0, table.length);
        long offset = start << cluster;
        cache.drop(offset, blocks << cluster);
        file.zero(offset, (blocks + tableClusters) << cluster);
        for (int i = 0; i < blocks; i++) {
            larger[(int) index + i] = offset + ((long) i << cluster);
        }
        long oldFirst = header.refcountTableOffset >>> cluster;
        int oldClusters = header.refcountTableClusters;
        table = larger;
        used(start, blocks + tableClusters);
        metadata.addAll(start, blocks + tableClusters);
        for (long i = 0; i < blocks + tableClusters; i++) {
            set(start + i, 1);
        }
        cache.writeDirty();
        ByteBuffer raw = ByteBuffer.allocate(larger.length * 8);
        raw.asLongBuffer().put(larger);
        long tableOffset = (start + blocks) << cluster;
        file.write(tableOffset, MemorySegment.ofArray(raw.array()));
        file.flush();
        header.refcountTableOffset = tableOffset;
        header.refcountTableClusters = (int) tableClusters;
        ByteBuffer fields = ByteBuffer.allocate(12);
        fields.putLong(tableOffset).putInt((int) tableClusters);
        file.write(REFCOUNT_TABLE_OFFSET, MemorySegment.ofArray(fields.array()));
        file.flush();
        tableDirty = false;
        metadata.removeAll(oldFirst, oldClusters);
        freed.add(oldFirst, oldClusters);
    }

    boolean isDirty() {
        return cache.hasDirty() || tableDirty;
    }

    /** Stage 1 of a commit. */
    void writeBlocks() {
        cache.writeDirty();
    }

    /** The part of the table that must follow, once what {@link #writeBlocks} wrote is durable. */
    List<TableCache.Copy> takeTable() {
        if (!tableDirty) {
            return List.of();
        }
        ByteBuffer raw = ByteBuffer.allocate((dirtyTo - dirtyFrom) * 8);
        raw.asLongBuffer().put(table, dirtyFrom, dirtyTo - dirtyFrom);
        tableDirty = false;
        return List.of(
                new TableCache.Copy(header.refcountTableOffset + dirtyFrom * 8L, raw.array()));
    }

    /** What was taken could not be written. */
    void tableNotWritten() {
        tableDirty = true;
        dirtyFrom = 0;
        dirtyTo = table.length;
    }
}
