package dev.javisor.block;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Zeroes to write. */
final class Zeroes {
    static final MemorySegment PIECE =
            MemorySegment.ofBuffer(ByteBuffer.allocateDirect(1 << 16)).asReadOnly();

    private Zeroes() {}
}
