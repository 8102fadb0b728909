package dev.javisor.block;

/**
 * How fast a disk may be used: operations and bytes each second, 0 for no limit, and how many may
 * come at once after a pause.
 */
public record DiskLimits(
        long operationsPerSecond, long operationsBurst, long bytesPerSecond, long bytesBurst) {
    public static final DiskLimits NONE = new DiskLimits(0, 0, 0, 0);

    public DiskLimits {
        if (operationsPerSecond < 0 || bytesPerSecond < 0) {
            throw new IllegalArgumentException("a negative limit");
        }
        if (operationsPerSecond > 0 && operationsBurst < 1
                || bytesPerSecond > 0 && bytesBurst < 1) {
            throw new IllegalArgumentException("a burst of nothing");
        }
    }

    public boolean isLimited() {
        return operationsPerSecond > 0 || bytesPerSecond > 0;
    }

    /** With another limit for operations. */
    public DiskLimits withOperations(long perSecond, long burst) {
        return new DiskLimits(perSecond, burst, bytesPerSecond, bytesBurst);
    }

    /** With another limit for bytes. */
    public DiskLimits withBytes(long perSecond, long burst) {
        return new DiskLimits(operationsPerSecond, operationsBurst, perSecond, burst);
    }
}
