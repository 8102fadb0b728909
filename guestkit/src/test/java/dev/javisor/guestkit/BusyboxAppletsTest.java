package dev.javisor.guestkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BusyboxAppletsTest {
    private static final List<String> NAMES = new ArrayList<>(List.of("[", "[["));

    static {
        for (char first = 'a'; first <= 'z'; first++) {
            NAMES.add(first + "cpid");
            NAMES.add(first + "sh-2.x");
        }
    }

    private static byte[] binary(List<String> names, String after) {
        return ("\177ELF junk\0[\0[[\0bad\0junk\0" + String.join("\0", names) + "\0" + after)
                .getBytes(StandardCharsets.US_ASCII);
    }

    @Test
    void names_tableAfterAFalseStart_isFoundWhole() {
        assertThat(BusyboxApplets.names(binary(NAMES, "\0\0more"))).isEqualTo(NAMES);
    }

    @Test
    void names_tableEndsAtUnsortedText_stopsThere() {
        assertThat(BusyboxApplets.names(binary(NAMES, "abc\0zzz\0"))).isEqualTo(NAMES);
    }

    @Test
    void names_noTable_isEmpty() {
        assertThat(BusyboxApplets.names(new byte[1000])).isEmpty();
        assertThat(BusyboxApplets.names(new byte[0])).isEmpty();
    }
}
