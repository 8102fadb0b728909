package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Both tiers of the software CPU in lockstep while Linux boots, as far as it comes. Property {@code
 * lockstep.timeout}: how long; {@code 1h} is enough for the whole boot.
 */
class LockstepIT {
    private static final String TIMEOUT = System.getProperty("lockstep.timeout", "25s");
    private static final Pattern COMPARED =
            Pattern.compile("lockstep compared (\\d+) instructions");

    /** Of javisor's statuses: the guest's command succeeded, time ran out. */
    private static final Integer[] FINE = {0, 124};

    @ParameterizedTest
    @ValueSource(strings = {"1", "2"})
    void boot_inLockstep_hasNoDifference(String cpus) throws Exception {
        Javisor.Run run =
                Javisor.of(
                                "run",
                                "--translate",
                                "lockstep",
                                "--cpus",
                                cpus,
                                "--timeout",
                                TIMEOUT,
                                "--trace",
                                "cpu",
                                "--",
                                "true")
                        .run();
        long compared =
                COMPARED.matcher(run.err())
                        .results()
                        .map((MatchResult result) -> result.group(1))
                        .mapToLong(Long::parseLong)
                        .sum();
        System.out.printf("lockstep, %s CPUs: %d instructions compared%n", cpus, compared);
        assertThat(run.status()).as(run.err()).isIn((Object[]) FINE);
        assertThat(run.err()).doesNotContain("differ after");
        assertThat(compared).as(run.err()).isGreaterThan(1_000_000);
    }
}
