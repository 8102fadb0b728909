package dev.javisor.net.user;

import dev.javisor.net.Bytes;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;

/** Frames as a guest makes and reads them, written down apart from the stack's own code. */
final class Wire {
    static final MacAddress GUEST_MAC = MacAddress.parse("52:54:00:12:34:56");
    static final MacAddress ROUTER_MAC = MacAddress.parse("52:55:0a:00:02:02");

    private Wire() {}

    /** A TCP segment that came out of the stack. */
    record Segment(
            IpAddress from,
            IpAddress to,
            int fromPort,
            int toPort,
            int sequence,
            int acknowledgment,
            int flags,
            int window,
            byte[] options,
            byte[] payload) {
        boolean has(int flag) {
            return (flags & flag) != 0;
        }

        /** An option's content; null if it is not there. */
        byte @org.jspecify.annotations.Nullable [] option(int kind) {
            int at = 0;
            while (at < options.length && options[at] != 0) {
                if (options[at] == 1) {
                    at++;
                } else if (options[at] == kind) {
                    return java.util.Arrays.copyOfRange(options, at + 2, at + options[at + 1]);
                } else {
                    at += options[at + 1];
                }
            }
            return null;
        }
    }

    static byte[] ethernet(MacAddress to, MacAddress from, int type, byte[] payload) {
        byte[] frame = new byte[14 + payload.length];
        to.write(frame, 0);
        from.write(frame, 6);
        Bytes.putShort(frame, 12, type);
        System.arraycopy(payload, 0, frame, 14, payload.length);
        return frame;
    }

    /** An IP packet in a frame from the guest to the router. */
    static byte[] ip(IpAddress from, IpAddress to, int protocol, byte[] payload) {
        return ethernet(
                ROUTER_MAC,
                GUEST_MAC,
                from.isV4() ? 0x0800 : 0x86DD,
                from.isV4()
                        ? ipv4(from, to, protocol, 0, payload)
                        : ipv6(from, to, protocol, payload));
    }

    /** An IPv4 packet, or a fragment of one. */
    static byte[] ipv4(IpAddress from, IpAddress to, int protocol, int fragment, byte[] payload) {
        byte[] packet = new byte[20 + payload.length];
        packet[0] = 0x45;
        Bytes.putShort(packet, 2, packet.length);
        Bytes.putShort(packet, 4, 7);
        Bytes.putShort(packet, 6, fragment);
        packet[8] = 64;
        packet[9] = (byte) protocol;
        from.write(packet, 12);
        to.write(packet, 16);
        Bytes.putShort(packet, 10, ~sum(packet, 0, 20) & 0xFFFF);
        System.arraycopy(payload, 0, packet, 20, payload.length);
        return packet;
    }

    static byte[] ipv6(IpAddress from, IpAddress to, int next, byte[] payload) {
        byte[] packet = new byte[40 + payload.length];
        packet[0] = 0x60;
        Bytes.putShort(packet, 4, payload.length);
        packet[6] = (byte) next;
        packet[7] = (byte) 255;
        from.write(packet, 8);
        to.write(packet, 24);
        System.arraycopy(payload, 0, packet, 40, payload.length);
        return packet;
    }

    static byte[] tcp(
            IpAddress from,
            IpAddress to,
            int fromPort,
            int toPort,
            int sequence,
            int acknowledgment,
            int flags,
            int window,
            byte[] options,
            byte[] payload) {
        byte[] segment = new byte[20 + options.length + payload.length];
        Bytes.putShort(segment, 0, fromPort);
        Bytes.putShort(segment, 2, toPort);
        Bytes.putInt(segment, 4, sequence);
        Bytes.putInt(segment, 8, acknowledgment);
        segment[12] = (byte) ((20 + options.length) / 4 << 4);
        segment[13] = (byte) flags;
        Bytes.putShort(segment, 14, window);
        System.arraycopy(options, 0, segment, 20, options.length);
        System.arraycopy(payload, 0, segment, 20 + options.length, payload.length);
        Bytes.putShort(segment, 16, checksum(from, to, 6, segment));
        return segment;
    }

    static byte[] udp(IpAddress from, IpAddress to, int fromPort, int toPort, byte[] payload) {
        byte[] datagram = new byte[8 + payload.length];
        Bytes.putShort(datagram, 0, fromPort);
        Bytes.putShort(datagram, 2, toPort);
        Bytes.putShort(datagram, 4, datagram.length);
        System.arraycopy(payload, 0, datagram, 8, payload.length);
        Bytes.putShort(datagram, 6, checksum(from, to, 17, datagram));
        return datagram;
    }

    /** Of an upper layer with its pseudo header. */
    static int checksum(IpAddress from, IpAddress to, int protocol, byte[] upper) {
        int addresses = from.isV4() ? 8 : 32;
        byte[] all = new byte[addresses + 8 + upper.length];
        from.write(all, 0);
        to.write(all, addresses / 2);
        Bytes.putInt(all, addresses, upper.length);
        Bytes.putInt(all, addresses + 4, protocol);
        System.arraycopy(upper, 0, all, addresses + 8, upper.length);
        return ~sum(all, 0, all.length) & 0xFFFF;
    }

    static int sum(byte[] bytes, int at, int size) {
        int sum = 0;
        for (int i = 0; i < size; i++) {
            sum += (bytes[at + i] & 0xFF) << ((i & 1) == 0 ? 8 : 0);
            sum = (sum & 0xFFFF) + (sum >>> 16);
        }
        return sum;
    }

    static int type(byte[] frame) {
        return Bytes.getShort(frame, 12);
    }

    /** Protocol of an IP frame without extension headers. */
    static int protocol(byte[] frame) {
        return type(frame) == 0x0800 ? frame[14 + 9] & 0xFF : frame[14 + 6] & 0xFF;
    }

    static IpAddress source(byte[] frame) {
        return type(frame) == 0x0800
                ? IpAddress.readV4(frame, 14 + 12)
                : IpAddress.readV6(frame, 14 + 8);
    }

    static IpAddress destination(byte[] frame) {
        return type(frame) == 0x0800
                ? IpAddress.readV4(frame, 14 + 16)
                : IpAddress.readV6(frame, 14 + 24);
    }

    /** What follows the IP header. */
    static byte[] upper(byte[] frame) {
        boolean v4 = type(frame) == 0x0800;
        int end = 14 + (v4 ? Bytes.getShort(frame, 16) : 40 + Bytes.getShort(frame, 18));
        return java.util.Arrays.copyOfRange(frame, 14 + (v4 ? 20 : 40), end);
    }

    /** Reads a TCP frame, and insists on right lengths and checksums. */
    static Segment segment(byte[] frame, FrameOffload offload) {
        boolean v4 = type(frame) == 0x0800;
        if (v4 && sum(frame, 14, 20) != 0xFFFF) {
            throw new AssertionError("IP checksum");
        }
        byte[] tcp = upper(frame);
        IpAddress from = source(frame);
        IpAddress to = destination(frame);
        if (offload.needsChecksum()) {
            int start = offload.checksumStart();
            if (start != 14 + (v4 ? 20 : 40) || offload.checksumOffset() != 16) {
                throw new AssertionError("checksum elsewhere: " + offload);
            }
            // As the receiver finishes it: the pseudo header's sum is where the sum belongs.
            byte[] finished = tcp.clone();
            int total = ~sum(finished, 0, finished.length) & 0xFFFF;
            Bytes.putShort(finished, 16, total);
            tcp = finished;
        }
        if (checksum(from, to, 6, tcp) != 0) {
            throw new AssertionError("TCP checksum");
        }
        int header = (tcp[12] >>> 4 & 0xF) * 4;
        return new Segment(
                from,
                to,
                Bytes.getShort(tcp, 0),
                Bytes.getShort(tcp, 2),
                Bytes.getInt(tcp, 4),
                Bytes.getInt(tcp, 8),
                tcp[13],
                Bytes.getShort(tcp, 14),
                java.util.Arrays.copyOfRange(tcp, 20, header),
                java.util.Arrays.copyOfRange(tcp, header, tcp.length));
    }
}
