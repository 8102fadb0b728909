package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Looks through all tables of an image, counts what refers to each cluster, and compares that with
 * the refcounts and COPIED flags that the image has. Repairs what can be repaired.
 */
public final class Qcow2Check {
    private static final int MAX_MESSAGES = 50;

    /** What to repair. */
    public enum Repair {
        NONE,
        /** Clusters that are counted as used, but are not. */
        LEAKS,
        ALL
    }

    /**
     * What was found.
     *
     * @param corruptions that are left
     * @param leaks clusters that are left
     * @param messages the first of them, one line each
     */
    public record Result(
            long corruptions,
            long leaks,
            long corruptionsFixed,
            long leaksFixed,
            long imageEndOffset,
            long totalClusters,
            long allocatedClusters,
            long fragmentedClusters,
            long compressedClusters,
            List<String> messages) {}

    private final Qcow2Image image;
    private final Qcow2Metadata meta;
    private final Qcow2Header header;
    private final ReferenceCounts counts;
    private final long fileBytes;
    private final List<String> messages = new ArrayList<>();
    private long corruptions;
    private long leaks;
    private long corruptionsFixed;
    private long leaksFixed;
    private long allocated;
    private long fragmented;
    private long compressed;
    private long nextContiguous;
    private boolean rebuildNeeded;

    private Qcow2Check(Qcow2Image image) {
        this.image = image;
        meta = image.meta;
        header = meta.header;
        counts = new ReferenceCounts(image.name());
        fileBytes = image.file.sizeBytes();
    }

    /** Checks an open image, alone. */
    public static Result check(Qcow2Image image, Repair repair) {
        image.use.writeLock().lock();
        try {
            if (!image.isReadOnly() && repair == Repair.NONE && !image.needsRepair()) {
                image.reclaimAll();
            } else if (!image.isReadOnly() && repair != Repair.NONE) {
                image.meta.commit(false);
                image.meta.forgetFreed();
            }
            return new Qcow2Check(image).run(repair);
        } finally {
            image.use.writeLock().unlock();
        }
    }

    private Result run(Repair repair) {
        meta.lock.lock();
        try {
            count();
            compare(repair);
        } finally {
            meta.lock.unlock();
        }
        if (rebuildNeeded && repair == Repair.ALL) {
            rebuild();
        }
        copiedFlags(repair);
        if (repair != Repair.NONE) {
            meta.commit(true);
            if (corruptions == 0 && repair == Repair.ALL) {
                long clean = header.incompatible & ~(INCOMPATIBLE_DIRTY | INCOMPATIBLE_CORRUPT);
                if (header.version >= 3 && clean != header.incompatible) {
                    header.incompatible = clean;
                    meta.writeField(INCOMPATIBLE, clean);
                    image.file.flush();
                }
            }
        }
        long[] met = counts.clusters();
        long end = met.length == 0 ? 0 : (met[met.length - 1] + 1) << header.clusterBits;
        long total = (header.sizeBytes + header.clusterBytes() - 1) >>> header.clusterBits;
        return new Result(
                corruptions,
                leaks,
                corruptionsFixed,
                leaksFixed,
                end,
                total,
                allocated,
                fragmented,
                compressed,
                List.copyOf(messages));
    }

    private void say(String line) {
        if (messages.size() < MAX_MESSAGES) {
            messages.add(line);
        }
    }

    private void corrupt(String line) {
        corruptions++;
        say("ERROR " + line);
    }

    // ---- counting ---------------------------------------------------------------------------

    private void count() {
        region("the header", 0, header.clusterBytes());
        region(
                "the refcount table",
                header.refcountTableOffset,
                (long) header.refcountTableClusters << header.clusterBits);
        table("the active L1 table", header.l1Offset, meta.l1(), true);
        SnapshotTable.Contents snapshots = SnapshotTable.read(meta);
        if (header.snapshots > 0) {
            region("the snapshot table", header.snapshotsOffset, snapshots.sizeBytes());
        }
        for (Qcow2Snapshot each : snapshots.snapshots()) {
            if (each.l1Size() > 0 && each.l1Offset() >= fileBytes) {
                corrupt("snapshot %s: its L1 table lies outside of the file".formatted(each.id()));
                continue;
            }
            long[] l1 = meta.readL1(each.l1Offset(), each.l1Size());
            table("the L1 table of snapshot " + each.id(), each.l1Offset(), l1, false);
        }
        header.extension(EXTENSION_ENCRYPTION)
                .filter(e -> e.length >= 16)
                .map(ByteBuffer::wrap)
                .ifPresent(e -> region("the encryption header", e.getLong(0), e.getLong(8)));
        countBitmaps();
        for (int i = 0; i < meta.refcounts.tableLength(); i++) {
            long entry = meta.refcounts.tableEntry(i);
            if (entry == 0) {
                continue;
            }
            if ((entry & (header.clusterBytes() - 1)) != 0 || entry < 0 || entry >= fileBytes) {
                corrupt("refcount block %d lies at %#x".formatted(i, entry));
                rebuildNeeded = true;
                continue;
            }
            region("refcount block " + i, entry, header.clusterBytes());
            if (counts.get(entry >>> header.clusterBits) != 1) {
                corrupt("refcount block %d shares its cluster".formatted(i));
                rebuildNeeded = true;
            }
        }
    }

    private void countBitmaps() {
        Optional<byte[]> extension = header.extension(EXTENSION_BITMAPS);
        if (extension.isEmpty() || (header.autoclear & AUTOCLEAR_BITMAPS) == 0) {
            return;
        }
        ByteBuffer in = ByteBuffer.wrap(extension.get());
        region("the bitmap directory", in.getLong(16), in.getLong(8));
        image.bitmaps()
                .tables((name, offset, entries) -> {
                    region("the table of bitmap " + name, offset, entries.length * 8L);
                    for (long entry : entries) {
                        if ((entry & OFFSET) != 0) {
                            region("bitmap " + name, entry & OFFSET, header.clusterBytes());
                        }
                    }
                });
    }

    /** Counts a reference to each cluster of a region. Whether it lies in the file. */
    private boolean region(String what, long offset, long bytes) {
        if (bytes <= 0) {
            return true;
        }
        if (offset < 0
                || offset >= fileBytes
                || bytes > Long.MAX_VALUE - offset - header.clusterBytes()) {
            corrupt("%s lies at %#x, outside of the file".formatted(what, offset));
            return false;
        }
        long last = Math.min(offset + bytes - 1, fileBytes + header.clusterBytes());
        for (long c = offset >>> header.clusterBits; c <= last >>> header.clusterBits; c++) {
            counts.add(c);
        }
        return true;
    }

    private void table(String what, long offset, long[] l1, boolean active) {
        region(what, offset, l1.length * 8L);
        ClusterSet seen = new ClusterSet();
        for (int index = 0; index < l1.length; index++) {
            long l2 = l1[index] & OFFSET;
            if (l2 == 0) {
                continue;
            }
            if ((l1[index] & ~(OFFSET | COPIED)) != 0) {
                corrupt("entry %d of %s has reserved bits: %#x".formatted(index, what, l1[index]));
            }
            if ((l2 & (header.clusterBytes() - 1)) != 0) {
                corrupt("entry %d of %s is not aligned: %#x".formatted(index, what, l2));
                continue;
            }
            if (!region("an L2 table", l2, header.clusterBytes())) {
                continue;
            }
            if (!seen.add(l2 >>> header.clusterBits)) {
                // Not walked again: it could be there a million times.
                corrupt(
                        "entry %d of %s leads to an L2 table that is used before"
                                .formatted(index, what));
                continue;
            }
            entries(l2, active);
        }
    }

    private void entries(long l2, boolean active) {
        Lookup at = new Lookup();
        for (long i = 0; i < meta.l2Entries(); i++) {
            meta.entryOf(l2, i, at);
            long entry = at.entry;
            if ((entry & COMPRESSED) != 0) {
                compressedEntry(l2, i, entry, active);
            } else {
                standardEntry(l2, i, entry, at.bitmap, active);
            }
        }
    }

    private void compressedEntry(long l2, long i, long entry, boolean active) {
        if ((entry & COPIED) != 0) {
            corrupt("entry %d of the L2 table at %#x is compressed and COPIED".formatted(i, l2));
        }
        if (header.hasDataFile()) {
            corrupt("a compressed cluster together with a data file");
            return;
        }
        Lookup at = new Lookup();
        long first = meta.referred(entry & ~COPIED, at);
        region(
                "compressed data",
                first << header.clusterBits,
                at.lengthBytes << header.clusterBits);
        if (active) {
            compressed++;
            allocated++;
            // As QEMU counts: compressed clusters are always out of place.
            fragmented++;
        }
    }

    private void standardEntry(long l2, long i, long entry, long bitmap, boolean active) {
        long host = entry & OFFSET;
        if (header.isExtendedL2()) {
            long both = bitmap & bitmap >>> 32 & 0xFFFF_FFFFL;
            boolean none = host == 0 && !header.hasDataFile() && (bitmap & 0xFFFF_FFFFL) != 0;
            if (both != 0 || none) {
                corrupt(
                        "entry %d of the L2 table at %#x has subclusters %#x"
                                .formatted(i, l2, bitmap));
            }
        }
        if (host == 0) {
            return;
        }
        if ((host & (header.clusterBytes() - 1)) != 0) {
            corrupt("entry %d of the L2 table at %#x is not aligned: %#x".formatted(i, l2, host));
            return;
        }
        if (active) {
            allocated++;
            if (nextContiguous != 0 && host != nextContiguous) {
                fragmented++;
            }
            nextContiguous = host + header.clusterBytes();
        }
        if (!header.hasDataFile()) {
            region("guest data", host, header.clusterBytes());
        }
    }

    // ---- comparing --------------------------------------------------------------------------

    private void compare(Repair repair) {
        int blockBits = header.clusterBits + 3 - header.refcountOrder;
        for (int i = 0; i < meta.refcounts.tableLength(); i++) {
            long entry = meta.refcounts.tableEntry(i);
            boolean bad =
                    entry == 0
                            || (entry & (header.clusterBytes() - 1)) != 0
                            || entry < 0
                            || entry >= fileBytes;
            if (!bad) {
                long first = (long) i << blockBits;
                for (long c = first; c < first + (1L << blockBits); c++) {
                    compare(c, meta.refcounts.get(c), repair);
                }
            }
        }
        for (long c : counts.clusters()) {
            long index = c >>> blockBits;
            if (index >= meta.refcounts.tableLength()
                    || meta.refcounts.tableEntry((int) index) == 0) {
                corrupt("cluster %d: refcount=0 reference=%d".formatted(c, counts.get(c)));
                rebuildNeeded = true;
            }
        }
    }

    private void compare(long cluster, long stored, Repair repair) {
        long met = counts.get(cluster);
        if (stored == met) {
            return;
        }
        boolean leaked = stored > met;
        boolean fix = !rebuildNeeded && (leaked ? repair != Repair.NONE : repair == Repair.ALL);
        String line = "cluster %d: refcount=%d reference=%d".formatted(cluster, stored, met);
        if (fix && met <= meta.refcounts.max()) {
            meta.refcounts.force(cluster, met);
            say("Repaired " + line);
            if (leaked) {
                leaksFixed++;
            } else {
                corruptionsFixed++;
            }
        } else if (leaked) {
            leaks++;
            say("Leaked " + line);
        } else {
            corrupt(line);
        }
    }

    private void copiedFlags(Repair repair) {
        if (header.hasDataFile()) {
            return;
        }
        Lookup at = new Lookup();
        long[] l1 = meta.l1();
        for (int index = 0; index < l1.length; index++) {
            long l2 = l1[index] & OFFSET;
            if (l2 == 0 || (l2 & (header.clusterBytes() - 1)) != 0 || l2 >= fileBytes) {
                continue;
            }
            if (meta.isCrowded() && repair != Repair.NONE) {
                meta.commit(true);
            }
            meta.lock.lock();
            try {
                boolean alone = refcount(l2) == 1;
                if (alone != ((l1[index] & COPIED) != 0) && flag(repair, "L2 table", l2)) {
                    meta.setL1Copied(index, alone);
                }
                for (long i = 0; i < meta.l2Entries(); i++) {
                    meta.entryOf(l2, i, at);
                    long host = at.entry & OFFSET;
                    if ((at.entry & COMPRESSED) != 0
                            || host == 0
                            || (host & (header.clusterBytes() - 1)) != 0) {
                        continue;
                    }
                    boolean single = refcount(host) == 1;
                    if (single != ((at.entry & COPIED) != 0)
                            && flag(repair, "data cluster", host)) {
                        long entry = single ? at.entry | COPIED : at.entry & ~COPIED;
                        meta.setEntryOf(l2, i, entry);
                    }
                }
            } finally {
                meta.lock.unlock();
            }
        }
    }

    private long refcount(long host) {
        try {
            return meta.refcounts.get(host >>> header.clusterBits);
        } catch (BlockException e) {
            // Its refcount block is damaged, which has been said.
            return counts.get(host >>> header.clusterBits);
        }
    }

    /** Counts a wrong flag. Whether to correct it. */
    private boolean flag(Repair repair, String what, long host) {
        String line = "COPIED flag of %s at %#x".formatted(what, host);
        if (repair == Repair.ALL) {
            corruptionsFixed++;
            say("Repaired " + line);
            return true;
        }
        corrupt(line);
        return false;
    }

    // ---- rebuilding -------------------------------------------------------------------------

    /** Writes a new refcount table and all its blocks behind the end of the file. */
    private void rebuild() {
        long[] kept = refcountsWithoutOldTables();
        int bits = header.clusterBits;
        int blockBits = bits + 3 - header.refcountOrder;
        long start = (fileBytes + header.clusterBytes() - 1) >>> bits;
        long[] regions =
                java.util.Arrays.stream(kept).map(c -> c >>> blockBits).distinct().toArray();
        long own = 1;
        long tableClusters = 1;
        while (true) {
            long highest =
                    Math.max(
                            regions.length == 0 ? 0 : regions[regions.length - 1],
                            (start + own) >>> blockBits);
            tableClusters = ((highest + 1) * 8 + header.clusterBytes() - 1) >>> bits;
            long extra = ((start + own) >>> blockBits) - (start >>> blockBits) + 1;
            long needed = tableClusters + regions.length + extra;
            if (needed <= own) {
                break;
            }
            own = needed;
        }
        if (tableClusters << bits > MAX_REFCOUNT_TABLE_BYTES) {
            throw new BlockException(
                    "%s is too large for a new refcount table".formatted(image.name()));
        }
        new RefcountRebuild(image, counts, kept, start, own, tableClusters).write();
        meta.reload();
        corruptionsFixed += corruptions;
        leaksFixed += leaks;
        corruptions = 0;
        leaks = 0;
        say("Rebuilt the refcounts");
    }

    /** The clusters that are in use but for those of the old refcount table and blocks. */
    private long[] refcountsWithoutOldTables() {
        ClusterSet old = new ClusterSet();
        old.addAll(header.refcountTableOffset >>> header.clusterBits, header.refcountTableClusters);
        for (int i = 0; i < meta.refcounts.tableLength(); i++) {
            long entry = meta.refcounts.tableEntry(i);
            if (entry > 0 && (entry & (header.clusterBytes() - 1)) == 0) {
                old.add(entry >>> header.clusterBits);
            }
        }
        return java.util.Arrays.stream(counts.clusters())
                .filter(c -> !old.contains(c) || counts.get(c) > 1)
                .toArray();
    }
}
