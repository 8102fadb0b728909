package dev.javisor.net;

import java.lang.foreign.MemorySegment;

/**
 * An Ethernet frame that a guest sends, from its destination address on, without a check sequence.
 * Valid only during the call that hands it over.
 *
 * <p>It lies in guest memory, where a hostile guest changes it at any time: headers are copied once
 * and then checked.
 */
public interface Frame {
    /** Largest frame: 64 KiB of IP packet behind an Ethernet header with a VLAN tag. */
    int MAX_BYTES = 65_535 + 18;

    int sizeBytes();

    FrameOffload offload();

    /**
     * Copies a part of it.
     *
     * @return bytes copied, fewer than asked only at the end
     */
    int copy(int from, byte[] to, int at, int sizeBytes);

    /** Views of a part of it, for direct I/O. */
    MemorySegment[] slices(int from, int sizeBytes);
}
