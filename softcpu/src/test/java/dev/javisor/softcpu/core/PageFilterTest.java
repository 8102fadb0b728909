package dev.javisor.softcpu.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class PageFilterTest {
    private static final int[] SHIFTS = {12, 21, 22, 30};

    private final long seed = Long.getLong("javisor.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final PageFilter filter = new PageFilter();

    @Test
    void mayHold_anyAddressOfAnyPageAdded_yes() {
        for (int i = 0; i < 1000; i++) {
            int shift = SHIFTS[random.nextInt(SHIFTS.length)];
            long page = random.nextLong() & -1L << shift;
            filter.add(page + random.nextInt(1 << 12), shift);
            long inside = page + (random.nextLong() & (1L << shift) - 1);
            assertThat(filter.mayHold(inside)).as("seed %d, %x", seed, inside).isTrue();
        }
    }

    @Test
    void mayHold_fewPages_mostOthersNo() {
        for (int page = 0; page < 20; page++) {
            filter.add(0x7000_0000_0000L + 4096L * page, 12);
        }
        int wrong = 0;
        for (int i = 0; i < 1000; i++) {
            wrong += filter.mayHold(random.nextLong() >>> 1) ? 1 : 0;
        }
        assertThat(wrong).as("seed %d", seed).isLessThan(100);
    }

    @Test
    void mayHold_afterClear_no() {
        filter.add(0x1000, 12);
        filter.clear();
        assertThat(filter.mayHold(0x1000)).isFalse();
    }
}
