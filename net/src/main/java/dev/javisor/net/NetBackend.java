package dev.javisor.net;

/**
 * What one network interface of a guest is plugged into. All methods are called on one thread, the
 * interface's I/O thread, except where they say otherwise; only the {@link #connect wake-up} goes
 * the other way, from any thread.
 *
 * <p>Neither direction has a queue in between: a backend that cannot take a frame says so and the
 * frame stays with the guest; a guest without buffers says so and what is to come stays with the
 * backend. Whoever said no tells the other when it is worth trying again.
 */
public interface NetBackend extends AutoCloseable {
    /** Largest payload of an Ethernet frame that is not segmented, bytes; 1500 as a rule. */
    int mtuBytes();

    /** What it takes from a guest beside plain frames: checksums left open, large segments. */
    NetOffloads accepted();

    /**
     * The interface is there; once, before anything else.
     *
     * @param wake makes the interface call {@link #receive}, and {@link #send} again if that had
     *     refused a frame. From any thread, never blocks, does not allocate.
     */
    void connect(Runnable wake);

    /**
     * The guest's driver is ready.
     *
     * @param mac the interface's address
     * @param guest what the driver takes beside plain frames
     */
    void start(MacAddress mac, NetOffloads guest);

    /** The guest's driver takes something else than it did. */
    void change(NetOffloads guest);

    /** The guest's driver is gone, by a reset as a rule: forgets all that it had with the guest. */
    void stop();

    /**
     * Takes a frame from the guest. The frame is valid during this call only. Frames that make no
     * sense are taken and dropped.
     *
     * @return false if it cannot be taken now: it will be offered again after the next wake-up
     */
    boolean send(Frame frame);

    /**
     * Hands frames to the guest, as many as there are and the sink takes. Called after each
     * wake-up, after each batch of {@link #send}, and when the guest has given new buffers to a
     * sink that was full.
     */
    void receive(FrameSink sink);

    /** Releases everything. The I/O thread has ended, or this is it. */
    @Override
    void close();
}
