package dev.javisor.net.user;

import dev.javisor.net.Frame;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The half of a connection that receives from the guest: the window that it is given, what arrived
 * out of order, and what the host's socket has not taken yet.
 *
 * <p>Bytes in order go from guest memory straight into the socket; only what it does not take is
 * copied. The window is what may still be queued, so the guest is slowed down by a host that does
 * not read, and its right edge never moves back.
 */
final class TcpReceiver {
    /** The largest window, and the most that is queued. */
    static final int WINDOW_BYTES = 1 << 20;

    /** Of the window in the header: 16 bits of units of 64 bytes reach 4 MiB. */
    static final int SCALE = 6;

    private static final int MAX_BUFFERS = 64;
    private static final int MAX_DUPLICATES = 3;

    private final ChunkPool pool;
    private final ByteQueue queue;
    private final TcpReassembly early;
    private final ByteBuffer[] buffers = new ByteBuffer[MAX_BUFFERS];

    private int nxt;
    private int edge;
    private int scale;
    private boolean selective;
    private boolean finSeen;
    private int finSequence;
    private boolean finished;
    private boolean acknowledgmentOwed;
    private int duplicatesOwed;

    TcpReceiver(ChunkPool pool, TcpReassembly.Budget budget) {
        this.pool = pool;
        queue = new ByteQueue(pool);
        early = new TcpReassembly(budget);
    }

    /** The guest's SYN came. */
    void start(int initial) {
        nxt = initial + 1;
        edge = nxt;
    }

    void negotiate(boolean scaling, boolean sacks) {
        scale = scaling ? SCALE : 0;
        selective = sacks;
    }

    int nxt() {
        return nxt;
    }

    /** The guest has said all. */
    boolean isFinished() {
        return finished;
    }

    boolean isDrained() {
        return queue.size() == 0;
    }

    int queuedBytes() {
        return queue.size() + early.bytes();
    }

    /** RFC 9293 §3.10.7.4, first step. */
    boolean isAcceptable(int sequence, int length) {
        int room = edge - nxt;
        if (length == 0) {
            return room == 0 ? sequence == nxt : sequence - nxt >= 0 && sequence - edge < 0;
        }
        int last = sequence + length - 1;
        return sequence - edge < 0 && last - nxt >= 0;
    }

    /** Whether a reset with this number may be meant (RFC 5961 §3.2). */
    boolean isInWindow(int sequence) {
        return sequence == nxt || sequence - nxt >= 0 && sequence - edge < 0;
    }

    /**
     * Takes payload, and a FIN behind it.
     *
     * @param socket null if it takes no bytes now
     * @throws IOException if the host's socket is broken
     */
    void input(TcpSegment segment, Frame frame, Outside.@Nullable TcpSocket socket)
            throws IOException {
        int sequence = segment.sequence;
        int at = segment.payloadAt;
        int n = segment.payloadBytes;
        if (segment.has(TcpLayout.FIN) && !finSeen) {
            finSeen = true;
            finSequence = sequence + n;
        }
        acknowledgmentOwed = true;
        int skip = nxt - sequence;
        if (skip > 0) {
            int old = Math.min(skip, n);
            at += old;
            n -= old;
            sequence += old;
        }
        // A probe of a closed window and what else lies beyond is for another time.
        n = Math.min(n, edge - sequence);
        if (n > 0) {
            if (sequence == nxt) {
                nxt += deliver(frame.slices(at, n), socket);
                takeEarly(socket);
            } else {
                early.add(sequence, frame, at, n);
                oweDuplicate();
            }
        }
        if (finSeen && !finished && nxt == finSequence) {
            nxt++;
            // Beyond it is nothing that a window could be for.
            edge = edge - nxt < 0 ? nxt : edge;
            finished = true;
            early.clear();
        }
    }

    private void oweDuplicate() {
        duplicatesOwed = Math.min(duplicatesOwed + 1, MAX_DUPLICATES);
    }

    private void takeEarly(Outside.@Nullable TcpSocket socket) throws IOException {
        if (early.isEmpty()) {
            return;
        }
        MemorySegment more;
        while ((more = early.take(nxt)) != null) {
            int n = deliver(new MemorySegment[] {more}, socket);
            nxt += n;
            if (n < more.byteSize()) {
                early.putBack(nxt, more.asSlice(n));
                return;
            }
        }
    }

    /** Passes bytes on, into the queue if need be; answers how many it had room for. */
    private int deliver(MemorySegment[] parts, Outside.@Nullable TcpSocket socket)
            throws IOException {
        int total = 0;
        long written = 0;
        if (socket != null && queue.size() == 0) {
            written = write(parts, socket);
        }
        for (MemorySegment part : parts) {
            long size = part.byteSize();
            if (written >= size) {
                written -= size;
                total += (int) size;
                continue;
            }
            int rest = (int) (size - written);
            int queued = queue.append(part, written, rest);
            total += (int) written + queued;
            written = 0;
            if (queued < rest) {
                break;
            }
        }
        return total;
    }

    private long write(MemorySegment[] parts, Outside.TcpSocket socket) throws IOException {
        long total = 0;
        for (int first = 0; first < parts.length; first += MAX_BUFFERS) {
            int count = Math.min(MAX_BUFFERS, parts.length - first);
            long asked = 0;
            for (int i = 0; i < count; i++) {
                buffers[i] = parts[first + i].asByteBuffer();
                asked += parts[first + i].byteSize();
            }
            long n = socket.write(buffers, count);
            total += n;
            if (n < asked) {
                break;
            }
        }
        return total;
    }

    /**
     * Passes queued bytes on.
     *
     * @throws IOException if the host's socket is broken
     */
    void drain(Outside.TcpSocket socket) throws IOException {
        if (queue.size() > 0) {
            queue.writeTo(socket);
            takeEarly(socket);
        }
        // RFC 9293 §3.8.6.2.2: the guest hears of room once it is worth while.
        int opened = target() - edge;
        if (!finished && opened >= Math.min(WINDOW_BYTES / 2, 64 << 10)) {
            acknowledgmentOwed = true;
        }
    }

    /** Where the right edge could be. */
    private int target() {
        int most = scale == 0 ? 0xFFFF : WINDOW_BYTES;
        int memory = pool.share(queue.chunks()) * ChunkPool.CHUNK_BYTES;
        int room = Math.min(most, Math.max(0, memory)) - queuedBytes();
        return nxt + Math.max(0, room);
    }

    /** Moves the right edge and answers the header's window. */
    int advertise() {
        if (!finished) {
            int wanted = target();
            if (wanted - edge > 0) {
                // RFC 7323 §2.3: what the scale cuts off must not move the edge back later.
                edge = nxt + ((wanted - nxt) >>> scale << scale);
            }
        }
        int window = Math.max(0, edge - nxt) >>> scale;
        return Math.min(window, 0xFFFF);
    }

    /** The window of a SYN, which is not scaled (RFC 7323 §2.2). */
    int synWindow() {
        int window = Math.min(target() - nxt, 0xFFFF);
        if (nxt + window - edge > 0) {
            edge = nxt + window;
        }
        return window;
    }

    boolean isSelective() {
        return selective;
    }

    void owe() {
        acknowledgmentOwed = true;
    }

    boolean isOwed() {
        return acknowledgmentOwed || duplicatesOwed > 0;
    }

    /** Acknowledgments without payload to send; only those count as duplicates at the guest. */
    int duplicatesOwed() {
        return duplicatesOwed;
    }

    /** An acknowledgment went out, alone or with payload. */
    void acknowledged(boolean alone) {
        acknowledgmentOwed = false;
        if (alone && duplicatesOwed > 0) {
            duplicatesOwed--;
        }
    }

    /** At least as long as what {@link #writeSack} writes. */
    int sackBytes() {
        return selective && !finished && !early.isEmpty() ? TcpReassembly.MAX_OPTION_BYTES : 0;
    }

    /** Writes the option that names what came early; answers its length, 0 for none. */
    int writeSack(byte[] to, int at) {
        return selective && !finished ? early.writeSack(to, at) : 0;
    }

    void release() {
        queue.clear();
        early.clear();
    }
}
