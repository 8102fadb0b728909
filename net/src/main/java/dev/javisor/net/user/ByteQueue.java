package dev.javisor.net.user;

import dev.javisor.net.Checksum;
import dev.javisor.net.FrameSink;
import dev.javisor.net.user.ChunkPool.Chunk;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Bytes in order, in chunks of a {@link ChunkPool}. Belongs to the network's thread.
 *
 * <p>What is not acknowledged yet is looked up by its distance from the start, nearly always near
 * the end: the chunk found last is kept.
 */
final class ByteQueue {
    private static final int MAX_BUFFERS = 16;
    private static final int CHUNK = ChunkPool.CHUNK_BYTES;

    private final ChunkPool pool;
    private final ByteBuffer[] buffers = new ByteBuffer[MAX_BUFFERS];

    private @Nullable Chunk head;
    private @Nullable Chunk tail;
    private int chunks;

    /** Of the first byte in the first chunk. */
    private int start;

    private int size;

    /** A chunk, and the distance of its first byte from the first chunk's first byte. */
    private @Nullable Chunk seen;

    private int seenAt;

    ByteQueue(ChunkPool pool) {
        this.pool = pool;
    }

    int size() {
        return size;
    }

    int chunks() {
        return chunks;
    }

    private boolean extend() {
        Chunk more = pool.take(chunks);
        if (more == null) {
            return false;
        }
        if (tail == null) {
            head = more;
            start = 0;
        } else {
            tail.next = more;
        }
        tail = more;
        chunks++;
        return true;
    }

    /** Bytes that fit behind the last one without another chunk. */
    private int slack() {
        return chunks * CHUNK - start - size;
    }

    /** Appends; answers how many bytes it had memory for. */
    int append(MemorySegment from, long at, int sizeBytes) {
        int done = 0;
        while (done < sizeBytes) {
            if (slack() == 0 && !extend()) {
                break;
            }
            int room = slack();
            int n = Math.min(room, sizeBytes - done);
            MemorySegment.copy(from, at + done, tail().memory, CHUNK - room, n);
            size += n;
            done += n;
        }
        return done;
    }

    private Chunk tail() {
        Chunk last = tail;
        if (last == null) {
            throw new IllegalStateException("no chunk: " + size);
        }
        return last;
    }

    /**
     * Reads from a socket until there is nothing more, {@code limitBytes} are queued or memory is
     * short.
     *
     * @return bytes read; -1 at the end of the stream if nothing was read before
     */
    long readFrom(Outside.TcpSocket socket, int limitBytes) throws IOException {
        long total = 0;
        while (size < limitBytes) {
            long asked = 0;
            int count = 0;
            if (slack() == 0 && !extend()) {
                break;
            }
            Chunk chunk = tail();
            int at = CHUNK - slack();
            while (true) {
                chunk.buffer.limit(CHUNK).position(at);
                buffers[count++] = chunk.buffer;
                asked += CHUNK - at;
                at = 0;
                if (count == MAX_BUFFERS || size + asked >= limitBytes || !extend()) {
                    break;
                }
                chunk = tail();
            }
            long n = socket.read(buffers, count);
            if (n > 0) {
                size += (int) n;
                total += n;
            }
            if (n < asked) {
                trim();
                return n < 0 && total == 0 ? -1 : total;
            }
        }
        return total;
    }

    /** Gives chunks back that have no byte in them. */
    private void trim() {
        int needed = (start + size + CHUNK - 1) / CHUNK;
        if (needed == chunks) {
            return;
        }
        if (needed == 0) {
            clear();
            return;
        }
        Chunk last = head;
        for (int i = 1; i < needed && last != null; i++) {
            last = last.next;
        }
        if (last == null) {
            throw new IllegalStateException("fewer chunks than " + needed);
        }
        Chunk empty = last.next;
        last.next = null;
        tail = last;
        chunks = needed;
        seen = null;
        while (empty != null) {
            Chunk next = empty.next;
            pool.give(empty);
            empty = next;
        }
    }

    /** Writes to a socket what it takes, and forgets that; answers how many bytes. */
    long writeTo(Outside.TcpSocket socket) throws IOException {
        long total = 0;
        while (size > 0) {
            int count = 0;
            long asked = 0;
            int at = start;
            for (Chunk chunk = head; chunk != null && count < MAX_BUFFERS; chunk = chunk.next) {
                int end = (int) Math.min(CHUNK, at + (size - asked));
                if (end == at) {
                    break;
                }
                chunk.buffer.limit(end).position(at);
                buffers[count++] = chunk.buffer;
                asked += end - at;
                at = 0;
            }
            long n = socket.write(buffers, count);
            skip((int) n);
            total += n;
            if (n < asked) {
                break;
            }
        }
        return total;
    }

    /** Takes bytes off the start. */
    void skip(int sizeBytes) {
        if (sizeBytes > size) {
            throw new IllegalStateException("skip %d of %d".formatted(sizeBytes, size));
        }
        size -= sizeBytes;
        start += sizeBytes;
        while (start >= CHUNK) {
            Chunk first = head;
            if (first == null) {
                throw new IllegalStateException("no chunk: " + size);
            }
            head = first.next;
            if (first == seen) {
                seen = null;
            } else {
                seenAt -= CHUNK;
            }
            pool.give(first);
            chunks--;
            start -= CHUNK;
        }
        if (size == 0) {
            clear();
        } else if (head == null) {
            throw new IllegalStateException("no chunk: " + size);
        }
    }

    void clear() {
        Chunk each = head;
        while (each != null) {
            Chunk next = each.next;
            pool.give(each);
            each = next;
        }
        head = null;
        tail = null;
        seen = null;
        chunks = 0;
        start = 0;
        size = 0;
    }

    private Chunk find(int at) {
        Chunk chunk = seen;
        int chunkAt = seenAt;
        if (chunk == null || chunkAt > at) {
            chunk = head;
            chunkAt = 0;
        }
        while (chunk != null && at >= chunkAt + CHUNK) {
            chunk = chunk.next;
            chunkAt += CHUNK;
        }
        if (chunk == null) {
            throw new IllegalStateException("no byte %d of %d".formatted(at, size));
        }
        seen = chunk;
        seenAt = chunkAt;
        return chunk;
    }

    /** Puts bytes into a frame. */
    void copyTo(FrameSink sink, int from, int sizeBytes) {
        int at = start + from;
        int left = sizeBytes;
        while (left > 0) {
            Chunk chunk = find(at);
            int in = at - seenAt;
            int n = Math.min(CHUNK - in, left);
            sink.put(chunk.memory, in, n);
            at += n;
            left -= n;
        }
    }

    /** Adds bytes to a sum. */
    void sum(Checksum checksum, int from, int sizeBytes) {
        int at = start + from;
        int left = sizeBytes;
        while (left > 0) {
            Chunk chunk = find(at);
            int in = at - seenAt;
            int n = Math.min(CHUNK - in, left);
            checksum.add(chunk.memory, in, n);
            at += n;
            left -= n;
        }
    }

    /** One byte; for tests. */
    byte byteAt(int from) {
        Chunk chunk = find(start + from);
        return chunk.memory.get(ValueLayout.JAVA_BYTE, start + from - seenAt);
    }
}
