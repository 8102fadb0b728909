package dev.javisor.block.qcow2;

import dev.javisor.block.BlockException;
import java.util.Arrays;

/** A table of finite state entropy codes, for decoding (RFC 8878 §4.1). Filled anew as needed. */
final class FseTable {
    static final int MAX_LOG = 9;
    private static final int MAX_SYMBOLS = 256;

    final byte[] symbol = new byte[1 << MAX_LOG];
    final byte[] bits = new byte[1 << MAX_LOG];
    final short[] next = new short[1 << MAX_LOG];
    int log;

    /** Whether it has been filled, so that a later block can use it again. */
    boolean ready;

    private final short[] counts = new short[MAX_SYMBOLS];
    private final int[] used = new int[MAX_SYMBOLS];

    /** One symbol alone, which takes no bits. */
    void single(int value) {
        log = 0;
        symbol[0] = (byte) value;
        bits[0] = 0;
        next[0] = 0;
        ready = true;
    }

    /** From given probabilities; -1 means less than one. */
    void fill(short[] norm, int symbols, int accuracyLog) {
        log = accuracyLog;
        int size = 1 << log;
        int high = size - 1;
        Arrays.fill(used, 0);
        for (int s = 0; s < symbols; s++) {
            if (norm[s] == -1) {
                symbol[high--] = (byte) s;
                used[s] = 1;
            } else {
                used[s] = norm[s];
            }
        }
        int step = (size >> 1) + (size >> 3) + 3;
        int at = 0;
        for (int s = 0; s < symbols; s++) {
            for (int i = 0; i < norm[s]; i++) {
                symbol[at] = (byte) s;
                do {
                    at = at + step & size - 1;
                } while (at > high);
            }
        }
        for (int state = 0; state < size; state++) {
            int x = used[symbol[state] & 0xFF]++;
            int n = log - (31 - Integer.numberOfLeadingZeros(x));
            bits[state] = (byte) n;
            next[state] = (short) ((x << n) - size);
        }
        ready = true;
    }

    /**
     * Reads a description of probabilities (§4.1.1), and fills the table.
     *
     * @return where it ends
     */
    int read(byte[] in, int from, int to, int maxLog, int maxSymbols) {
        ForwardBits input = new ForwardBits(in, from, to);
        int accuracy = input.take(4) + 5;
        if (accuracy > maxLog) {
            throw new BlockException("zstd: an accuracy of %d bits".formatted(accuracy));
        }
        Arrays.fill(counts, (short) 0);
        int remaining = (1 << accuracy) + 1;
        int threshold = 1 << accuracy;
        int width = accuracy + 1;
        int s = 0;
        while (remaining > 1) {
            if (s >= maxSymbols) {
                throw new BlockException("zstd: too many symbols");
            }
            int max = 2 * threshold - 1 - remaining;
            int value = input.peek(width);
            int count = value & threshold - 1;
            if (count < max) {
                input.skip(width - 1);
            } else {
                count = value & 2 * threshold - 1;
                if (count >= threshold) {
                    count -= max;
                }
                input.skip(width);
            }
            count--;
            remaining -= Math.abs(count);
            counts[s++] = (short) count;
            if (count == 0) {
                int more;
                do {
                    more = input.take(2);
                    s += more;
                } while (more == 3 && s < maxSymbols);
            }
            while (remaining > 1 && remaining < threshold) {
                width--;
                threshold >>= 1;
            }
        }
        if (remaining != 1 || s > maxSymbols) {
            throw new BlockException("zstd: probabilities that do not add up");
        }
        fill(counts, s, accuracy);
        return input.byteEnd();
    }

    /** Bits from the lowest of the first byte on. */
    private static final class ForwardBits {
        private final byte[] in;
        private final int to;
        private long at;

        ForwardBits(byte[] in, int from, int to) {
            this.in = in;
            this.to = to;
            at = from * 8L;
        }

        int peek(int count) {
            int value = 0;
            for (int i = 0; i < count; i++) {
                int index = (int) (at + i >> 3);
                if (index < to) {
                    value |= (in[index] >> (at + i & 7) & 1) << i;
                }
            }
            return value;
        }

        void skip(int count) {
            at += count;
            if (at > to * 8L) {
                throw new BlockException("zstd: it ends too early");
            }
        }

        int take(int count) {
            int value = peek(count);
            skip(count);
            return value;
        }

        int byteEnd() {
            return (int) (at + 7 >> 3);
        }
    }
}
