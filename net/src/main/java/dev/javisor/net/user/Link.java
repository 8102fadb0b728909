package dev.javisor.net.user;

import dev.javisor.net.Bytes;
import dev.javisor.net.Checksum;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameSink;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetOffloads;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The way to the guest: Ethernet and IP headers, the guest's addresses, and a bounded queue for
 * packets that are whole (all but TCP's segments, which wait where their bytes are).
 */
final class Link {
    static final int ETHERNET_BYTES = 14;
    static final int IPV4_BYTES = 20;
    static final int IPV6_BYTES = 40;
    private static final int FRAGMENT_BYTES = 8;

    private static final int TTL = 64;
    private static final int MAX_NEIGHBOURS = 256;
    private static final int MAX_PACKETS = 1024;
    private static final int MAX_QUEUED_BYTES = 1 << 20;

    private final MacAddress own;
    private final int mtuBytes;
    private final ArrayDeque<byte[]> queue = new ArrayDeque<>();
    private int queuedBytes;
    private long dropped;
    private int fragmentId;

    /** Who has which address, by what was heard; the oldest is forgotten. */
    private final Map<IpAddress, MacAddress> neighbours =
            new LinkedHashMap<>() {
                private static final long serialVersionUID = 1;

                @Override
                protected boolean removeEldestEntry(Map.Entry<IpAddress, MacAddress> eldest) {
                    return size() > MAX_NEIGHBOURS;
                }
            };

    private MacAddress guest = MacAddress.BROADCAST;
    private NetOffloads guestOffloads = NetOffloads.NONE;

    Link(MacAddress own, int mtuBytes) {
        this.own = own;
        this.mtuBytes = mtuBytes;
    }

    MacAddress own() {
        return own;
    }

    int mtuBytes() {
        return mtuBytes;
    }

    NetOffloads guestOffloads() {
        return guestOffloads;
    }

    void start(MacAddress mac, NetOffloads offloads) {
        guest = mac;
        guestOffloads = offloads;
        clear();
    }

    void change(NetOffloads offloads) {
        guestOffloads = offloads;
    }

    void clear() {
        queue.clear();
        queuedBytes = 0;
        neighbours.clear();
    }

    /** Who sends from an address gets what is sent to it. */
    void learn(IpAddress address, MacAddress mac) {
        if (!mac.isGroup() && !mac.equals(neighbours.get(address))) {
            neighbours.put(address, mac);
        }
    }

    private MacAddress macOf(IpAddress to) {
        if (to.isMulticast()) {
            // RFC 1112 §6.4, RFC 2464 §7.
            return to.isV4()
                    ? new MacAddress(0x0100_5E00_0000L | to.v4Bits() & 0x7F_FFFF)
                    : new MacAddress(0x3333_0000_0000L | to.low() & 0xFFFF_FFFFL);
        }
        if (to.isV4() && to.v4Bits() == -1) {
            return MacAddress.BROADCAST;
        }
        MacAddress known = neighbours.get(to);
        return known != null ? known : guest;
    }

    /** Whether packets are queued to their bound: what can wait should. */
    boolean isFull() {
        return queue.size() >= MAX_PACKETS / 2 || queuedBytes >= MAX_QUEUED_BYTES / 2;
    }

    /** Packets that had no room. */
    long dropped() {
        return dropped;
    }

    /** Queues a frame, or drops it. */
    void sendFrame(byte[] frame) {
        if (queue.size() >= MAX_PACKETS || queuedBytes + frame.length > MAX_QUEUED_BYTES) {
            dropped++;
            return;
        }
        queue.add(frame);
        queuedBytes += frame.length;
    }

    /** Writes Ethernet and IP headers in front of a packet without fragments. */
    void writeIp(byte[] to, IpAddress source, IpAddress destination, int protocol, int sizeBytes) {
        writeIp(to, macOf(destination), source, destination, protocol, TTL, sizeBytes);
    }

    private void writeIp(
            byte[] to,
            MacAddress mac,
            IpAddress source,
            IpAddress destination,
            int protocol,
            int hopLimit,
            int sizeBytes) {
        writeEthernet(to, mac, source.isV4() ? Ip.ETHERTYPE_IPV4 : Ip.ETHERTYPE_IPV6);
        int at = ETHERNET_BYTES;
        if (source.isV4()) {
            Bytes.putShort(to, at, 0x4500);
            Bytes.putShort(to, at + 2, IPV4_BYTES + sizeBytes);
            // Not to be fragmented: then its identification says nothing (RFC 6864 §4.1).
            Bytes.putInt(to, at + 4, 0x4000);
            Bytes.putByte(to, at + 8, hopLimit);
            Bytes.putByte(to, at + 9, protocol);
            Bytes.putShort(to, at + 10, 0);
            source.write(to, at + 12);
            destination.write(to, at + 16);
            Bytes.putShort(to, at + 10, Checksum.of(to, at, IPV4_BYTES));
        } else {
            Bytes.putInt(to, at, 0x6000_0000);
            Bytes.putShort(to, at + 4, sizeBytes);
            Bytes.putByte(to, at + 6, protocol);
            Bytes.putByte(to, at + 7, hopLimit);
            source.write(to, at + 8);
            destination.write(to, at + 24);
        }
    }

    void writeEthernet(byte[] to, MacAddress mac, int type) {
        mac.write(to, 0);
        own.write(to, MacAddress.BYTES);
        Bytes.putShort(to, 12, type);
    }

    /**
     * Queues a packet whose checksum is complete, in fragments if it is larger than the MTU.
     *
     * @param payload all behind the IP header
     */
    void sendIp(
            IpAddress source, IpAddress destination, int protocol, byte[] payload, int sizeBytes) {
        sendIp(macOf(destination), source, destination, protocol, TTL, payload, sizeBytes);
    }

    /** As the other, with a hop limit: neighbour discovery insists on 255 (RFC 4861 §3.1). */
    void sendIp(
            IpAddress source,
            IpAddress destination,
            int protocol,
            int hopLimit,
            byte[] payload,
            int sizeBytes) {
        sendIp(macOf(destination), source, destination, protocol, hopLimit, payload, sizeBytes);
    }

    /** As the others, to a given station. */
    void sendIp(
            MacAddress mac,
            IpAddress source,
            IpAddress destination,
            int protocol,
            int hopLimit,
            byte[] payload,
            int sizeBytes) {
        boolean v4 = source.isV4();
        int header = ETHERNET_BYTES + (v4 ? IPV4_BYTES : IPV6_BYTES);
        if (header - ETHERNET_BYTES + sizeBytes <= mtuBytes) {
            byte[] frame = new byte[header + sizeBytes];
            writeIp(frame, mac, source, destination, protocol, hopLimit, sizeBytes);
            System.arraycopy(payload, 0, frame, header, sizeBytes);
            sendFrame(frame);
            return;
        }
        int id = ++fragmentId;
        int extra = v4 ? 0 : FRAGMENT_BYTES;
        int most = mtuBytes - (header - ETHERNET_BYTES) - extra & ~7;
        for (int from = 0; from < sizeBytes; from += most) {
            int n = Math.min(most, sizeBytes - from);
            boolean more = from + n < sizeBytes;
            byte[] frame = new byte[header + extra + n];
            int at = ETHERNET_BYTES;
            if (v4) {
                writeIp(frame, mac, source, destination, protocol, hopLimit, n);
                Bytes.putShort(frame, at + 4, id);
                Bytes.putShort(frame, at + 6, from >>> 3 | (more ? 0x2000 : 0));
                Bytes.putShort(frame, at + 10, 0);
                Bytes.putShort(frame, at + 10, Checksum.of(frame, at, IPV4_BYTES));
            } else {
                writeIp(frame, mac, source, destination, Ip.FRAGMENT, hopLimit, extra + n);
                Bytes.putByte(frame, header, protocol);
                Bytes.putShort(frame, header + 2, from | (more ? 1 : 0));
                Bytes.putInt(frame, header + 4, id);
            }
            System.arraycopy(payload, from, frame, header + extra, n);
            sendFrame(frame);
        }
    }

    /** Queues a UDP datagram; {@code datagram} has eight bytes of room before its payload. */
    void sendUdp(
            IpAddress source,
            int sourcePort,
            IpAddress destination,
            int destinationPort,
            byte[] datagram,
            int sizeBytes) {
        Bytes.putShort(datagram, 0, sourcePort);
        Bytes.putShort(datagram, 2, destinationPort);
        Bytes.putShort(datagram, 4, sizeBytes);
        Bytes.putShort(datagram, 6, 0);
        Checksum sum = new Checksum();
        sum.addPseudoHeader(source, destination, Ip.UDP, sizeBytes);
        sum.add(datagram, 0, sizeBytes);
        // RFC 768: a sum of zero is sent as ones.
        int complement = sum.complement();
        Bytes.putShort(datagram, 6, complement == 0 ? 0xFFFF : complement);
        sendIp(source, destination, Ip.UDP, datagram, sizeBytes);
    }

    /**
     * Hands queued packets to the guest.
     *
     * @return false if it has no room
     */
    boolean flush(FrameSink sink) {
        while (true) {
            byte[] frame = queue.peek();
            if (frame == null) {
                return true;
            }
            if (!sink.begin(frame.length, 0)) {
                return false;
            }
            queue.remove();
            queuedBytes -= frame.length;
            sink.put(frame, 0, frame.length);
            sink.end(guestOffloads.checksum() ? FrameOffload.VALID : FrameOffload.NONE);
        }
    }
}
