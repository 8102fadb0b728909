package dev.javisor.net.filter;

import dev.javisor.net.Bytes;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameSink;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetBackend;
import dev.javisor.net.NetOffloads;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Drops what a guest sends in another's name: frames with a foreign source address, ARP (RFC 826)
 * and neighbour discovery (RFC 4861) that announce foreign addresses, packets with a foreign source
 * address. Each network protocol other than ARP, IPv4 and IPv6 is dropped, VLAN tags too: they
 * would hide what is behind them. On the interface's I/O thread.
 */
public final class SpoofFilter implements NetBackend {
    private static final int ETHERNET_BYTES = 14;
    private static final int ARP_BYTES = 28;
    private static final int IPV4_BYTES = 20;
    private static final int IPV6_BYTES = 40;
    private static final int TYPE_IPV4 = 0x0800;
    private static final int TYPE_ARP = 0x0806;
    private static final int TYPE_IPV6 = 0x86DD;

    /** Ethernet and IPv4 with their address lengths: the first eight bytes of ARP but the last. */
    private static final long ARP_ETHERNET_IPV4 = 0x0001_0800_0604L;

    private static final int FRAGMENT_OFFSET = 0x1FFF;

    // Protocols, and IPv6 extension headers.
    private static final int HOP_BY_HOP = 0;
    private static final int UDP = 17;
    private static final int ROUTING = 43;
    private static final int FRAGMENT = 44;
    private static final int ICMPV6 = 58;
    private static final int DESTINATION_OPTIONS = 60;

    private static final int DHCP_SERVER_PORT = 67;
    private static final int DHCP_CLIENT_PORT = 68;
    private static final int DHCPV6_SERVER_PORT = 547;
    private static final int ROUTER_ADVERTISEMENT = 134;
    private static final int NEIGHBOUR_ADVERTISEMENT = 136;
    private static final int REDIRECT = 137;

    /** How far we look: IPv6 with a few extension headers. */
    private static final int HEAD_BYTES = 256;

    private final NetBackend inner;
    private final Optional<Set<IpAddress>> addresses;
    private final byte[] head = new byte[HEAD_BYTES];
    private final Checked checked = new Checked();
    private final AtomicLong dropped = new AtomicLong();
    private MacAddress mac = new MacAddress(0);

    /**
     * @param addresses what the guest may call itself beside link-local IPv6 addresses; empty: any
     */
    public SpoofFilter(NetBackend inner, Optional<Set<IpAddress>> addresses) {
        this.inner = inner;
        this.addresses = addresses.map(Set::copyOf);
    }

    /** Frames dropped so far. From any thread. */
    public long dropped() {
        return dropped.get();
    }

    @Override
    public int mtuBytes() {
        return inner.mtuBytes();
    }

    @Override
    public NetOffloads accepted() {
        return inner.accepted();
    }

    @Override
    public void connect(Runnable wake) {
        inner.connect(wake);
    }

    /**
     * The address is the one the machine gave the interface: what the guest calls itself later does
     * not count.
     */
    @Override
    public void start(MacAddress given, NetOffloads guest) {
        mac = given;
        inner.start(given, guest);
    }

    @Override
    public void change(NetOffloads guest) {
        inner.change(guest);
    }

    @Override
    public void stop() {
        inner.stop();
    }

    @Override
    public boolean send(Frame frame) {
        int have = frame.copy(0, head, 0, HEAD_BYTES);
        if (isHonest(have)) {
            checked.of(frame, have);
            return inner.send(checked);
        }
        dropped.incrementAndGet();
        return true;
    }

    @Override
    public void receive(FrameSink sink) {
        inner.receive(sink);
    }

    @Override
    public void close() {
        inner.close();
    }

    private boolean isHonest(int have) {
        if (have < ETHERNET_BYTES || !MacAddress.read(head, MacAddress.BYTES).equals(mac)) {
            return false;
        }
        return switch (Bytes.getShort(head, 2 * MacAddress.BYTES)) {
            case TYPE_ARP -> have >= ETHERNET_BYTES + ARP_BYTES && isHonestArp();
            case TYPE_IPV4 -> have >= ETHERNET_BYTES + IPV4_BYTES && isHonestIpv4(have);
            case TYPE_IPV6 -> have >= ETHERNET_BYTES + IPV6_BYTES && isHonestIpv6(have);
            default -> false;
        };
    }

    private boolean isHonestArp() {
        int arp = ETHERNET_BYTES;
        if (Bytes.getLong(head, arp) >>> 16 != ARP_ETHERNET_IPV4) {
            return false;
        }
        IpAddress sender = IpAddress.readV4(head, arp + 14);
        // 0.0.0.0: a probe, before the guest has an address (RFC 5227 §1.1).
        return MacAddress.read(head, arp + 8).equals(mac) && (sender.isAny() || isOwn(sender));
    }

    private boolean isHonestIpv4(int have) {
        int ip = ETHERNET_BYTES;
        int headerWords = head[ip] & 0x0F;
        int transport = ip + 4 * headerWords;
        if (headerWords < 5) {
            return false;
        }
        IpAddress source = IpAddress.readV4(head, ip + 12);
        boolean isFirst = (Bytes.getShort(head, ip + 6) & FRAGMENT_OFFSET) == 0;
        boolean hasPorts = isFirst && Bytes.getByte(head, ip + 9) == UDP;
        if (hasPorts && transport + 4 > have) {
            return false;
        }
        int sourcePort = hasPorts ? Bytes.getShort(head, transport) : -1;
        if (sourcePort == DHCP_SERVER_PORT) {
            return false;
        }
        return source.isAny() ? sourcePort == DHCP_CLIENT_PORT : isOwn(source);
    }

    private boolean isHonestIpv6(int have) {
        int ip = ETHERNET_BYTES;
        IpAddress source = IpAddress.readV6(head, ip + 8);
        // ::, while the guest looks whether somebody has its address (RFC 4862 §5.4).
        return (source.isAny() || isOwn(source)) && isHonestPayload(ip, have);
    }

    /**
     * Follows extension headers (RFC 8200 §4) to what must not hide behind them (RFC 7113 §3). What
     * lies deeper than we look is dropped.
     */
    private boolean isHonestPayload(int ip, int have) {
        int next = Bytes.getByte(head, ip + 6);
        int at = ip + IPV6_BYTES;
        while (true) {
            switch (next) {
                case HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS -> {
                    if (at + 8 > have) {
                        return false;
                    }
                    next = Bytes.getByte(head, at);
                    at += 8 + 8 * Bytes.getByte(head, at + 1);
                }
                case FRAGMENT -> {
                    if (at + 8 > have) {
                        return false;
                    }
                    if ((Bytes.getShort(head, at + 2) & ~7) != 0) {
                        // Without its first fragment, which was looked at, it is nothing.
                        return true;
                    }
                    next = Bytes.getByte(head, at);
                    at += 8;
                }
                case UDP -> {
                    return at + 4 <= have && Bytes.getShort(head, at) != DHCPV6_SERVER_PORT;
                }
                case ICMPV6 -> {
                    return at + 1 <= have && isHonestDiscovery(at, have);
                }
                default -> {
                    return true;
                }
            }
        }
    }

    private boolean isHonestDiscovery(int icmp, int have) {
        return switch (Bytes.getByte(head, icmp)) {
            case ROUTER_ADVERTISEMENT, REDIRECT -> false;
            case NEIGHBOUR_ADVERTISEMENT ->
                    icmp + 24 <= have && isOwn(IpAddress.readV6(head, icmp + 8));
            default -> true;
        };
    }

    private boolean isOwn(IpAddress address) {
        return addresses.isEmpty()
                || address.isLinkLocal() && !address.isV4()
                || addresses.orElseThrow().contains(address);
    }

    /** The frame, its head as it was checked, whatever the guest writes there meanwhile. */
    private final class Checked implements Frame {
        private final MemorySegment copy = Arena.ofAuto().allocate(HEAD_BYTES);
        private @Nullable Frame frame;
        private int headBytes;

        void of(Frame of, int have) {
            frame = of;
            headBytes = have;
            MemorySegment.copy(head, 0, copy, ValueLayout.JAVA_BYTE, 0, have);
        }

        private Frame frame() {
            return Objects.requireNonNull(frame, "no frame is being sent");
        }

        @Override
        public int sizeBytes() {
            return frame().sizeBytes();
        }

        @Override
        public FrameOffload offload() {
            return frame().offload();
        }

        @Override
        public int copy(int from, byte[] to, int at, int sizeBytes) {
            int mine = Math.clamp(headBytes - from, 0, sizeBytes);
            System.arraycopy(head, Math.min(from, headBytes), to, at, mine);
            return mine == sizeBytes
                    ? mine
                    : mine + frame().copy(from + mine, to, at + mine, sizeBytes - mine);
        }

        @Override
        public MemorySegment[] slices(int from, int sizeBytes) {
            int mine = Math.clamp(headBytes - from, 0, sizeBytes);
            if (mine == 0) {
                return frame().slices(from, sizeBytes);
            }
            MemorySegment[] rest = frame().slices(from + mine, sizeBytes - mine);
            MemorySegment[] all = new MemorySegment[rest.length + 1];
            all[0] = copy.asSlice(from, mine);
            System.arraycopy(rest, 0, all, 1, rest.length);
            return all;
        }
    }
}
