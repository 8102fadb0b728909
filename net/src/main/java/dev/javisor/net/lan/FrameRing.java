package dev.javisor.net.lan;

import dev.javisor.net.Bytes;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameOffload.Segmentation;

/** Frames on their way to one port: put by many threads, taken by one, none waiting for another. */
final class FrameRing {
    /** A few dozen of the largest frames, or a millisecond at 10 Gbit/s. */
    static final int BYTES = 1 << 21;

    private static final int MASK = BYTES - 1;

    // An entry: size u32, flags u8, segmentation u8, header, segment, start, offset u16 each.
    private static final int HEAD_BYTES = 16;
    private static final int FLAGS = 4;
    private static final int SEGMENTATION = 5;
    private static final int HEADERS = 6;
    private static final int SEGMENT = 8;
    private static final int START = 10;
    private static final int OFFSET = 12;

    private static final int NEEDS_CHECKSUM = 1;
    private static final int DATA_VALID = 2;

    /** In the place of a size: the next entry is at the start of the array. */
    private static final int WRAP = -1;

    private static final Segmentation[] SEGMENTATIONS = Segmentation.values();

    final byte[] bytes = new byte[BYTES];

    /** Bytes ever put; written under the lock, volatile for the one that takes. */
    private volatile long tail;

    /** Bytes ever taken; written by the one that takes. */
    private volatile long head;

    /** Appends a copy; false if there is no room. */
    synchronized boolean offer(Frame frame) {
        int sizeBytes = frame.sizeBytes();
        int entryBytes = HEAD_BYTES + (sizeBytes + 7 & ~7);
        long put = tail;
        int at = (int) put & MASK;
        int rest = BYTES - at;
        boolean wraps = entryBytes > rest;
        if (put - head + entryBytes + (wraps ? rest : 0) > BYTES) {
            return false;
        }
        if (wraps) {
            Bytes.putInt(bytes, at, WRAP);
            put += rest;
            at = 0;
        }
        FrameOffload offload = frame.offload();
        int copied = frame.copy(0, bytes, at + HEAD_BYTES, sizeBytes);
        Bytes.putInt(bytes, at, copied);
        Bytes.putByte(
                bytes,
                at + FLAGS,
                (offload.needsChecksum() ? NEEDS_CHECKSUM : 0)
                        | (offload.dataValid() ? DATA_VALID : 0));
        Bytes.putByte(bytes, at + SEGMENTATION, offload.segmentation().ordinal());
        Bytes.putShort(bytes, at + HEADERS, offload.headerBytes());
        Bytes.putShort(bytes, at + SEGMENT, offload.segmentBytes());
        Bytes.putShort(bytes, at + START, offload.checksumStart());
        Bytes.putShort(bytes, at + OFFSET, offload.checksumOffset());
        tail = put + HEAD_BYTES + (copied + 7 & ~7);
        return true;
    }

    /** The first frame's checksum has been filled in. */
    void complete(int first) {
        Bytes.putByte(bytes, first - HEAD_BYTES + FLAGS, 0);
    }

    /** Where the first frame is in {@link #bytes}; negative if there is none. */
    int first() {
        if (head == tail) {
            return -1;
        }
        int at = (int) head & MASK;
        if (Bytes.getInt(bytes, at) == WRAP) {
            head += BYTES - at;
            at = 0;
        }
        return at + HEAD_BYTES;
    }

    int sizeBytes(int first) {
        return Bytes.getInt(bytes, first - HEAD_BYTES);
    }

    FrameOffload offload(int first) {
        int at = first - HEAD_BYTES;
        int flags = Bytes.getByte(bytes, at + FLAGS);
        Segmentation segmentation = SEGMENTATIONS[Bytes.getByte(bytes, at + SEGMENTATION)];
        if ((flags & NEEDS_CHECKSUM) == 0 && segmentation == Segmentation.NONE) {
            return (flags & DATA_VALID) != 0 ? FrameOffload.VALID : FrameOffload.NONE;
        }
        return new FrameOffload(
                (flags & NEEDS_CHECKSUM) != 0,
                (flags & DATA_VALID) != 0,
                segmentation,
                Bytes.getShort(bytes, at + HEADERS),
                Bytes.getShort(bytes, at + SEGMENT),
                Bytes.getShort(bytes, at + START),
                Bytes.getShort(bytes, at + OFFSET));
    }

    /** Done with the first frame. */
    void remove() {
        int at = (int) head & MASK;
        head += HEAD_BYTES + (Bytes.getInt(bytes, at) + 7 & ~7);
    }

    /** Done with all frames. */
    void clear() {
        head = tail;
    }
}
