package dev.javisor.net;

import java.util.Arrays;

/** Frames with the fields that tests are about; checksums are left out. */
public final class Packets {
    private Packets() {}

    public static final int IPV4 = 0x0800;
    public static final int ARP = 0x0806;
    public static final int IPV6 = 0x86DD;

    public static byte[] ethernet(MacAddress to, MacAddress from, int type, byte[] payload) {
        byte[] frame = new byte[14 + payload.length];
        to.write(frame, 0);
        from.write(frame, 6);
        Bytes.putShort(frame, 12, type);
        System.arraycopy(payload, 0, frame, 14, payload.length);
        return frame;
    }

    public static byte[] arp(MacAddress senderMac, String sender, String target) {
        byte[] arp = new byte[28];
        Bytes.putLong(arp, 0, 0x0001_0800_0604_0001L);
        senderMac.write(arp, 8);
        IpAddress.parse(sender).write(arp, 14);
        IpAddress.parse(target).write(arp, 24);
        return arp;
    }

    public static byte[] ipv4(String from, String to, int protocol, byte[] payload) {
        byte[] packet = new byte[20 + payload.length];
        packet[0] = 0x45;
        Bytes.putShort(packet, 2, packet.length);
        packet[8] = 64;
        Bytes.putByte(packet, 9, protocol);
        IpAddress.parse(from).write(packet, 12);
        IpAddress.parse(to).write(packet, 16);
        System.arraycopy(payload, 0, packet, 20, payload.length);
        return packet;
    }

    public static byte[] ipv6(String from, String to, int next, byte[] payload) {
        byte[] packet = new byte[40 + payload.length];
        packet[0] = 0x60;
        Bytes.putShort(packet, 4, payload.length);
        Bytes.putByte(packet, 6, next);
        packet[7] = (byte) 255;
        IpAddress.parse(from).write(packet, 8);
        IpAddress.parse(to).write(packet, 24);
        System.arraycopy(payload, 0, packet, 40, payload.length);
        return packet;
    }

    public static byte[] udp(int from, int to) {
        byte[] udp = new byte[8];
        Bytes.putShort(udp, 0, from);
        Bytes.putShort(udp, 2, to);
        Bytes.putShort(udp, 4, 8);
        return udp;
    }

    public static byte[] join(byte[]... parts) {
        int size = Arrays.stream(parts).mapToInt(p -> p.length).sum();
        byte[] all = new byte[size];
        int at = 0;
        for (byte[] part : parts) {
            System.arraycopy(part, 0, all, at, part.length);
            at += part.length;
        }
        return all;
    }
}
