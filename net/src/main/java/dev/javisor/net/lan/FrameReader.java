package dev.javisor.net.lan;

import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameSink;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;

/** Cuts a stream into frames, each behind its length: 32 bits, big endian. */
final class FrameReader {
    static final int LENGTH_BYTES = 4;

    private static final int BUFFER_BYTES = 1 << 18;

    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
    private final MemorySegment segment = MemorySegment.ofBuffer(buffer);

    /** What is between the two was received and not yet delivered. */
    private int start;

    private int end;

    void clear() {
        start = 0;
        end = 0;
    }

    /**
     * Reads what there is room for, which is at least a frame's rest if {@link #deliver} answered
     * true before.
     *
     * @return bytes read, or -1 at the stream's end
     */
    int fill(ReadableByteChannel from) throws IOException {
        if (start > 0) {
            buffer.limit(end).position(start);
            buffer.compact();
            end -= start;
            start = 0;
        }
        buffer.limit(BUFFER_BYTES).position(end);
        int count = from.read(buffer);
        if (count > 0) {
            end += count;
        }
        return count;
    }

    /**
     * Delivers all whole frames.
     *
     * @return false if the sink took no more
     * @throws IOException if what came is not a frame
     */
    boolean deliver(FrameSink sink) throws IOException {
        while (end - start >= LENGTH_BYTES) {
            int sizeBytes = buffer.getInt(start);
            if (sizeBytes < 1 || sizeBytes > Frame.MAX_BYTES) {
                throw new IOException(
                        "a frame of %d bytes announced".formatted(sizeBytes & 0xFFFF_FFFFL));
            }
            if (end - start - LENGTH_BYTES < sizeBytes) {
                return true;
            }
            if (!sink.begin(sizeBytes)) {
                return false;
            }
            sink.put(segment, start + LENGTH_BYTES, sizeBytes);
            sink.end(FrameOffload.NONE);
            start += LENGTH_BYTES + sizeBytes;
        }
        return true;
    }
}
