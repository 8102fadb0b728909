package dev.javisor.softcpu.core;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class BlockBudgetTest {
    private final BlockBudget budget = new BlockBudget();

    @Test
    void one_hasItsOwnLimit() {
        budget.join();
        assertThat(keep(1_000_000)).isEqualTo(150_000);
    }

    @Test
    void many_keepTheirShareAndNoMoreWhenAllIsUsed() {
        for (int i = 0; i < 200; i++) {
            budget.join();
        }
        assertThat(keep(100_000)).as("room that others do not use").isEqualTo(100_000);
        assertThat(keep(150_000)).isEqualTo(150_000);
        assertThat(keep(150_000)).isEqualTo(150_000);
        assertThat(keep(5_000)).as("400,000 among 200").isEqualTo(2_000);
        budget.add(-150_000);
        assertThat(keep(5_000)).as("after one has dropped its own").isEqualTo(5_000);
    }

    /** How many of {@code wanted} blocks a vCPU without any gets. */
    private int keep(int wanted) {
        int own = 0;
        while (own < wanted && budget.grants(own)) {
            budget.add(1);
            own++;
        }
        return own;
    }
}
