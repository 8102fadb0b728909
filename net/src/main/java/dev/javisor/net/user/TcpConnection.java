package dev.javisor.net.user;

import static dev.javisor.net.user.TcpLayout.*;

import dev.javisor.net.Bytes;
import dev.javisor.net.Checksum;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameSink;
import java.io.IOException;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * One connection between the guest and a socket of this host: TCP's state machine (RFC 9293 §3.10)
 * on the one side, reads and writes on the other. Belongs to the network's thread.
 */
final class TcpConnection extends Deadlines.Timed implements Outside.TcpEvents {
    /**
     * RFC 9293 §3.3.2, and {@code OPENING}: the guest's SYN came, and this host connects to whom it
     * is for before it answers.
     */
    enum State {
        OPENING,
        SYN_SENT,
        SYN_RECEIVED,
        ESTABLISHED,
        FIN_WAIT_1,
        FIN_WAIT_2,
        CLOSING,
        TIME_WAIT,
        CLOSE_WAIT,
        LAST_ACK,
        CLOSED
    }

    private static final long OPENING_NANOS = 130_000_000_000L;

    /** DEVIATION: twice the life of a segment on a link that keeps none. RFC 9293: 4 minutes. */
    private static final long TIME_WAIT_NANOS = 2_000_000_000L;

    private final TcpStack stack;
    private final FlowKey key;
    private final boolean v6;
    private final TcpSender out;
    private final TcpReceiver in;
    private final TcpSegment opening = new TcpSegment();
    private State state;
    private Outside.@Nullable TcpSocket socket;
    private boolean connected;
    private boolean hostEnded;
    private boolean outputShut;
    private boolean synDue;
    private boolean scaling;

    /** Reading waits for room in the queue to the guest. */
    private boolean readPaused;

    /** In the stack's list of those that have something to send. */
    boolean listed;

    /** In the stack's list of those that wait for memory. */
    boolean starving;

    TcpConnection(TcpStack stack, FlowKey key, State state, RandomGenerator random) {
        this.stack = stack;
        this.key = key;
        this.state = state;
        v6 = !key.guest().isV4();
        out = new TcpSender(this, stack.pool(), random.nextInt());
        in = new TcpReceiver(stack.pool(), stack.budget());
    }

    FlowKey key() {
        return key;
    }

    State state() {
        return state;
    }

    /** Whether the handshake is not over. */
    boolean isHalfOpen() {
        return state == State.OPENING || state == State.SYN_RECEIVED || state == State.SYN_SENT;
    }

    /** Whether a number lies behind all that the guest has sent. */
    boolean isBeyond(int sequence) {
        return sequence - in.nxt() > 0;
    }

    /** Bytes held for either side. */
    int heldBytes() {
        return out.pendingBytes() + in.queuedBytes();
    }

    void setTimer(long atNanos) {
        stack.deadlines().set(this, atNanos);
    }

    // Opening.

    /** The guest's SYN: connects to where it leads. */
    void openOutside(TcpSegment syn, java.net.InetSocketAddress to) {
        in.start(syn.sequence);
        opening.copyFrom(syn);
        negotiate(syn);
        setTimer(stack.now() + OPENING_NANOS);
        try {
            socket = stack.outside().connect(to, this);
        } catch (IOException e) {
            failed(Outside.Failure.EXHAUSTED);
        }
    }

    /** A connection to this host that leads to the guest. */
    void openInside(Outside.TcpSocket accepted) {
        socket = accepted;
        connected = true;
        synDue = true;
        stack.list(this);
    }

    private void negotiate(TcpSegment syn) {
        scaling = syn.windowScale >= 0;
        out.negotiate(syn, stack.largestMss(v6), scaling);
        in.negotiate(scaling, syn.sackPermitted);
    }

    @Override
    public void connected() {
        if (state != State.OPENING) {
            return;
        }
        connected = true;
        state = State.SYN_RECEIVED;
        synDue = true;
        setTimer(Deadlines.NEVER);
        stack.list(this);
    }

    @Override
    public void failed(Outside.Failure why) {
        if (state != State.OPENING) {
            return;
        }
        socket = null;
        switch (why) {
            case REFUSED, EXHAUSTED -> stack.refuse(key, opening);
            case UNREACHABLE, TIMED_OUT -> stack.unreachable(key, opening);
        }
        remove();
    }

    // From the guest.

    /** A segment of this connection. */
    void input(TcpSegment segment, Frame frame) {
        switch (state) {
            case OPENING -> inputOpening(segment);
            case SYN_SENT -> inputSynSent(segment);
            case SYN_RECEIVED,
                    ESTABLISHED,
                    FIN_WAIT_1,
                    FIN_WAIT_2,
                    CLOSING,
                    TIME_WAIT,
                    CLOSE_WAIT,
                    LAST_ACK ->
                    inputSynchronized(segment, frame);
            case CLOSED -> {}
        }
    }

    private void inputOpening(TcpSegment segment) {
        // A reset must match the SYN that nothing has answered yet; the SYN itself comes again.
        if (segment.has(RST)
                && (segment.sequence == in.nxt() || segment.sequence == in.nxt() - 1)) {
            abortHost();
            remove();
        }
    }

    /** RFC 9293 §3.10.7.3. */
    private void inputSynSent(TcpSegment segment) {
        if (segment.has(ACK)) {
            boolean bad =
                    segment.acknowledgment - out.initial() <= 0
                            || segment.acknowledgment - out.max() > 0;
            if (bad) {
                if (!segment.has(RST)) {
                    stack.reset(key, segment);
                }
                return;
            }
        }
        if (segment.has(RST)) {
            if (segment.has(ACK)) {
                abortHost();
                remove();
            }
            return;
        }
        if (!segment.has(SYN)) {
            return;
        }
        in.start(segment.sequence);
        negotiate(segment);
        if (segment.has(ACK)) {
            out.acknowledge(segment, stack.now());
            established();
            in.owe();
        } else {
            // Both opened at once.
            state = State.SYN_RECEIVED;
            synDue = true;
        }
        stack.list(this);
    }

    private void established() {
        state = State.ESTABLISHED;
        pull();
        interest();
    }

    /** RFC 9293 §3.10.7.4, RFC 5961. */
    private void inputSynchronized(TcpSegment segment, Frame frame) {
        if (!in.isAcceptable(segment.sequence, segment.length())) {
            if (segment.has(RST)) {
                return;
            }
            if (state == State.SYN_RECEIVED && segment.has(SYN)) {
                // The SYN again: our answer was lost.
                synDue = true;
            } else {
                if (state == State.TIME_WAIT && segment.has(FIN)) {
                    setTimer(stack.now() + TIME_WAIT_NANOS);
                }
                // It may acknowledge something all the same: an old segment sent again, or a
                // keep-alive.
                if (segment.has(ACK) && !segment.has(SYN) && state != State.SYN_RECEIVED) {
                    acknowledgeIfSane(segment);
                }
                in.owe();
            }
            stack.list(this);
            return;
        }
        if (segment.has(RST)) {
            if (segment.sequence == in.nxt()) {
                abortHost();
                remove();
            } else {
                in.owe();
                stack.list(this);
            }
            return;
        }
        if (segment.has(SYN)) {
            in.owe();
            stack.list(this);
            return;
        }
        if (!segment.has(ACK)) {
            return;
        }
        if (state == State.SYN_RECEIVED) {
            boolean bad =
                    segment.acknowledgment - out.initial() <= 0
                            || segment.acknowledgment - out.max() > 0;
            if (bad) {
                stack.reset(key, segment);
                return;
            }
            out.acknowledge(segment, stack.now());
            established();
        } else if (!acknowledgeIfSane(segment)) {
            in.owe();
            stack.list(this);
            return;
        }
        if (state != State.CLOSED && (segment.payloadBytes > 0 || segment.has(FIN))) {
            inputPayload(segment, frame);
        }
        stack.list(this);
    }

    /** False if it acknowledges what was never sent. */
    private boolean acknowledgeIfSane(TcpSegment segment) {
        if (segment.acknowledgment - out.max() > 0) {
            return false;
        }
        if (segment.acknowledgment - out.una() >= 0) {
            out.acknowledge(segment, stack.now());
            if (out.isFinAcknowledged()) {
                finAcknowledged();
            }
            if (readPaused) {
                pull();
                interest();
            }
        }
        return true;
    }

    private void finAcknowledged() {
        switch (state) {
            case FIN_WAIT_1 -> {
                state = State.FIN_WAIT_2;
                setTimer(Deadlines.NEVER);
            }
            case CLOSING -> timeWait();
            case LAST_ACK -> {
                state = State.TIME_WAIT;
                setTimer(stack.now());
            }
            case OPENING,
                    SYN_SENT,
                    SYN_RECEIVED,
                    ESTABLISHED,
                    FIN_WAIT_2,
                    TIME_WAIT,
                    CLOSE_WAIT,
                    CLOSED -> {}
        }
    }

    private void timeWait() {
        state = State.TIME_WAIT;
        setTimer(stack.now() + TIME_WAIT_NANOS);
    }

    private void inputPayload(TcpSegment segment, Frame frame) {
        if (in.isFinished()) {
            in.owe();
            return;
        }
        try {
            in.input(segment, frame, connected ? socket : null);
            shutIfFinished();
        } catch (IOException e) {
            hostBroken();
            return;
        }
        if (in.isFinished()) {
            switch (state) {
                case ESTABLISHED -> state = State.CLOSE_WAIT;
                case FIN_WAIT_1 -> state = State.CLOSING;
                case FIN_WAIT_2 -> timeWait();
                case OPENING,
                        SYN_SENT,
                        SYN_RECEIVED,
                        CLOSING,
                        TIME_WAIT,
                        CLOSE_WAIT,
                        LAST_ACK,
                        CLOSED -> {}
            }
        }
        interest();
    }

    private void shutIfFinished() throws IOException {
        Outside.TcpSocket to = socket;
        if (to != null && in.isFinished() && in.isDrained() && !outputShut) {
            outputShut = true;
            to.shutdownOutput();
        }
    }

    // From the host.

    @Override
    public void ready(boolean readable, boolean writable) {
        Outside.TcpSocket to = socket;
        if (to == null || state == State.CLOSED) {
            return;
        }
        if (writable) {
            try {
                in.drain(to);
                shutIfFinished();
            } catch (IOException e) {
                hostBroken();
                return;
            }
        }
        if (readable) {
            pull();
        }
        interest();
        if (state != State.CLOSED) {
            stack.list(this);
        }
    }

    /** Reads what the host has, as far as there is room. */
    private void pull() {
        Outside.TcpSocket from = socket;
        if (from == null || hostEnded || state == State.CLOSED) {
            return;
        }
        readPaused = false;
        try {
            long n = out.queue.readFrom(from, TcpSender.QUEUE_BYTES);
            if (n < 0) {
                hostEnded = true;
                hostFinished();
            }
        } catch (IOException e) {
            hostBroken();
            return;
        }
        if (!hostEnded && !mayRead()) {
            readPaused = true;
            if (out.pendingBytes() < TcpSender.QUEUE_BYTES) {
                stack.starve(this);
            }
        }
    }

    private boolean mayRead() {
        return out.queue.size() < TcpSender.QUEUE_BYTES && stack.pool().mayTake(out.queue.chunks());
    }

    /** There is memory again. */
    void resumeReading() {
        if (readPaused && state != State.CLOSED) {
            if (!mayRead()) {
                stack.starve(this);
                return;
            }
            pull();
            interest();
            stack.list(this);
        }
    }

    private void hostFinished() {
        out.finish();
        switch (state) {
            case ESTABLISHED -> state = State.FIN_WAIT_1;
            case CLOSE_WAIT -> state = State.LAST_ACK;
            case OPENING,
                    SYN_SENT,
                    SYN_RECEIVED,
                    FIN_WAIT_1,
                    FIN_WAIT_2,
                    CLOSING,
                    TIME_WAIT,
                    LAST_ACK,
                    CLOSED -> {}
        }
    }

    private void interest() {
        Outside.TcpSocket of = socket;
        if (of != null && connected && state != State.CLOSED) {
            of.interest(!hostEnded && !readPaused && out.isSynAcknowledged(), !in.isDrained());
        }
    }

    /** The host's socket was reset: so is the guest's. */
    private void hostBroken() {
        if (state != State.CLOSED) {
            stack.resetEstablished(key, out.nxt(), in.nxt());
            abortHost();
            remove();
        }
    }

    // Ending.

    @Override
    void due(long nowNanos) {
        switch (state) {
            case OPENING -> {
                Outside.TcpSocket gone = socket;
                socket = null;
                if (gone != null) {
                    gone.reset();
                }
                stack.unreachable(key, opening);
                remove();
            }
            case TIME_WAIT -> {
                if (in.isDrained()) {
                    closeHost();
                    remove();
                } else {
                    // The guest is done, the host has not read it all.
                    setTimer(nowNanos + TIME_WAIT_NANOS);
                }
            }
            case SYN_SENT, SYN_RECEIVED -> {
                if (out.timeout(nowNanos)) {
                    synDue = true;
                    stack.list(this);
                } else {
                    abortHost();
                    remove();
                }
            }
            case ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSING, CLOSE_WAIT, LAST_ACK -> {
                if (out.timeout(nowNanos)) {
                    stack.list(this);
                } else {
                    hostBroken();
                }
            }
            case CLOSED -> {}
        }
    }

    /** Ends it on both sides. */
    void abort() {
        if (state == State.CLOSED) {
            return;
        }
        if (state != State.OPENING) {
            stack.resetEstablished(key, out.nxt(), in.nxt());
        }
        drop();
    }

    /** Ends it without a word to the guest. */
    void drop() {
        if (state != State.CLOSED) {
            abortHost();
            remove();
        }
    }

    private void closeHost() {
        Outside.TcpSocket gone = socket;
        socket = null;
        if (gone != null) {
            gone.close();
        }
    }

    private void abortHost() {
        Outside.TcpSocket gone = socket;
        socket = null;
        if (gone != null) {
            gone.reset();
        }
    }

    private void remove() {
        state = State.CLOSED;
        setTimer(Deadlines.NEVER);
        out.release();
        in.release();
        stack.removed(this);
    }

    // To the guest.

    /**
     * Sends what there is to send.
     *
     * @return false if the guest has no room
     */
    boolean output(FrameSink sink) {
        long now = stack.now();
        switch (state) {
            case OPENING, CLOSED -> {
                return true;
            }
            case SYN_SENT, SYN_RECEIVED -> {
                if (!synDue) {
                    return true;
                }
                int flags = state == State.SYN_SENT ? SYN : SYN | ACK;
                if (!emit(sink, flags, out.initial(), 0, 0)) {
                    return false;
                }
                synDue = false;
                if (deadlineNanos() == Deadlines.NEVER) {
                    setTimer(now + 1_000_000_000);
                }
                out.synSent(now);
                return true;
            }
            case ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSING, TIME_WAIT, CLOSE_WAIT, LAST_ACK -> {}
        }
        boolean sending = state != State.TIME_WAIT && state != State.FIN_WAIT_2;
        if (sending && !out.output(sink, now)) {
            return false;
        }
        while (in.isOwed()) {
            if (!emit(sink, ACK, out.nxt(), 0, 0)) {
                return false;
            }
        }
        return true;
    }

    /** Payload of a frame, at most; more than one segment where the guest takes that. */
    int largestSegment() {
        int most = stack.largestSegment(v6, out.mss());
        return most == out.mss() ? most - in.sackBytes() : most;
    }

    /**
     * Puts one segment into a frame.
     *
     * @param from distance of its payload from the start of the queue
     * @return false if the guest has no room
     */
    boolean emit(FrameSink sink, int flags, int sequence, int from, int bytes) {
        byte[] header = stack.header();
        int at = Link.ETHERNET_BYTES + (v6 ? Link.IPV6_BYTES : Link.IPV4_BYTES);
        int options =
                (flags & SYN) != 0
                        ? writeSynOptions(header, at + HEADER_BYTES, flags)
                        : in.writeSack(header, at + HEADER_BYTES);
        int tcpBytes = HEADER_BYTES + options;
        if (!sink.begin(at + tcpBytes + bytes, key.hashCode())) {
            return false;
        }
        int window = (flags & ACK) != 0 ? in.advertise() : 0xFFFF;
        if ((flags & SYN) != 0 && (flags & ACK) != 0) {
            window = in.synWindow();
        }
        stack.link().writeIp(header, key.remote(), key.guest(), Ip.TCP, tcpBytes + bytes);
        Bytes.putShort(header, at + SOURCE_PORT, key.remotePort());
        Bytes.putShort(header, at + DESTINATION_PORT, key.guestPort());
        Bytes.putInt(header, at + SEQUENCE, sequence);
        Bytes.putInt(header, at + ACKNOWLEDGMENT, (flags & ACK) != 0 ? in.nxt() : 0);
        Bytes.putByte(header, at + DATA_OFFSET, tcpBytes / 4 << 4);
        Bytes.putByte(header, at + FLAGS, flags);
        Bytes.putShort(header, at + WINDOW, window);
        Bytes.putInt(header, at + CHECKSUM, 0);
        FrameOffload offload = seal(header, at, tcpBytes, from, bytes, options);
        sink.put(header, 0, at + tcpBytes);
        if (bytes > 0) {
            out.queue.copyTo(sink, from, bytes);
        }
        sink.end(offload);
        if ((flags & ACK) != 0) {
            in.acknowledged(bytes == 0 && (flags & (SYN | FIN)) == 0);
        }
        return true;
    }

    /** Fills the checksum in, or leaves it to the guest. */
    private FrameOffload seal(
            byte[] header, int at, int tcpBytes, int from, int bytes, int options) {
        Checksum sum = stack.checksum();
        sum.clear();
        sum.addPseudoHeader(key.remote(), key.guest(), Ip.TCP, tcpBytes + bytes);
        if (!stack.link().guestOffloads().checksum()) {
            sum.add(header, at, tcpBytes);
            out.queue.sum(sum, from, bytes);
            Bytes.putShort(header, at + CHECKSUM, sum.complement());
            return FrameOffload.NONE;
        }
        Bytes.putShort(header, at + CHECKSUM, sum.sum());
        int segment = out.mss() - options;
        FrameOffload.Segmentation kind = FrameOffload.Segmentation.NONE;
        if (bytes > segment) {
            kind = v6 ? FrameOffload.Segmentation.TCP6 : FrameOffload.Segmentation.TCP4;
        }
        return new FrameOffload(
                true,
                false,
                kind,
                kind == FrameOffload.Segmentation.NONE ? 0 : at + tcpBytes,
                kind == FrameOffload.Segmentation.NONE ? 0 : segment,
                at,
                CHECKSUM);
    }

    private int writeSynOptions(byte[] to, int at, int flags) {
        to[at] = OPTION_MSS;
        to[at + 1] = 4;
        Bytes.putShort(to, at + 2, stack.largestMss(v6));
        // In an answer only what was offered.
        boolean answer = (flags & ACK) != 0;
        int n = 4;
        if (!answer || scaling) {
            to[at + n] = OPTION_NOP;
            to[at + n + 1] = OPTION_WINDOW_SCALE;
            to[at + n + 2] = 3;
            to[at + n + 3] = TcpReceiver.SCALE;
            n += 4;
        }
        if (!answer || in.isSelective()) {
            to[at + n] = OPTION_NOP;
            to[at + n + 1] = OPTION_NOP;
            to[at + n + 2] = OPTION_SACK_PERMITTED;
            to[at + n + 3] = 2;
            n += 4;
        }
        return n;
    }
}
