package dev.javisor.block.qcow2;

/** Offsets and bits of the format (QEMU docs/interop/qcow2). Everything is big-endian. */
final class Qcow2Layout {
    static final int MAGIC = 0x514649fb;

    // Header: offsets in bytes.
    static final int BACKING_OFFSET = 8;
    static final int BACKING_SIZE = 16;
    static final int CLUSTER_BITS = 20;
    static final int SIZE = 24;
    static final int CRYPT_METHOD = 32;
    static final int L1_SIZE = 36;
    static final int L1_OFFSET = 40;
    static final int REFCOUNT_TABLE_OFFSET = 48;
    static final int REFCOUNT_TABLE_CLUSTERS = 56;
    static final int SNAPSHOTS = 60;
    static final int SNAPSHOTS_OFFSET = 64;
    static final int V2_BYTES = 72;
    static final int INCOMPATIBLE = 72;
    static final int COMPATIBLE = 80;
    static final int AUTOCLEAR = 88;
    static final int REFCOUNT_ORDER = 96;
    static final int HEADER_LENGTH = 100;
    static final int V3_BYTES = 104;
    static final int COMPRESSION_TYPE = 104;

    /** With the compression type and its padding: what we write. */
    static final int FULL_BYTES = 112;

    static final long INCOMPATIBLE_DIRTY = 1;
    static final long INCOMPATIBLE_CORRUPT = 2;
    static final long INCOMPATIBLE_DATA_FILE = 4;
    static final long INCOMPATIBLE_COMPRESSION = 8;
    static final long INCOMPATIBLE_EXTENDED_L2 = 16;
    static final long INCOMPATIBLE_KNOWN = 31;
    static final long COMPATIBLE_LAZY_REFCOUNTS = 1;
    static final long AUTOCLEAR_BITMAPS = 1;
    static final long AUTOCLEAR_DATA_FILE_RAW = 2;

    static final int CRYPT_NONE = 0;
    static final int CRYPT_LUKS = 2;

    static final int EXTENSION_END = 0;
    static final int EXTENSION_BACKING_FORMAT = 0xe2792aca;
    static final int EXTENSION_FEATURES = 0x6803f857;
    static final int EXTENSION_BITMAPS = 0x23852875;
    static final int EXTENSION_ENCRYPTION = 0x0537be77;
    static final int EXTENSION_DATA_FILE = 0x44415441;

    /** Bits 9 to 55 of L1, L2 and bitmap table entries: a host offset. */
    static final long OFFSET = 0x00ff_ffff_ffff_fe00L;

    /** Bits 9 to 63 of a refcount table entry. */
    static final long REFCOUNT_BLOCK_OFFSET = 0xffff_ffff_ffff_fe00L;

    static final long COPIED = 1L << 63;
    static final long COMPRESSED = 1L << 62;

    /** Version 3, without extended L2 entries. */
    static final long ZERO = 1;

    static final int SUBCLUSTERS = 32;

    // Limits that keep a hostile image from costing memory; QEMU has the same.
    static final int MIN_CLUSTER_BITS = 9;
    static final int MAX_CLUSTER_BITS = 21;
    static final int MIN_EXTENDED_CLUSTER_BITS = 14;
    static final long MAX_L1_BYTES = 32L << 20;
    static final long MAX_REFCOUNT_TABLE_BYTES = 8L << 20;
    static final int MAX_BACKING_NAME_BYTES = 1023;
    static final int MAX_SNAPSHOTS = 65536;
    static final long MAX_SNAPSHOT_TABLE_BYTES = 64L << 20;
    static final int MAX_BITMAPS = 65535;

    /** Longest header extension that is kept. */
    static final int MAX_EXTENSION_BYTES = 1 << 20;

    private Qcow2Layout() {}
}
