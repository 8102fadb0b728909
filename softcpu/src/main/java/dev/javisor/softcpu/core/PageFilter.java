package dev.javisor.softcpu.core;

import java.util.Arrays;

/**
 * A set of pages of any size that may say yes for more than it holds, but never no for what it
 * holds: a bit for each hash.
 */
final class PageFilter {
    private static final int BITS = 12;
    private static final int SHIFT_2M = 21;
    private static final int SHIFT_1G = 30;

    private final long[] bits = new long[1 << BITS - 6];
    private boolean any;

    /** A page, of 2 to the power {@code shift} bytes, that holds an address. */
    void add(long linear, int shift) {
        int hash = hash(linear, shift);
        bits[hash >>> 6] |= 1L << hash;
        any = true;
    }

    /** Whether one of the pages may hold an address; all sizes that exist (SDM 3A table 5-1). */
    boolean mayHold(long linear) {
        return any
                && (has(linear, 12)
                        || has(linear, SHIFT_2M)
                        || has(linear, SHIFT_2M + 1)
                        || has(linear, SHIFT_1G));
    }

    private boolean has(long linear, int shift) {
        int hash = hash(linear, shift);
        return (bits[hash >>> 6] >>> hash & 1) != 0;
    }

    private static int hash(long linear, int shift) {
        return (int) (((linear >>> shift) * 64 + shift) * 0x9E3779B97F4A7C15L >>> 64 - BITS);
    }

    void clear() {
        if (any) {
            Arrays.fill(bits, 0);
            any = false;
        }
    }
}
