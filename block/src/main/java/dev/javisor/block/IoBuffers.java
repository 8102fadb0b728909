package dev.javisor.block;

import java.lang.foreign.MemorySegment;

/**
 * The buffers of one transfer, seen as one run of bytes. For one thread at a time. Positions are
 * offsets into that run.
 */
public final class IoBuffers {
    private static final byte ZERO = 0;

    private final MemorySegment[] segments;
    private final long sizeBytes;

    // The segment of the position asked for last, and the position at which it begins.
    private int current;
    private long currentStart;

    public IoBuffers(MemorySegment... segments) {
        this.segments = segments;
        long sum = 0;
        for (MemorySegment segment : segments) {
            sum += segment.byteSize();
        }
        sizeBytes = sum;
    }

    public long sizeBytes() {
        return sizeBytes;
    }

    /** The longest piece from a position that lies in one segment, at most {@code maxBytes}. */
    public MemorySegment piece(long at, long maxBytes) {
        if (at < currentStart) {
            current = 0;
            currentStart = 0;
        }
        while (at - currentStart >= segments[current].byteSize()) {
            currentStart += segments[current].byteSize();
            current++;
        }
        MemorySegment segment = segments[current];
        long from = at - currentStart;
        return segment.asSlice(from, Math.min(maxBytes, segment.byteSize() - from));
    }

    /** Fills a part from a storage. */
    public void readFrom(Storage storage, long offset, long at, long sizeBytes) {
        for (long done = 0; done < sizeBytes; ) {
            MemorySegment piece = piece(at + done, sizeBytes - done);
            storage.read(offset + done, piece);
            done += piece.byteSize();
        }
    }

    /** Writes a part to a storage. */
    public void writeTo(Storage storage, long offset, long at, long sizeBytes) {
        for (long done = 0; done < sizeBytes; ) {
            MemorySegment piece = piece(at + done, sizeBytes - done);
            storage.write(offset + done, piece);
            done += piece.byteSize();
        }
    }

    public void fillZero(long at, long sizeBytes) {
        for (long done = 0; done < sizeBytes; ) {
            MemorySegment piece = piece(at + done, sizeBytes - done);
            piece.fill(ZERO);
            done += piece.byteSize();
        }
    }

    /** Copies a part out. */
    public void copyTo(long at, MemorySegment target) {
        for (long done = 0; done < target.byteSize(); ) {
            MemorySegment piece = piece(at + done, target.byteSize() - done);
            MemorySegment.copy(piece, 0, target, done, piece.byteSize());
            done += piece.byteSize();
        }
    }

    /** Copies a part in. */
    public void copyFrom(MemorySegment source, long at) {
        for (long done = 0; done < source.byteSize(); ) {
            MemorySegment piece = piece(at + done, source.byteSize() - done);
            MemorySegment.copy(source, done, piece, 0, piece.byteSize());
            done += piece.byteSize();
        }
    }

    /** A part as buffers of its own. */
    public IoBuffers slice(long at, long sizeBytes) {
        if (at == 0 && sizeBytes == this.sizeBytes) {
            return this;
        }
        int pieces = 0;
        for (long done = 0; done < sizeBytes; pieces++) {
            done += piece(at + done, sizeBytes - done).byteSize();
        }
        MemorySegment[] parts = new MemorySegment[pieces];
        long done = 0;
        for (int i = 0; i < pieces; i++) {
            parts[i] = piece(at + done, sizeBytes - done);
            done += parts[i].byteSize();
        }
        return new IoBuffers(parts);
    }
}
