package dev.javisor.net.user;

import dev.javisor.net.IpAddress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * UDP between the guest and others. Each pair of guest port and remote port has a socket of its own
 * that hears that remote only. Bounded: the one unused longest makes room. Belongs to the network's
 * thread.
 */
final class UdpRelay {
    static final int MAX_FLOWS = 1024;

    private static final int MAX_FORWARD_PEERS = 256;
    private static final int HEADER_BYTES = 8;
    private static final int MAX_PAYLOAD = 65_507;
    private static final int FIRST_PORT = 49_152;
    private static final int PORTS = 65_536 - FIRST_PORT;

    /** Datagrams from one socket in one go. */
    private static final int MAX_RECEIVES = 64;

    private static final long IDLE_NANOS = 60_000_000_000L;
    private static final long SWEEP_NANOS = 10_000_000_000L;

    private final Link link;
    private final Outside outside;
    private final Routes routes;
    private final Icmp icmp;
    private final Deadlines deadlines;
    private final Runnable wake;
    private final byte[] scratch = new byte[HEADER_BYTES + MAX_PAYLOAD];
    private final Map<FlowKey, Flow> flows = new LinkedHashMap<>(16, 0.75f, true);
    private final List<Outside.UdpSocket> paused = new ArrayList<>();
    private long nowNanos;

    private final Deadlines.Timed sweep =
            new Deadlines.Timed() {
                @Override
                void due(long now) {
                    flows.values().removeIf(flow -> flow.isIdle(now) && flow.close());
                    if (!flows.isEmpty()) {
                        deadlines.set(this, now + SWEEP_NANOS);
                    }
                }
            };

    /** One conversation. */
    private final class Flow implements Outside.UdpEvents {
        private final FlowKey key;

        /** Null if it is one of a forward, whose socket many share. */
        private Outside.@Nullable UdpSocket socket;

        private @Nullable Forward forward;
        private @Nullable InetSocketAddress peer;
        private long usedNanos;

        Flow(FlowKey key) {
            this.key = key;
        }

        boolean isIdle(long now) {
            return now - usedNanos >= IDLE_NANOS;
        }

        /** Always true. */
        boolean close() {
            Outside.UdpSocket gone = socket;
            if (gone != null) {
                gone.close();
                paused.remove(gone);
            }
            Forward of = forward;
            if (of != null && peer != null) {
                of.flows.remove(peer);
            }
            return true;
        }

        @Override
        public void readable() {
            Outside.UdpSocket from = socket;
            if (from == null) {
                return;
            }
            for (int i = 0; i < MAX_RECEIVES; i++) {
                if (link.isFull()) {
                    pause(from);
                    break;
                }
                ByteBuffer to = ByteBuffer.wrap(scratch, HEADER_BYTES, MAX_PAYLOAD).slice();
                try {
                    if (from.receive(to) == null) {
                        break;
                    }
                } catch (PortUnreachableException e) {
                    icmp.unreachable(
                            Icmp.Unreachable.PORT, key.guest(), key.remote(), Ip.UDP, header(key));
                    break;
                } catch (IOException e) {
                    break;
                }
                usedNanos = nowNanos;
                deliver(key, to.position());
            }
            wake.run();
        }
    }

    /** A port of this host that leads to the guest. */
    private final class Forward implements Outside.UdpEvents {
        private final IpAddress router;
        private final IpAddress guest;
        private final int guestPort;
        private final Map<InetSocketAddress, Flow> flows = new java.util.HashMap<>();
        private Outside.@Nullable UdpSocket socket;
        private int nextPort;

        Forward(IpAddress router, IpAddress guest, int guestPort) {
            this.router = router;
            this.guest = guest;
            this.guestPort = guestPort;
        }

        @Override
        public void readable() {
            Outside.UdpSocket from = socket;
            if (from == null) {
                return;
            }
            for (int i = 0; i < MAX_RECEIVES; i++) {
                if (link.isFull()) {
                    pause(from);
                    break;
                }
                ByteBuffer to = ByteBuffer.wrap(scratch, HEADER_BYTES, MAX_PAYLOAD).slice();
                InetSocketAddress peer;
                try {
                    peer = from.receive(to);
                } catch (IOException e) {
                    break;
                }
                if (peer == null) {
                    break;
                }
                Flow flow = flowOf(peer);
                if (flow != null) {
                    flow.usedNanos = nowNanos;
                    deliver(flow.key, to.position());
                }
            }
            wake.run();
        }

        private @Nullable Flow flowOf(InetSocketAddress peer) {
            Flow known = flows.get(peer);
            if (known != null) {
                return known;
            }
            if (flows.size() >= MAX_FORWARD_PEERS) {
                Flow oldest = flows.values().iterator().next();
                oldest.close();
                UdpRelay.this.flows.remove(oldest.key);
            }
            for (int i = 0; i < PORTS; i++) {
                nextPort = (nextPort + 1) % PORTS;
                FlowKey key = new FlowKey(guest, guestPort, router, FIRST_PORT + nextPort);
                if (!UdpRelay.this.flows.containsKey(key)) {
                    Flow flow = new Flow(key);
                    flow.forward = this;
                    flow.peer = peer;
                    flow.socket = null;
                    flows.put(peer, flow);
                    keep(flow);
                    return flow;
                }
            }
            return null;
        }
    }

    UdpRelay(
            Link link,
            Outside outside,
            Routes routes,
            Icmp icmp,
            Deadlines deadlines,
            Runnable wake) {
        this.link = link;
        this.outside = outside;
        this.routes = routes;
        this.icmp = icmp;
        this.deadlines = deadlines;
        this.wake = wake;
    }

    void setNow(long nanos) {
        nowNanos = nanos;
    }

    private static byte[] header(FlowKey key) {
        byte[] header = new byte[HEADER_BYTES];
        dev.javisor.net.Bytes.putShort(header, 0, key.guestPort());
        dev.javisor.net.Bytes.putShort(header, 2, key.remotePort());
        dev.javisor.net.Bytes.putShort(header, 4, HEADER_BYTES);
        return header;
    }

    private void deliver(FlowKey key, int payloadBytes) {
        link.sendUdp(
                key.remote(),
                key.remotePort(),
                key.guest(),
                key.guestPort(),
                scratch,
                HEADER_BYTES + payloadBytes);
    }

    private void pause(Outside.UdpSocket socket) {
        socket.interest(false);
        paused.add(socket);
    }

    /** The guest has taken packets. */
    void resume() {
        if (!paused.isEmpty() && !link.isFull()) {
            List<Outside.UdpSocket> again = List.copyOf(paused);
            paused.clear();
            again.forEach(socket -> socket.interest(true));
        }
    }

    private void keep(Flow flow) {
        if (flows.size() >= MAX_FLOWS) {
            Iterator<Flow> oldest = flows.values().iterator();
            oldest.next().close();
            oldest.remove();
        }
        flow.usedNanos = nowNanos;
        flows.put(flow.key, flow);
        if (sweep.deadlineNanos() == Deadlines.NEVER) {
            deadlines.set(sweep, nowNanos + SWEEP_NANOS);
        }
    }

    /** A datagram from the guest that is for nobody of ours. */
    void input(FlowKey key, byte[] datagram) {
        Flow flow = flows.get(key);
        if (flow == null) {
            InetSocketAddress to = routes.udp(key.remote(), key.remotePort());
            if (to == null) {
                if (!key.remote().isMulticast() && key.remote().v4Bits() != -1) {
                    icmp.unreachable(
                            Icmp.Unreachable.PROHIBITED,
                            key.guest(),
                            key.remote(),
                            Ip.UDP,
                            header(key));
                }
                return;
            }
            flow = new Flow(key);
            try {
                flow.socket = outside.connectUdp(to, flow);
                flow.peer = to;
            } catch (IOException e) {
                icmp.unreachable(
                        Icmp.Unreachable.HOST, key.guest(), key.remote(), Ip.UDP, header(key));
                return;
            }
            keep(flow);
        }
        flow.usedNanos = nowNanos;
        ByteBuffer payload =
                ByteBuffer.wrap(datagram, HEADER_BYTES, datagram.length - HEADER_BYTES);
        Forward of = flow.forward;
        Outside.UdpSocket through = of != null ? of.socket : flow.socket;
        if (through != null && flow.peer != null) {
            through.send(payload, flow.peer);
        }
    }

    /**
     * Begins to forward a port.
     *
     * @throws IOException if this host does not give it
     */
    void forward(InetSocketAddress at, IpAddress router, IpAddress guest, int guestPort)
            throws IOException {
        Forward forward = new Forward(router, guest, guestPort);
        forward.socket = outside.bindUdp(at, forward);
    }

    int count() {
        return flows.size();
    }

    /** The guest is gone. */
    void dropAll() {
        List<Flow> all = List.copyOf(flows.values());
        flows.clear();
        all.forEach(Flow::close);
    }
}
