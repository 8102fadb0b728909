package dev.javisor.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SizesTest {
    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "1, 1",
        "4096, 4096",
        "100B, 100",
        "1K, 1024",
        "512m, 536870912",
        "512MB, 536870912",
        "512MiB, 536870912",
        "4g, 4294967296",
        "10T, 10995116277760",
        "7E, 8070450532247928832"
    })
    void parse_knownForms_isBytes(String text, long expected) {
        assertThat(Sizes.parse(text)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "M", "-1M", "1.5G", "12X", "512 M", "512MM", "iB", "5i", "0x10", "１K"})
    void parse_anythingElse_isRefusedWithExample(String text) {
        assertThatThrownBy(() -> Sizes.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'" + text + "'")
                .hasMessageContaining("512M");
    }

    @ParameterizedTest
    @ValueSource(strings = {"8E", "99999999999999999999", "9223372036854775807K"})
    void parse_beyondALong_isTooLarge(String text) {
        assertThatThrownBy(() -> Sizes.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("too large");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "1", "1000", "1K", "1025", "512M", "1536M", "3G", "7E"})
    void format_isReadBackByParse(String text) {
        assertThat(Sizes.format(Sizes.parse(text))).isEqualTo(text);
    }

    @Test
    void approximate_isRounded() {
        assertThat(Sizes.approximate(1000)).isEqualTo("1000 B");
        assertThat(Sizes.approximate(1536)).isEqualTo("1.5 KiB");
        assertThat(Sizes.approximate(25_278_000_000L)).isEqualTo("23.5 GiB");
    }
}
