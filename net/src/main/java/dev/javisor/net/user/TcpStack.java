package dev.javisor.net.user;

import static dev.javisor.net.user.TcpLayout.*;

import dev.javisor.net.Bytes;
import dev.javisor.net.Checksum;
import dev.javisor.net.FrameSink;
import dev.javisor.net.IpAddress;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * All TCP connections of one network: finds them, bounds their number, answers what belongs to
 * none. Belongs to the network's thread.
 */
final class TcpStack {
    /** Connections at once; more are refused. */
    static final int MAX_CONNECTIONS = 16_384;

    /** Of those, ones whose handshake is not over. */
    static final int MAX_HALF_OPEN = 2048;

    /** Payload of an IP packet, less the longest TCP header. */
    private static final int LARGEST_SEGMENT = 65_535 - Link.IPV6_BYTES - 60;

    private static final long BUFFER_BYTES = 128L << 20;
    private static final long EARLY_BYTES = 16L << 20;

    /** Ports for connections that this host opens (RFC 6335 §6). */
    private static final int FIRST_PORT = 49_152;

    private static final int PORTS = 65_536 - FIRST_PORT;
    private static final int MAX_HEADER_BYTES = 160;
    private static final int STARVING_AT_ONCE = 64;

    private final UserNetworkConfig config;
    private final Link link;
    private final Outside outside;
    private final Routes routes;
    private final Icmp icmp;
    private final Deadlines deadlines;
    private final RandomGenerator random;
    private final Runnable wake;
    private final ChunkPool pool = new ChunkPool(BUFFER_BYTES);
    private final TcpReassembly.Budget budget = new TcpReassembly.Budget(EARLY_BYTES);
    private final Map<FlowKey, TcpConnection> connections = new HashMap<>();

    /** Oldest first. */
    private final LinkedHashSet<TcpConnection> halfOpen = new LinkedHashSet<>();

    private final ArrayDeque<TcpConnection> pending = new ArrayDeque<>();
    private final ArrayDeque<TcpConnection> starving = new ArrayDeque<>();
    private final TcpSegment segment = new TcpSegment();
    private final Checksum checksum = new Checksum();
    private final byte[] header = new byte[MAX_HEADER_BYTES];

    /** {@link ChunkPool#returns} when {@link #starving} was last gone through. */
    private long seenReturns;

    /** How many of {@link #starving} have not had their turn since. */
    private int untried;

    private long nowNanos;
    private int nextPort;

    TcpStack(
            UserNetworkConfig config,
            Link link,
            Outside outside,
            Routes routes,
            Icmp icmp,
            Deadlines deadlines,
            RandomGenerator random,
            Runnable wake) {
        this.config = config;
        this.link = link;
        this.outside = outside;
        this.routes = routes;
        this.icmp = icmp;
        this.deadlines = deadlines;
        this.random = random;
        this.wake = wake;
    }

    // What connections use.

    Link link() {
        return link;
    }

    Outside outside() {
        return outside;
    }

    ChunkPool pool() {
        return pool;
    }

    TcpReassembly.Budget budget() {
        return budget;
    }

    Deadlines deadlines() {
        return deadlines;
    }

    Checksum checksum() {
        return checksum;
    }

    byte[] header() {
        return header;
    }

    long now() {
        return nowNanos;
    }

    void setNow(long nanos) {
        nowNanos = nanos;
    }

    int largestMss(boolean v6) {
        int ip = v6 ? Link.IPV6_BYTES : Link.IPV4_BYTES;
        return link.mtuBytes() - ip - HEADER_BYTES;
    }

    int largestSegment(boolean v6, int mss) {
        var guest = link.guestOffloads();
        boolean large = guest.checksum() && (v6 ? guest.tcp6() : guest.tcp4());
        return large ? Math.max(mss, LARGEST_SEGMENT / mss * mss) : mss;
    }

    /** It has something to send. */
    void list(TcpConnection connection) {
        if (!connection.listed) {
            connection.listed = true;
            pending.add(connection);
            wake.run();
        }
    }

    /** It could read more if there were memory. */
    void starve(TcpConnection connection) {
        if (!connection.starving) {
            connection.starving = true;
            starving.add(connection);
        }
    }

    void removed(TcpConnection connection) {
        connections.remove(connection.key(), connection);
        halfOpen.remove(connection);
    }

    // From the guest.

    /** A TCP packet with a right checksum. */
    void input(Packet packet) {
        if (!segment.read(packet.head, packet.headBytes, packet.payloadAt, packet.payloadBytes)) {
            return;
        }
        FlowKey key =
                new FlowKey(
                        packet.source,
                        segment.sourcePort,
                        packet.destination,
                        segment.destinationPort);
        TcpConnection connection = connections.get(key);
        if (connection != null && isReborn(connection)) {
            connection.drop();
            connection = null;
        }
        if (connection != null) {
            connection.input(segment, packet.frame);
            if (!connection.isHalfOpen()) {
                halfOpen.remove(connection);
            }
        } else if (isOpening()) {
            open(key);
        } else {
            reset(key, segment);
        }
    }

    private boolean isOpening() {
        return segment.has(SYN) && !segment.has(ACK) && !segment.has(RST) && !segment.has(FIN);
    }

    /** A new connection in the place of one that is only waited for (RFC 9293 §3.6.1). */
    private boolean isReborn(TcpConnection connection) {
        return connection.state() == TcpConnection.State.TIME_WAIT
                && isOpening()
                && connection.isBeyond(segment.sequence);
    }

    private void open(FlowKey key) {
        InetSocketAddress to = routes.tcp(key.remote(), key.remotePort());
        if (to == null) {
            reset(key, segment);
            return;
        }
        if (connections.size() >= MAX_CONNECTIONS) {
            reset(key, segment);
            return;
        }
        if (halfOpen.size() >= MAX_HALF_OPEN) {
            // A flood costs the guest its oldest attempts, and this host no more than before.
            Iterator<TcpConnection> oldest = halfOpen.iterator();
            oldest.next().drop();
        }
        TcpConnection connection =
                new TcpConnection(this, key, TcpConnection.State.OPENING, random);
        connections.put(key, connection);
        halfOpen.add(connection);
        connection.openOutside(segment, to);
    }

    // From the host.

    /** The events of a connection to this host that leads to the guest; null to refuse it. */
    Outside.@Nullable TcpEvents accept(
            Outside.TcpSocket socket, IpAddress from, IpAddress guest, int guestPort) {
        if (connections.size() >= MAX_CONNECTIONS || halfOpen.size() >= MAX_HALF_OPEN) {
            return null;
        }
        for (int i = 0; i < PORTS; i++) {
            nextPort = (nextPort + 1) % PORTS;
            FlowKey key = new FlowKey(guest, guestPort, from, FIRST_PORT + nextPort);
            if (!connections.containsKey(key)) {
                TcpConnection connection =
                        new TcpConnection(this, key, TcpConnection.State.SYN_SENT, random);
                connections.put(key, connection);
                halfOpen.add(connection);
                connection.openInside(socket);
                return connection;
            }
        }
        return null;
    }

    // To the guest.

    /**
     * Sends what connections have, in turn.
     *
     * @return false if the guest has no room
     */
    boolean output(FrameSink sink) {
        feed();
        while (true) {
            TcpConnection next = pending.poll();
            if (next == null) {
                return true;
            }
            next.listed = false;
            if (!next.output(sink)) {
                // First in turn once there is room again.
                next.listed = true;
                pending.addFirst(next);
                return false;
            }
        }
    }

    /** Lets those read on who wait for memory, if some was given back. */
    private void feed() {
        if (pool.returns() != seenReturns) {
            seenReturns = pool.returns();
            untried = starving.size();
        }
        for (int i = 0; i < STARVING_AT_ONCE && untried > 0; i++) {
            untried--;
            TcpConnection connection = starving.remove();
            connection.starving = false;
            connection.resumeReading();
        }
        if (untried > 0) {
            wake.run();
        }
    }

    /** Answers a segment that has no connection with a reset (RFC 9293 §3.10.7.1). */
    void reset(FlowKey key, TcpSegment to) {
        if (to.has(RST)) {
            return;
        }
        if (to.has(ACK)) {
            sendReset(key, RST, to.acknowledgment, 0);
        } else {
            sendReset(key, RST | ACK, 0, to.sequence + to.length());
        }
    }

    /** Nobody listens there. */
    void refuse(FlowKey key, TcpSegment syn) {
        sendReset(key, RST | ACK, 0, syn.sequence + 1);
    }

    /** Nobody can be reached there. */
    void unreachable(FlowKey key, TcpSegment syn) {
        byte[] start = new byte[8];
        Bytes.putShort(start, 0, key.guestPort());
        Bytes.putShort(start, 2, key.remotePort());
        Bytes.putInt(start, 4, syn.sequence);
        icmp.unreachable(Icmp.Unreachable.HOST, key.guest(), key.remote(), Ip.TCP, start);
    }

    void resetEstablished(FlowKey key, int sequence, int acknowledgment) {
        sendReset(key, RST | ACK, sequence, acknowledgment);
    }

    private void sendReset(FlowKey key, int flags, int sequence, int acknowledgment) {
        byte[] bytes = new byte[HEADER_BYTES];
        Bytes.putShort(bytes, SOURCE_PORT, key.remotePort());
        Bytes.putShort(bytes, DESTINATION_PORT, key.guestPort());
        Bytes.putInt(bytes, SEQUENCE, sequence);
        Bytes.putInt(bytes, ACKNOWLEDGMENT, acknowledgment);
        Bytes.putByte(bytes, DATA_OFFSET, HEADER_BYTES / 4 << 4);
        Bytes.putByte(bytes, FLAGS, flags);
        Checksum sum = new Checksum();
        sum.addPseudoHeader(key.remote(), key.guest(), Ip.TCP, HEADER_BYTES);
        sum.add(bytes, 0, HEADER_BYTES);
        Bytes.putShort(bytes, CHECKSUM, sum.complement());
        link.sendIp(key.remote(), key.guest(), Ip.TCP, bytes, HEADER_BYTES);
        wake.run();
    }

    int count() {
        return connections.size();
    }

    int halfOpenCount() {
        return halfOpen.size();
    }

    /** Bytes held for all connections. */
    long heldBytes() {
        long sum = 0;
        for (TcpConnection connection : connections.values()) {
            sum += connection.heldBytes();
        }
        return sum;
    }

    /** The guest is gone. */
    void dropAll() {
        List<TcpConnection> all = new ArrayList<>(connections.values());
        all.forEach(TcpConnection::drop);
        pending.clear();
        starving.clear();
        untried = 0;
    }

    void close() {
        dropAll();
        pool.close();
    }

    UserNetworkConfig config() {
        return config;
    }
}
