package dev.javisor.virtio;

/** What a device may do with the endpoint that carries it. */
public interface VirtioContext {
    /** First signal bit that is a device's own; below are queues by index. */
    int DEVICE_SIGNALS = 48;

    /** Wakes {@link VirtioDevice#process} with {@code 1L << (DEVICE_SIGNALS + number)}. */
    void signal(int number);

    /**
     * A live queue. On the device's I/O thread, between {@link VirtioDevice#start} and the end of
     * {@link VirtioDevice#stop}.
     *
     * @throws IllegalStateException if the driver did not enable it
     */
    Virtqueue queue(int index);

    /** Whether the driver enabled the queue. On the device's I/O thread. */
    boolean hasQueue(int index);

    /** Whether new chains may be taken now. On the device's I/O thread. */
    boolean isServing();

    /** The driver broke the protocol: counts, asks it to reset the device, serves no more. */
    void guestFault(String why);

    /** The configuration space changed by itself: tells the driver. From any thread. */
    default void configChanged() {
        configChanged(() -> {});
    }

    /**
     * Changes the configuration space and tells the driver. A driver that reads in between sees
     * another generation afterwards (VIRTIO 1.2 §2.5.2). From any thread.
     */
    void configChanged(Runnable change);
}
