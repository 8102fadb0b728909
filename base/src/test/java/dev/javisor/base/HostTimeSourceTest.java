package dev.javisor.base;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
final class HostTimeSourceTest {
    @Test
    void timer_armedInThePast_fires() throws InterruptedException {
        try (HostTimeSource time = new HostTimeSource("test timer")) {
            CountDownLatch fired = new CountDownLatch(1);
            time.timer("t", fired::countDown).arm(time.nanos() - 1);
            fired.await();
        }
    }

    @Test
    void pause_freezesTheClockAndItsTimers_untilResume() throws InterruptedException {
        try (HostTimeSource time = new HostTimeSource("test timer")) {
            time.pause();
            long frozen = time.nanos();
            CountDownLatch fired = new CountDownLatch(1);
            // Due at once, were the clock running.
            time.timer("t", fired::countDown).arm(frozen);
            assertThat(fired.await(20, TimeUnit.MILLISECONDS)).isFalse();
            assertThat(time.nanos()).isEqualTo(frozen);
            time.resume();
            fired.await();
            assertThat(time.nanos() - frozen).isBetween(0L, TimeUnit.SECONDS.toNanos(10));
        }
    }

    @Test
    void resume_withoutPause_changesNothing() {
        try (HostTimeSource time = new HostTimeSource("test timer")) {
            long before = time.nanos();
            time.resume();
            assertThat(time.nanos()).isGreaterThanOrEqualTo(before);
        }
    }
}
