package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskImage;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Snapshots inside of an image that is open. Taking one and going back to one wait for the
 * transfers in flight, and hold up those that come.
 */
public final class Qcow2Snapshots {
    private final Qcow2Image image;
    private final Qcow2Metadata meta;
    private final Qcow2Header header;

    public Qcow2Snapshots(Qcow2Image image) {
        this.image = image;
        meta = image.meta;
        header = meta.header;
    }

    public List<Qcow2Snapshot> list() {
        meta.lock.lock();
        try {
            return SnapshotTable.read(meta).snapshots();
        } finally {
            meta.lock.unlock();
        }
    }

    /** By its id, else by its name. */
    public Qcow2Snapshot find(String idOrName) {
        List<Qcow2Snapshot> all = list();
        return all.stream()
                .filter(s -> s.id().equals(idOrName))
                .findFirst()
                .or(() -> all.stream().filter(s -> s.name().equals(idOrName)).findFirst())
                .orElseThrow(() ->
                        new BlockException(
                                "%s has no snapshot '%s'".formatted(image.name(), idOrName)));
    }

    /** A snapshot's contents as a disk to read, for as long as the image is open. */
    public DiskImage view(String idOrName) {
        Qcow2Snapshot snapshot = find(idOrName);
        long[] l1 = meta.readL1(snapshot.l1Offset(), snapshot.l1Size());
        return new SnapshotView(image, snapshot, l1);
    }

    /** Keeps the present contents under a name. */
    public void create(String name, Instant now) {
        begin();
        try {
            if (header.hasDataFile()) {
                throw new BlockException(
                        "%s: an image with a data file cannot have snapshots"
                                .formatted(image.name()));
            }
            if (meta.refcounts.max() < 2) {
                throw new BlockException(
                        "%s: refcounts of one bit cannot count snapshots".formatted(image.name()));
            }
            List<Qcow2Snapshot> all = new ArrayList<>(list());
            if (all.size() >= MAX_SNAPSHOTS) {
                throw new BlockException("%s has too many snapshots".formatted(image.name()));
            }
            long id = 1;
            for (Qcow2Snapshot each : all) {
                if (each.id().matches("[0-9]{1,18}")) {
                    id = Math.max(id, Long.parseLong(each.id()) + 1);
                }
            }
            long[] l1 = meta.l1();
            share(l1);
            long[] copy = Arrays.stream(l1).map(entry -> entry & ~COPIED).toArray();
            long offset = 0;
            meta.lock.lock();
            try {
                offset = meta.writeNewTable(Qcow2Metadata.bytes(copy));
                for (int i = 0; i < l1.length; i++) {
                    meta.setL1Copied(i, false);
                }
            } finally {
                meta.lock.unlock();
            }
            all.add(
                    new Qcow2Snapshot(
                            Long.toString(id),
                            name,
                            now,
                            0,
                            0,
                            header.sizeBytes,
                            offset,
                            l1.length));
            replaceTable(all);
        } finally {
            end();
        }
    }

    /** Makes a snapshot's contents the present ones; those of now are lost. */
    public void apply(String idOrName) {
        begin();
        try {
            Qcow2Snapshot snapshot = find(idOrName);
            if (snapshot.diskBytes() != header.sizeBytes && header.version < 3) {
                throw new BlockException(
                        "%s: the snapshot has another size, which version 2 cannot go back to"
                                .formatted(image.name()));
            }
            meta.lock.lock();
            try {
                image.bitmaps().allChanged();
            } finally {
                meta.lock.unlock();
            }
            long[] old = meta.l1();
            int entries = Qcow2Resize.l1Entries(header, snapshot.diskBytes(), image.name());
            long[] l1 = meta.readL1(snapshot.l1Offset(), snapshot.l1Size());
            for (int i = 0; i < l1.length; i++) {
                l1[i] &= ~COPIED;
            }
            // What lies behind is the state of a machine, which belongs to the snapshot alone.
            l1 = Arrays.copyOf(l1, Math.max(entries, 1));
            share(l1);
            meta.replaceL1(l1);
            if (snapshot.diskBytes() != header.sizeBytes) {
                image.bitmaps().resized(snapshot.diskBytes());
                header.sizeBytes = snapshot.diskBytes();
                meta.writeField(SIZE, header.sizeBytes);
                meta.file.flush();
            }
            release(old);
        } finally {
            end();
        }
    }

    /** Forgets a snapshot; what only it used becomes free. */
    public void delete(String idOrName) {
        begin();
        try {
            Qcow2Snapshot snapshot = find(idOrName);
            List<Qcow2Snapshot> rest = new ArrayList<>(list());
            rest.remove(snapshot);
            long[] l1 = meta.readL1(snapshot.l1Offset(), snapshot.l1Size());
            replaceTable(rest);
            release(l1);
            long clusters = (l1.length * 8L + header.clusterBytes() - 1) >>> header.clusterBits;
            meta.lock.lock();
            try {
                if (clusters > 0) {
                    meta.dropClusters(snapshot.l1Offset() >>> header.clusterBits, clusters);
                }
            } finally {
                meta.lock.unlock();
            }
            image.reclaimAll();
            restoreCopied();
        } finally {
            end();
        }
    }

    private void begin() {
        if (image.isReadOnly()) {
            throw new BlockException("disk %s is read-only".formatted(image.name()));
        }
        image.use.writeLock().lock();
        boolean ready = false;
        try {
            if (header.isCorrupt()) {
                throw meta.damaged("it is marked as corrupt");
            }
            image.reclaimAll();
            meta.lock.lock();
            try {
                // Until it is cleared, whoever opens the image counts the references anew.
                meta.setDirty(true);
            } finally {
                meta.lock.unlock();
            }
            ready = true;
        } finally {
            if (!ready) {
                image.use.writeLock().unlock();
            }
        }
    }

    private void end() {
        try {
            image.reclaimAll();
            if (!header.isLazy()) {
                meta.lock.lock();
                try {
                    meta.setDirty(false);
                } finally {
                    meta.lock.unlock();
                }
            }
        } finally {
            image.use.writeLock().unlock();
        }
    }

    /** Writes a new table, then the header fields that lead to it (invariant 4). */
    private void replaceTable(List<Qcow2Snapshot> snapshots) {
        long oldBytes = SnapshotTable.read(meta).sizeBytes();
        byte[] bytes = SnapshotTable.encode(snapshots);
        if (bytes.length > MAX_SNAPSHOT_TABLE_BYTES) {
            throw new BlockException("%s: the snapshot table is too long".formatted(image.name()));
        }
        long at = 0;
        meta.lock.lock();
        try {
            at = snapshots.isEmpty() ? 0 : meta.writeNewTable(bytes);
        } finally {
            meta.lock.unlock();
        }
        meta.commit(true);
        meta.lock.lock();
        try {
            if (header.snapshots > 0) {
                long clusters = (oldBytes + header.clusterBytes() - 1) >>> header.clusterBits;
                meta.dropClusters(header.snapshotsOffset >>> header.clusterBits, clusters);
            }
            header.snapshots = snapshots.size();
            header.snapshotsOffset = at;
            meta.writeFields(SNAPSHOTS, SNAPSHOTS_OFFSET + 8);
            meta.file.flush();
        } finally {
            meta.lock.unlock();
        }
    }

    private void makeRoom() {
        if (meta.isCrowded()) {
            meta.commit(true);
        }
    }

    /** One more reference to everything that an L1 table leads to; nothing is COPIED any more. */
    private void share(long[] l1) {
        Lookup at = new Lookup();
        for (long entry : l1) {
            long l2 = entry & OFFSET;
            for (long i = 0; l2 != 0 && i < meta.l2Entries(); i++) {
                if ((i & 511) == 0) {
                    makeRoom();
                }
                meta.lock.lock();
                try {
                    meta.entryOf(l2, i, at);
                    long e = at.entry;
                    long first = meta.referred(e, at);
                    for (long c = 0; c < at.lengthBytes; c++) {
                        meta.refcounts.increment(first + c);
                    }
                    if ((e & COPIED) != 0) {
                        meta.setEntryOf(l2, i, e & ~COPIED);
                    }
                } finally {
                    meta.lock.unlock();
                }
            }
            if (l2 != 0) {
                meta.lock.lock();
                try {
                    meta.refcounts.increment(l2 >>> header.clusterBits);
                } finally {
                    meta.lock.unlock();
                }
            }
        }
    }

    /**
     * One reference less to everything that an L1 table led to, which nothing refers to any more.
     */
    private void release(long[] l1) {
        Lookup at = new Lookup();
        for (long entry : l1) {
            long l2 = entry & OFFSET;
            for (long i = 0; l2 != 0 && i < meta.l2Entries(); i++) {
                if ((i & 511) == 0) {
                    makeRoom();
                }
                meta.lock.lock();
                try {
                    meta.entryOf(l2, i, at);
                    long first = meta.referred(at.entry, at);
                    if (at.lengthBytes > 0) {
                        meta.dropClusters(first, at.lengthBytes);
                    }
                } finally {
                    meta.lock.unlock();
                }
            }
            if (l2 != 0) {
                meta.lock.lock();
                try {
                    meta.dropClusters(l2 >>> header.clusterBits, 1);
                } finally {
                    meta.lock.unlock();
                }
            }
        }
    }

    /** Sets COPIED again where the active state is the only user. */
    private void restoreCopied() {
        Lookup at = new Lookup();
        long[] l1 = meta.l1();
        for (int index = 0; index < l1.length; index++) {
            long l2 = l1[index] & OFFSET;
            if (l2 == 0) {
                continue;
            }
            makeRoom();
            meta.lock.lock();
            try {
                boolean alone = meta.refcounts.get(l2 >>> header.clusterBits) == 1;
                meta.setL1Copied(index, alone);
                for (long i = 0; alone && i < meta.l2Entries(); i++) {
                    meta.entryOf(l2, i, at);
                    if ((at.entry & (COMPRESSED | COPIED)) == 0
                            && (at.entry & OFFSET) != 0
                            && meta.refcounts.get((at.entry & OFFSET) >>> header.clusterBits)
                                    == 1) {
                        meta.setEntryOf(l2, i, at.entry | COPIED);
                    }
                }
            } finally {
                meta.lock.unlock();
            }
        }
    }
}
