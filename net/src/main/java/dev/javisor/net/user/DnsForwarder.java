package dev.javisor.net.user;

import dev.javisor.net.Bytes;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * The name server that the guest sees: passes queries on to this host's resolvers, one after the
 * other until one answers. Each query gets a number and a socket of its own (RFC 5452), and an
 * answer must repeat the question. Bounded in queries; those that nobody answers fail.
 */
final class DnsForwarder {
    static final int PORT = 53;

    private static final int UDP_BYTES = 8;
    private static final int HEADER_BYTES = 12;
    private static final int MAX_QUERY_BYTES = 4096;
    private static final int MAX_ANSWER_BYTES = 65_507;
    private static final int MAX_PENDING = 256;
    private static final int ATTEMPTS = 4;
    private static final long ATTEMPT_NANOS = 2_000_000_000L;

    private static final int FLAG_RESPONSE = 0x8000;
    private static final int OPCODE_MASK = 0x7800;
    private static final int RECURSION_DESIRED = 0x0100;
    private static final int RECURSION_AVAILABLE = 0x0080;
    private static final int SERVER_FAILURE = 2;
    private static final int NOT_IMPLEMENTED = 4;
    private static final int REFUSED = 5;

    private final Link link;
    private final Outside outside;
    private final Routes routes;
    private final Deadlines deadlines;
    private final RandomGenerator random;
    private final Supplier<List<InetSocketAddress>> resolvers;
    private final Runnable wake;
    private final byte[] scratch = new byte[UDP_BYTES + MAX_ANSWER_BYTES];

    /** What names a query of the guest: asked again, it is the same one. */
    private record QueryKey(FlowKey flow, int id) {}

    private final Map<QueryKey, Query> pending = new LinkedHashMap<>();
    private long nowNanos;

    private final class Query extends Deadlines.Timed implements Outside.UdpEvents {
        private final QueryKey key;
        private final byte[] message;
        private final int number;
        private int attempt;
        private Outside.@Nullable UdpSocket socket;

        Query(QueryKey key, byte[] message) {
            this.key = key;
            this.message = message;
            number = random.nextInt(0x1_0000);
            Bytes.putShort(message, 0, number);
        }

        void ask() {
            List<InetSocketAddress> servers = resolvers.get();
            while (attempt < ATTEMPTS && !servers.isEmpty()) {
                InetSocketAddress to = servers.get(attempt % servers.size());
                attempt++;
                closeSocket();
                try {
                    Outside.UdpSocket made = outside.connectUdp(to, this);
                    socket = made;
                    if (made.send(ByteBuffer.wrap(message), to)) {
                        deadlines.set(this, nowNanos + ATTEMPT_NANOS);
                        return;
                    }
                } catch (IOException e) {
                    closeSocket();
                }
            }
            Bytes.putShort(message, 0, key.id);
            fail(key.flow, message, SERVER_FAILURE);
            end();
        }

        private void closeSocket() {
            Outside.UdpSocket gone = socket;
            socket = null;
            if (gone != null) {
                gone.close();
            }
        }

        void end() {
            deadlines.set(this, Deadlines.NEVER);
            closeSocket();
            pending.remove(key, this);
        }

        @Override
        void due(long now) {
            ask();
        }

        @Override
        public void readable() {
            Outside.UdpSocket from = socket;
            if (from == null) {
                return;
            }
            ByteBuffer to = ByteBuffer.wrap(scratch, UDP_BYTES, MAX_ANSWER_BYTES).slice();
            try {
                if (from.receive(to) == null) {
                    return;
                }
            } catch (IOException e) {
                // Nobody listens there: the next one.
                ask();
                return;
            }
            int size = to.position();
            if (!isAnswer(size)) {
                return;
            }
            Bytes.putShort(scratch, UDP_BYTES, key.id);
            link.sendUdp(
                    key.flow.remote(),
                    key.flow.remotePort(),
                    key.flow.guest(),
                    key.flow.guestPort(),
                    scratch,
                    UDP_BYTES + size);
            end();
            wake.run();
        }

        /** Number, kind and question fit. */
        private boolean isAnswer(int size) {
            if (size < HEADER_BYTES
                    || Bytes.getShort(scratch, UDP_BYTES) != number
                    || (Bytes.getShort(scratch, UDP_BYTES + 2) & FLAG_RESPONSE) == 0) {
                return false;
            }
            int question = questionBytes(message);
            return Bytes.getShort(scratch, UDP_BYTES + 4) == 0
                    || size >= HEADER_BYTES + question
                            && Arrays.equals(
                                    scratch,
                                    UDP_BYTES + HEADER_BYTES,
                                    UDP_BYTES + HEADER_BYTES + question,
                                    message,
                                    HEADER_BYTES,
                                    HEADER_BYTES + question);
        }
    }

    DnsForwarder(
            Link link,
            Outside outside,
            Routes routes,
            Deadlines deadlines,
            RandomGenerator random,
            Supplier<List<InetSocketAddress>> resolvers,
            Runnable wake) {
        this.link = link;
        this.outside = outside;
        this.routes = routes;
        this.deadlines = deadlines;
        this.random = random;
        this.resolvers = resolvers;
        this.wake = wake;
    }

    void setNow(long nanos) {
        nowNanos = nanos;
    }

    /** A datagram to the name server. */
    void input(FlowKey flow, byte[] datagram) {
        int size = datagram.length - UDP_BYTES;
        if (size < HEADER_BYTES || size > MAX_QUERY_BYTES) {
            return;
        }
        byte[] message = Arrays.copyOfRange(datagram, UDP_BYTES, datagram.length);
        int flags = Bytes.getShort(message, 2);
        if ((flags & FLAG_RESPONSE) != 0) {
            return;
        }
        if ((flags & OPCODE_MASK) != 0
                || Bytes.getShort(message, 4) != 1
                || questionBytes(message) == 0) {
            fail(flow, message, NOT_IMPLEMENTED);
            return;
        }
        if (!routes.mayResolve()) {
            fail(flow, message, REFUSED);
            return;
        }
        QueryKey key = new QueryKey(flow, Bytes.getShort(message, 0));
        if (pending.containsKey(key)) {
            return;
        }
        if (pending.size() >= MAX_PENDING) {
            pending.values().iterator().next().end();
        }
        Query query = new Query(key, message);
        pending.put(key, query);
        query.ask();
    }

    /** Length of the one question behind the header (RFC 1035 §4.1.2); 0 if it is misshapen. */
    static int questionBytes(byte[] message) {
        int at = HEADER_BYTES;
        while (at < message.length) {
            int label = Bytes.getByte(message, at);
            if (label == 0) {
                int end = at + 1 + 4;
                return end <= message.length && end - HEADER_BYTES <= 255 + 4
                        ? end - HEADER_BYTES
                        : 0;
            }
            // A question has nothing before it to point to.
            if (label > 63) {
                return 0;
            }
            at += 1 + label;
        }
        return 0;
    }

    /** Answers with an error, and the question if there is one. */
    private void fail(FlowKey flow, byte[] query, int code) {
        int question = Bytes.getShort(query, 4) == 1 ? questionBytes(query) : 0;
        int size = UDP_BYTES + HEADER_BYTES + question;
        byte[] answer = new byte[size];
        System.arraycopy(query, 0, answer, UDP_BYTES, HEADER_BYTES + question);
        int kept = Bytes.getShort(query, 2) & (OPCODE_MASK | RECURSION_DESIRED);
        Bytes.putShort(answer, UDP_BYTES + 2, FLAG_RESPONSE | kept | RECURSION_AVAILABLE | code);
        Bytes.putShort(answer, UDP_BYTES + 4, question > 0 ? 1 : 0);
        Bytes.putShort(answer, UDP_BYTES + 6, 0);
        Bytes.putInt(answer, UDP_BYTES + 8, 0);
        link.sendUdp(
                flow.remote(), flow.remotePort(), flow.guest(), flow.guestPort(), answer, size);
        wake.run();
    }

    int pendingCount() {
        return pending.size();
    }

    /** The guest is gone. */
    void dropAll() {
        List.copyOf(pending.values()).forEach(Query::end);
    }
}
