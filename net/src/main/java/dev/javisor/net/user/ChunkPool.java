package dev.javisor.net.user;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * All the memory that connections hold data in: grown when first needed, bounded, shared so that
 * none can take it all. Belongs to the network's thread.
 */
final class ChunkPool implements AutoCloseable {
    static final int CHUNK_BYTES = 8 << 10;
    private static final int SLAB_CHUNKS = 64;

    /** A piece of memory, in one queue or none. */
    static final class Chunk {
        final MemorySegment memory;

        /** The same memory for sockets. */
        final ByteBuffer buffer;

        @Nullable Chunk next;

        Chunk(MemorySegment memory) {
            this.memory = memory;
            buffer = memory.asByteBuffer();
        }
    }

    private final Arena arena = Arena.ofShared();
    private final int maxChunks;
    private int made;
    private int idle;
    private long returns;
    private @Nullable Chunk free;

    ChunkPool(long maxBytes) {
        maxChunks = (int) (maxBytes / CHUNK_BYTES);
    }

    /**
     * A chunk for one who holds some already. The more others hold, the fewer are left to each
     * (dynamic thresholds, Choudhury and Hahne 1998): one who does not let go cannot starve those
     * who do.
     *
     * @return null if there is none for it now
     */
    @Nullable Chunk take(int held) {
        if (!mayTake(held)) {
            return null;
        }
        Chunk taken = free;
        if (taken == null) {
            grow();
            taken = free;
        }
        if (taken != null) {
            free = taken.next;
            taken.next = null;
            idle--;
        }
        return taken;
    }

    /** Whether {@link #take} would give one. */
    boolean mayTake(int held) {
        return held == 0 ? left() > 0 : held < spare() / 4;
    }

    /** Chunks that one who holds some may hold in all. */
    int share(int held) {
        return Math.max(Math.max(1, held), spare() / 4);
    }

    /** Half is kept for those who hold none yet, so that they get on whatever others hold. */
    private int spare() {
        return Math.max(0, left() - maxChunks / 2);
    }

    private int left() {
        return maxChunks - made + idle;
    }

    private void grow() {
        MemorySegment slab = arena.allocate((long) SLAB_CHUNKS * CHUNK_BYTES, 4096);
        int n = Math.min(SLAB_CHUNKS, maxChunks - made);
        for (int i = 0; i < n; i++) {
            Chunk chunk = new Chunk(slab.asSlice((long) i * CHUNK_BYTES, CHUNK_BYTES));
            chunk.next = free;
            free = chunk;
        }
        made += n;
        idle += n;
    }

    void give(Chunk chunk) {
        returns++;
        chunk.next = free;
        free = chunk;
        idle++;
    }

    /** Chunks that were given back so far: who was refused need not ask before that changes. */
    long returns() {
        return returns;
    }

    /** Chunks in use. */
    int used() {
        return made - idle;
    }

    /** Bytes of memory that were ever taken from the host. */
    long footprintBytes() {
        return (long) made * CHUNK_BYTES;
    }

    @Override
    public void close() {
        arena.close();
    }
}
