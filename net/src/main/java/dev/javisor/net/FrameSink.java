package dev.javisor.net;

import java.lang.foreign.MemorySegment;

/**
 * Where frames for a guest go: straight into its buffers. One frame at a time: {@link #begin}, its
 * bytes in order, then {@link #end} or {@link #cancel}. On the interface's I/O thread.
 */
public interface FrameSink {
    /**
     * Makes room for a frame.
     *
     * @param maxBytes at most {@link Frame#MAX_BYTES}
     * @return false if the guest has no buffers for that much now; it is not an error, and {@link
     *     NetBackend#receive} is called again when it has. For a frame that can never fit the
     *     answer is true, and the frame is dropped.
     */
    boolean begin(int maxBytes);

    /**
     * As the other.
     *
     * @param flow any number, the same for frames whose order matters: chooses among the
     *     interface's queues
     */
    default boolean begin(int maxBytes, int flow) {
        return begin(maxBytes);
    }

    /** Appends. */
    void put(byte[] from, int at, int sizeBytes);

    /** Appends. */
    void put(MemorySegment from, long at, long sizeBytes);

    /** Views of the next bytes, for direct I/O; {@link #filled} follows. */
    MemorySegment[] room(int sizeBytes);

    /** Appends what was written into {@link #room}. */
    void filled(int sizeBytes);

    /** The frame is whole. */
    void end(FrameOffload offload);

    /** There is no frame after all. */
    void cancel();
}
