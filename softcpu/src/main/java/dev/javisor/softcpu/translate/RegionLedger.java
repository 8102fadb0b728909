package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.core.CodePages;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The code cache of one vCPU: which regions there are, and how much they take. Beyond the limit
 * those that were entered least since the last time lose their place, a quarter of all; the JVM
 * unloads their classes, and the machine code with them, at its next collection. Nothing here keeps
 * a region alive that its block has dropped. Belongs to the translator's thread.
 */
final class RegionLedger {
    /** Entries before which nothing is looked through, so that small ledgers cost nothing. */
    private static final int FEW = 64;

    private final CodePages codePages;
    private final List<Entry> entries = new ArrayList<>();
    private long bytes;
    private long evicted;

    private static final class Entry {
        final WeakReference<Region> region;
        final int bytes;

        /** {@link Region#entries} when last looked at. */
        long entriesThen;

        /** Entered since. */
        long activity;

        Entry(Region region, int bytes) {
            this.region = new WeakReference<>(region);
            this.bytes = bytes;
        }
    }

    RegionLedger(CodePages codePages) {
        this.codePages = codePages;
    }

    /** Bytes of class files of all that may be alive. */
    long bytes() {
        return bytes;
    }

    /** Regions that may be alive. */
    int size() {
        return entries.size();
    }

    /** Regions that lost their place so far. */
    long evicted() {
        return evicted;
    }

    /**
     * @param sizeBytes of its class file
     * @param limitBytes of all class files
     */
    void add(Region region, int sizeBytes, long limitBytes) {
        entries.add(new Entry(region, sizeBytes));
        bytes += sizeBytes;
        if (bytes > limitBytes && entries.size() > FEW) {
            forgetDropped();
            if (bytes > limitBytes * 3 / 4) {
                evictColdest();
            }
        }
    }

    /** Of regions that were replaced, collected, or whose code has changed. */
    private void forgetDropped() {
        bytes = 0;
        entries.removeIf(entry -> {
            Region region = entry.region.get();
            if (region == null || !region.isInPlace(codePages)) {
                return true;
            }
            bytes += entry.bytes;
            entry.activity = region.entries() - entry.entriesThen;
            entry.entriesThen = region.entries();
            return false;
        });
    }

    private void evictColdest() {
        // What was made last has had no chance yet: it is behind those as cold as itself.
        entries.sort(Comparator.comparingLong((Entry entry) -> entry.activity));
        int count = Math.max(1, entries.size() / 4);
        for (Entry entry : entries.subList(0, count)) {
            Region region = entry.region.get();
            if (region != null) {
                region.evict();
            }
            bytes -= entry.bytes;
        }
        entries.subList(0, count).clear();
        evicted += count;
    }
}
