package dev.javisor.machine;

/**
 * The 4 KiB configuration space of one function: bytes, which of their bits the guest may write,
 * and which clear when it writes ones. Guarded by the lock of its {@link PciBus}.
 */
public final class PciConfigSpace {
    /** PCI Express extended configuration space, bytes. */
    public static final int SIZE_BYTES = 4096;

    /** Capabilities live in the first 256 bytes (PCI 3.0 §6.7). */
    private static final int CAPABILITIES_END = 0x100;

    private final byte[] bytes = new byte[SIZE_BYTES];
    private final byte[] writable = new byte[SIZE_BYTES];
    private final byte[] clearedByOne = new byte[SIZE_BYTES];

    /** Where the link to the next capability goes. */
    private int link = PciLayout.CAPABILITIES_POINTER;

    private int free = PciLayout.HEADER_END;

    /** All zero, nothing writable. */
    public PciConfigSpace() {}

    /**
     * @param sizeBytes 1, 2 or 4
     * @return zero-extended to 32 bits; all ones past the end
     */
    public int read(int offset, int sizeBytes) {
        if (offset < 0 || offset + sizeBytes > SIZE_BYTES) {
            return -1;
        }
        int value = 0;
        for (int i = 0; i < sizeBytes; i++) {
            value |= (bytes[offset + i] & 0xFF) << (8 * i);
        }
        return value;
    }

    /** A write by the guest: changes only writable bits, clears those that ones clear. */
    public void write(int offset, int sizeBytes, int value) {
        if (offset < 0 || offset + sizeBytes > SIZE_BYTES) {
            return;
        }
        for (int i = 0; i < sizeBytes; i++) {
            int at = offset + i;
            int in = value >>> (8 * i);
            int mask = writable[at];
            int kept = (bytes[at] & ~mask) | (in & mask);
            bytes[at] = (byte) (kept & ~(in & clearedByOne[at]));
        }
    }

    /** A write by the device: changes every bit. */
    public void set(int offset, int sizeBytes, int value) {
        for (int i = 0; i < sizeBytes; i++) {
            bytes[offset + i] = (byte) (value >>> (8 * i));
        }
    }

    /** Says which bits the guest may write. */
    public void setWritable(int offset, int sizeBytes, int mask) {
        for (int i = 0; i < sizeBytes; i++) {
            writable[offset + i] = (byte) (mask >>> (8 * i));
        }
    }

    /** Says which bits the guest clears by writing ones. */
    public void setClearedByOne(int offset, int sizeBytes, int mask) {
        for (int i = 0; i < sizeBytes; i++) {
            clearedByOne[offset + i] = (byte) (mask >>> (8 * i));
        }
    }

    /**
     * Appends a capability to the list and reserves its bytes, read-only zero but for the id.
     *
     * @param id PCI 3.0 appendix H
     * @param sizeBytes with the two bytes of id and link
     * @return its offset, a multiple of 4
     */
    public int addCapability(int id, int sizeBytes) {
        int at = free;
        if (sizeBytes < 2 || at + sizeBytes > CAPABILITIES_END) {
            throw new IllegalStateException(
                    "no room for capability %#x of %d bytes at %#x".formatted(id, sizeBytes, at));
        }
        set(at, 1, id);
        set(link, 1, at);
        link = at + 1;
        free = (at + sizeBytes + 3) & ~3;
        set(PciLayout.STATUS, 2, read(PciLayout.STATUS, 2) | PciLayout.STATUS_CAPABILITIES);
        return at;
    }

    /** A copy of all bytes. */
    public byte[] image() {
        return bytes.clone();
    }

    /** Takes the guest-writable bits of {@code image}; the others stay as the device made them. */
    public void restoreWritable(byte[] image) {
        int n = Math.min(image.length, SIZE_BYTES);
        for (int i = 0; i < n; i++) {
            bytes[i] = (byte) ((bytes[i] & ~writable[i]) | (image[i] & writable[i]));
        }
    }

    /** Takes all of {@code image}, which is one of ours. */
    void reset(byte[] image) {
        System.arraycopy(image, 0, bytes, 0, SIZE_BYTES);
    }
}
