package dev.javisor.block.image;

import dev.javisor.block.BlockBackend;
import dev.javisor.block.BlockException;
import dev.javisor.block.BlockIo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Sends equal requests to a backend and keeps so many in flight.
 *
 * @param stepBytes from the start of one request to that of the next
 * @param flushInterval writes after which a flush is sent; 0 for never
 */
public record ImageBench(
        long count,
        int depth,
        int bufferBytes,
        long offset,
        long stepBytes,
        boolean write,
        int pattern,
        long flushInterval) {
    /** Seconds that it took. */
    public double run(BlockBackend disk) {
        Semaphore free = new Semaphore(depth);
        AtomicReference<@Nullable BlockException> failure = new AtomicReference<>();
        BlockIo.Completion completion =
                error -> {
                    if (error != null) {
                        failure.compareAndSet(null, error);
                    }
                    free.release();
                };
        try (Arena arena = Arena.ofShared()) {
            MemorySegment buffer = arena.allocate(bufferBytes).fill((byte) pattern);
            MemorySegment[] buffers = {buffer};
            long start = System.nanoTime();
            long at = offset;
            long last = disk.sizeBytes() - bufferBytes;
            for (long i = 0; i < count && failure.get() == null; i++) {
                free.acquireUninterruptibly();
                if (at > last) {
                    at = offset;
                }
                disk.submit(
                        write
                                ? BlockIo.write(at, buffers, completion)
                                : BlockIo.read(at, buffers, completion));
                at += stepBytes;
                if (write && flushInterval > 0 && (i + 1) % flushInterval == 0) {
                    free.acquireUninterruptibly();
                    disk.submit(BlockIo.flush(completion));
                }
            }
            free.acquireUninterruptibly(depth);
            BlockException error = failure.get();
            if (error != null) {
                throw error;
            }
            return (System.nanoTime() - start) / 1e9;
        }
    }
}
