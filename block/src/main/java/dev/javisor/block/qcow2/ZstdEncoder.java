package dev.javisor.block.qcow2;

import java.util.Arrays;

/**
 * Zstandard compression (RFC 8878): matches by a hash of four bytes, literals as they are,
 * sequences with the predefined codes. Fast, and not the smallest; any decoder reads it. For one
 * thread at a time; reused.
 */
final class ZstdEncoder {
    private static final int HASH_BITS = 15;
    private static final int MIN_MATCH = 4;

    /** Input for one block: the decoder's window and blocks are as large as the whole at most. */
    private static final int MAX_BLOCK = ZstdDecoder.MAX_BLOCK;

    private static final EncodeTable LITERALS =
            new EncodeTable(ZstdDecoder.LITERAL_NORM, ZstdDecoder.LITERAL_LOG);
    private static final EncodeTable MATCHES =
            new EncodeTable(ZstdDecoder.MATCH_NORM, ZstdDecoder.MATCH_LOG);
    private static final EncodeTable OFFSETS =
            new EncodeTable(ZstdDecoder.OFFSET_NORM, ZstdDecoder.OFFSET_LOG);

    private final int[] heads = new int[1 << HASH_BITS];
    private final int[] runs = new int[MAX_BLOCK / MIN_MATCH + 1];
    private final int[] matches = new int[MAX_BLOCK / MIN_MATCH + 1];
    private final int[] offsets = new int[MAX_BLOCK / MIN_MATCH + 1];
    private final byte[] literals = new byte[MAX_BLOCK];
    private int sequenceCount;
    private int literalCount;

    private byte[] out = new byte[0];
    private int at;
    private int limit;
    private long bitBuffer;
    private int bitCount;

    /**
     * @return the compressed length, or -1 if it would not be less than {@code most}
     */
    int encode(byte[] in, byte[] target, int most) {
        out = target;
        limit = Math.min(most, target.length);
        at = 0;
        Arrays.fill(heads, -1);
        put(ZstdDecoder.MAGIC, 4);
        // A single segment whose size is said in four bytes: the window is all of it.
        put(0xA0, 1);
        put(in.length, 4);
        for (int from = 0; from < in.length; from += MAX_BLOCK) {
            int to = Math.min(in.length, from + MAX_BLOCK);
            block(in, from, to);
            if (at >= limit) {
                return -1;
            }
        }
        return at;
    }

    private void put(long value, int bytes) {
        for (int i = 0; i < bytes; i++) {
            if (at < limit) {
                out[at] = (byte) (value >> 8 * i);
            }
            at++;
        }
    }

    private void block(byte[] in, int from, int to) {
        int last = to == in.length ? 1 : 0;
        findSequences(in, from, to);
        int header = at;
        at += 3;
        int start = at;
        putLiterals();
        putSequences();
        int size = at - start;
        if (size >= to - from) {
            // A block as it is.
            at = header;
            put(last | (long) (to - from) << 3, 3);
            if (at + (to - from) <= limit) {
                System.arraycopy(in, from, out, at, to - from);
            }
            at += to - from;
            return;
        }
        int after = at;
        at = header;
        put(last | 2 << 1 | (long) size << 3, 3);
        at = after;
    }

    private static int word(byte[] in, int i) {
        return in[i] & 0xFF
                | (in[i + 1] & 0xFF) << 8
                | (in[i + 2] & 0xFF) << 16
                | (in[i + 3] & 0xFF) << 24;
    }

    private void findSequences(byte[] in, int from, int to) {
        sequenceCount = 0;
        literalCount = 0;
        int anchor = from;
        int misses = 0;
        for (int i = from; i + MIN_MATCH <= to; ) {
            int word = word(in, i);
            int hash = word * 0x9E3779B1 >>> 32 - HASH_BITS;
            int candidate = heads[hash];
            heads[hash] = i;
            if (candidate < 0 || word(in, candidate) != word) {
                // Where nothing matches, look less closely.
                i += 1 + (misses++ >> 6);
                continue;
            }
            misses = 0;
            int length = Arrays.mismatch(in, candidate, to - (i - candidate), in, i, to);
            length = length < 0 ? to - i : length;
            int run = i - anchor;
            System.arraycopy(in, anchor, literals, literalCount, run);
            literalCount += run;
            runs[sequenceCount] = run;
            matches[sequenceCount] = length;
            offsets[sequenceCount] = i - candidate + 3;
            sequenceCount++;
            i += length;
            anchor = i;
        }
        System.arraycopy(in, anchor, literals, literalCount, to - anchor);
        literalCount += to - anchor;
    }

    private void putLiterals() {
        // Raw, with a size of 20 bits.
        put(3 << 2 | (long) literalCount << 4, 3);
        if (at + literalCount <= limit) {
            System.arraycopy(literals, 0, out, at, literalCount);
        }
        at += literalCount;
    }

    private void putSequences() {
        if (sequenceCount < 128) {
            put(sequenceCount, 1);
        } else if (sequenceCount < 0x7F00) {
            put((sequenceCount >> 8) + 128, 1);
            put(sequenceCount, 1);
        } else {
            put(255, 1);
            put(sequenceCount - 0x7F00, 2);
        }
        if (sequenceCount == 0) {
            return;
        }
        // All tables predefined.
        put(0, 1);
        bitBuffer = 0;
        bitCount = 0;
        int i = sequenceCount - 1;
        int matchState = MATCHES.first(matchCode(matches[i]));
        int offsetState = OFFSETS.first(offsetCode(offsets[i]));
        int literalState = LITERALS.first(literalCode(runs[i]));
        putExtra(i);
        for (i--; i >= 0; i--) {
            offsetState = step(OFFSETS, offsetState, offsetCode(offsets[i]));
            matchState = step(MATCHES, matchState, matchCode(matches[i]));
            literalState = step(LITERALS, literalState, literalCode(runs[i]));
            putExtra(i);
        }
        bits(matchState, MATCHES.log);
        bits(offsetState, OFFSETS.log);
        bits(literalState, LITERALS.log);
        bits(1, 1);
        if (bitCount > 0) {
            put(bitBuffer, 1);
        }
    }

    private int step(EncodeTable table, int state, int symbol) {
        int n = state + table.deltaBits[symbol] >>> 16;
        bits(state, n);
        return table.states[(state >>> n) + table.deltaState[symbol]];
    }

    private void putExtra(int i) {
        int literal = literalCode(runs[i]);
        bits(runs[i] - ZstdDecoder.LITERAL_BASE[literal], ZstdDecoder.LITERAL_BITS[literal]);
        int match = matchCode(matches[i]);
        bits(matches[i] - ZstdDecoder.MATCH_BASE[match], ZstdDecoder.MATCH_BITS[match]);
        int offset = offsetCode(offsets[i]);
        bits(offsets[i] - (1 << offset), offset);
    }

    private void bits(long value, int count) {
        bitBuffer |= (value & (1L << count) - 1) << bitCount;
        bitCount += count;
        while (bitCount >= 8) {
            put(bitBuffer, 1);
            bitBuffer >>>= 8;
            bitCount -= 8;
        }
    }

    private static int offsetCode(int value) {
        return 31 - Integer.numberOfLeadingZeros(value);
    }

    private static int literalCode(int run) {
        return run < 16 ? run : code(ZstdDecoder.LITERAL_BASE, run);
    }

    private static int matchCode(int length) {
        return length < 35 ? length - 3 : code(ZstdDecoder.MATCH_BASE, length);
    }

    private static int code(int[] base, int value) {
        int found = Arrays.binarySearch(base, value);
        return found >= 0 ? found : -found - 2;
    }

    /** A table of finite state entropy codes, for encoding. */
    private static final class EncodeTable {
        private final int log;
        private final int[] states;
        private final int[] deltaBits;
        private final int[] deltaState;

        EncodeTable(short[] norm, int log) {
            this.log = log;
            int size = 1 << log;
            FseTable decode = new FseTable();
            decode.fill(norm, norm.length, log);
            int[] next = new int[norm.length];
            deltaBits = new int[norm.length];
            deltaState = new int[norm.length];
            states = new int[size];
            int total = 0;
            for (int s = 0; s < norm.length; s++) {
                int count = Math.abs(norm[s]);
                next[s] = total;
                if (count == 1) {
                    deltaBits[s] = (log << 16) - size;
                    deltaState[s] = total - 1;
                } else {
                    int most = log - (31 - Integer.numberOfLeadingZeros(count - 1));
                    deltaBits[s] = (most << 16) - (count << most);
                    deltaState[s] = total - count;
                }
                total += count;
            }
            for (int state = 0; state < size; state++) {
                states[next[decode.symbol[state] & 0xFF]++] = size + state;
            }
        }

        int first(int symbol) {
            int n = deltaBits[symbol] + (1 << 15) >>> 16;
            int value = (n << 16) - deltaBits[symbol];
            return states[(value >>> n) + deltaState[symbol]];
        }
    }
}
