package dev.javisor.net.user;

import dev.javisor.net.Bytes;
import dev.javisor.net.Checksum;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;

/**
 * Says which station has our addresses: ARP (RFC 826) and neighbour discovery (RFC 4861), and
 * announces the IPv6 router and its prefix, by which guests make their addresses.
 */
final class Neighbours {
    private static final int ARP_BYTES = 28;
    private static final int ARP_REQUEST = 1;
    private static final int ARP_REPLY = 2;

    private static final int ROUTER_SOLICITATION = 133;
    private static final int ROUTER_ADVERTISEMENT = 134;
    private static final int NEIGHBOUR_SOLICITATION = 135;
    private static final int NEIGHBOUR_ADVERTISEMENT = 136;
    private static final int OPTION_SOURCE_LINK = 1;
    private static final int OPTION_TARGET_LINK = 2;
    private static final int OPTION_PREFIX = 3;
    private static final int OPTION_MTU = 5;
    private static final int OPTION_DNS = 25;
    private static final int HOP_LIMIT = 255;

    /** Of router, prefix and name server, seconds. */
    private static final int LIFE_SECONDS = 86_400;

    private static final int ROUTER_LIFE_SECONDS = 1800;

    private static final IpAddress ALL_NODES = IpAddress.parse("ff02::1");

    private final UserNetworkConfig config;
    private final Link link;
    private final Routes routes;

    /** fe80::2, the router on the link. */
    static final IpAddress ROUTER = IpAddress.parse("fe80::2");

    private static final IpAddress DNS_ON_LINK = IpAddress.parse("fe80::3");

    Neighbours(UserNetworkConfig config, Link link, Routes routes) {
        this.config = config;
        this.link = link;
        this.routes = routes;
    }

    private boolean isOurs(IpAddress address) {
        return routes.isHost(address)
                || routes.isDns(address)
                || !address.isV4() && (address.equals(ROUTER) || address.equals(DNS_ON_LINK))
                || config.guestForwards().stream().anyMatch(f -> f.address().equals(address));
    }

    /** An ARP packet behind the Ethernet header. */
    void arp(Packet packet) {
        int at = Link.ETHERNET_BYTES;
        byte[] head = packet.head;
        boolean shaped =
                packet.headBytes >= at + ARP_BYTES
                        && Bytes.getShort(head, at) == 1
                        && Bytes.getShort(head, at + 2) == Ip.ETHERTYPE_IPV4
                        && Bytes.getShort(head, at + 4) == 0x0604;
        if (!shaped) {
            return;
        }
        MacAddress senderMac = MacAddress.read(head, at + 8);
        IpAddress sender = IpAddress.readV4(head, at + 14);
        IpAddress target = IpAddress.readV4(head, at + 24);
        if (!sender.isAny() && !isOurs(sender)) {
            link.learn(sender, senderMac);
        }
        // A probe for a free address (RFC 5227) must not hear from us about others' addresses.
        if (Bytes.getShort(head, at + 6) != ARP_REQUEST || !isOurs(target)) {
            return;
        }
        byte[] reply = new byte[at + ARP_BYTES];
        link.writeEthernet(reply, senderMac, Ip.ETHERTYPE_ARP);
        System.arraycopy(head, at, reply, at, 6);
        Bytes.putShort(reply, at + 6, ARP_REPLY);
        link.own().write(reply, at + 8);
        target.write(reply, at + 14);
        senderMac.write(reply, at + 18);
        sender.write(reply, at + 24);
        link.sendFrame(reply);
    }

    /**
     * An ICMPv6 packet with a right checksum.
     *
     * @return false if it is something else
     */
    boolean discovery(Packet packet) {
        if (packet.payloadBytes < 8) {
            return false;
        }
        int type = Bytes.getByte(packet.head, packet.payloadAt);
        switch (type) {
            case ROUTER_SOLICITATION -> {
                if (packet.hopLimit == HOP_LIMIT) {
                    learn(packet);
                    advertiseRouter();
                }
                return true;
            }
            case NEIGHBOUR_SOLICITATION -> {
                if (packet.hopLimit == HOP_LIMIT && packet.payloadBytes >= 24) {
                    solicited(packet);
                }
                return true;
            }
            case NEIGHBOUR_ADVERTISEMENT, ROUTER_ADVERTISEMENT -> {
                if (type == NEIGHBOUR_ADVERTISEMENT) {
                    learn(packet);
                }
                return true;
            }
            default -> {
                return false;
            }
        }
    }

    private void learn(Packet packet) {
        if (!packet.source.isAny() && !isOurs(packet.source)) {
            link.learn(packet.source, packet.sourceMac);
        }
    }

    private void solicited(Packet packet) {
        learn(packet);
        byte[] message = packet.payload();
        IpAddress target = IpAddress.readV6(message, 8);
        if (!isOurs(target)) {
            return;
        }
        byte[] answer = new byte[32];
        Bytes.putByte(answer, 0, NEIGHBOUR_ADVERTISEMENT);
        // Router; solicited unless it is a probe; override.
        boolean probe = packet.source.isAny();
        Bytes.putByte(answer, 4, probe ? 0xA0 : 0xE0);
        target.write(answer, 8);
        Bytes.putByte(answer, 24, OPTION_TARGET_LINK);
        Bytes.putByte(answer, 25, 1);
        link.own().write(answer, 26);
        send(target, probe ? ALL_NODES : packet.source, answer);
    }

    /** Announces the router to all (RFC 4861 §4.2, RFC 8106 §5.1). */
    void advertiseRouter() {
        if (!config.ipv6()) {
            return;
        }
        byte[] message = new byte[16 + 8 + 8 + 32 + 24];
        Bytes.putByte(message, 0, ROUTER_ADVERTISEMENT);
        Bytes.putByte(message, 4, 64);
        Bytes.putShort(message, 6, ROUTER_LIFE_SECONDS);
        int at = 16;
        Bytes.putByte(message, at, OPTION_SOURCE_LINK);
        Bytes.putByte(message, at + 1, 1);
        link.own().write(message, at + 2);
        at += 8;
        Bytes.putByte(message, at, OPTION_MTU);
        Bytes.putByte(message, at + 1, 1);
        Bytes.putInt(message, at + 4, config.mtuBytes());
        at += 8;
        Bytes.putByte(message, at, OPTION_PREFIX);
        Bytes.putByte(message, at + 1, 4);
        Bytes.putByte(message, at + 2, 64);
        // On this link, and for guests to make addresses of.
        Bytes.putByte(message, at + 3, 0xC0);
        Bytes.putInt(message, at + 4, LIFE_SECONDS);
        Bytes.putInt(message, at + 8, LIFE_SECONDS);
        new IpAddress(config.network6().high(), 0).write(message, at + 16);
        at += 32;
        Bytes.putByte(message, at, OPTION_DNS);
        Bytes.putByte(message, at + 1, 3);
        Bytes.putInt(message, at + 4, LIFE_SECONDS);
        config.dns6().write(message, at + 8);
        send(ROUTER, ALL_NODES, message);
    }

    private void send(IpAddress from, IpAddress to, byte[] message) {
        Checksum sum = new Checksum();
        sum.addPseudoHeader(from, to, Ip.ICMPV6, message.length);
        sum.add(message, 0, message.length);
        Bytes.putShort(message, 2, sum.complement());
        link.sendIp(from, to, Ip.ICMPV6, HOP_LIMIT, message, message.length);
    }
}
