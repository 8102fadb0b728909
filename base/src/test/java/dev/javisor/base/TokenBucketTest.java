package dev.javisor.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class TokenBucketTest {
    private static final long SECOND = 1_000_000_000L;

    @Test
    void take_aFullBucket_allowsTheBurstAtOnce() {
        TokenBucket bucket = new TokenBucket(10, 5, 0);
        for (int i = 0; i < 5; i++) {
            assertThat(bucket.isReady(0)).isTrue();
            bucket.take(1);
        }
        assertThat(bucket.isReady(0)).isFalse();
    }

    @Test
    void take_overALongTime_keepsTheRate() {
        TokenBucket bucket = new TokenBucket(1000, 100, 0);
        long now = 0;
        long taken = 0;
        while (now < 10 * SECOND) {
            if (bucket.isReady(now)) {
                bucket.take(7);
                taken += 7;
            } else {
                long ready = bucket.readyNanos(now);
                assertThat(ready).isGreaterThan(now);
                assertThat(ready - now).isLessThan(SECOND / 100);
                now = ready;
            }
        }
        assertThat(taken).isBetween(10_000L, 10_000L + 100 + 7);
    }

    @Test
    void take_moreThanTheBurst_isOwedForAsLongAsItTakes() {
        TokenBucket bucket = new TokenBucket(1000, 10, 0);
        assertThat(bucket.isReady(0)).isTrue();
        bucket.take(1010);
        assertThat(bucket.isReady(SECOND)).isFalse();
        assertThat(bucket.readyNanos(SECOND)).isBetween(SECOND, SECOND + 2_000_000);
    }

    @Test
    void fill_aLongPause_savesNoMoreThanTheBurst() {
        TokenBucket bucket = new TokenBucket(1000, 10, 0);
        assertThat(bucket.isReady(100 * SECOND)).isTrue();
        bucket.take(10);
        assertThat(bucket.isReady(100 * SECOND)).isFalse();
    }

    @Test
    void fill_aClockThatStepsBack_takesNothingAway() {
        TokenBucket bucket = new TokenBucket(10, 5, SECOND);
        assertThat(bucket.isReady(0)).isTrue();
    }

    @Test
    void constructor_zeroRate_isRefused() {
        assertThatThrownBy(() -> new TokenBucket(0, 1, 0))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
