package dev.javisor.block.qcow2;

import dev.javisor.block.BlockException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** How often a walk through the tables has met each cluster. Sparse, with bounded memory. */
final class ReferenceCounts {
    private static final int CHUNK_BITS = 9;
    private static final int CHUNK = 1 << CHUNK_BITS;

    /** Of all chunks together: enough for 8 TiB in clusters of 64 KiB without gaps. */
    private static final long MAX_BYTES = 512L << 20;

    private final String name;
    private final Map<Long, int[]> chunks = new HashMap<>();
    private long lastKey = -1;
    private int[] last = new int[0];

    ReferenceCounts(String name) {
        this.name = name;
    }

    void add(long cluster) {
        long key = cluster >>> CHUNK_BITS;
        if (key != lastKey) {
            int[] chunk = chunks.get(key);
            if (chunk == null) {
                if (chunks.size() * (CHUNK * 4L + 64) > MAX_BYTES) {
                    throw new BlockException(
                            "%s: its clusters are too many to be counted".formatted(name));
                }
                chunk = new int[CHUNK];
                chunks.put(key, chunk);
            }
            last = chunk;
            lastKey = key;
        }
        int at = (int) cluster & (CHUNK - 1);
        if (last[at] < Integer.MAX_VALUE) {
            last[at]++;
        }
    }

    long get(long cluster) {
        long key = cluster >>> CHUNK_BITS;
        if (key != lastKey) {
            int[] chunk = chunks.get(key);
            if (chunk == null) {
                return 0;
            }
            last = chunk;
            lastKey = key;
        }
        return last[(int) cluster & (CHUNK - 1)];
    }

    /** The clusters that were met, in order. */
    long[] clusters() {
        long[] keys = chunks.keySet().stream().mapToLong(Long::longValue).sorted().toArray();
        long[] all = new long[keys.length * CHUNK];
        int count = 0;
        for (long key : keys) {
            int[] chunk = chunks.getOrDefault(key, new int[0]);
            for (int i = 0; i < chunk.length; i++) {
                if (chunk[i] != 0) {
                    all[count++] = (key << CHUNK_BITS) + i;
                }
            }
        }
        return Arrays.copyOf(all, count);
    }
}
