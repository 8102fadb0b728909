package dev.javisor.virtio.balloon;

import dev.javisor.virtio.VirtioConfig;
import java.util.Arrays;

/**
 * What a guest says about its memory (VIRTIO 1.2 §5.5.6.4), unchecked; -1 where it says nothing.
 *
 * @param freeBytes not used for anything
 * @param availableBytes free, or free at once if something needs it
 * @param cacheBytes copies of what is on disks
 * @param majorFaults page faults that waited for a disk
 */
public record BalloonStatistics(
        long totalBytes,
        long freeBytes,
        long availableBytes,
        long cacheBytes,
        long swapInBytes,
        long swapOutBytes,
        long majorFaults,
        long minorFaults) {
    private static final int MAX_STATS = 64;

    /** Most bytes of a buffer that are looked at. */
    static final int MAX_BYTES = MAX_STATS * BalloonLayout.STAT_BYTES;

    /** Of a list of struct virtio_balloon_stat; the last of two with the same tag counts. */
    static BalloonStatistics parse(byte[] list, int sizeBytes) {
        long[] values = new long[BalloonLayout.S_CACHES + 1];
        Arrays.fill(values, -1);
        for (int at = 0;
                at + BalloonLayout.STAT_BYTES <= sizeBytes;
                at += BalloonLayout.STAT_BYTES) {
            int tag = VirtioConfig.read(list, at + BalloonLayout.STAT_TAG, 2);
            if (tag < values.length) {
                values[tag] = VirtioConfig.readLong(list, at + BalloonLayout.STAT_VALUE);
            }
        }
        return new BalloonStatistics(
                values[BalloonLayout.S_MEMTOT],
                values[BalloonLayout.S_MEMFREE],
                values[BalloonLayout.S_AVAIL],
                values[BalloonLayout.S_CACHES],
                values[BalloonLayout.S_SWAP_IN],
                values[BalloonLayout.S_SWAP_OUT],
                values[BalloonLayout.S_MAJFLT],
                values[BalloonLayout.S_MINFLT]);
    }
}
