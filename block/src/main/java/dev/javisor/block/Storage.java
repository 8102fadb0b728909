package dev.javisor.block;

import java.lang.foreign.MemorySegment;

/**
 * The bytes that an image format lies in: a file, mostly. All methods from any thread; transfers in
 * flight at the same time have no order among themselves. What fails throws {@link BlockException}.
 */
public interface Storage extends AutoCloseable {
    /** For messages: the path of a file. */
    String name();

    long sizeBytes();

    boolean isReadOnly();

    /** Fills all of {@code into}; what lies past the end reads as zeroes. */
    void read(long offset, MemorySegment into);

    /** Writes all of {@code from}; past the end, the storage grows. */
    void write(long offset, MemorySegment from);

    /** Cuts off, or grows with zeroes that take no space where there are holes. */
    void resize(long sizeBytes);

    /** Makes a part read as zeroes; past the end, the storage grows. */
    default void zero(long offset, long sizeBytes) {
        for (long done = 0; done < sizeBytes; ) {
            long n = Math.min(Zeroes.PIECE.byteSize(), sizeBytes - done);
            write(offset + done, Zeroes.PIECE.asSlice(0, n));
            done += n;
        }
    }

    /** Gives a part back to the host, where that can be; it then reads as zeroes, or as before. */
    default void discard(long offset, long sizeBytes) {}

    /** Whether {@link #discard} does something. */
    default boolean canDiscard() {
        return false;
    }

    /**
     * How many bytes from {@code offset} on are alike: a positive number for data, a negative one
     * for a hole, which reads as zeroes. At most {@code max}.
     */
    default long run(long offset, long max) {
        return max;
    }

    /** Bytes that it takes on its host; negative if not known. */
    default long allocatedBytes() {
        return -1;
    }

    /** Makes all completed writes durable, in no order among themselves. */
    void flush();

    @Override
    void close();
}
