package dev.javisor.boot;

import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * A Multiboot 1 header (Multiboot Specification 0.6.96 §3.1).
 *
 * @param offset where it starts in the file
 * @param addresses load addresses given by the header itself (flag bit 16), not by ELF
 */
record MultibootHeader(int offset, int flags, Optional<Addresses> addresses) {
    private static final int MAGIC = 0x1BAD_B002;
    private static final int ALIGNMENT = 4;
    private static final int ADDRESSES_FLAG = 1 << 16;
    private static final int BYTES = 12;
    private static final int BYTES_WITH_ADDRESSES = 32;

    /** Physical addresses, unsigned 32 bits (§3.1.3). Zero ends mean "the whole file", "none". */
    record Addresses(long header, long load, long loadEnd, long bssEnd, long entry) {}

    /** Finds a header with a right checksum. */
    static Optional<MultibootHeader> find(ByteBuffer head) {
        for (int at = 0; at + BYTES <= head.limit(); at += ALIGNMENT) {
            if (head.getInt(at) == MAGIC) {
                int flags = head.getInt(at + 4);
                if (MAGIC + flags + head.getInt(at + 8) == 0) {
                    return Optional.of(new MultibootHeader(at, flags, addresses(head, at, flags)));
                }
            }
        }
        return Optional.empty();
    }

    private static Optional<Addresses> addresses(ByteBuffer head, int at, int flags) {
        if ((flags & ADDRESSES_FLAG) == 0 || at + BYTES_WITH_ADDRESSES > head.limit()) {
            return Optional.empty();
        }
        return Optional.of(
                new Addresses(
                        head.getInt(at + 12) & 0xFFFF_FFFFL,
                        head.getInt(at + 16) & 0xFFFF_FFFFL,
                        head.getInt(at + 20) & 0xFFFF_FFFFL,
                        head.getInt(at + 24) & 0xFFFF_FFFFL,
                        head.getInt(at + 28) & 0xFFFF_FFFFL));
    }
}
