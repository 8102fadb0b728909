package dev.javisor.machine;

/**
 * A range in the port or memory space.
 *
 * @param start first address
 * @param sizeBytes at least 1
 */
public record AddressRange(long start, long sizeBytes) {
    public AddressRange {
        if (start < 0 || sizeBytes < 1 || start + sizeBytes < 0) {
            throw new IllegalArgumentException("bad range %#x +%#x".formatted(start, sizeBytes));
        }
    }

    public long end() {
        return start + sizeBytes;
    }

    public boolean overlaps(AddressRange other) {
        return start < other.end() && other.start < end();
    }
}
