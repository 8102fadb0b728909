package dev.javisor.block.qcow2;

/** A set of cluster numbers from 0. Guarded by the metadata lock. */
final class ClusterSet {
    private static final long EMPTY = -1;

    private long[] table = newTable(64);
    private int size;

    private static long[] newTable(int length) {
        long[] table = new long[length];
        java.util.Arrays.fill(table, EMPTY);
        return table;
    }

    void clear() {
        table = newTable(64);
        size = 0;
    }

    private static int home(long cluster, int mask) {
        return (int) (cluster * 0x9E3779B97F4A7C15L >>> 33) & mask;
    }

    boolean contains(long cluster) {
        int mask = table.length - 1;
        for (int i = home(cluster, mask); table[i] != EMPTY; i = i + 1 & mask) {
            if (table[i] == cluster) {
                return true;
            }
        }
        return false;
    }

    /** Whether it was not in the set before. */
    boolean add(long cluster) {
        if (contains(cluster)) {
            return false;
        }
        if (2 * ++size > table.length) {
            long[] old = table;
            table = newTable(old.length * 2);
            for (long each : old) {
                if (each != EMPTY) {
                    insert(each);
                }
            }
        }
        insert(cluster);
        return true;
    }

    void addAll(long first, long count) {
        for (long i = 0; i < count; i++) {
            add(first + i);
        }
    }

    private void insert(long cluster) {
        int mask = table.length - 1;
        int i = home(cluster, mask);
        while (table[i] != EMPTY) {
            i = i + 1 & mask;
        }
        table[i] = cluster;
    }

    void remove(long cluster) {
        int mask = table.length - 1;
        int hole = home(cluster, mask);
        while (table[hole] != cluster) {
            if (table[hole] == EMPTY) {
                return;
            }
            hole = hole + 1 & mask;
        }
        table[hole] = EMPTY;
        size--;
        for (int i = hole + 1 & mask; table[i] != EMPTY; i = i + 1 & mask) {
            int home = home(table[i], mask);
            boolean stays = hole < i ? hole < home && home <= i : hole < home || home <= i;
            if (!stays) {
                table[hole] = table[i];
                table[i] = EMPTY;
                hole = i;
            }
        }
    }

    void removeAll(long first, long count) {
        for (long i = 0; i < count; i++) {
            remove(first + i);
        }
    }
}
