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

    /** Makes all completed writes durable, in no order among themselves. */
    void flush();

    @Override
    void close();
}
