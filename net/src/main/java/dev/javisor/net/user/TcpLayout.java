package dev.javisor.net.user;

/** The TCP header (RFC 9293 §3.1); offsets in bytes from its start. */
final class TcpLayout {
    static final int SOURCE_PORT = 0;
    static final int DESTINATION_PORT = 2;
    static final int SEQUENCE = 4;
    static final int ACKNOWLEDGMENT = 8;

    /** Length in words of four bytes, in the top four bits. */
    static final int DATA_OFFSET = 12;

    static final int FLAGS = 13;
    static final int WINDOW = 14;
    static final int CHECKSUM = 16;
    static final int HEADER_BYTES = 20;

    static final int FIN = 0x01;
    static final int SYN = 0x02;
    static final int RST = 0x04;
    static final int PSH = 0x08;
    static final int ACK = 0x10;

    static final int OPTION_END = 0;
    static final int OPTION_NOP = 1;
    static final int OPTION_MSS = 2;
    static final int OPTION_WINDOW_SCALE = 3;
    static final int OPTION_SACK_PERMITTED = 4;
    static final int OPTION_SACK = 5;

    /** RFC 7323 §2.3: larger ones count as this. */
    static final int MAX_SCALE = 14;

    private TcpLayout() {}
}
