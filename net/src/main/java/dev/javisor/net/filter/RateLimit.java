package dev.javisor.net.filter;

import dev.javisor.base.TimeSource;
import dev.javisor.base.TokenBucket;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameSink;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetBackend;
import dev.javisor.net.NetOffloads;
import java.lang.foreign.MemorySegment;

/**
 * Slows an interface down to a rate in each direction. Nothing is queued or dropped: a frame beyond
 * the rate stays with its sender until its time has come. On the interface's I/O thread, but for
 * the timer, which only wakes that.
 */
public final class RateLimit implements NetBackend {
    /**
     * The rates of one direction.
     *
     * @param bytesPerSecond 0 for no limit
     * @param burstBytes what may go at once after a pause; 0 for a tenth of a second's worth
     */
    public record Rate(long bytesPerSecond, long burstBytes) {
        public static final Rate NONE = new Rate(0, 0);

        /** The smallest burst: one large segment, or else those would come out one by one. */
        private static final long LEAST_BURST = 1 << 16;

        public Rate {
            if (bytesPerSecond < 0 || burstBytes < 0) {
                throw new IllegalArgumentException("a rate is not negative");
            }
        }

        private TokenBucket bucket(long nowNanos) {
            if (bytesPerSecond == 0) {
                return new TokenBucket(Long.MAX_VALUE, Long.MAX_VALUE, nowNanos);
            }
            long burst = burstBytes > 0 ? burstBytes : Math.max(LEAST_BURST, bytesPerSecond / 10);
            return new TokenBucket(bytesPerSecond, burst, nowNanos);
        }
    }

    /** One direction: its bucket, and the timer that wakes the interface when it is ready. */
    private final class Direction {
        private final TokenBucket bucket;
        private final TimeSource.Timer timer;

        Direction(Rate rate) {
            bucket = rate.bucket(time.nanos());
            timer = time.timer("network rate", () -> wake.run());
        }

        boolean isReady() {
            long now = time.nanos();
            if (bucket.isReady(now)) {
                return true;
            }
            timer.arm(bucket.readyNanos(now));
            return false;
        }
    }

    private final NetBackend inner;
    private final TimeSource time;
    private final Direction fromGuest;
    private final Direction toGuest;

    /** Read by the timer's thread. */
    private volatile Runnable wake = () -> {};

    public RateLimit(NetBackend inner, Rate fromGuest, Rate toGuest, TimeSource time) {
        this.inner = inner;
        this.time = time;
        this.fromGuest = new Direction(fromGuest);
        this.toGuest = new Direction(toGuest);
    }

    @Override
    public int mtuBytes() {
        return inner.mtuBytes();
    }

    @Override
    public NetOffloads accepted() {
        return inner.accepted();
    }

    @Override
    public void connect(Runnable wakeInterface) {
        wake = wakeInterface;
        inner.connect(wakeInterface);
    }

    @Override
    public void start(MacAddress mac, NetOffloads guest) {
        inner.start(mac, guest);
    }

    @Override
    public void change(NetOffloads guest) {
        inner.change(guest);
    }

    @Override
    public void stop() {
        inner.stop();
    }

    @Override
    public boolean send(Frame frame) {
        if (!fromGuest.isReady() || !inner.send(frame)) {
            return false;
        }
        fromGuest.bucket.take(frame.sizeBytes());
        return true;
    }

    @Override
    public void receive(FrameSink sink) {
        if (toGuest.isReady()) {
            inner.receive(new Counting(sink));
        }
    }

    @Override
    public void close() {
        fromGuest.timer.cancel();
        toGuest.timer.cancel();
        inner.close();
    }

    /**
     * Lets frames through while there are tokens; one a batch, so its allocation does not count.
     */
    private final class Counting implements FrameSink {
        private final FrameSink guest;
        private long sizeBytes;

        Counting(FrameSink guest) {
            this.guest = guest;
        }

        @Override
        public boolean begin(int maxBytes) {
            return begin(maxBytes, 0);
        }

        @Override
        public boolean begin(int maxBytes, int flow) {
            if (!toGuest.isReady()) {
                return false;
            }
            sizeBytes = 0;
            return guest.begin(maxBytes, flow);
        }

        @Override
        public void put(byte[] from, int at, int count) {
            guest.put(from, at, count);
            sizeBytes += count;
        }

        @Override
        public void put(MemorySegment from, long at, long count) {
            guest.put(from, at, count);
            sizeBytes += count;
        }

        @Override
        public MemorySegment[] room(int count) {
            return guest.room(count);
        }

        @Override
        public void filled(int count) {
            guest.filled(count);
            sizeBytes += count;
        }

        @Override
        public void end(FrameOffload offload) {
            guest.end(offload);
            toGuest.bucket.take(sizeBytes);
        }

        @Override
        public void cancel() {
            guest.cancel();
        }
    }
}
