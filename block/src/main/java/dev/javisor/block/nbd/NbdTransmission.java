package dev.javisor.block.nbd;

import static dev.javisor.block.nbd.NbdLayout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskImage;
import dev.javisor.block.IoBuffers;
import dev.javisor.block.image.ChainExtent;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The server's side after the handshake (proto.md, "Transmission"). The connection's thread reads
 * requests and gives each a slot with a buffer; small ones are done by workers, side by side,
 * larger ones in pieces of the buffer's size.
 */
final class NbdTransmission {
    /** Requests in flight. */
    private static final int SLOTS = 8;

    private static final int PIECE_BYTES = 1 << 20;

    /** A DF reply may be refused beyond this size (proto.md, NBD_CMD_FLAG_DF). */
    private static final int MAX_UNFRAGMENTED = PIECE_BYTES;

    private record Request(int flags, int type, long cookie, long offset, long sizeBytes) {
        boolean has(int flag) {
            return (flags & flag) != 0;
        }
    }

    /** A buffer that is allocated when it is first needed. By one thread at a time. */
    private static final class Slot {
        private final Arena arena;
        private MemorySegment buffer = MemorySegment.NULL;

        Slot(Arena arena) {
            this.arena = arena;
        }

        MemorySegment buffer(long sizeBytes) {
            if (buffer.byteSize() < sizeBytes) {
                buffer = arena.allocate(PIECE_BYTES, 4096);
            }
            return buffer.asSlice(0, sizeBytes);
        }
    }

    private final NbdChannel channel;
    private final DiskImage image;
    private final boolean readOnly;
    private final boolean structured;
    private final List<NbdContext> contexts;
    private final Executor workers;
    private final BlockingQueue<Slot> slots = new ArrayBlockingQueue<>(SLOTS);
    private final ReentrantLock writing = new ReentrantLock();

    NbdTransmission(NbdNegotiation.Agreed agreed, Executor workers) {
        channel = agreed.channel();
        image = agreed.export().image();
        readOnly = agreed.export().readOnly();
        structured = agreed.structured();
        contexts = agreed.contexts();
        this.workers = workers;
    }

    /** Until the client leaves. */
    void run() throws IOException {
        try (Arena arena = Arena.ofShared()) {
            for (int i = 0; i < SLOTS; i++) {
                slots.add(new Slot(arena));
            }
            try {
                ByteBuffer header = ByteBuffer.allocateDirect(REQUEST_BYTES);
                while (next(header)) {}
            } finally {
                for (int i = 0; i < SLOTS; i++) {
                    Slot unusedReturned = take();
                }
            }
        }
    }

    private Slot take() {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return slots.take();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Whether there may be more requests. */
    private boolean next(ByteBuffer header) throws IOException {
        channel.read(header.clear());
        header.flip();
        if (header.getInt() != REQUEST_MAGIC) {
            throw new IOException("no request");
        }
        Request request =
                new Request(
                        header.getShort() & 0xFFFF,
                        header.getShort() & 0xFFFF,
                        header.getLong(),
                        header.getLong(),
                        header.getInt() & 0xFFFF_FFFFL);
        if (request.type == CMD_DISC) {
            return false;
        }
        if (request.type == CMD_WRITE && request.sizeBytes > MAX_PAYLOAD) {
            throw new IOException("a write of %d bytes".formatted(request.sizeBytes));
        }
        Slot slot = take();
        boolean handed = false;
        try {
            int error = refusal(request);
            if (request.type == CMD_WRITE && (error != 0 || request.sizeBytes > PIECE_BYTES)) {
                reply(request, writeInPieces(request, slot, error));
            } else if (error != 0) {
                reply(request, error);
            } else {
                if (request.type == CMD_WRITE) {
                    channel.read(slot.buffer(request.sizeBytes).asByteBuffer());
                }
                workers.execute(() -> work(request, slot));
                handed = true;
            }
        } finally {
            if (!handed) {
                slots.add(slot);
            }
        }
        return true;
    }

    /** An error number, or 0. */
    private int refusal(Request request) {
        boolean changes =
                switch (request.type) {
                    case CMD_WRITE, CMD_TRIM, CMD_WRITE_ZEROES -> true;
                    default -> false;
                };
        int known =
                switch (request.type) {
                    case CMD_READ -> structured ? CMD_FLAG_DF | CMD_FLAG_FUA : CMD_FLAG_FUA;
                    case CMD_WRITE, CMD_TRIM, CMD_FLUSH -> CMD_FLAG_FUA;
                    case CMD_WRITE_ZEROES -> CMD_FLAG_FUA | CMD_FLAG_NO_HOLE;
                    case CMD_BLOCK_STATUS -> CMD_FLAG_FUA | CMD_FLAG_REQ_ONE;
                    default -> -1;
                };
        if (known == -1 || (request.flags & ~known) != 0) {
            return EINVAL;
        }
        if (request.type == CMD_FLUSH) {
            return 0;
        }
        if (changes && readOnly) {
            return EPERM;
        }
        long size = image.sizeBytes();
        if (request.offset < 0
                || request.offset > size
                || request.sizeBytes > size - request.offset) {
            return request.type == CMD_WRITE || request.type == CMD_WRITE_ZEROES ? ENOSPC : EINVAL;
        }
        return switch (request.type) {
            case CMD_READ ->
                    request.sizeBytes > MAX_PAYLOAD
                            ? EINVAL
                            : request.has(CMD_FLAG_DF) && request.sizeBytes > MAX_UNFRAGMENTED
                                    ? EOVERFLOW
                                    : 0;
            case CMD_TRIM -> image.canDiscard() ? 0 : ENOTSUP;
            case CMD_BLOCK_STATUS -> contexts.isEmpty() || request.sizeBytes == 0 ? EINVAL : 0;
            default -> 0;
        };
    }

    /** Takes all of a write's bytes, whatever becomes of it. */
    private int writeInPieces(Request request, Slot slot, int refused) throws IOException {
        int error = refused;
        for (long done = 0; done < request.sizeBytes; ) {
            MemorySegment piece = slot.buffer(Math.min(PIECE_BYTES, request.sizeBytes - done));
            channel.read(piece.asByteBuffer());
            if (error == 0) {
                try {
                    image.write(request.offset + done, new IoBuffers(piece));
                } catch (BlockException e) {
                    error = errorOf(e);
                }
            }
            done += piece.byteSize();
        }
        return error == 0 ? durable(request) : error;
    }

    private int durable(Request request) {
        try {
            if (request.has(CMD_FLAG_FUA)) {
                image.flush();
            }
            return 0;
        } catch (BlockException e) {
            return errorOf(e);
        }
    }

    private static int errorOf(BlockException e) {
        System.getLogger(NbdServer.class.getName())
                .log(System.Logger.Level.WARNING, e.getMessage());
        return e.isOutOfSpace() ? ENOSPC : EIO;
    }

    /** A worker's thread. */
    private void work(Request request, Slot slot) {
        try {
            perform(request, slot);
        } catch (IOException | RuntimeException e) {
            // The client is gone, or this is a fault of ours: the connection cannot go on.
            System.getLogger(NbdServer.class.getName())
                    .log(System.Logger.Level.DEBUG, "nbd: connection ends", e);
            try {
                channel.close();
            } catch (IOException closing) {
                System.getLogger(NbdServer.class.getName())
                        .log(System.Logger.Level.DEBUG, "nbd: closing", closing);
            }
        } finally {
            slots.add(slot);
        }
    }

    private void perform(Request request, Slot slot) throws IOException {
        int error = 0;
        try {
            switch (request.type) {
                case CMD_READ -> {
                    if (structured) {
                        readChunks(request, slot);
                    } else {
                        readSimple(request, slot);
                    }
                    return;
                }
                case CMD_BLOCK_STATUS -> {
                    blockStatus(request);
                    return;
                }
                case CMD_WRITE ->
                        image.write(request.offset, new IoBuffers(slot.buffer(request.sizeBytes)));
                case CMD_FLUSH -> {
                    if (!readOnly) {
                        image.flush();
                    }
                }
                case CMD_TRIM -> image.discard(request.offset, request.sizeBytes);
                default -> image.writeZeroes(request.offset, request.sizeBytes);
            }
            error = durable(request);
        } catch (BlockException e) {
            error = errorOf(e);
        }
        reply(request, error);
    }

    /** The first piece is read before the reply begins: afterwards no error can be told. */
    private void readSimple(Request request, Slot slot) throws IOException {
        long size = request.sizeBytes;
        MemorySegment piece = slot.buffer(Math.min(PIECE_BYTES, size));
        image.read(request.offset, new IoBuffers(piece));
        ByteBuffer header = simple(request, 0);
        writing.lock();
        try {
            channel.write(header, List.of(piece.asByteBuffer()));
            for (long done = piece.byteSize(); done < size; done += piece.byteSize()) {
                piece = slot.buffer(Math.min(PIECE_BYTES, size - done));
                try {
                    image.read(request.offset + done, new IoBuffers(piece));
                } catch (BlockException e) {
                    throw new IOException("a read failed in the middle of its reply", e);
                }
                channel.write(piece.asByteBuffer());
            }
        } finally {
            writing.unlock();
        }
    }

    private void readChunks(Request request, Slot slot) throws IOException {
        if (request.sizeBytes == 0) {
            reply(request, 0);
            return;
        }
        boolean whole = request.has(CMD_FLAG_DF);
        for (long done = 0; done < request.sizeBytes; ) {
            long at = request.offset + done;
            long most = Math.min(PIECE_BYTES, request.sizeBytes - done);
            ByteBuffer data = ByteBuffer.allocate(0);
            ByteBuffer head;
            long length = most;
            boolean zero = false;
            if (!whole) {
                ChainExtent extent = ChainExtent.at(image, at, request.sizeBytes - done);
                zero = extent.zero();
                length = zero ? extent.lengthBytes() : Math.min(most, extent.lengthBytes());
            }
            int last = done + length == request.sizeBytes ? REPLY_FLAG_DONE : 0;
            if (zero) {
                head = chunk(request, last, REPLY_OFFSET_HOLE, 12);
                head.putLong(at).putInt((int) length);
            } else {
                MemorySegment piece = slot.buffer(length);
                image.read(at, new IoBuffers(piece));
                head = chunk(request, last, REPLY_OFFSET_DATA, 8 + (int) length, 8);
                head.putLong(at);
                data = piece.asByteBuffer();
            }
            writing.lock();
            try {
                channel.write(head.flip(), List.of(data));
            } finally {
                writing.unlock();
            }
            done += length;
        }
    }

    private void blockStatus(Request request) throws IOException {
        for (int i = 0; i < contexts.size(); i++) {
            NbdContext context = contexts.get(i);
            ByteBuffer runs =
                    context.status(
                            image,
                            request.offset,
                            request.sizeBytes,
                            request.has(CMD_FLAG_REQ_ONE));
            int last = i == contexts.size() - 1 ? REPLY_FLAG_DONE : 0;
            ByteBuffer out = chunk(request, last, REPLY_BLOCK_STATUS, 4 + runs.remaining());
            out.putInt(context.id()).put(runs);
            send(out.flip());
        }
    }

    private void reply(Request request, int error) throws IOException {
        if (!structured) {
            send(simple(request, error));
        } else if (error == 0) {
            send(chunk(request, REPLY_FLAG_DONE, REPLY_NONE, 0).flip());
        } else {
            byte[] why = "see the server's log".getBytes(StandardCharsets.UTF_8);
            ByteBuffer out = chunk(request, REPLY_FLAG_DONE, REPLY_ERROR, 6 + why.length);
            send(out.putInt(error).putShort((short) why.length).put(why).flip());
        }
    }

    private static ByteBuffer simple(Request request, int error) {
        ByteBuffer out = ByteBuffer.allocate(SIMPLE_REPLY_BYTES);
        return out.putInt(SIMPLE_REPLY_MAGIC).putInt(error).putLong(request.cookie).flip();
    }

    private static ByteBuffer chunk(Request request, int flags, int type, int sizeBytes) {
        return chunk(request, flags, type, sizeBytes, sizeBytes);
    }

    /**
     * @param here bytes of the chunk's contents that follow in the same buffer
     */
    private static ByteBuffer chunk(Request request, int flags, int type, int sizeBytes, int here) {
        ByteBuffer out = ByteBuffer.allocate(CHUNK_BYTES + here);
        out.putInt(STRUCTURED_REPLY_MAGIC).putShort((short) flags).putShort((short) type);
        return out.putLong(request.cookie).putInt(sizeBytes);
    }

    private void send(ByteBuffer bytes) throws IOException {
        writing.lock();
        try {
            channel.write(bytes);
        } finally {
            writing.unlock();
        }
    }
}
