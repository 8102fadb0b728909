package dev.javisor.block;

import dev.javisor.base.TimeSource;
import dev.javisor.base.TokenBucket;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Lets operations through to a backend no faster than its limits say, in the order in which they
 * came. Flushes pass at once: they cover only what has completed.
 */
public final class ThrottledBackend implements BlockBackend {
    private final BlockBackend backend;
    private final TimeSource time;
    private final TimeSource.Timer timer;
    private final TokenBucket operations;
    private final TokenBucket bytes;
    private final boolean limitsOperations;
    private final boolean limitsBytes;

    /** Guarded by itself, as the buckets are. */
    private final ArrayDeque<BlockIo> waiting = new ArrayDeque<>();

    private boolean closing;

    /**
     * @param backend closed with this one
     */
    public ThrottledBackend(BlockBackend backend, DiskLimits limits, TimeSource time) {
        this.backend = backend;
        this.time = time;
        limitsOperations = limits.operationsPerSecond() > 0;
        limitsBytes = limits.bytesPerSecond() > 0;
        long now = time.nanos();
        operations =
                new TokenBucket(
                        Math.max(1, limits.operationsPerSecond()),
                        Math.max(1, limits.operationsBurst()),
                        now);
        bytes =
                new TokenBucket(
                        Math.max(1, limits.bytesPerSecond()),
                        Math.max(1, limits.bytesBurst()),
                        now);
        timer = time.timer("limits of " + backend.id(), this::drain);
    }

    @Override
    public void submit(BlockIo io) {
        if (io.kind() == BlockIo.Kind.FLUSH) {
            backend.submit(io);
            return;
        }
        synchronized (waiting) {
            if (closing || !waiting.isEmpty() || !isReady(time.nanos())) {
                if (!closing) {
                    waiting.add(io);
                    arm();
                    return;
                }
            } else {
                take(io);
            }
        }
        backend.submit(io);
    }

    private boolean isReady(long now) {
        return (!limitsOperations || operations.isReady(now))
                && (!limitsBytes || bytes.isReady(now));
    }

    private void take(BlockIo io) {
        if (limitsOperations) {
            operations.take(1);
        }
        if (limitsBytes) {
            bytes.take(io.sizeBytes());
        }
    }

    private void arm() {
        long now = time.nanos();
        long at = now;
        if (limitsOperations) {
            at = Math.max(at, operations.readyNanos(now));
        }
        if (limitsBytes) {
            at = Math.max(at, bytes.readyNanos(now));
        }
        timer.arm(at);
    }

    /** Timer thread: lets through what may go now. */
    private void drain() {
        List<BlockIo> ready = new ArrayList<>();
        synchronized (waiting) {
            while (!waiting.isEmpty() && isReady(time.nanos())) {
                BlockIo io = waiting.remove();
                take(io);
                ready.add(io);
            }
            if (!waiting.isEmpty()) {
                arm();
            }
        }
        ready.forEach(backend::submit);
    }

    @Override
    public String id() {
        return backend.id();
    }

    @Override
    public long sizeBytes() {
        return backend.sizeBytes();
    }

    @Override
    public void grow(long sizeBytes) {
        backend.grow(sizeBytes);
    }

    @Override
    public int blockSizeBytes() {
        return backend.blockSizeBytes();
    }

    @Override
    public boolean isReadOnly() {
        return backend.isReadOnly();
    }

    @Override
    public boolean canDiscard() {
        return backend.canDiscard();
    }

    /** What waits is done first, without limits: nobody sees it any more. */
    @Override
    public void close() {
        List<BlockIo> rest;
        synchronized (waiting) {
            closing = true;
            rest = List.copyOf(waiting);
            waiting.clear();
        }
        timer.cancel();
        rest.forEach(backend::submit);
        backend.close();
    }
}
