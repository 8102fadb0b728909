package dev.javisor.virtio;

/** Feature bits that every device shares (VIRTIO 1.2 §6). */
public final class VirtioFeatures {
    public static final long RING_INDIRECT_DESC = 1L << 28;
    public static final long RING_EVENT_IDX = 1L << 29;
    public static final long VERSION_1 = 1L << 32;

    /** What queue and transport offer for every device. */
    static final long TRANSPORT = RING_INDIRECT_DESC | RING_EVENT_IDX | VERSION_1;

    private VirtioFeatures() {}
}
