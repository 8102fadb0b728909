package dev.javisor.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.virtio.VirtioStatus.Outcome;
import java.util.Random;
import org.junit.jupiter.api.Test;

class VirtioStatusTest {
    private final VirtioStatus status = new VirtioStatus();

    @Test
    void spec_3_1_1_initialisation_goesThroughEveryPhase() {
        assertThat(status.write(1, true)).isEqualTo(Outcome.NONE);
        assertThat(status.featuresNegotiable()).isFalse();
        assertThat(status.write(3, true)).isEqualTo(Outcome.NONE);
        assertThat(status.featuresNegotiable()).isTrue();
        assertThat(status.queuesConfigurable()).isFalse();
        assertThat(status.write(11, true)).isEqualTo(Outcome.NONE);
        assertThat(status.featuresNegotiable()).isFalse();
        assertThat(status.queuesConfigurable()).isTrue();
        assertThat(status.write(15, true)).isEqualTo(Outcome.STARTED);
        assertThat(status.queuesConfigurable()).isFalse();
        assertThat(status.isLive()).isTrue();
        assertThat(status.value()).isEqualTo(15);
    }

    @Test
    void spec_2_2_2_featuresOk_unacceptable_doesNotStick() {
        status.write(1, true);
        status.write(3, true);
        assertThat(status.write(11, false)).isEqualTo(Outcome.NONE);
        assertThat(status.value()).isEqualTo(3);
        assertThat(status.write(15, true)).as("with both at once").isEqualTo(Outcome.STARTED);
    }

    @Test
    void driverOk_withoutFeaturesOk_isIllegal() {
        status.write(3, true);
        assertThat(status.write(7, true)).isEqualTo(Outcome.ILLEGAL);
        assertThat(status.isLive()).isFalse();
        assertThat(status.value() & VirtioStatus.DRIVER_OK).isZero();
    }

    @Test
    void spec_2_1_1_clearingABit_isIllegal() {
        status.write(15, true);
        assertThat(status.write(11, true)).isEqualTo(Outcome.ILLEGAL);
        assertThat(status.value()).isEqualTo(15);
    }

    @Test
    void reset_beforeDriverOk_isImmediate() {
        status.write(11, true);
        assertThat(status.write(0, true)).isEqualTo(Outcome.RESET);
        assertThat(status.value()).isZero();
    }

    @Test
    void spec_2_4_1_resetWhileLive_readsNonZeroUntilFinished() {
        status.write(15, true);
        assertThat(status.write(0, true)).isEqualTo(Outcome.STOPPING);
        assertThat(status.value()).isNotZero();
        assertThat(status.isLive()).isFalse();
        assertThat(status.write(0, true)).isEqualTo(Outcome.NONE);
        assertThat(status.write(15, true)).isEqualTo(Outcome.ILLEGAL);
        assertThat(status.queuesConfigurable()).isFalse();
        status.finishReset();
        assertThat(status.value()).isZero();
        assertThat(status.write(15, true)).isEqualTo(Outcome.STARTED);
    }

    @Test
    void needsReset_live_servesNoMoreUntilReset() {
        status.write(15, true);
        status.needsReset();
        assertThat(status.value()).isEqualTo(15 | VirtioStatus.NEEDS_RESET);
        assertThat(status.isLive()).isFalse();
        assertThat(status.isDriverOk()).isTrue();
        assertThat(status.write(15, true)).isEqualTo(Outcome.NONE);
        assertThat(status.isLive()).isFalse();
        assertThat(status.write(0, true)).isEqualTo(Outcome.STOPPING);
    }

    @Test
    void failed_live_servesNoMore() {
        status.write(15, true);
        status.write(15 | VirtioStatus.FAILED, true);
        assertThat(status.isLive()).isFalse();
    }

    @Test
    void anyWrites_invariantsHold() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < 20_000; i++) {
            int before = status.value();
            boolean resetting = status.isResetting();
            int value = random.nextInt(3) == 0 ? 0 : random.nextInt(256);
            if (random.nextInt(4) == 0) {
                value = before | 1 << random.nextInt(8);
            }
            Outcome outcome = status.write(value, random.nextBoolean());
            int after = status.value();
            String step = "seed %d: %#x <- %#x -> %#x".formatted(seed, before, value, after);
            if (outcome != Outcome.RESET) {
                assertThat(after & before).as(step).isEqualTo(before);
            }
            if (resetting) {
                assertThat(after).as(step).isEqualTo(before);
            }
            if ((after & VirtioStatus.DRIVER_OK) != 0) {
                assertThat(after & 11).as(step).isEqualTo(11);
            }
            assertThat(status.featuresNegotiable() && status.queuesConfigurable())
                    .as(step)
                    .isFalse();
            assertThat(status.queuesConfigurable() && status.isLive()).as(step).isFalse();
            if (random.nextInt(10) == 0) {
                status.needsReset();
            }
            if (status.isResetting() && random.nextInt(3) == 0) {
                status.finishReset();
            }
        }
    }

    @Test
    void restore_impossibleValue_isRefused() {
        assertThat(status.restore(4)).isFalse();
        assertThat(status.restore(2)).isFalse();
        assertThat(status.restore(15 | VirtioStatus.NEEDS_RESET)).isTrue();
        assertThat(status.isLive()).isFalse();
    }
}
