package dev.javisor.net.user;

import dev.javisor.net.Bytes;
import dev.javisor.net.IpAddress;
import java.io.ByteArrayOutputStream;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * A guest's end of a connection that plays TCP by the book, simply: cumulative acknowledgments, one
 * retransmission timer, duplicates answered at once, selective acknowledgments if told so. Sends
 * and receives whole arrays.
 */
final class GuestTcp {
    private static final int SYN = 2;
    private static final int FIN = 1;
    private static final int RST = 4;
    private static final int ACK = 16;
    private static final long RTO_NANOS = 250_000_000;

    final IpAddress guest;
    final IpAddress remote;
    final int port;
    final int remotePort;
    private final Consumer<byte[]> wire;
    private final int initial;
    private final byte[] toSend;
    private final int mss;

    /** What this end receives at once, bytes; 0 closes the window. */
    int window = 60_000;

    boolean selective = true;
    int scale = 0;

    final ByteArrayOutputStream received = new ByteArrayOutputStream();
    private final TreeMap<Integer, byte[]> early = new TreeMap<>();

    /** Offsets in {@link #toSend}, where SYN is at -1 and FIN behind the last byte. */
    private int acked = -1;

    private int next = -1;
    private int peerWindow = 1;
    private int peerScale;
    private int peerInitial;
    private int receivedBytes;
    private boolean synSeen;
    private int finAt = -1;
    private boolean finSeen;
    private boolean owed;
    boolean reset;
    private long deadline = Long.MAX_VALUE;

    /** Holds the FIN back. */
    boolean stayOpen;

    /** The remote begins: answers a SYN. */
    boolean passive;

    GuestTcp(
            IpAddress guest,
            int port,
            IpAddress remote,
            int remotePort,
            int initial,
            int mss,
            byte[] toSend,
            Consumer<byte[]> wire) {
        this.guest = guest;
        this.port = port;
        this.remote = remote;
        this.remotePort = remotePort;
        this.initial = initial;
        this.mss = mss;
        this.toSend = toSend;
        this.wire = wire;
    }

    boolean isConnected() {
        return synSeen && acked >= 0;
    }

    /** All sent and acknowledged, and all received. */
    boolean isDone() {
        return acked == toSend.length + 1 && finSeen;
    }

    boolean hasSentAll() {
        return acked >= toSend.length;
    }

    boolean hasEnd() {
        return finSeen;
    }

    long deadline() {
        return deadline;
    }

    private int sequence(int offset) {
        return initial + 1 + offset;
    }

    /** Sends what may be sent. */
    void output(long now) {
        if (reset || passive && !synSeen) {
            return;
        }
        if (next == -1) {
            emit(-1, SYN | (synSeen ? ACK : 0), new byte[0]);
            next = 0;
            deadline = now + RTO_NANOS;
            return;
        }
        if (!isConnected()) {
            return;
        }
        while (next < toSend.length) {
            int room = acked + peerWindow - next;
            int n = Math.min(Math.min(mss, toSend.length - next), room);
            if (n <= 0) {
                break;
            }
            emit(next, ACK, java.util.Arrays.copyOfRange(toSend, next, next + n));
            next += n;
        }
        if (next == toSend.length && !stayOpen && acked + peerWindow > next) {
            emit(next, ACK | FIN, new byte[0]);
            next++;
        }
        if (deadline == Long.MAX_VALUE && (acked < next || acked < toSend.length)) {
            deadline = now + RTO_NANOS;
        }
        if (owed) {
            acknowledge();
        }
    }

    /** The clock. */
    void tick(long now) {
        if (now < deadline || reset) {
            return;
        }
        deadline = Long.MAX_VALUE;
        if (isConnected() && peerWindow == 0 && acked < toSend.length) {
            // Ask after the window with a byte.
            emit(acked, ACK, new byte[] {toSend[acked]});
            next = Math.max(next, acked);
            deadline = now + RTO_NANOS;
            return;
        }
        if (acked < next) {
            next = acked;
        }
        output(now);
    }

    void acknowledge() {
        emit(Math.max(next, 0), ACK, new byte[0]);
    }

    private void emit(int offset, int flags, byte[] payload) {
        byte[] options = {};
        if ((flags & SYN) != 0) {
            options = new byte[] {2, 4, (byte) (mss >>> 8), (byte) mss, 1, 1, 1, 1, 1, 1, 1, 1};
            options[4] = 3;
            options[5] = 3;
            options[6] = (byte) scale;
            if (selective) {
                options[8] = 4;
                options[9] = 2;
            }
        } else if (selective && !early.isEmpty()) {
            Map.Entry<Integer, byte[]> first = early.firstEntry();
            int start = first.getKey();
            int end = start + first.getValue().length;
            options = new byte[] {1, 1, 5, 10, 0, 0, 0, 0, 0, 0, 0, 0};
            Bytes.putInt(options, 4, peerInitial + 1 + start);
            Bytes.putInt(options, 8, peerInitial + 1 + end);
        }
        int ack = synSeen ? peerInitial + 1 + receivedBytes + (finSeen ? 1 : 0) : 0;
        int shown =
                (flags & SYN) != 0 ? Math.min(window, 65_535) : Math.min(window >>> scale, 65_535);
        byte[] segment =
                Wire.tcp(
                        guest,
                        remote,
                        port,
                        remotePort,
                        sequence(offset),
                        synSeen ? ack : 0,
                        flags,
                        shown,
                        options,
                        payload);
        owed = false;
        wire.accept(Wire.ip(guest, remote, 6, segment));
    }

    /** A segment for this end. */
    void input(Wire.Segment segment, long now) {
        if (segment.has(RST)) {
            reset = true;
            deadline = Long.MAX_VALUE;
            return;
        }
        if (segment.has(SYN) && !synSeen) {
            synSeen = true;
            peerInitial = segment.sequence();
            byte[] option = segment.option(3);
            peerScale = option == null ? 0 : option[0];
            if (option == null) {
                scale = 0;
            }
            owed = true;
        }
        if (segment.has(ACK)) {
            int to = segment.acknowledgment() - initial - 1;
            if (to > acked && to <= toSend.length + 1) {
                acked = to;
                next = Math.max(next, acked);
                deadline = acked < next ? now + RTO_NANOS : Long.MAX_VALUE;
            }
            peerWindow = segment.window() << (segment.has(SYN) ? 0 : peerScale);
            if (to < acked) {
                peerWindow = Math.max(0, peerWindow - (acked - to));
            }
        }
        if (segment.has(SYN)) {
            output(now);
            return;
        }
        take(segment);
        output(now);
    }

    private void take(Wire.Segment segment) {
        byte[] payload = segment.payload();
        int at = segment.sequence() - peerInitial - 1;
        if (segment.has(FIN)) {
            finAt = at + payload.length;
            owed = true;
        }
        if (payload.length > 0) {
            owed = true;
            int room = receivedBytes + window - at;
            if (room < payload.length) {
                payload = java.util.Arrays.copyOf(payload, Math.max(0, room));
            }
            if (payload.length > 0 && at + payload.length > receivedBytes) {
                early.merge(at, payload, (a, b) -> a.length >= b.length ? a : b);
            }
        }
        while (!early.isEmpty() && early.firstKey() <= receivedBytes) {
            Map.Entry<Integer, byte[]> first = early.pollFirstEntry();
            int skip = receivedBytes - first.getKey();
            byte[] bytes = first.getValue();
            if (skip < bytes.length) {
                received.write(bytes, skip, bytes.length - skip);
                receivedBytes += bytes.length - skip;
            }
        }
        if (finAt == receivedBytes) {
            finSeen = true;
        }
        if (owed && !early.isEmpty()) {
            acknowledge();
        }
    }
}
