package dev.javisor.virtio.net;

/** Numbers of the network device (VIRTIO 1.2 §5.1). Offsets in bytes. */
final class NetLayout {
    // §5.1.3 feature bits.
    static final long F_CSUM = 1L;
    static final long F_GUEST_CSUM = 1L << 1;
    static final long F_CTRL_GUEST_OFFLOADS = 1L << 2;
    static final long F_MTU = 1L << 3;
    static final long F_MAC = 1L << 5;
    static final long F_GUEST_TSO4 = 1L << 7;
    static final long F_GUEST_TSO6 = 1L << 8;
    static final long F_HOST_TSO4 = 1L << 11;
    static final long F_HOST_TSO6 = 1L << 12;
    static final long F_MRG_RXBUF = 1L << 15;
    static final long F_STATUS = 1L << 16;
    static final long F_CTRL_VQ = 1L << 17;
    static final long F_CTRL_RX = 1L << 18;
    static final long F_CTRL_VLAN = 1L << 19;
    static final long F_CTRL_RX_EXTRA = 1L << 20;
    static final long F_GUEST_ANNOUNCE = 1L << 21;
    static final long F_MQ = 1L << 22;
    static final long F_CTRL_MAC_ADDR = 1L << 23;

    // §5.1.4 configuration space.
    static final int MAC = 0;
    static final int STATUS = 6;
    static final int MAX_VIRTQUEUE_PAIRS = 8;
    static final int MTU = 10;
    static final int CONFIG_BYTES = 12;

    static final int S_LINK_UP = 1;
    static final int S_ANNOUNCE = 2;

    // §5.1.6 struct virtio_net_hdr.
    static final int FLAGS = 0;
    static final int GSO_TYPE = 1;
    static final int HDR_LEN = 2;
    static final int GSO_SIZE = 4;
    static final int CSUM_START = 6;
    static final int CSUM_OFFSET = 8;
    static final int NUM_BUFFERS = 10;
    static final int HEADER_BYTES = 12;

    static final int HDR_F_NEEDS_CSUM = 1;
    static final int HDR_F_DATA_VALID = 2;

    static final int GSO_NONE = 0;
    static final int GSO_TCPV4 = 1;
    static final int GSO_TCPV6 = 4;

    // §5.1.6.5 control queue.
    static final int CTRL_RX = 0;
    static final int CTRL_MAC = 1;
    static final int CTRL_VLAN = 2;
    static final int CTRL_ANNOUNCE = 3;
    static final int CTRL_MQ = 4;
    static final int CTRL_GUEST_OFFLOADS = 5;

    static final int RX_PROMISC = 0;
    static final int RX_ALLMULTI = 1;
    static final int RX_ALLUNI = 2;
    static final int RX_NOMULTI = 3;
    static final int RX_NOUNI = 4;
    static final int RX_NOBCAST = 5;
    static final int MAC_TABLE_SET = 0;
    static final int MAC_ADDR_SET = 1;
    static final int VLAN_ADD = 0;
    static final int VLAN_DEL = 1;
    static final int ANNOUNCE_ACK = 0;
    static final int MQ_PAIRS_SET = 0;
    static final int GUEST_OFFLOADS_SET = 0;

    static final int OK = 0;
    static final int ERR = 1;

    private NetLayout() {}
}
