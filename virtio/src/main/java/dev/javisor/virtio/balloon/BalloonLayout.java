package dev.javisor.virtio.balloon;

/** Numbers of the balloon device's interface (VIRTIO 1.2 §5.5). */
final class BalloonLayout {
    static final long F_STATS_VQ = 1L << 1;
    static final long F_DEFLATE_ON_OOM = 1L << 2;
    static final long F_PAGE_POISON = 1L << 4;
    static final long F_PAGE_REPORTING = 1L << 5;

    // struct virtio_balloon_config
    static final int NUM_PAGES = 0;
    static final int ACTUAL = 4;
    static final int POISON_VAL = 12;
    static final int CONFIG_BYTES = 16;

    static final int QUEUE_INFLATE = 0;
    static final int QUEUE_DEFLATE = 1;
    static final int QUEUE_STATISTICS = 2;
    static final int QUEUES = 5;

    /** Of a balloon's page, whatever page size the guest has (§5.5.6). */
    static final int PAGE_SHIFT = 12;

    // struct virtio_balloon_stat, packed
    static final int STAT_BYTES = 10;
    static final int STAT_TAG = 0;
    static final int STAT_VALUE = 2;
    static final int S_SWAP_IN = 0;
    static final int S_SWAP_OUT = 1;
    static final int S_MAJFLT = 2;
    static final int S_MINFLT = 3;
    static final int S_MEMFREE = 4;
    static final int S_MEMTOT = 5;
    static final int S_AVAIL = 6;
    static final int S_CACHES = 7;

    private BalloonLayout() {}
}
