package dev.javisor.net.user;

/**
 * What the guest has received beyond the acknowledged (RFC 6675 §3): ranges of sequence numbers,
 * ascending, apart from each other. Bounded: with too many ranges the highest are forgotten, which
 * costs sending them again.
 */
final class SackBoard {
    private static final int MAX_RANGES = 32;

    private final int[] starts = new int[MAX_RANGES];
    private final int[] ends = new int[MAX_RANGES];
    private int count;

    void clear() {
        count = 0;
    }

    boolean isEmpty() {
        return count == 0;
    }

    /** The end of the highest range; only if there is one. */
    int highest() {
        return ends[count - 1];
    }

    /** Bytes in all ranges. */
    int bytes() {
        int sum = 0;
        for (int i = 0; i < count; i++) {
            sum += ends[i] - starts[i];
        }
        return sum;
    }

    /** Everything before it is acknowledged. */
    void advance(int una) {
        int gone = 0;
        while (gone < count && ends[gone] - una <= 0) {
            gone++;
        }
        if (gone > 0) {
            count -= gone;
            System.arraycopy(starts, gone, starts, 0, count);
            System.arraycopy(ends, gone, ends, 0, count);
        }
        if (count > 0 && starts[0] - una < 0) {
            starts[0] = una;
        }
    }

    /** Adds a range that was checked to lie within what was sent. */
    void add(int start, int end) {
        int from = 0;
        while (from < count && ends[from] - start < 0) {
            from++;
        }
        int to = from;
        int low = start;
        int high = end;
        while (to < count && starts[to] - end <= 0) {
            if (starts[to] - low < 0) {
                low = starts[to];
            }
            if (ends[to] - high > 0) {
                high = ends[to];
            }
            to++;
        }
        if (from == to) {
            if (from == MAX_RANGES) {
                return;
            }
            int moved = Math.min(count, MAX_RANGES - 1) - from;
            System.arraycopy(starts, from, starts, from + 1, moved);
            System.arraycopy(ends, from, ends, from + 1, moved);
            count = Math.min(count + 1, MAX_RANGES);
        } else {
            System.arraycopy(starts, to, starts, from + 1, count - to);
            System.arraycopy(ends, to, ends, from + 1, count - to);
            count -= to - from - 1;
        }
        starts[from] = low;
        ends[from] = high;
    }

    /** The first number from {@code sequence} on that lies in no range. */
    int skip(int sequence) {
        for (int i = 0; i < count; i++) {
            if (sequence - starts[i] < 0) {
                return sequence;
            }
            if (sequence - ends[i] < 0) {
                return ends[i];
            }
        }
        return sequence;
    }

    /**
     * Where the next range after a number outside of all begins; {@code otherwise} if none does.
     */
    int nextStart(int sequence, int otherwise) {
        for (int i = 0; i < count; i++) {
            if (starts[i] - sequence > 0) {
                return starts[i] - otherwise < 0 ? starts[i] : otherwise;
            }
        }
        return otherwise;
    }
}
