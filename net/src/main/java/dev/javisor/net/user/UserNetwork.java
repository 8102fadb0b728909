package dev.javisor.net.user;

import dev.javisor.base.TimeSource;
import dev.javisor.net.Bytes;
import dev.javisor.net.Checksum;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameSink;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetBackend;
import dev.javisor.net.NetException;
import dev.javisor.net.NetOffloads;
import dev.javisor.net.SelectorLoop;
import dev.javisor.net.user.UserNetworkConfig.Forward;
import dev.javisor.net.user.UserNetworkConfig.Protocol;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;

/**
 * A network for one guest made of nothing but this process's own sockets: no root, no devices, no
 * changes to the host. The guest sees a router, a name server and DHCP; each of its connections is
 * ended here and made anew from here.
 *
 * <p>Everything runs on one thread, that of the interface, which must be the {@link SelectorLoop}
 * that the sockets are on.
 */
public final class UserNetwork implements NetBackend {
    /** As QEMU's: locally administered, with the router's usual address. */
    private static final MacAddress ROUTER_MAC = new MacAddress(0x5255_0A00_0202L);

    private static final int UDP_HEADER_BYTES = 8;
    private static final long ADVERTISE_NANOS = 200_000_000_000L;

    private final UserNetworkConfig config;
    private final TimeSource time;
    private final Outside outside;
    private final Deadlines deadlines = new Deadlines();
    private final TimeSource.Timer timer;
    private final Packet packet = new Packet();
    private final Checksum checksum = new Checksum();
    private final Fragments fragments = new Fragments();
    private final Link link;
    private final Routes routes;
    private final Icmp icmp;
    private final Neighbours neighbours;
    private final DhcpServer dhcp;
    private final DnsForwarder dns;
    private final UdpRelay udp;
    private final TcpStack tcp;
    private final List<InetSocketAddress> listening = new ArrayList<>();

    private volatile Runnable wake = () -> {};

    /** What {@link #timer} is set to. */
    private long armedNanos = Deadlines.NEVER;

    private long dropped;
    private boolean closed;

    private final Deadlines.Timed advertise =
            new Deadlines.Timed() {
                @Override
                void due(long nowNanos) {
                    neighbours.advertiseRouter();
                    deadlines.set(this, nowNanos + ADVERTISE_NANOS);
                }
            };

    /**
     * A network whose sockets are on {@code loop}; forwarded ports are open at once.
     *
     * @param random must be one for cryptography, except in tests and replays
     * @throws NetException if a port cannot be forwarded; nothing stays open
     */
    public static UserNetwork open(
            UserNetworkConfig config, TimeSource time, SelectorLoop loop, RandomGenerator random) {
        NioOutside outside = new NioOutside(loop);
        UserNetwork network = new UserNetwork(config, time, outside, random);
        try {
            network.listen();
        } catch (RuntimeException e) {
            network.close();
            throw e;
        }
        return network;
    }

    UserNetwork(
            UserNetworkConfig config, TimeSource time, Outside outside, RandomGenerator random) {
        this.config = config;
        this.time = time;
        this.outside = outside;
        Supplier<List<InetSocketAddress>> resolvers =
                config.resolvers().isEmpty()
                        ? new HostResolvers(Path.of("/etc/resolv.conf"), time)
                        : config::resolvers;
        Runnable signal = () -> wake.run();
        timer = time.timer("user network", signal);
        link = new Link(ROUTER_MAC, config.mtuBytes());
        routes = new Routes(config, resolvers);
        icmp = new Icmp(link, routes);
        neighbours = new Neighbours(config, link, routes);
        dhcp = new DhcpServer(config, link);
        dns = new DnsForwarder(link, outside, routes, deadlines, random, resolvers, signal);
        udp = new UdpRelay(link, outside, routes, icmp, deadlines, signal);
        tcp = new TcpStack(config, link, outside, routes, icmp, deadlines, random, signal);
    }

    /** Opens the forwarded ports. */
    void listen() {
        for (Forward forward : config.forwards()) {
            IpAddress guest = forward.guest().isAny() ? config.guest4() : forward.guest();
            IpAddress router = guest.isV4() ? config.host4() : config.host6();
            try {
                if (forward.protocol() == Protocol.TCP) {
                    listening.add(
                            outside.listen(
                                    forward.from(),
                                    socket ->
                                            tcp.accept(
                                                    socket, router, guest, forward.guestPort())));
                } else {
                    udp.forward(forward.from(), router, guest, forward.guestPort());
                }
            } catch (IOException e) {
                throw new NetException(
                        "cannot forward %s port %d of %s: %s"
                                .formatted(
                                        forward.protocol() == Protocol.TCP ? "TCP" : "UDP",
                                        forward.from().getPort(),
                                        forward.from().getHostString(),
                                        e.getMessage()),
                        e);
            }
        }
    }

    /** Where forwarded TCP ports are open, in the order of the configuration. */
    public List<InetSocketAddress> listening() {
        return List.copyOf(listening);
    }

    @Override
    public int mtuBytes() {
        return config.mtuBytes();
    }

    @Override
    public NetOffloads accepted() {
        return NetOffloads.ALL;
    }

    @Override
    public void connect(Runnable newWake) {
        wake = newWake;
    }

    @Override
    public void start(MacAddress mac, NetOffloads guest) {
        tick();
        link.start(mac, guest);
        if (config.ipv6()) {
            deadlines.set(advertise, time.nanos());
        }
        wake.run();
    }

    @Override
    public void change(NetOffloads guest) {
        link.change(guest);
    }

    @Override
    public void stop() {
        tick();
        deadlines.set(advertise, Deadlines.NEVER);
        tcp.dropAll();
        udp.dropAll();
        dns.dropAll();
        fragments.clear();
        link.clear();
    }

    private void tick() {
        long now = time.nanos();
        tcp.setNow(now);
        udp.setNow(now);
        dns.setNow(now);
    }

    @Override
    public boolean send(Frame frame) {
        tick();
        if (!packet.begin(frame)) {
            dropped++;
            return true;
        }
        switch (packet.etherType()) {
            case Ip.ETHERTYPE_IPV4 -> {
                if (config.ipv4() && packet.readIpv4()) {
                    ip();
                } else {
                    dropped++;
                }
            }
            case Ip.ETHERTYPE_IPV6 -> {
                if (config.ipv6() && packet.readIpv6()) {
                    ip();
                } else {
                    dropped++;
                }
            }
            case Ip.ETHERTYPE_ARP -> {
                if (config.ipv4()) {
                    neighbours.arp(packet);
                }
            }
            default -> dropped++;
        }
        return true;
    }

    private void ip() {
        if (packet.fragment) {
            int protocol = packet.protocol;
            ArrayFrame whole = fragments.add(packet, time.nanos());
            if (whole == null) {
                return;
            }
            packet.become(whole, protocol);
        }
        learn();
        switch (packet.protocol) {
            case Ip.TCP -> {
                if (packet.isIntact(checksum)) {
                    tcp.input(packet);
                } else {
                    dropped++;
                }
            }
            case Ip.UDP -> udp();
            case Ip.ICMP -> {
                checksum.clear();
                packet.addPayload(checksum);
                if (packet.source.isV4() && checksum.sum() == 0xFFFF) {
                    icmp.input(packet);
                } else {
                    dropped++;
                }
            }
            case Ip.ICMPV6 -> {
                if (packet.source.isV4() || !packet.isIntact(checksum)) {
                    dropped++;
                } else if (!neighbours.discovery(packet)) {
                    icmp.input(packet);
                }
            }
            default -> dropped++;
        }
    }

    /** Who sends gets the answers: of the guest's own networks only. */
    private void learn() {
        IpAddress source = packet.source;
        boolean near =
                source.isV4()
                        ? source.isIn(config.network4(), config.prefix4())
                        : source.isIn(config.network6(), 64) || source.isLinkLocal();
        if (near && !routes.isHost(source) && !routes.isDns(source)) {
            link.learn(source, packet.sourceMac);
        }
    }

    private void udp() {
        if (packet.payloadBytes < UDP_HEADER_BYTES) {
            dropped++;
            return;
        }
        byte[] datagram = packet.payload();
        int size = Bytes.getShort(datagram, 4);
        // RFC 768: no sum at all is legal over IPv4.
        boolean summed = !packet.source.isV4() || Bytes.getShort(datagram, 6) != 0;
        if (size < UDP_HEADER_BYTES
                || size > datagram.length
                || summed && !packet.isIntact(checksum)) {
            dropped++;
            return;
        }
        if (size < datagram.length) {
            datagram = java.util.Arrays.copyOf(datagram, size);
        }
        FlowKey key =
                new FlowKey(
                        packet.source,
                        Bytes.getShort(datagram, 0),
                        packet.destination,
                        Bytes.getShort(datagram, 2));
        if (key.guestPort() == 0) {
            return;
        }
        boolean toRouter =
                routes.isHost(key.remote()) || key.remote().isV4() && key.remote().v4Bits() == -1;
        if (key.remote().isV4() && toRouter && key.remotePort() == DhcpServer.SERVER_PORT) {
            dhcp.input(java.util.Arrays.copyOfRange(datagram, UDP_HEADER_BYTES, datagram.length));
        } else if (routes.isDns(key.remote()) && key.remotePort() == DnsForwarder.PORT) {
            dns.input(key, datagram);
        } else {
            udp.input(key, datagram);
        }
    }

    @Override
    public void receive(FrameSink sink) {
        tick();
        deadlines.run(time.nanos());
        if (link.flush(sink)) {
            udp.resume();
            // Connections put resets and such into the queue: once more behind them.
            if (tcp.output(sink)) {
                link.flush(sink);
            }
        }
        arm();
    }

    private void arm() {
        long next = deadlines.next();
        if (next < armedNanos || armedNanos - time.nanos() <= 0) {
            armedNanos = next;
            if (next != Deadlines.NEVER) {
                timer.arm(next);
            }
        }
    }

    /** Frames that made no sense, and packets that had no room. */
    public long dropped() {
        return dropped + link.dropped();
    }

    /** Connections at present. */
    public int connections() {
        return tcp.count();
    }

    TcpStack tcp() {
        return tcp;
    }

    UdpRelay udpRelay() {
        return udp;
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        timer.cancel();
        tcp.close();
        udp.dropAll();
        dns.dropAll();
        outside.close();
    }
}
