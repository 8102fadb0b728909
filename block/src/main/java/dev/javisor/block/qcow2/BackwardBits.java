package dev.javisor.block.qcow2;

import dev.javisor.block.BlockException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Bits that are read from the last one before an end mark to the first (RFC 8878 §4.1). */
final class BackwardBits {
    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private byte[] in = new byte[0];
    private int start;

    /** Bits that are left; less than none means that zeroes were read behind the beginning. */
    private int left;

    void set(byte[] bytes, int from, int to) {
        if (to <= from || to > bytes.length || bytes[to - 1] == 0) {
            throw new BlockException("zstd: bits without an end mark");
        }
        in = bytes;
        start = from;
        left = (to - from) * 8 - Integer.numberOfLeadingZeros(bytes[to - 1] & 0xFF) + 24 - 1;
    }

    int left() {
        return left;
    }

    /** At most 32 bits. */
    int take(int count) {
        left -= count;
        return bitsAt(left, count);
    }

    /** At most 32 bits, which stay. */
    int peek(int count) {
        return bitsAt(left - count, count);
    }

    void skip(int count) {
        left -= count;
    }

    private int bitsAt(int position, int count) {
        if (count == 0) {
            return 0;
        }
        if (position < 0) {
            if (position + count <= 0) {
                return 0;
            }
            return bitsAt(0, position + count) << -position;
        }
        int index = start + (position >> 3);
        long word;
        if (index + 8 <= in.length) {
            word = (long) LONG.get(in, index);
        } else {
            word = 0;
            for (int i = in.length - 1; i >= index; i--) {
                word = word << 8 | in[i] & 0xFF;
            }
        }
        return (int) (word >>> (position & 7) & (1L << count) - 1);
    }
}
