package dev.javisor.net.user;

import dev.javisor.net.FrameOffload;
import dev.javisor.net.IpAddress;

/** A guest's end of a connection that sends exactly the segments that the test names. */
final class RawTcp {
    static final int FIN = 1;
    static final int SYN = 2;
    static final int RST = 4;
    static final int ACK = 16;

    static final IpAddress GUEST = IpAddress.parse("10.0.2.15");
    static final IpAddress FAR = IpAddress.parse("203.0.113.9");
    private static final byte[] NO_OPTIONS = {};
    private static final byte[] SYN_OPTIONS = {2, 4, 5, (byte) 0xB4, 1, 3, 3, 0, 1, 1, 4, 2};

    final Bed bed;
    final int port;

    /** Next numbers of the guest and of the stack. */
    int sequence = 1000;

    int acknowledgment;
    int window = 65_535;

    RawTcp(Bed bed, int port) {
        this.bed = bed;
        this.port = port;
    }

    /** Sends, without moving on. */
    void send(int flags, int at, int ack, byte[] payload) {
        byte[] options = (flags & SYN) != 0 ? SYN_OPTIONS : NO_OPTIONS;
        byte[] tcp = Wire.tcp(GUEST, FAR, port, 80, at, ack, flags, window, options, payload);
        bed.send(Wire.ip(GUEST, FAR, 6, tcp));
        bed.run();
    }

    void send(int flags, byte[] payload) {
        send(flags, sequence, acknowledgment, payload);
        sequence += payload.length + ((flags & (SYN | FIN)) != 0 ? 1 : 0);
    }

    void send(int flags) {
        send(flags, new byte[0]);
    }

    /** As the latest segment, with a checksum that is wrong. */
    void sendBroken(int flags, byte[] payload) {
        byte[] tcp =
                Wire.tcp(
                        GUEST,
                        FAR,
                        port,
                        80,
                        sequence,
                        acknowledgment,
                        flags,
                        window,
                        NO_OPTIONS,
                        payload);
        tcp[16] ^= 1;
        bed.send(Wire.ip(GUEST, FAR, 6, tcp), FrameOffload.NONE);
        bed.run();
    }

    /** The handshake; the application at the other end. */
    FakeOutside.Peer open() {
        send(SYN);
        Wire.Segment answer = bed.only();
        if (answer.flags() != (SYN | ACK) || answer.acknowledgment() != sequence) {
            throw new AssertionError("answer " + answer);
        }
        acknowledgment = answer.sequence() + 1;
        send(ACK);
        bed.forget();
        return bed.outside.peers.getLast();
    }
}
