package dev.javisor.net.user;

import static dev.javisor.net.user.TcpLayout.*;

import dev.javisor.net.Bytes;

/**
 * A segment from the guest, its header copied and checked for shape. One object, filled for each
 * segment; belongs to the network's thread.
 */
final class TcpSegment {
    /** RFC 2018 §3: as many as fit into the options. */
    private static final int MAX_SACKS = 4;

    int sourcePort;
    int destinationPort;
    int sequence;
    int acknowledgment;
    int flags;

    /** Not scaled. */
    int window;

    /** Where the payload starts, from the frame's start. */
    int payloadAt;

    int payloadBytes;

    /** 0 if there is no such option. */
    int mss;

    /** -1 if there is no such option. */
    int windowScale;

    boolean sackPermitted;
    int sackCount;
    final int[] sackStart = new int[MAX_SACKS];
    final int[] sackEnd = new int[MAX_SACKS];

    /**
     * Reads the header.
     *
     * @param head holds all of the header that there is
     * @param at its offset in {@code head} and in the frame
     * @param sizeBytes of header and payload
     * @return false if it is none
     */
    boolean read(byte[] head, int headBytes, int at, int sizeBytes) {
        if (sizeBytes < HEADER_BYTES || at + HEADER_BYTES > headBytes) {
            return false;
        }
        int headerBytes = (head[at + DATA_OFFSET] >>> 4 & 0xF) * 4;
        if (headerBytes < HEADER_BYTES || headerBytes > sizeBytes || at + headerBytes > headBytes) {
            return false;
        }
        sourcePort = Bytes.getShort(head, at + SOURCE_PORT);
        destinationPort = Bytes.getShort(head, at + DESTINATION_PORT);
        sequence = Bytes.getInt(head, at + SEQUENCE);
        acknowledgment = Bytes.getInt(head, at + ACKNOWLEDGMENT);
        flags = Bytes.getByte(head, at + FLAGS);
        window = Bytes.getShort(head, at + WINDOW);
        payloadAt = at + headerBytes;
        payloadBytes = sizeBytes - headerBytes;
        mss = 0;
        windowScale = -1;
        sackPermitted = false;
        sackCount = 0;
        readOptions(head, at + HEADER_BYTES, at + headerBytes);
        return sourcePort != 0 && destinationPort != 0;
    }

    private void readOptions(byte[] head, int from, int end) {
        int at = from;
        while (at < end) {
            int kind = head[at];
            if (kind == OPTION_END) {
                return;
            }
            if (kind == OPTION_NOP) {
                at++;
                continue;
            }
            // RFC 9293 §3.1: what does not fit is not looked at further.
            if (at + 1 >= end) {
                return;
            }
            int length = head[at + 1] & 0xFF;
            if (length < 2 || at + length > end) {
                return;
            }
            readOption(head, at, kind, length);
            at += length;
        }
    }

    private void readOption(byte[] head, int at, int kind, int length) {
        switch (kind) {
            case OPTION_MSS -> {
                if (length == 4) {
                    mss = Bytes.getShort(head, at + 2);
                }
            }
            case OPTION_WINDOW_SCALE -> {
                if (length == 3) {
                    windowScale = Math.min(head[at + 2] & 0xFF, MAX_SCALE);
                }
            }
            case OPTION_SACK_PERMITTED -> sackPermitted |= length == 2;
            case OPTION_SACK -> {
                for (int i = at + 2; i + 8 <= at + length && sackCount < MAX_SACKS; i += 8) {
                    sackStart[sackCount] = Bytes.getInt(head, i);
                    sackEnd[sackCount] = Bytes.getInt(head, i + 4);
                    sackCount++;
                }
            }
            default -> {}
        }
    }

    /** Remembers another one's header, for answers that come later. */
    void copyFrom(TcpSegment other) {
        sourcePort = other.sourcePort;
        destinationPort = other.destinationPort;
        sequence = other.sequence;
        acknowledgment = other.acknowledgment;
        flags = other.flags;
        window = other.window;
        payloadBytes = other.payloadBytes;
    }

    boolean has(int flag) {
        return (flags & flag) != 0;
    }

    /** What it takes of the sequence space. */
    int length() {
        return payloadBytes + (has(SYN) ? 1 : 0) + (has(FIN) ? 1 : 0);
    }
}
