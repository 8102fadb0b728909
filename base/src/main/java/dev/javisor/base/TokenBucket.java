package dev.javisor.base;

/**
 * Limits a rate while it lets bursts through: tokens flow in evenly up to a burst's size, and what
 * is done takes tokens out. What is larger than all that is there may still begin when the bucket
 * is full enough to owe the rest, so that no single operation is too large for ever. Not
 * thread-safe.
 */
public final class TokenBucket {
    private static final double NANOS_PER_SECOND = 1e9;

    private final double perNano;
    private final double burst;
    private double tokens;
    private long filledNanos;

    /**
     * A full bucket.
     *
     * @param perSecond tokens flowing in, at least 1
     * @param burst tokens it holds, at least 1
     */
    public TokenBucket(long perSecond, long burst, long nowNanos) {
        if (perSecond < 1 || burst < 1) {
            throw new IllegalArgumentException(
                    "rate %d, burst %d: both must be at least 1".formatted(perSecond, burst));
        }
        this.perNano = perSecond / NANOS_PER_SECOND;
        this.burst = burst;
        this.tokens = burst;
        this.filledNanos = nowNanos;
    }

    /** Whether something may be done now; then {@link #take} tells what it was. */
    public boolean isReady(long nowNanos) {
        fill(nowNanos);
        return tokens >= 1;
    }

    /** Takes {@code amount} out; the bucket may owe afterwards. */
    public void take(long amount) {
        tokens -= amount;
    }

    /** When {@link #isReady} will be true, if nothing is taken before. */
    public long readyNanos(long nowNanos) {
        fill(nowNanos);
        // One nanosecond more than computed: rounding must not make a timer come too early.
        return tokens >= 1 ? nowNanos : nowNanos + (long) Math.ceil((1 - tokens) / perNano) + 1;
    }

    private void fill(long nowNanos) {
        long passed = nowNanos - filledNanos;
        if (passed > 0) {
            tokens = Math.min(burst, tokens + passed * perNano);
            filledNanos = nowNanos;
        }
    }
}
