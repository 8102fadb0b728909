package dev.javisor.net.filter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.fixtures.VirtualTimeSource;
import dev.javisor.net.ArrayFrame;
import dev.javisor.net.CollectingSink;
import dev.javisor.net.ScriptedBackend;
import dev.javisor.net.filter.RateLimit.Rate;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class RateLimitTest {
    private static final long SECOND = 1_000_000_000L;

    private final VirtualTimeSource time = new VirtualTimeSource();
    private final ScriptedBackend network = new ScriptedBackend();
    private final AtomicInteger wakes = new AtomicInteger();

    private RateLimit limit(Rate fromGuest, Rate toGuest) {
        RateLimit limit = new RateLimit(network, fromGuest, toGuest, time);
        limit.connect(wakes::incrementAndGet);
        return limit;
    }

    @Test
    void send_beyondTheRate_refusesAndWakesWhenItIsTime() {
        RateLimit limit = limit(new Rate(1_000_000, 10_000), Rate.NONE);
        ArrayFrame frame = ArrayFrame.of(new byte[1000]);
        long sent = 0;
        while (time.nanos() < 2 * SECOND) {
            if (limit.send(frame)) {
                sent += 1000;
            } else {
                int before = wakes.get();
                time.advanceTo(time.nextDeadlineNanos());
                assertThat(wakes.get()).isEqualTo(before + 1);
            }
        }
        assertThat(sent).isBetween(2_000_000L - 2000, 2_000_000L + 12_000);
        assertThat(network.sent).hasSize((int) (sent / 1000));
    }

    @Test
    void receive_beyondTheRate_leavesTheRestAndWakesWhenItIsTime() {
        RateLimit limit = limit(Rate.NONE, new Rate(1_000_000, 1000));
        CollectingSink sink = new CollectingSink(Integer.MAX_VALUE);
        for (int i = 0; i < 100; i++) {
            network.arriving.add(new byte[1000]);
        }
        network.direct = true;
        limit.receive(sink);
        assertThat(sink.frames).hasSize(1);
        while (!network.arriving.isEmpty()) {
            time.advanceTo(time.nextDeadlineNanos());
            limit.receive(sink);
        }
        assertThat(time.nanos()).isBetween(SECOND * 97 / 1000, SECOND * 101 / 1000);
    }

    @Test
    void send_bothDirectionsSlow_eachHasItsOwnTimer() {
        RateLimit limit = limit(new Rate(1000, 100), new Rate(10, 100));
        CollectingSink sink = new CollectingSink(Integer.MAX_VALUE);
        network.arriving.add(new byte[100]);
        network.arriving.add(new byte[100]);
        limit.receive(sink);
        assertThat(limit.send(ArrayFrame.of(new byte[100]))).isTrue();
        assertThat(limit.send(ArrayFrame.of(new byte[100]))).isFalse();
        limit.receive(sink);
        assertThat(time.armedTimers()).isEqualTo(2);
        limit.close();
        assertThat(time.armedTimers()).isZero();
        assertThat(network.closed).isTrue();
    }

    @Test
    void send_aBusyNetwork_costsNothing() {
        RateLimit limit = limit(new Rate(1000, 100), Rate.NONE);
        network.refuses = true;
        for (int i = 0; i < 10; i++) {
            assertThat(limit.send(ArrayFrame.of(new byte[100]))).isFalse();
        }
        network.refuses = false;
        assertThat(limit.send(ArrayFrame.of(new byte[100]))).isTrue();
    }
}
