package dev.javisor.softcpu.core;

import java.util.concurrent.atomic.AtomicLongArray;

/** Dirty-page log of the whole backing. While off, every page counts as marked. */
public final class DirtyPages {
    private final AtomicLongArray bits;
    private volatile boolean enabled;

    DirtyPages(long backingBytes) {
        bits = new AtomicLongArray(Math.toIntExact(((backingBytes >>> 12) + 64) / 64));
    }

    /** Only while no vCPU executes guest code and none holds a write translation. */
    public void setEnabled(boolean value) {
        for (int i = 0; i < bits.length(); i++) {
            bits.set(i, 0);
        }
        enabled = value;
    }

    public void mark(int page) {
        if (enabled) {
            bits.getAndAccumulate(page >>> 6, 1L << page, (a, b) -> a | b);
        }
    }

    public boolean isMarked(int page) {
        return !enabled || (bits.get(page >>> 6) & (1L << page)) != 0;
    }

    /** Takes and clears one page's bit. Conditions as {@link #setEnabled}. */
    public boolean take(int page) {
        long mask = 1L << page;
        return (bits.getAndAccumulate(page >>> 6, ~mask, (a, b) -> a & b) & mask) != 0;
    }
}
