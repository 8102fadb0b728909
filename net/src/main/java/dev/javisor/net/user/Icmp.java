package dev.javisor.net.user;

import dev.javisor.net.Bytes;
import dev.javisor.net.Checksum;
import dev.javisor.net.IpAddress;

/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443) without neighbour discovery: echoes of our own addresses,
 * and why something cannot be reached.
 */
final class Icmp {
    private static final int ECHO_REPLY_4 = 0;
    private static final int UNREACHABLE_4 = 3;
    private static final int ECHO_REQUEST_4 = 8;
    private static final int UNREACHABLE_6 = 1;
    private static final int ECHO_REQUEST_6 = 128;
    private static final int ECHO_REPLY_6 = 129;

    /** Why. */
    enum Unreachable {
        HOST(1, 3),
        PORT(3, 4),
        PROHIBITED(13, 1);

        private final int code4;
        private final int code6;

        Unreachable(int code4, int code6) {
            this.code4 = code4;
            this.code6 = code6;
        }
    }

    private final Link link;
    private final Routes routes;

    Icmp(Link link, Routes routes) {
        this.link = link;
        this.routes = routes;
    }

    /**
     * An ICMP packet with a right checksum, or an ICMPv6 packet that is not neighbour discovery.
     */
    void input(Packet packet) {
        if (packet.payloadBytes < 8) {
            return;
        }
        byte[] message = packet.payload();
        boolean v4 = packet.source.isV4();
        int request = v4 ? ECHO_REQUEST_4 : ECHO_REQUEST_6;
        if (Bytes.getByte(message, 0) != request) {
            return;
        }
        boolean own =
                routes.isHost(packet.destination)
                        || routes.isDns(packet.destination)
                        || !v4 && packet.destination.isLinkLocal();
        if (!own) {
            // Java has no sockets for echoes to others.
            if (!packet.destination.isMulticast()) {
                byte[] start = java.util.Arrays.copyOf(message, 8);
                int protocol = v4 ? Ip.ICMP : Ip.ICMPV6;
                unreachable(
                        Unreachable.PROHIBITED, packet.source, packet.destination, protocol, start);
            }
            return;
        }
        Bytes.putByte(message, 0, v4 ? ECHO_REPLY_4 : ECHO_REPLY_6);
        send(packet.destination, packet.source, message);
    }

    private void send(IpAddress from, IpAddress to, byte[] message) {
        Bytes.putShort(message, 2, 0);
        Checksum sum = new Checksum();
        if (!from.isV4()) {
            sum.addPseudoHeader(from, to, Ip.ICMPV6, message.length);
        }
        sum.add(message, 0, message.length);
        Bytes.putShort(message, 2, sum.complement());
        link.sendIp(from, to, from.isV4() ? Ip.ICMP : Ip.ICMPV6, message, message.length);
    }

    /**
     * Tells the guest that what it sent cannot get there.
     *
     * @param guest who sent it
     * @param start the first eight bytes behind its IP header
     */
    void unreachable(
            Unreachable why, IpAddress guest, IpAddress remote, int protocol, byte[] start) {
        boolean v4 = guest.isV4();
        int ipBytes = v4 ? Link.IPV4_BYTES : Link.IPV6_BYTES;
        // The packet as it was, as far as it matters to the one who gets it.
        byte[] frame = new byte[Link.ETHERNET_BYTES + ipBytes];
        link.writeIp(frame, guest, remote, protocol, start.length);
        byte[] message = new byte[8 + ipBytes + start.length];
        Bytes.putByte(message, 0, v4 ? UNREACHABLE_4 : UNREACHABLE_6);
        Bytes.putByte(message, 1, v4 ? why.code4 : why.code6);
        System.arraycopy(frame, Link.ETHERNET_BYTES, message, 8, ipBytes);
        System.arraycopy(start, 0, message, 8 + ipBytes, start.length);
        send(remote, guest, message);
    }
}
