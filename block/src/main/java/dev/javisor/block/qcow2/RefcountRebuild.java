package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/** New refcount blocks and a new table in clusters [start, start + own), from counts. */
final class RefcountRebuild {
    private final Qcow2Image image;
    private final Qcow2Header header;
    private final ReferenceCounts counts;
    private final long[] clusters;
    private final long start;
    private final long own;
    private final long tableClusters;
    private final int blockBits;
    private final Map<Long, byte[]> blocks = new LinkedHashMap<>();

    RefcountRebuild(
            Qcow2Image image,
            ReferenceCounts counts,
            long[] clusters,
            long start,
            long own,
            long tableClusters) {
        this.image = image;
        header = image.meta.header;
        this.counts = counts;
        this.clusters = clusters;
        this.start = start;
        this.own = own;
        this.tableClusters = tableClusters;
        blockBits = header.clusterBits + 3 - header.refcountOrder;
    }

    private void set(long cluster, long count) {
        long max =
                header.refcountOrder == 6
                        ? Long.MAX_VALUE
                        : (1L << (1 << header.refcountOrder)) - 1;
        long value = Math.min(count, max);
        byte[] block =
                blocks.computeIfAbsent(cluster >>> blockBits, _ -> new byte[header.clusterBytes()]);
        int in = (int) (cluster & ((1L << blockBits) - 1));
        ByteBuffer out = ByteBuffer.wrap(block);
        switch (header.refcountOrder) {
            case 3 -> out.put(in, (byte) value);
            case 4 -> out.putShort(in * 2, (short) value);
            case 5 -> out.putInt(in * 4, (int) value);
            case 6 -> out.putLong(in * 8, value);
            default -> {
                int bit = in << header.refcountOrder;
                block[bit >> 3] |= (byte) (value << (bit & 7));
            }
        }
    }

    void write() {
        for (long cluster : clusters) {
            set(cluster, counts.get(cluster));
        }
        // The table first, then the blocks, so many as there are; the rest stays free.
        int known = blocks.size();
        long used = tableClusters + known;
        for (long i = 0; i < used; i++) {
            set(start + i, 1);
        }
        while (used < tableClusters + blocks.size()) {
            set(start + used, 1);
            used++;
        }
        if (used > own) {
            throw new IllegalStateException("%d clusters planned, %d needed".formatted(own, used));
        }
        long[] table = new long[(int) (tableClusters << header.clusterBits >>> 3)];
        long at = (start + tableClusters) << header.clusterBits;
        for (Map.Entry<Long, byte[]> each : blocks.entrySet()) {
            table[(int) (long) each.getKey()] = at;
            image.file.write(at, MemorySegment.ofArray(each.getValue()));
            at += header.clusterBytes();
        }
        long tableOffset = start << header.clusterBits;
        image.file.write(tableOffset, MemorySegment.ofArray(Qcow2Metadata.bytes(table)));
        image.file.flush();
        header.refcountTableOffset = tableOffset;
        header.refcountTableClusters = (int) tableClusters;
        image.meta.writeFields(REFCOUNT_TABLE_OFFSET, REFCOUNT_TABLE_CLUSTERS + 4);
        image.file.flush();
    }
}
