package dev.javisor.block.image;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Finds what is all zeroes. */
final class Zeroes {
    private static final MemorySegment BLOCK =
            MemorySegment.ofBuffer(ByteBuffer.allocateDirect(1 << 16)).asReadOnly();

    private Zeroes() {}

    static boolean isZero(MemorySegment bytes, long offset, long length) {
        for (long done = 0; done < length; ) {
            long n = Math.min(BLOCK.byteSize(), length - done);
            if (MemorySegment.mismatch(bytes, offset + done, offset + done + n, BLOCK, 0, n) >= 0) {
                return false;
            }
            done += n;
        }
        return true;
    }
}
