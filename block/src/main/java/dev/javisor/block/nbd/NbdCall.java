package dev.javisor.block.nbd;

import static dev.javisor.block.nbd.NbdLayout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.BlockIo;
import dev.javisor.block.IoBuffers;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** A request as one server takes it: a disk's operation, or a part of it. */
final class NbdCall {
    /** Most bytes of a request that carries none of them. */
    private static final long MAX_RANGE = 1L << 30;

    private static final MemorySegment ZEROES =
            MemorySegment.ofBuffer(ByteBuffer.allocateDirect(1 << 20)).asReadOnly();

    /** The operation, until all its parts are done. */
    private static final class Whole {
        private final BlockIo io;
        private final AtomicInteger left;
        private final AtomicReference<@Nullable BlockException> error = new AtomicReference<>();

        Whole(BlockIo io, int parts) {
            this.io = io;
            left = new AtomicInteger(parts);
        }

        void done(@Nullable BlockException failure) {
            if (failure != null) {
                error.compareAndSet(null, failure);
            }
            if (left.decrementAndGet() == 0) {
                io.completion().completed(error.get());
            }
        }
    }

    private final Whole whole;
    final int command;
    final long offset;
    final long sizeBytes;

    /** Filled by a read, sent by a write. */
    final IoBuffers buffers;

    // The thread's that reads replies.
    long receivedBytes;
    int error;

    private NbdCall(Whole whole, int command, long offset, long sizeBytes, IoBuffers buffers) {
        this.whole = whole;
        this.command = command;
        this.offset = offset;
        this.sizeBytes = sizeBytes;
        this.buffers = buffers;
    }

    /** The requests for an operation, at least one. */
    static List<NbdCall> of(BlockIo io, NbdConnection server) {
        IoBuffers buffers = new IoBuffers(io.buffers());
        int command =
                switch (io.kind()) {
                    case READ -> CMD_READ;
                    case WRITE -> CMD_WRITE;
                    case FLUSH -> CMD_FLUSH;
                    case DISCARD -> CMD_TRIM;
                    case WRITE_ZEROES -> {
                        if ((server.flags() & SEND_WRITE_ZEROES) != 0) {
                            yield CMD_WRITE_ZEROES;
                        }
                        buffers = zeroes(io.sizeBytes());
                        yield CMD_WRITE;
                    }
                };
        boolean carries = command == CMD_READ || command == CMD_WRITE;
        long most = carries ? server.maxBytes() : MAX_RANGE;
        int parts = (int) Math.max(1, (io.sizeBytes() + most - 1) / most);
        Whole whole = new Whole(io, parts);
        List<NbdCall> calls = new ArrayList<>(parts);
        for (int i = 0; i < parts; i++) {
            long at = i * most;
            long n = Math.min(most, io.sizeBytes() - at);
            calls.add(
                    new NbdCall(
                            whole,
                            command,
                            io.offset() + at,
                            n,
                            carries && n > 0 ? buffers.slice(at, n) : new IoBuffers()));
        }
        return calls;
    }

    private static IoBuffers zeroes(long sizeBytes) {
        int pieces = (int) ((sizeBytes + ZEROES.byteSize() - 1) / ZEROES.byteSize());
        MemorySegment[] all = new MemorySegment[pieces];
        Arrays.fill(all, ZEROES);
        if (pieces > 0) {
            long last = sizeBytes - (pieces - 1) * ZEROES.byteSize();
            all[pieces - 1] = ZEROES.asSlice(0, last);
        }
        return new IoBuffers(all);
    }

    /** The request's header, and its bytes. */
    ByteBuffer header(long cookie) {
        ByteBuffer out = ByteBuffer.allocate(REQUEST_BYTES);
        out.putInt(REQUEST_MAGIC).putShort((short) 0).putShort((short) command);
        return out.putLong(cookie).putLong(offset).putInt((int) sizeBytes).flip();
    }

    List<ByteBuffer> payload() {
        return command == CMD_WRITE ? bytes(0, sizeBytes) : List.of();
    }

    /** A part of the buffers. */
    List<ByteBuffer> bytes(long at, long sizeBytes) {
        List<ByteBuffer> all = new ArrayList<>();
        for (long done = 0; done < sizeBytes; ) {
            MemorySegment piece = buffers.piece(at + done, sizeBytes - done);
            all.add(piece.asByteBuffer());
            done += piece.byteSize();
        }
        return all;
    }

    /** Before it is sent, for the first time or again. */
    void begin() {
        receivedBytes = 0;
        error = 0;
    }

    void done(@Nullable BlockException failure) {
        whole.done(failure);
    }
}
