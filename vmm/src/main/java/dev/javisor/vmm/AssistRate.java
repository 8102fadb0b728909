package dev.javisor.vmm;

import dev.javisor.base.TimeSource;
import java.util.SortedMap;

/**
 * How often accelerators needed help with instructions, and how often lately: between two looks at
 * the machine's status that are at least a tenth of a second apart.
 */
final class AssistRate {
    private static final long SHORTEST_NANOS = 100_000_000;

    private final TimeSource time;

    // Guarded by this.
    private long sinceNanos;
    private long sinceCount;
    private double lately;

    AssistRate(TimeSource time) {
        this.time = time;
        this.sinceNanos = time.nanos();
    }

    synchronized VmAssists of(SortedMap<String, Long> counts) {
        long count = counts.values().stream().mapToLong(Long::longValue).sum();
        long now = time.nanos();
        long nanos = now - sinceNanos;
        if (nanos >= SHORTEST_NANOS) {
            // Counts start again on another accelerator.
            lately = Math.max(0, count - sinceCount) * 1e9 / nanos;
            sinceNanos = now;
            sinceCount = count;
        }
        return new VmAssists(count, lately, counts);
    }
}
