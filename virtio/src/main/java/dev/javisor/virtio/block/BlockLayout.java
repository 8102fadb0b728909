package dev.javisor.virtio.block;

/** Numbers of the block device's interface (VIRTIO 1.2 §5.2). */
final class BlockLayout {
    static final int SECTOR_BYTES = 512;
    static final int SECTOR_SHIFT = 9;

    static final long F_SIZE_MAX = 1L << 1;
    static final long F_SEG_MAX = 1L << 2;
    static final long F_RO = 1L << 5;
    static final long F_BLK_SIZE = 1L << 6;
    static final long F_FLUSH = 1L << 9;
    static final long F_CONFIG_WCE = 1L << 11;
    static final long F_MQ = 1L << 12;
    static final long F_DISCARD = 1L << 13;
    static final long F_WRITE_ZEROES = 1L << 14;

    // struct virtio_blk_config
    static final int CAPACITY = 0;
    static final int SIZE_MAX = 8;
    static final int SEG_MAX = 12;
    static final int BLK_SIZE = 20;
    static final int WRITEBACK = 32;
    static final int NUM_QUEUES = 34;
    static final int MAX_DISCARD_SECTORS = 36;
    static final int MAX_DISCARD_SEG = 40;
    static final int DISCARD_SECTOR_ALIGNMENT = 44;
    static final int MAX_WRITE_ZEROES_SECTORS = 48;
    static final int MAX_WRITE_ZEROES_SEG = 52;
    static final int WRITE_ZEROES_MAY_UNMAP = 56;
    static final int CONFIG_BYTES = 60;

    // struct virtio_blk_req
    static final int HEADER_BYTES = 16;
    static final int HEADER_TYPE = 0;
    static final int HEADER_SECTOR = 8;

    static final int T_IN = 0;
    static final int T_OUT = 1;
    static final int T_FLUSH = 4;
    static final int T_GET_ID = 8;
    static final int T_DISCARD = 11;
    static final int T_WRITE_ZEROES = 13;

    static final int S_OK = 0;
    static final int S_IOERR = 1;
    static final int S_UNSUPP = 2;

    static final int ID_BYTES = 20;

    // struct virtio_blk_discard_write_zeroes
    static final int RANGE_BYTES = 16;
    static final int RANGE_SECTOR = 0;
    static final int RANGE_SECTORS = 8;
    static final int RANGE_FLAGS = 12;
    static final int RANGE_FLAG_UNMAP = 1;

    private BlockLayout() {}
}
