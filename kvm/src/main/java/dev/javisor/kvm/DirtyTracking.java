package dev.javisor.kvm;

/** How KVM tells which pages vCPUs have written. */
public enum DirtyTracking {
    /** The ring for large memory, the bitmap else: see {@code docs/adr/0013}. */
    BY_SIZE,
    /** A bitmap for each region. */
    BITMAP,
    /** A ring for each vCPU, where KVM has them. */
    RING;

    /** Where a fetch by bitmap takes long enough for a third of it to count. */
    private static final long RING_FROM_BYTES = 64L << 30;

    boolean usesRing(long memoryBytes) {
        return switch (this) {
            case BY_SIZE -> memoryBytes >= RING_FROM_BYTES;
            case BITMAP -> false;
            case RING -> true;
        };
    }
}
