package dev.javisor.net.lan;

import dev.javisor.net.Bytes;
import dev.javisor.net.Checksum;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameOffload.Segmentation;
import dev.javisor.net.IpAddress;

/**
 * Does in software what a guest has left to its interface: cuts a large TCP segment (RFC 9293) into
 * frames, and fills in checksums. What the guest says about the frame is checked here.
 */
final class Segmenter {
    /**
     * More than a frame of 64 KiB has at the smallest MSS that hosts use (RFC 9293 §3.7.1: 536).
     */
    private static final int MAX_SEGMENTS = 128;

    private static final int ETHERNET_BYTES = 14;
    private static final int VLAN_BYTES = 4;
    private static final int TYPE_VLAN = 0x8100;
    private static final int TYPE_IPV4 = 0x0800;
    private static final int TYPE_IPV6 = 0x86DD;
    private static final int IPV4_BYTES = 20;
    private static final int IPV6_BYTES = 40;
    private static final int TCP_BYTES = 20;
    private static final int TCP = 6;
    private static final int MORE_FRAGMENTS_OR_OFFSET = 0x3FFF;

    private static final int FIN = 0x01;
    private static final int PSH = 0x08;
    private static final int CWR = 0x80;

    private final Checksum checksum = new Checksum();

    private byte[] frame = new byte[0];
    private int start;
    private int ip;
    private boolean v4;
    private int tcp;
    private int payload;
    private int payloadBytes;
    private int segmentBytes;

    /**
     * Takes a frame to be cut; it must stay as it is until the last {@link #write}.
     *
     * @return how many frames it makes; 0 if it is not what {@code offload} says
     */
    int open(byte[] from, int at, int sizeBytes, FrameOffload offload) {
        frame = from;
        start = at;
        ip = at + ETHERNET_BYTES;
        int end = at + sizeBytes;
        int type = sizeBytes < ETHERNET_BYTES + IPV4_BYTES ? 0 : Bytes.getShort(from, at + 12);
        if (type == TYPE_VLAN) {
            type = Bytes.getShort(from, at + 16);
            ip += VLAN_BYTES;
        }
        v4 = offload.segmentation() == Segmentation.TCP4;
        int protocol;
        if (v4) {
            if (type != TYPE_IPV4 || ip + IPV4_BYTES > end) {
                return 0;
            }
            tcp = ip + 4 * (from[ip] & 0xF);
            boolean whole = (Bytes.getShort(from, ip + 6) & MORE_FRAGMENTS_OR_OFFSET) == 0;
            protocol = tcp - ip >= IPV4_BYTES && whole ? Bytes.getByte(from, ip + 9) : -1;
        } else {
            if (type != TYPE_IPV6 || ip + IPV6_BYTES > end) {
                return 0;
            }
            tcp = ip + IPV6_BYTES;
            protocol = Bytes.getByte(from, ip + 6);
        }
        if (protocol != TCP || tcp + TCP_BYTES > end) {
            return 0;
        }
        int tcpBytes = Bytes.getByte(from, tcp + 12) >>> 4 << 2;
        payload = tcp + tcpBytes;
        payloadBytes = end - payload;
        segmentBytes = offload.segmentBytes();
        if (tcpBytes < TCP_BYTES || payloadBytes < 0 || segmentBytes == 0) {
            return 0;
        }
        int count = Math.max(1, (payloadBytes + segmentBytes - 1) / segmentBytes);
        return count > MAX_SEGMENTS ? 0 : count;
    }

    /** Length in bytes of frame {@code index}. */
    int frameBytes(int index) {
        return payload - start + Math.min(segmentBytes, payloadBytes - index * segmentBytes);
    }

    /** Writes frame {@code index}, complete in itself; answers its length. */
    int write(int index, byte[] to) {
        int sizeBytes = frameBytes(index);
        int headers = payload - start;
        int from = index * segmentBytes;
        System.arraycopy(frame, start, to, 0, headers);
        System.arraycopy(frame, payload + from, to, headers, sizeBytes - headers);
        boolean last = from + segmentBytes >= payloadBytes;
        int ipTo = ip - start;
        int tcpTo = tcp - start;
        if (v4) {
            Bytes.putShort(to, ipTo + 2, sizeBytes - ipTo);
            Bytes.putShort(to, ipTo + 4, Bytes.getShort(to, ipTo + 4) + index);
            Bytes.putShort(to, ipTo + 10, 0);
            Bytes.putShort(to, ipTo + 10, Checksum.of(to, ipTo, tcpTo - ipTo));
        } else {
            Bytes.putShort(to, ipTo + 4, sizeBytes - ipTo - IPV6_BYTES);
        }
        Bytes.putInt(to, tcpTo + 4, Bytes.getInt(to, tcpTo + 4) + from);
        int flags = Bytes.getByte(to, tcpTo + 13);
        flags &= last ? -1 : ~(FIN | PSH);
        flags &= index == 0 ? -1 : ~CWR;
        Bytes.putByte(to, tcpTo + 13, flags);
        Bytes.putShort(to, tcpTo + 16, 0);
        checksum.clear();
        checksum.addPseudoHeader(
                address(to, ipTo, false), address(to, ipTo, true), TCP, sizeBytes - tcpTo);
        checksum.add(to, tcpTo, sizeBytes - tcpTo);
        Bytes.putShort(to, tcpTo + 16, checksum.complement());
        return sizeBytes;
    }

    private IpAddress address(byte[] packet, int at, boolean destination) {
        return v4
                ? IpAddress.readV4(packet, at + (destination ? 16 : 12))
                : IpAddress.readV6(packet, at + (destination ? 24 : 8));
    }

    /**
     * Fills in the checksum that a frame's sender has left open.
     *
     * @return false if it has no place for one
     */
    boolean complete(byte[] from, int at, int sizeBytes, FrameOffload offload) {
        int first = offload.checksumStart();
        long place = (long) first + offload.checksumOffset();
        if (first < ETHERNET_BYTES || place + 2 > sizeBytes) {
            return false;
        }
        // The pseudo header's sum is in that place already.
        checksum.clear();
        checksum.add(from, at + first, sizeBytes - first);
        int sum = checksum.complement();
        // For UDP 0 would mean that there is none (RFC 768); both are the same number in sums.
        Bytes.putShort(from, at + (int) place, sum == 0 ? 0xFFFF : sum);
        return true;
    }
}
