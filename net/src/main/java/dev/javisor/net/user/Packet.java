package dev.javisor.net.user;

import dev.javisor.net.Bytes;
import dev.javisor.net.Checksum;
import dev.javisor.net.Frame;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import java.lang.foreign.MemorySegment;

/**
 * An IP packet from the guest, its headers copied and checked for shape. One object, filled for
 * each packet; belongs to the network's thread.
 */
final class Packet {
    /** Ethernet, the longest IPv4 header or IPv6 with extensions, and the longest TCP header. */
    static final int HEAD_BYTES = 320;

    private static final int MAX_EXTENSIONS = 8;

    /** The frame's first bytes. */
    final byte[] head = new byte[HEAD_BYTES];

    int headBytes;
    Frame frame = new ArrayFrame(new byte[0], dev.javisor.net.FrameOffload.NONE);
    MacAddress sourceMac = MacAddress.BROADCAST;
    IpAddress source = IpAddress.v4(0);
    IpAddress destination = IpAddress.v4(0);

    /** Of what follows the IP headers. */
    int protocol;

    /** Where that starts, from the frame's start. */
    int payloadAt;

    int payloadBytes;
    int hopLimit;

    /** It is a part of a packet. */
    boolean fragment;

    /** Offset of the part in the whole, bytes. */
    int fragmentOffset;

    boolean moreFragments;
    int fragmentId;

    /** Copies the headers; false if it is not even Ethernet. */
    boolean begin(Frame from) {
        frame = from;
        headBytes = from.copy(0, head, 0, HEAD_BYTES);
        if (headBytes < Link.ETHERNET_BYTES) {
            return false;
        }
        sourceMac = MacAddress.read(head, MacAddress.BYTES);
        return !sourceMac.isGroup();
    }

    int etherType() {
        return Bytes.getShort(head, 12);
    }

    /** RFC 791 §3.1; false for what is none or has a wrong checksum. */
    boolean readIpv4() {
        int at = Link.ETHERNET_BYTES;
        if (headBytes < at + Link.IPV4_BYTES) {
            return false;
        }
        int version = Bytes.getByte(head, at);
        int headerBytes = (version & 0xF) * 4;
        int totalBytes = Bytes.getShort(head, at + 2);
        boolean shaped =
                version >>> 4 == 4
                        && headerBytes >= Link.IPV4_BYTES
                        && at + headerBytes <= headBytes
                        && totalBytes >= headerBytes
                        && at + totalBytes <= frame.sizeBytes();
        if (!shaped || Checksum.of(head, at, headerBytes) != 0) {
            return false;
        }
        int flags = Bytes.getShort(head, at + 6);
        moreFragments = (flags & 0x2000) != 0;
        fragmentOffset = (flags & 0x1FFF) << 3;
        fragment = moreFragments || fragmentOffset != 0;
        fragmentId = Bytes.getShort(head, at + 4);
        hopLimit = Bytes.getByte(head, at + 8);
        protocol = Bytes.getByte(head, at + 9);
        source = IpAddress.readV4(head, at + 12);
        destination = IpAddress.readV4(head, at + 16);
        payloadAt = at + headerBytes;
        payloadBytes = totalBytes - headerBytes;
        return !source.isMulticast() && !source.isLoopback() && source.v4Bits() != -1;
    }

    /** RFC 8200 §3, §4; false for what is none. */
    boolean readIpv6() {
        int at = Link.ETHERNET_BYTES;
        if (headBytes < at + Link.IPV6_BYTES || Bytes.getByte(head, at) >>> 4 != 6) {
            return false;
        }
        payloadBytes = Bytes.getShort(head, at + 4);
        protocol = Bytes.getByte(head, at + 6);
        hopLimit = Bytes.getByte(head, at + 7);
        source = IpAddress.readV6(head, at + 8);
        destination = IpAddress.readV6(head, at + 24);
        payloadAt = at + Link.IPV6_BYTES;
        fragment = false;
        moreFragments = false;
        fragmentOffset = 0;
        // Mapped addresses never travel (RFC 4291 §2.5.5.2); as ours they would pass for IPv4.
        boolean odd = source.isV4() || destination.isV4() || source.isMulticast();
        if (odd || payloadAt + payloadBytes > frame.sizeBytes()) {
            return false;
        }
        for (int i = 0; i < MAX_EXTENSIONS; i++) {
            switch (protocol) {
                case Ip.HOP_BY_HOP, Ip.ROUTING, Ip.DESTINATION_OPTIONS -> {
                    if (payloadBytes < 8 || payloadAt + 8 > headBytes) {
                        return false;
                    }
                    int bytes = (Bytes.getByte(head, payloadAt + 1) + 1) * 8;
                    if (!skip(bytes)) {
                        return false;
                    }
                }
                case Ip.FRAGMENT -> {
                    if (fragment || payloadBytes < 8 || payloadAt + 8 > headBytes) {
                        return false;
                    }
                    int offset = Bytes.getShort(head, payloadAt + 2);
                    fragmentOffset = offset & ~7;
                    moreFragments = (offset & 1) != 0;
                    fragmentId = Bytes.getInt(head, payloadAt + 4);
                    // A whole packet in one fragment is none (RFC 6946).
                    fragment = moreFragments || fragmentOffset != 0;
                    if (!skip(8) || fragment) {
                        return fragment;
                    }
                }
                default -> {
                    return true;
                }
            }
        }
        return false;
    }

    private boolean skip(int bytes) {
        if (bytes > payloadBytes) {
            return false;
        }
        protocol = Bytes.getByte(head, payloadAt);
        payloadAt += bytes;
        payloadBytes -= bytes;
        return payloadAt <= headBytes || payloadBytes == 0;
    }

    /** Puts the payload of a reassembled packet in place of the fragment. */
    void become(ArrayFrame whole, int wholeProtocol) {
        frame = whole;
        headBytes = whole.copy(0, head, 0, HEAD_BYTES);
        payloadAt = 0;
        payloadBytes = whole.sizeBytes();
        protocol = wholeProtocol;
        fragment = false;
    }

    /** Whether the checksum of TCP, UDP or ICMPv6 is right, or is left to the receiver. */
    boolean isIntact(Checksum sum) {
        var offload = frame.offload();
        if (offload.needsChecksum() || offload.dataValid()) {
            return true;
        }
        sum.clear();
        sum.addPseudoHeader(source, destination, protocol, payloadBytes);
        addPayload(sum);
        return sum.sum() == 0xFFFF;
    }

    /** Adds the payload to a sum. */
    void addPayload(Checksum sum) {
        for (MemorySegment part : frame.slices(payloadAt, payloadBytes)) {
            sum.add(part, 0, part.byteSize());
        }
    }

    /** A copy of the payload. */
    byte[] payload() {
        byte[] copy = new byte[payloadBytes];
        frame.copy(payloadAt, copy, 0, payloadBytes);
        return copy;
    }
}
