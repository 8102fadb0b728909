package dev.javisor.net.user;

import static dev.javisor.net.user.TcpLayout.*;

import dev.javisor.net.FrameSink;

/**
 * The half of a connection that sends to the guest: what is queued and not acknowledged, the
 * guest's window, loss recovery (RFC 5681, 6582, 6675) and the retransmission timer (RFC 6298).
 *
 * <p>Invariants, in sequence numbers: una <= nxt <= max; the queue begins at {@code queueStart},
 * which is una but for a SYN that is not acknowledged; nxt lies behind una only after a timeout.
 *
 * <p>DEVIATION: RFC 6928's initial window is for networks that others share. Here the only queue on
 * the way is the guest's own, and it is asked before each frame.
 */
final class TcpSender {
    /** What is read ahead of the guest for one connection. */
    static final int QUEUE_BYTES = 512 << 10;

    private static final int INITIAL_WINDOW = 256 << 10;
    private static final int MAX_WINDOW = 4 << 20;

    private static final int DUPLICATES = 3;
    private static final long INITIAL_RTO_NANOS = 1_000_000_000;
    private static final long MIN_RTO_NANOS = 200_000_000;
    private static final long MAX_RTO_NANOS = 60_000_000_000L;

    /** Timeouts in a row after which the guest is given up; about four minutes. */
    private static final int MAX_TIMEOUTS = 9;

    /** Without an MSS option (RFC 9293 §3.7.1). */
    private static final int DEFAULT_MSS = 536;

    private static final int MIN_MSS = 64;

    private final TcpConnection connection;
    final ByteQueue queue;
    private final SackBoard sacked = new SackBoard();
    private final int initial;

    private int una;
    private int nxt;
    private int max;
    private int queueStart;

    /** The right edge of the guest's window. */
    private int windowEnd;

    /** Segment that the window came from (SND.WL1, SND.WL2). */
    private int windowSequence;

    private int windowAcknowledgment;
    private int scale;
    private int mss = DEFAULT_MSS;
    private boolean selective;

    private int congestionWindow = INITIAL_WINDOW;
    private int slowStartLimit = MAX_WINDOW;
    private int duplicates;
    private boolean recovering;

    /** {@link #max} when the recovery began. */
    private int recover;

    /** What this recovery has sent again ends here. */
    private int resent;

    private boolean finQueued;
    private boolean finAcknowledged;

    private boolean timing;
    private int timedEnd;
    private long timedFrom;
    private long smoothedNanos = -1;
    private long variationNanos;
    private long rtoNanos = INITIAL_RTO_NANOS;
    private int timeouts;

    /** The timer is for a closed window, not for a loss. */
    private boolean persisting;

    private boolean probeDue;

    TcpSender(TcpConnection connection, ChunkPool pool, int initial) {
        this.connection = connection;
        queue = new ByteQueue(pool);
        this.initial = initial;
        una = initial;
        nxt = initial;
        max = initial;
        queueStart = initial + 1;
        windowEnd = initial + 1;
    }

    int initial() {
        return initial;
    }

    int una() {
        return una;
    }

    int nxt() {
        return nxt;
    }

    int max() {
        return max;
    }

    boolean isSynAcknowledged() {
        return una != initial;
    }

    boolean isFinAcknowledged() {
        return finAcknowledged;
    }

    boolean hasFin() {
        return finQueued;
    }

    /** Bytes that the guest has not acknowledged, or not been sent. */
    int pendingBytes() {
        return queue.size();
    }

    int mss() {
        return mss;
    }

    /** Takes the guest's options over, from its SYN. */
    void negotiate(TcpSegment syn, int largestMss, boolean scaling) {
        int offered = syn.mss == 0 ? DEFAULT_MSS : syn.mss;
        mss = Math.max(MIN_MSS, Math.min(offered, largestMss));
        scale = scaling ? syn.windowScale : 0;
        selective = syn.sackPermitted;
        // RFC 7323 §2.2: a SYN's own window is not scaled.
        windowEnd = una + Math.max(1, syn.window);
        windowSequence = syn.sequence;
        windowAcknowledgment = una;
    }

    /** The SYN was sent. */
    void synSent(long now) {
        nxt = initial + 1;
        if (nxt - max > 0) {
            max = nxt;
            timing = true;
            timedEnd = nxt;
            timedFrom = now;
        }
    }

    /** The host has no more to say. */
    void finish() {
        finQueued = true;
    }

    private int dataEnd() {
        return queueStart + queue.size();
    }

    /**
     * Takes an acknowledgment that is neither older than una nor newer than max.
     *
     * @return whether it acknowledged anything
     */
    boolean acknowledge(TcpSegment segment, long now) {
        int ack = segment.acknowledgment;
        boolean windowMoved = updateWindow(segment);
        if (selective) {
            noteSacks(segment);
        }
        timeouts = 0;
        if (ack == una) {
            boolean isDuplicate =
                    segment.payloadBytes == 0
                            && !segment.has(SYN)
                            && !segment.has(FIN)
                            && !windowMoved
                            && una != max;
            if (isDuplicate) {
                duplicate(now);
            }
            return false;
        }
        advance(ack, now);
        return true;
    }

    private void advance(int ack, long now) {
        int acknowledged = ack - una;
        if (timing && ack - timedEnd >= 0) {
            timing = false;
            measured(now - timedFrom);
        }
        una = ack;
        if (nxt - una < 0) {
            nxt = una;
        }
        int bytes = Math.min(Math.max(0, una - queueStart), queue.size());
        if (bytes > 0) {
            queue.skip(bytes);
            queueStart += bytes;
        }
        if (finQueued && una - dataEnd() > 0) {
            finAcknowledged = true;
        }
        sacked.advance(una);
        duplicates = 0;
        if (recovering) {
            if (una - recover >= 0) {
                recovering = false;
                congestionWindow = slowStartLimit;
            } else if (sacked.isEmpty()) {
                // RFC 6582 §3.2 step 3, partial acknowledgment: the next hole is right here.
                resent = una;
            }
        } else {
            grow(acknowledged);
        }
        // RFC 6298 §5.2, §5.3.
        if (una == max) {
            connection.setTimer(Deadlines.NEVER);
        } else {
            connection.setTimer(now + rtoNanos);
        }
        persisting = false;
    }

    private void grow(int acknowledged) {
        if (congestionWindow < slowStartLimit) {
            congestionWindow = Math.min(MAX_WINDOW, congestionWindow + acknowledged);
        } else {
            long step = (long) mss * Math.min(acknowledged, congestionWindow) / congestionWindow;
            congestionWindow = (int) Math.min(MAX_WINDOW, congestionWindow + Math.max(1, step));
        }
    }

    /** Answers whether the right edge moved. */
    private boolean updateWindow(TcpSegment segment) {
        int newer = segment.sequence - windowSequence;
        if (newer < 0 || newer == 0 && segment.acknowledgment - windowAcknowledgment < 0) {
            return false;
        }
        windowSequence = segment.sequence;
        windowAcknowledgment = segment.acknowledgment;
        int end = segment.acknowledgment + (segment.window << scale);
        boolean moved = end != windowEnd;
        windowEnd = end;
        return moved;
    }

    private void noteSacks(TcpSegment segment) {
        for (int i = 0; i < segment.sackCount; i++) {
            int start = segment.sackStart[i];
            int end = segment.sackEnd[i];
            // A claim about what was not sent, or is known, is ignored (RFC 2883 allows the
            // latter).
            if (end - start > 0 && start - una > 0 && end - max <= 0) {
                sacked.add(start, end);
            }
        }
    }

    private void duplicate(long now) {
        duplicates++;
        boolean lost = duplicates >= DUPLICATES || sacked.bytes() > (DUPLICATES - 1) * mss;
        if (!recovering && lost) {
            recovering = true;
            recover = max;
            resent = una;
            slowStartLimit = Math.max((max - una) / 2, 2 * mss);
            congestionWindow = slowStartLimit;
            timing = false;
            connection.setTimer(now + rtoNanos);
        } else if (recovering) {
            // RFC 5681 §3.2 step 4: each says that something has left.
            congestionWindow = Math.min(MAX_WINDOW, congestionWindow + mss);
        }
    }

    private void measured(long nanos) {
        if (smoothedNanos < 0) {
            smoothedNanos = nanos;
            variationNanos = nanos / 2;
        } else {
            variationNanos = (3 * variationNanos + Math.abs(smoothedNanos - nanos)) / 4;
            smoothedNanos = (7 * smoothedNanos + nanos) / 8;
        }
        rtoNanos = Math.clamp(smoothedNanos + 4 * variationNanos, MIN_RTO_NANOS, MAX_RTO_NANOS);
    }

    /**
     * The timer.
     *
     * @return false if the guest has been silent for too long
     */
    boolean timeout(long now) {
        timeouts++;
        if (timeouts > MAX_TIMEOUTS) {
            return false;
        }
        rtoNanos = Math.min(2 * rtoNanos, MAX_RTO_NANOS);
        timing = false;
        if (isClosed()) {
            probeDue = true;
            nxt = una;
            connection.setTimer(now + rtoNanos);
            return true;
        }
        // RFC 6298 §5.4 to 5.6, RFC 2018 §8: what was selectively acknowledged may be gone again.
        sacked.clear();
        recovering = false;
        duplicates = 0;
        slowStartLimit = Math.max((max - una) / 2, 2 * mss);
        congestionWindow = mss;
        nxt = una;
        connection.setTimer(now + rtoNanos);
        return true;
    }

    /**
     * Sends what may be sent.
     *
     * @return false if the guest has no room
     */
    boolean output(FrameSink sink, long now) {
        if (recovering && !resend(sink)) {
            return false;
        }
        int end = dataEnd();
        while (true) {
            if (nxt - max < 0) {
                int skipped = sacked.skip(nxt);
                nxt = skipped - max > 0 ? max : skipped;
            }
            int allowed = congestionEnd() - nxt;
            int ready = end - nxt;
            int n = Math.min(Math.min(ready, allowed), connection.largestSegment());
            if (nxt - max < 0 && !sacked.isEmpty()) {
                n = Math.min(n, sacked.nextStart(nxt, max) - nxt);
            }
            if (n <= 0 || isSilly(n, ready)) {
                break;
            }
            boolean fin = finQueued && n == ready;
            int flags = ACK | (n == ready ? PSH : 0) | (fin ? FIN : 0);
            if (!connection.emit(sink, flags, nxt, nxt - queueStart, n)) {
                return false;
            }
            sent(n + (fin ? 1 : 0), now);
        }
        // A FIN alone, whatever the window: it carries nothing that would need room.
        if (finQueued && nxt == end && !finAcknowledged) {
            if (!connection.emit(sink, ACK | FIN, nxt, 0, 0)) {
                return false;
            }
            sent(1, now);
        }
        return probe(sink, now);
    }

    private int congestionEnd() {
        int end = una + congestionWindow;
        return windowEnd - end < 0 ? windowEnd : end;
    }

    /** RFC 9293 §3.8.6.2.1: no small segments because of a small window, while others are out. */
    private boolean isSilly(int n, int ready) {
        return n < ready && n < mss && nxt != una;
    }

    private void sent(int length, long now) {
        boolean idle = una == max;
        if (nxt == max && !timing) {
            timing = true;
            timedEnd = nxt + length;
            timedFrom = now;
        }
        nxt += length;
        if (nxt - max > 0) {
            max = nxt;
        }
        if (idle) {
            persisting = false;
            connection.setTimer(now + rtoNanos);
        }
    }

    /** What this recovery has not sent again yet. */
    private boolean resend(FrameSink sink) {
        while (true) {
            int from = resent - una < 0 ? una : resent;
            from = sacked.skip(from);
            int limit = sacked.isEmpty() ? una + mss : sacked.highest();
            if (limit - recover > 0) {
                limit = recover;
            }
            int end = dataEnd();
            boolean fin = finQueued && limit - end > 0;
            if (limit - end > 0) {
                limit = end;
            }
            int n = Math.min(sacked.nextStart(from, limit) - from, connection.largestSegment());
            if (n <= 0) {
                if (fin && from == end && resent - from <= 0 && max - end > 0) {
                    resent = from + 1;
                    return connection.emit(sink, ACK | FIN, end, 0, 0);
                }
                return true;
            }
            if (!connection.emit(sink, ACK, from, from - queueStart, n)) {
                return false;
            }
            resent = from + n;
        }
    }

    /** All of the window is used up, and nothing but a probe tells us when it opens. */
    private boolean isClosed() {
        return windowEnd - una <= 0 && queue.size() > 0 && dataEnd() - una > 0;
    }

    /** A closed window is asked after, with a byte beyond it (RFC 9293 §3.8.6.1). */
    private boolean probe(FrameSink sink, long now) {
        if (!isClosed()) {
            probeDue = false;
            return true;
        }
        if (una == max && !persisting) {
            connection.setTimer(now + rtoNanos);
        }
        persisting = true;
        if (probeDue) {
            if (!connection.emit(sink, ACK, una, una - queueStart, 1)) {
                return false;
            }
            probeDue = false;
            if (una + 1 - max > 0) {
                max = una + 1;
            }
        }
        return true;
    }

    void release() {
        queue.clear();
    }
}
