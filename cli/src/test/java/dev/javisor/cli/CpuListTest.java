package dev.javisor.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CpuListTest {
    @Test
    void numbersAndRanges_inTheirOrder() {
        assertThat(CpuList.parse("3,0-2").cpus()).containsExactly(3, 0, 1, 2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a", "1,", "2-1", "-1", "1-", "0-2-3", "1024", "99999999999"})
    void anythingElse_isExplained(String text) {
        assertThatThrownBy(() -> CpuList.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no list of host CPUs");
    }
}
