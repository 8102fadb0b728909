package dev.javisor.block;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One operation on a backend.
 *
 * @param offset bytes from the start of the disk; 0 for FLUSH
 * @param sizeBytes bytes of the disk that it concerns; for READ and WRITE the sum of the buffers
 * @param buffers of READ and WRITE, accessible from any thread until completion; else empty
 */
public record BlockIo(
        Kind kind, long offset, long sizeBytes, MemorySegment[] buffers, Completion completion) {

    private static final MemorySegment[] NONE = new MemorySegment[0];

    /** What to do. */
    public enum Kind {
        READ,
        WRITE,
        /** Makes every write completed before the submission durable. */
        FLUSH,
        /** The contents are not needed any more; reads then give anything. */
        DISCARD,
        /** Reads then give zeroes. */
        WRITE_ZEROES
    }

    /** Called once per operation, on a thread of the backend: must be quick, must not block. */
    @FunctionalInterface
    public interface Completion {
        /**
         * @param error null if all was done; else part may have been
         */
        void completed(@Nullable BlockException error);
    }

    public static BlockIo read(long offset, MemorySegment[] into, Completion completion) {
        return new BlockIo(Kind.READ, offset, sum(into), into, completion);
    }

    public static BlockIo write(long offset, MemorySegment[] from, Completion completion) {
        return new BlockIo(Kind.WRITE, offset, sum(from), from, completion);
    }

    public static BlockIo flush(Completion completion) {
        return new BlockIo(Kind.FLUSH, 0, 0, NONE, completion);
    }

    public static BlockIo discard(long offset, long sizeBytes, Completion completion) {
        return new BlockIo(Kind.DISCARD, offset, sizeBytes, NONE, completion);
    }

    public static BlockIo writeZeroes(long offset, long sizeBytes, Completion completion) {
        return new BlockIo(Kind.WRITE_ZEROES, offset, sizeBytes, NONE, completion);
    }

    private static long sum(MemorySegment[] buffers) {
        long sum = 0;
        for (MemorySegment buffer : buffers) {
            sum += buffer.byteSize();
        }
        return sum;
    }
}
