package dev.javisor.virtio;

/**
 * A kind of device (VIRTIO 1.2 §5), free of transport and of everything before DRIVER_OK. The I/O
 * methods are called on one thread, the device's {@link IoLoop}; the others from any.
 */
public interface VirtioDevice extends AutoCloseable {
    /** VIRTIO 1.2 §5: 1 network, 2 block, 3 console, 4 entropy, ... */
    int deviceId();

    /** The class code of its PCI function. */
    int pciClassCode();

    /** Features it offers, without those of queue and transport. */
    long features();

    /** Largest size of each queue; at most 48 queues, powers of two. */
    int[] queueSizes();

    /** Bytes of its configuration space; 0 for none. */
    int configBytes();

    /** Reads its configuration space; within {@link #configBytes}. Zero-extended. */
    int readConfig(int offset, int sizeBytes);

    /** Writes its configuration space; within {@link #configBytes}. */
    void writeConfig(int offset, int sizeBytes, int value);

    /** The endpoint that will carry it; before anything else, once. */
    void connect(VirtioContext context);

    /**
     * I/O thread: the driver is ready.
     *
     * @param features as negotiated
     */
    void start(long features);

    /**
     * I/O thread: something happened.
     *
     * @param signals queues that were rung by index, and the device's own
     */
    void process(long signals);

    /** I/O thread: takes no more chains, drops what only makes sense with this driver. */
    void stop();

    /** I/O thread: whether no chain is in flight. Looked at after each call. */
    boolean isIdle();

    /** Its own state, with the I/O thread paused. */
    VirtioDeviceState save();

    /**
     * I/O thread: takes a saved state over, after {@link #start} if the driver was ready.
     *
     * @throws IllegalArgumentException if it is not one of this kind of device
     */
    void restore(VirtioDeviceState state);

    /** Releases backends. The I/O thread has ended. */
    @Override
    void close();
}
