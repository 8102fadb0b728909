package dev.javisor.net.tap;

/** Requests and layouts of linux/if_tun.h, linux/if.h, linux/sockios.h and virtio_net.h. */
final class TapLayout {
    static final long TUNSETIFF = 0x4004_54CAL;
    static final long TUNSETOFFLOAD = 0x4004_54D0L;
    static final long TUNSETVNETHDRSZ = 0x4004_54D8L;
    static final long SIOCGIFFLAGS = 0x8913L;
    static final long SIOCSIFFLAGS = 0x8914L;
    static final long SIOCGIFMTU = 0x8921L;
    static final long SIOCGIFINDEX = 0x8933L;
    static final long SIOCBRADDIF = 0x89A2L;

    // Flags of TUNSETIFF.
    static final int IFF_TAP = 0x0002;
    static final int IFF_NO_PI = 0x1000;
    static final int IFF_VNET_HDR = 0x4000;

    /** Of SIOCSIFFLAGS. */
    static final int IFF_UP = 1;

    // Flags of TUNSETOFFLOAD.
    static final int TUN_F_CSUM = 1;
    static final int TUN_F_TSO4 = 2;
    static final int TUN_F_TSO6 = 4;

    /** struct ifreq: name, then a union that starts with flags or an index. */
    static final int IFREQ_BYTES = 40;

    static final int IFNAMSIZ = 16;
    static final int IFREQ_VALUE = 16;

    /** struct virtio_net_hdr, little endian: flags u8, gso_type u8, then four u16. */
    static final int HEADER_BYTES = 10;

    static final int FLAGS = 0;
    static final int GSO_TYPE = 1;
    static final int HDR_LEN = 2;
    static final int GSO_SIZE = 4;
    static final int CSUM_START = 6;
    static final int CSUM_OFFSET = 8;

    static final int NEEDS_CSUM = 1;
    static final int DATA_VALID = 2;
    static final int GSO_NONE = 0;
    static final int GSO_TCPV4 = 1;
    static final int GSO_TCPV6 = 4;

    /** TCP congestion mark; the segments are the same. */
    static final int GSO_ECN = 0x80;

    private TapLayout() {}
}
