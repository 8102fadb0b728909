package dev.javisor.net.user;

import dev.javisor.net.Bytes;
import dev.javisor.net.Frame;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Bytes that arrived before others that come first: pieces ascending by sequence number, apart from
 * each other. What arrived first stays, whatever overlaps it later (RFC 9293 §3.10.7.4 leaves the
 * choice). Bounded in pieces and bytes: what does not fit is dropped and comes again.
 */
final class TcpReassembly {
    static final int MAX_PIECES = 64;

    /** Of one connection. */
    static final int MAX_BYTES = 256 << 10;

    private static final int MAX_SACKS = 3;

    /** Of the option that {@link #writeSack} writes. */
    static final int MAX_OPTION_BYTES = 4 + 8 * MAX_SACKS;

    /** What all connections together may hold. */
    static final class Budget {
        private long leftBytes;

        Budget(long bytes) {
            leftBytes = bytes;
        }

        long leftBytes() {
            return leftBytes;
        }
    }

    private record Piece(int start, byte[] bytes) {
        int end() {
            return start + bytes.length;
        }
    }

    private final Budget budget;
    private final List<Piece> pieces = new ArrayList<>();
    private int bytes;

    /** The piece that changed last, which a selective acknowledgment names first. */
    private int latest;

    TcpReassembly(Budget budget) {
        this.budget = budget;
    }

    boolean isEmpty() {
        return pieces.isEmpty();
    }

    int bytes() {
        return bytes;
    }

    /** Keeps what of a segment is new and fits. */
    void add(int sequence, Frame frame, int at, int sizeBytes) {
        latest = sequence;
        int from = sequence;
        int end = sequence + sizeBytes;
        int i = 0;
        while (from - end < 0) {
            while (i < pieces.size() && pieces.get(i).end() - from <= 0) {
                i++;
            }
            int limit = end;
            if (i < pieces.size() && pieces.get(i).start() - end < 0) {
                Piece next = pieces.get(i);
                if (next.start() - from <= 0) {
                    from = next.end();
                    continue;
                }
                limit = next.start();
            }
            int n = limit - from;
            if (pieces.size() >= MAX_PIECES || bytes + n > MAX_BYTES || budget.leftBytes < n) {
                return;
            }
            byte[] copy = new byte[n];
            if (frame.copy(at + (from - sequence), copy, 0, n) < n) {
                return;
            }
            pieces.add(i, new Piece(from, copy));
            bytes += n;
            budget.leftBytes -= n;
            from = limit;
        }
    }

    /** The bytes that begin at or before {@code next} and reach beyond it; removed. */
    @Nullable MemorySegment take(int next) {
        while (!pieces.isEmpty()) {
            Piece first = pieces.getFirst();
            if (first.start() - next > 0) {
                return null;
            }
            pieces.removeFirst();
            bytes -= first.bytes.length;
            budget.leftBytes += first.bytes.length;
            int skip = next - first.start();
            if (skip < first.bytes.length) {
                return MemorySegment.ofArray(first.bytes).asSlice(skip);
            }
        }
        return null;
    }

    /** Puts back what could not be passed on. */
    void putBack(int next, MemorySegment rest) {
        byte[] copy = rest.toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
        pieces.addFirst(new Piece(next, copy));
        bytes += copy.length;
        budget.leftBytes -= copy.length;
    }

    void clear() {
        budget.leftBytes += bytes;
        bytes = 0;
        pieces.clear();
    }

    /**
     * Writes a SACK option with its padding (RFC 2018 §3, §4): the range that grew last, then
     * others.
     *
     * @return bytes written, 0 if there is nothing to say
     */
    int writeSack(byte[] to, int at) {
        if (pieces.isEmpty()) {
            return 0;
        }
        int count = 0;
        int out = at + 4;
        int newest = -1;
        // Neighbouring pieces are one range.
        for (int pass = 0; pass < 2; pass++) {
            int i = 0;
            while (i < pieces.size() && count < MAX_SACKS) {
                int first = i;
                int start = pieces.get(i).start();
                int end = pieces.get(i).end();
                while (i + 1 < pieces.size() && pieces.get(i + 1).start() == end) {
                    i++;
                    end = pieces.get(i).end();
                }
                i++;
                boolean isLatest = latest - start >= 0 && latest - end < 0;
                if (pass == 0 ? isLatest : first != newest) {
                    newest = pass == 0 ? first : newest;
                    Bytes.putInt(to, out, start);
                    Bytes.putInt(to, out + 4, end);
                    out += 8;
                    count++;
                }
            }
        }
        to[at] = TcpLayout.OPTION_NOP;
        to[at + 1] = TcpLayout.OPTION_NOP;
        to[at + 2] = TcpLayout.OPTION_SACK;
        to[at + 3] = (byte) (2 + 8 * count);
        return out - at;
    }
}
