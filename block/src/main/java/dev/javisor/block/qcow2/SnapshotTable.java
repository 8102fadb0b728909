package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** Reads and writes the directory of snapshots (section "Snapshots"). */
final class SnapshotTable {
    private static final int ENTRY_BYTES = 40;
    private static final int EXTRA_BYTES = 24;
    private static final int MAX_EXTRA_BYTES = 1024;
    private static final long NO_ICOUNT = -1;

    /** Snapshots, and the bytes that they take in the file. */
    record Contents(List<Qcow2Snapshot> snapshots, long sizeBytes) {}

    private SnapshotTable() {}

    static Contents read(Qcow2Metadata meta) {
        Qcow2Header header = meta.header;
        List<Qcow2Snapshot> snapshots = new ArrayList<>();
        long at = header.snapshotsOffset;
        for (int i = 0; i < header.snapshots; i++) {
            byte[] fixed = new byte[ENTRY_BYTES];
            meta.file.read(at, MemorySegment.ofArray(fixed));
            ByteBuffer in = ByteBuffer.wrap(fixed);
            int idBytes = in.getShort(12) & 0xFFFF;
            int nameBytes = in.getShort(14) & 0xFFFF;
            int extraBytes = in.getInt(36);
            if (extraBytes < 0 || extraBytes > MAX_EXTRA_BYTES) {
                throw meta.damaged("snapshot table entry %d".formatted(i));
            }
            byte[] more = new byte[extraBytes + idBytes + nameBytes];
            meta.file.read(at + ENTRY_BYTES, MemorySegment.ofArray(more));
            snapshots.add(snapshot(meta, in, more, extraBytes, idBytes));
            at += (ENTRY_BYTES + more.length + 7) & -8;
            if (at - header.snapshotsOffset > MAX_SNAPSHOT_TABLE_BYTES) {
                throw meta.damaged("a snapshot table that is too long");
            }
        }
        return new Contents(List.copyOf(snapshots), at - header.snapshotsOffset);
    }

    private static Qcow2Snapshot snapshot(
            Qcow2Metadata meta, ByteBuffer in, byte[] more, int extraBytes, int idBytes) {
        long l1Offset = in.getLong(0);
        int l1Size = in.getInt(8);
        if (l1Size < 0
                || l1Size * 8L > MAX_L1_BYTES
                || l1Size > 0
                        && (l1Offset <= 0 || (l1Offset & (meta.header.clusterBytes() - 1)) != 0)) {
            throw meta.damaged("the L1 table of a snapshot");
        }
        ByteBuffer extra = ByteBuffer.wrap(more);
        long vmState = extraBytes >= 8 ? extra.getLong(0) : in.getInt(32) & 0xFFFF_FFFFL;
        long diskBytes = extraBytes >= 16 ? extra.getLong(8) : meta.header.sizeBytes;
        if (diskBytes < 0) {
            throw meta.damaged("the size of a snapshot");
        }
        return new Qcow2Snapshot(
                new String(more, extraBytes, idBytes, StandardCharsets.UTF_8),
                new String(
                        more,
                        extraBytes + idBytes,
                        more.length - extraBytes - idBytes,
                        StandardCharsets.UTF_8),
                Instant.ofEpochSecond(in.getInt(16) & 0xFFFF_FFFFL, in.getInt(20) & 0x7FFF_FFFFL),
                in.getLong(24),
                vmState,
                diskBytes,
                l1Offset,
                l1Size);
    }

    static byte[] encode(List<Qcow2Snapshot> snapshots) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (Qcow2Snapshot each : snapshots) {
            byte[] id = each.id().getBytes(StandardCharsets.UTF_8);
            byte[] name = each.name().getBytes(StandardCharsets.UTF_8);
            if (id.length > 0xFFFF || name.length > 0xFFFF) {
                throw new BlockException("a snapshot's name is too long");
            }
            ByteBuffer out =
                    ByteBuffer.allocate(
                            (ENTRY_BYTES + EXTRA_BYTES + id.length + name.length + 7) & -8);
            out.putLong(each.l1Offset()).putInt(each.l1Size());
            out.putShort((short) id.length).putShort((short) name.length);
            out.putInt((int) each.taken().getEpochSecond()).putInt(each.taken().getNano());
            out.putLong(each.vmClockNanos());
            out.putInt((int) Math.min(each.vmStateBytes(), 0xFFFF_FFFFL)).putInt(EXTRA_BYTES);
            out.putLong(each.vmStateBytes()).putLong(each.diskBytes()).putLong(NO_ICOUNT);
            out.put(id).put(name);
            all.writeBytes(out.array());
        }
        return all.toByteArray();
    }
}
