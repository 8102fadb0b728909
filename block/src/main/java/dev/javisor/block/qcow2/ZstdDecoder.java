package dev.javisor.block.qcow2;

import dev.javisor.block.BlockException;
import java.util.Arrays;

/**
 * Zstandard decompression (RFC 8878) without dictionaries, of bytes that nobody vouches for. For
 * one thread at a time; reused.
 */
final class ZstdDecoder {
    static final int MAGIC = 0xFD2FB528;
    static final int MAX_BLOCK = 128 << 10;
    private static final int MAX_HUFFMAN_BITS = 11;

    static final int[] LITERAL_BASE = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48,
        64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536
    };
    static final int[] LITERAL_BITS = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10,
        11, 12, 13, 14, 15, 16
    };
    static final int[] MATCH_BASE = {
        3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
        28, 29, 30, 31, 32, 33, 34, 35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027,
        2051, 4099, 8195, 16387, 32771, 65539
    };
    static final int[] MATCH_BITS = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    };

    /** §3.1.1.3.2.2: the probabilities that need no description. */
    static final short[] LITERAL_NORM = {
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1,
        1, -1, -1, -1, -1
    };

    static final short[] MATCH_NORM = {
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1
    };
    static final short[] OFFSET_NORM = {
        1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1
    };
    static final int LITERAL_LOG = 6;
    static final int MATCH_LOG = 6;
    static final int OFFSET_LOG = 5;

    private final FseTable literalTable = new FseTable();
    private final FseTable offsetTable = new FseTable();
    private final FseTable matchTable = new FseTable();
    private final FseTable weightTable = new FseTable();
    private final BackwardBits bits = new BackwardBits();
    private final byte[] literals = new byte[MAX_BLOCK];
    private final byte[] weights = new byte[256];
    private final byte[] huffmanSymbol = new byte[1 << MAX_HUFFMAN_BITS];
    private final byte[] huffmanLength = new byte[1 << MAX_HUFFMAN_BITS];
    private int huffmanBits;
    private int literalCount;
    private final int[] repeats = new int[3];

    private byte[] in = new byte[0];
    private int at;
    private int end;
    private byte[] out = new byte[0];
    private int done;

    /**
     * Fills {@code target}; what may follow is not looked at.
     *
     * @throws BlockException if the bytes do not give that many
     */
    void decode(byte[] source, int length, byte[] target) {
        in = source;
        at = 0;
        end = length;
        out = target;
        done = 0;
        while (done < out.length) {
            frame();
        }
    }

    private static BlockException bad(String what) {
        return new BlockException("a compressed cluster is damaged: zstd: " + what);
    }

    private int take() {
        if (at >= end) {
            throw bad("it ends too early");
        }
        return in[at++] & 0xFF;
    }

    private long take(int bytes) {
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            value |= (long) take() << 8 * i;
        }
        return value;
    }

    private void frame() {
        int magic = (int) take(4);
        if ((magic & 0xFFFF_FFF0) == 0x184D2A50) {
            long skip = take(4);
            if (skip > end - at) {
                throw bad("a frame that is too long");
            }
            at += (int) skip;
            return;
        }
        if (magic != MAGIC) {
            throw bad("no frame");
        }
        int descriptor = take();
        boolean single = (descriptor & 0x20) != 0;
        if ((descriptor & 8) != 0) {
            throw bad("reserved bits");
        }
        if (!single) {
            int unusedWindow = take();
        }
        if (take(new int[] {0, 1, 2, 4}[descriptor & 3]) != 0) {
            throw bad("it needs a dictionary");
        }
        int sizeBytes = new int[] {single ? 1 : 0, 2, 4, 8}[descriptor >> 6];
        long unusedSize = take(sizeBytes);
        huffmanBits = 0;
        literalTable.ready = false;
        offsetTable.ready = false;
        matchTable.ready = false;
        repeats[0] = 1;
        repeats[1] = 4;
        repeats[2] = 8;
        int frameStart = done;
        boolean last = false;
        while (!last && done < out.length) {
            int header = (int) take(3);
            last = (header & 1) != 0;
            block(header >> 1 & 3, header >> 3, frameStart);
        }
        if (last && (descriptor & 4) != 0 && done < out.length) {
            long unusedChecksum = take(4);
        }
    }

    private void block(int type, int size, int frameStart) {
        switch (type) {
            case 0 -> {
                int n = Math.min(size, out.length - done);
                if (n > end - at) {
                    throw bad("a block that is too long");
                }
                System.arraycopy(in, at, out, done, n);
                at += n;
                done += n;
            }
            case 1 -> {
                int n = Math.min(size, out.length - done);
                Arrays.fill(out, done, done + n, (byte) take());
                done += n;
            }
            case 2 -> {
                if (size > end - at || size > MAX_BLOCK) {
                    throw bad("a block that is too long");
                }
                int blockEnd = at + size;
                literals(blockEnd);
                sequences(blockEnd, frameStart);
                at = blockEnd;
            }
            default -> throw bad("a block of a reserved type");
        }
    }

    // ---- literals (§3.1.1.3.1) --------------------------------------------------------------

    private void literals(int blockEnd) {
        int first = take();
        int type = first & 3;
        int format = first >> 2 & 3;
        if (type < 2) {
            int size =
                    switch (format) {
                        case 0, 2 -> first >> 3;
                        case 1 -> first >> 4 | take() << 4;
                        default -> first >> 4 | (int) take(2) << 4;
                    };
            if (size > MAX_BLOCK) {
                throw bad("too many literals");
            }
            literalCount = size;
            if (type == 1) {
                Arrays.fill(literals, 0, size, (byte) take());
            } else {
                if (size > blockEnd - at) {
                    throw bad("too many literals");
                }
                System.arraycopy(in, at, literals, 0, size);
                at += size;
            }
            return;
        }
        int width = new int[] {10, 10, 14, 18}[format];
        long sizes = (first >> 4) | take(new int[] {2, 2, 3, 4}[format]) << 4;
        int size = (int) (sizes & (1 << width) - 1);
        int compressed = (int) (sizes >> width & (1 << width) - 1);
        if (size > MAX_BLOCK || compressed > blockEnd - at) {
            throw bad("too many literals");
        }
        int streamsEnd = at + compressed;
        if (type == 2) {
            readHuffman(streamsEnd);
        } else if (huffmanBits == 0) {
            throw bad("no codes to use again");
        }
        literalCount = size;
        if (format == 0) {
            huffman(at, streamsEnd, 0, size);
        } else {
            fourStreams(streamsEnd, size);
        }
        at = streamsEnd;
    }

    private void fourStreams(int streamsEnd, int size) {
        int[] lengths = {(int) take(2), (int) take(2), (int) take(2)};
        int part = (size + 3) / 4;
        int from = at;
        for (int i = 0; i < 4; i++) {
            int to = i < 3 ? from + lengths[i] : streamsEnd;
            int first = part * i;
            int last = i < 3 ? first + part : size;
            if (to > streamsEnd || last > size || first > last) {
                throw bad("streams that do not fit");
            }
            huffman(from, to, first, last);
            from = to;
        }
    }

    private void huffman(int from, int to, int first, int last) {
        bits.set(in, from, to);
        for (int i = first; i < last; i++) {
            int code = bits.peek(huffmanBits);
            literals[i] = huffmanSymbol[code];
            bits.skip(huffmanLength[code]);
        }
        if (bits.left() != 0) {
            throw bad("literals that do not end where they should");
        }
    }

    /** §4.2.1. */
    private void readHuffman(int limit) {
        int header = take();
        int count;
        if (header >= 128) {
            count = header - 127;
            if (count > 255 || (count + 1) / 2 > limit - at) {
                throw bad("weights");
            }
            for (int i = 0; i < count; i++) {
                int pair = in[at + i / 2] & 0xFF;
                weights[i] = (byte) (i % 2 == 0 ? pair >> 4 : pair & 15);
            }
            at += (count + 1) / 2;
        } else {
            if (header > limit - at) {
                throw bad("weights");
            }
            int to = at + header;
            int from = weightTable.read(in, at, to, 6, 256);
            count = readWeights(from, to);
            at = to;
        }
        fillHuffman(count);
    }

    private int readWeights(int from, int to) {
        bits.set(in, from, to);
        int one = bits.take(weightTable.log);
        int two = bits.take(weightTable.log);
        int count = 0;
        while (true) {
            if (count > 253) {
                throw bad("too many weights");
            }
            weights[count++] = weightTable.symbol[one];
            if (bits.left() < weightTable.bits[one]) {
                weights[count++] = weightTable.symbol[two];
                return count;
            }
            one = weightTable.next[one] + bits.take(weightTable.bits[one]);
            weights[count++] = weightTable.symbol[two];
            if (bits.left() < weightTable.bits[two]) {
                weights[count++] = weightTable.symbol[one];
                return count;
            }
            two = weightTable.next[two] + bits.take(weightTable.bits[two]);
        }
    }

    private void fillHuffman(int count) {
        int sum = 0;
        for (int i = 0; i < count; i++) {
            if (weights[i] > MAX_HUFFMAN_BITS || weights[i] < 0) {
                throw bad("a weight of %d".formatted(weights[i]));
            }
            sum += weights[i] == 0 ? 0 : 1 << weights[i] - 1;
        }
        if (sum == 0) {
            throw bad("no weights");
        }
        int max = 32 - Integer.numberOfLeadingZeros(sum);
        int left = (1 << max) - sum;
        if (max > MAX_HUFFMAN_BITS || Integer.bitCount(left) != 1) {
            throw bad("weights that do not add up");
        }
        weights[count] = (byte) (Integer.numberOfTrailingZeros(left) + 1);
        int index = 0;
        for (int weight = 1; weight <= max; weight++) {
            for (int s = 0; s <= count; s++) {
                if (weights[s] == weight) {
                    int span = 1 << weight - 1;
                    Arrays.fill(huffmanSymbol, index, index + span, (byte) s);
                    Arrays.fill(huffmanLength, index, index + span, (byte) (max + 1 - weight));
                    index += span;
                }
            }
        }
        huffmanBits = max;
    }

    // ---- sequences (§3.1.1.3.2) -------------------------------------------------------------

    private void sequences(int blockEnd, int frameStart) {
        int count = take();
        if (count >= 255) {
            count = (int) take(2) + 0x7F00;
        } else if (count >= 128) {
            count = (count - 128 << 8) + take();
        }
        int literal = 0;
        if (count > 0) {
            int modes = take();
            table(literalTable, modes >> 6, LITERAL_NORM, LITERAL_LOG, 9, blockEnd);
            table(offsetTable, modes >> 4 & 3, OFFSET_NORM, OFFSET_LOG, 8, blockEnd);
            table(matchTable, modes >> 2 & 3, MATCH_NORM, MATCH_LOG, 9, blockEnd);
            bits.set(in, at, blockEnd);
            literal = execute(count, frameStart);
        }
        copyLiterals(literal, literalCount - literal);
    }

    private void table(FseTable table, int mode, short[] norm, int log, int maxLog, int limit) {
        switch (mode) {
            case 0 -> table.fill(norm, norm.length, log);
            case 1 -> table.single(take());
            case 2 ->
                    at = table.read(in, at, limit, maxLog, norm == OFFSET_NORM ? 32 : norm.length);
            default -> {
                if (!table.ready) {
                    throw bad("no table to use again");
                }
            }
        }
    }

    private int execute(int count, int frameStart) {
        int literalState = bits.take(literalTable.log);
        int offsetState = bits.take(offsetTable.log);
        int matchState = bits.take(matchTable.log);
        int literal = 0;
        for (int i = 0; i < count; i++) {
            int offsetCode = offsetTable.symbol[offsetState] & 0xFF;
            int matchCode = matchTable.symbol[matchState] & 0xFF;
            int literalCode = literalTable.symbol[literalState] & 0xFF;
            if (offsetCode > 30
                    || matchCode >= MATCH_BASE.length
                    || literalCode >= LITERAL_BASE.length) {
                throw bad("a code that there is not");
            }
            int offsetValue = (1 << offsetCode) + bits.take(offsetCode);
            int match = MATCH_BASE[matchCode] + bits.take(MATCH_BITS[matchCode]);
            int run = LITERAL_BASE[literalCode] + bits.take(LITERAL_BITS[literalCode]);
            if (bits.left() < 0) {
                throw bad("sequences that end too early");
            }
            if (run > literalCount - literal) {
                throw bad("more literals than there are");
            }
            copyLiterals(literal, run);
            literal += run;
            copyMatch(offset(offsetValue, run), match, frameStart);
            if (i < count - 1) {
                literalState =
                        literalTable.next[literalState]
                                + bits.take(literalTable.bits[literalState]);
                matchState = matchTable.next[matchState] + bits.take(matchTable.bits[matchState]);
                offsetState =
                        offsetTable.next[offsetState] + bits.take(offsetTable.bits[offsetState]);
            }
        }
        return literal;
    }

    /** §3.1.1.5: the last three offsets have short codes. */
    private int offset(int value, int run) {
        int offset;
        if (value > 3) {
            offset = value - 3;
            repeats[2] = repeats[1];
            repeats[1] = repeats[0];
            repeats[0] = offset;
            return offset;
        }
        int index = value - 1 + (run == 0 ? 1 : 0);
        if (index == 0) {
            return repeats[0];
        }
        offset = index == 3 ? repeats[0] - 1 : repeats[index];
        if (index != 1) {
            repeats[2] = repeats[1];
        }
        repeats[1] = repeats[0];
        repeats[0] = offset;
        return offset;
    }

    private void copyLiterals(int from, int count) {
        int n = Math.min(count, out.length - done);
        System.arraycopy(literals, from, out, done, n);
        done += n;
    }

    private void copyMatch(int offset, int length, int frameStart) {
        if (offset <= 0 || offset > done - frameStart) {
            throw bad("a match before the beginning");
        }
        int n = Math.min(length, out.length - done);
        if (offset >= n) {
            System.arraycopy(out, done - offset, out, done, n);
        } else {
            for (int i = 0; i < n; i++) {
                out[done + i] = out[done + i - offset];
            }
        }
        done += n;
    }
}
