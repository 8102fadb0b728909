package dev.javisor.softcpu.core;

/**
 * Which entries of a soft TLB were filled since all were dropped, as long as they are few: a flush
 * then visits these, and not the whole table. An entry may be listed more than once.
 */
final class FilledEntries {
    private static final int MOST = 192;

    private final int[] indices = new int[MOST];
    private int count;

    void add(int index) {
        if (count < MOST) {
            indices[count] = index;
        }
        count = Math.min(count + 1, MOST + 1);
    }

    void clear() {
        count = 0;
    }

    /** Whether more were filled than are known. */
    boolean isOverflowing() {
        return count > MOST;
    }

    int count() {
        return count;
    }

    int get(int i) {
        return indices[i];
    }
}
