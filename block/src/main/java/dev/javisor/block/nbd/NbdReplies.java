package dev.javisor.block.nbd;

import static dev.javisor.block.nbd.NbdLayout.*;

import dev.javisor.block.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Reads a server's replies straight into the buffers of those who wait for them. What does not fit
 * to a request that is in flight ends the connection.
 */
final class NbdReplies {
    /** The requests in flight. */
    interface Calls {
        /** Null if none has this cookie. */
        @Nullable NbdCall find(long cookie);

        /** Whether it was still in flight: now it is not. */
        boolean end(long cookie);
    }

    private final String disk;
    private final NbdConnection connection;
    private final NbdChannel channel;
    private final Calls calls;
    private final ByteBuffer head = ByteBuffer.allocateDirect(CHUNK_BYTES);

    NbdReplies(String disk, NbdConnection connection, Calls calls) {
        this.disk = disk;
        this.connection = connection;
        channel = connection.channel();
        this.calls = calls;
    }

    /** Until the connection ends, by an exception. */
    void run() throws IOException {
        while (true) {
            switch (receive(4).getInt()) {
                case SIMPLE_REPLY_MAGIC -> simple();
                case STRUCTURED_REPLY_MAGIC -> chunk();
                default -> throw new IOException("no reply");
            }
        }
    }

    private ByteBuffer receive(int sizeBytes) throws IOException {
        head.clear().limit(sizeBytes);
        channel.read(head);
        return head.flip();
    }

    private NbdCall call(long cookie) throws IOException {
        NbdCall call = calls.find(cookie);
        if (call == null) {
            throw new IOException("a reply to nothing");
        }
        return call;
    }

    private void simple() throws IOException {
        ByteBuffer in = receive(SIMPLE_REPLY_BYTES - 4);
        int error = in.getInt();
        long cookie = in.getLong();
        NbdCall call = call(cookie);
        if (call.command == CMD_READ && error == 0) {
            if (connection.structured()) {
                throw new IOException("a simple reply to a read");
            }
            fill(call, 0, call.sizeBytes);
        }
        if (error != 0) {
            call.error = error;
        }
        end(cookie, call);
    }

    private void fill(NbdCall call, long at, long sizeBytes) throws IOException {
        for (ByteBuffer each : call.bytes(at, sizeBytes)) {
            channel.read(each);
        }
        call.receivedBytes += sizeBytes;
    }

    private void chunk() throws IOException {
        ByteBuffer in = receive(CHUNK_BYTES - 4);
        int flags = in.getShort();
        int type = in.getShort() & 0xFFFF;
        long cookie = in.getLong();
        long length = in.getInt() & 0xFFFF_FFFFL;
        NbdCall call = call(cookie);
        if (!connection.structured()) {
            throw new IOException("a chunk that nobody asked for");
        }
        switch (type) {
            case REPLY_NONE -> {
                if (length != 0 || (flags & REPLY_FLAG_DONE) == 0) {
                    throw new IOException("an empty chunk that is not empty or not the last");
                }
            }
            case REPLY_OFFSET_DATA -> {
                if (length < 9) {
                    throw new IOException("a chunk of no data");
                }
                fill(call, place(call, receive(8).getLong(), length - 8), length - 8);
            }
            case REPLY_OFFSET_HOLE -> {
                if (length != 12) {
                    throw new IOException("a hole of %d bytes".formatted(length));
                }
                ByteBuffer hole = receive(12);
                long offset = hole.getLong();
                long size = hole.getInt() & 0xFFFF_FFFFL;
                call.buffers.fillZero(place(call, offset, size), size);
                call.receivedBytes += size;
            }
            default -> {
                if ((type & REPLY_ERROR_BIT) == 0) {
                    throw new IOException("a chunk of type " + type);
                }
                error(call, length);
            }
        }
        if ((flags & REPLY_FLAG_DONE) != 0) {
            end(cookie, call);
        }
    }

    /** Where in the call's buffers bytes of the disk belong. */
    private static long place(NbdCall call, long offset, long sizeBytes) throws IOException {
        long at = offset - call.offset;
        if (call.command != CMD_READ
                || at < 0
                || at > call.sizeBytes
                || sizeBytes > call.sizeBytes - at
                || sizeBytes > call.sizeBytes - call.receivedBytes) {
            throw new IOException("data beyond what was asked for");
        }
        return at;
    }

    private void error(NbdCall call, long length) throws IOException {
        if (length < 6 || length > MAX_STRING + 64) {
            throw new IOException("an error of %d bytes".formatted(length));
        }
        int error = receive(4).getInt();
        ByteBuffer unusedText = channel.read((int) length - 4);
        call.error = error == 0 ? EIO : error;
    }

    private void end(long cookie, NbdCall call) throws IOException {
        if (call.error == 0 && call.command == CMD_READ && call.receivedBytes != call.sizeBytes) {
            throw new IOException("a read that is not complete");
        }
        if (calls.end(cookie)) {
            call.done(failure(call));
        }
    }

    private @Nullable BlockException failure(NbdCall call) {
        if (call.error == 0) {
            return null;
        }
        String line =
                "disk %s: the server reports error %d for %d bytes at %d"
                        .formatted(disk, call.error, call.sizeBytes, call.offset);
        return call.error == ENOSPC
                ? BlockException.outOfSpace(line, new IOException("ENOSPC"))
                : new BlockException(line);
    }
}
