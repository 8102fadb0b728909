package dev.javisor.virtio.block;

import dev.javisor.block.BlockBackend;
import dev.javisor.block.BlockException;
import dev.javisor.block.BlockIo;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A disk in an array that completes when the test says so. */
final class MemoryDisk implements BlockBackend {
    byte[] bytes;
    final List<String> log = new ArrayList<>();
    private final ArrayDeque<BlockIo> waiting = new ArrayDeque<>();
    private final boolean readOnly;
    boolean deferred;
    boolean failing;

    /** Failures are those of a host that is full. */
    boolean full;

    boolean closed;

    MemoryDisk(int sizeBytes, boolean readOnly) {
        bytes = new byte[sizeBytes];
        this.readOnly = readOnly;
    }

    @Override
    public String id() {
        return "memory-disk";
    }

    @Override
    public long sizeBytes() {
        return bytes.length;
    }

    @Override
    public void grow(long sizeBytes) {
        bytes = Arrays.copyOf(bytes, (int) sizeBytes);
    }

    @Override
    public int blockSizeBytes() {
        return 512;
    }

    @Override
    public boolean isReadOnly() {
        return readOnly;
    }

    @Override
    public boolean canDiscard() {
        return true;
    }

    @Override
    public void submit(BlockIo io) {
        log.add(io.kind() + "@" + io.offset() + "+" + io.sizeBytes());
        waiting.add(io);
        if (!deferred) {
            completeOldest();
        }
    }

    int waiting() {
        return waiting.size();
    }

    void completeOldest() {
        complete(waiting.removeFirst());
    }

    void completeNewest() {
        complete(waiting.removeLast());
    }

    private void complete(BlockIo io) {
        if (failing) {
            io.completion()
                    .completed(
                            full
                                    ? BlockException.outOfSpace(
                                            "memory-disk is full", new IOException("ENOSPC"))
                                    : new BlockException("memory-disk fails as told"));
            return;
        }
        int at = (int) io.offset();
        for (MemorySegment buffer : io.buffers()) {
            int n = (int) buffer.byteSize();
            if (io.kind() == BlockIo.Kind.READ) {
                MemorySegment.copy(bytes, at, buffer, ValueLayout.JAVA_BYTE, 0, n);
            } else {
                MemorySegment.copy(buffer, ValueLayout.JAVA_BYTE, 0, bytes, at, n);
            }
            at += n;
        }
        if (io.kind() == BlockIo.Kind.WRITE_ZEROES) {
            Arrays.fill(bytes, at, at + (int) io.sizeBytes(), (byte) 0);
        }
        io.completion().completed(null);
    }

    @Override
    public void close() {
        closed = true;
    }
}
