package dev.javisor.block.qcow2;

import java.util.Arrays;

/** References to clusters that were dropped, as runs; adjacent ones are merged. */
final class FreedClusters {
    private long[] first = new long[16];
    private long[] count = new long[16];
    private int runs;

    void add(long cluster, long clusters) {
        if (runs > 0 && first[runs - 1] + count[runs - 1] == cluster) {
            count[runs - 1] += clusters;
            return;
        }
        if (runs == first.length) {
            first = Arrays.copyOf(first, runs * 2);
            count = Arrays.copyOf(count, runs * 2);
        }
        first[runs] = cluster;
        count[runs] = clusters;
        runs++;
    }

    void addAll(FreedClusters other) {
        for (int i = 0; i < other.runs; i++) {
            add(other.first[i], other.count[i]);
        }
    }

    void clear() {
        runs = 0;
    }

    int runs() {
        return runs;
    }

    boolean isEmpty() {
        return runs == 0;
    }

    long first(int run) {
        return first[run];
    }

    long count(int run) {
        return count[run];
    }
}
