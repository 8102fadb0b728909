package dev.javisor.boot;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Bytes that a loader copies into guest memory, such as a file. Nothing in them is trusted. Reads
 * go straight to their target, so a large file never passes through the heap.
 */
public interface ByteSource extends AutoCloseable {
    /** Bytes in all, fixed when the source was opened. */
    long sizeBytes();

    /**
     * Fills {@code into} from {@code offset} on.
     *
     * @throws EOFException if the source ends before
     * @throws IOException when the host cannot read
     */
    void read(long offset, MemorySegment into) throws IOException;

    /** Releases the file, if there is one. */
    @Override
    default void close() {}

    /** A source over an array, which is not copied. */
    static ByteSource of(byte[] bytes) {
        return new ByteSource() {
            @Override
            public long sizeBytes() {
                return bytes.length;
            }

            @Override
            public void read(long offset, MemorySegment into) throws IOException {
                if (offset < 0 || into.byteSize() > bytes.length - offset) {
                    throw new EOFException("end of data");
                }
                MemorySegment.copy(
                        bytes,
                        Math.toIntExact(offset),
                        into,
                        ValueLayout.JAVA_BYTE,
                        0,
                        Math.toIntExact(into.byteSize()));
            }
        };
    }

    /**
     * A little-endian view of {@code sizeBytes} at {@code offset}, copied once: what was checked is
     * what is used.
     */
    default ByteBuffer peek(long offset, int sizeBytes) throws IOException {
        byte[] bytes = new byte[sizeBytes];
        read(offset, MemorySegment.ofArray(bytes));
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
