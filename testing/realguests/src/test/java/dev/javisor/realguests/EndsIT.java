package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Ends that come from outside, before the guest has booted. */
class EndsIT {
    private static final int TIMEOUT = 124;
    private static final int INTERRUPTED = 130;

    @Test
    void timeout_runsOut_endsWithItsStatus() throws Exception {
        Javisor.Run run = Javisor.of("run", "--timeout", "2s", "--", "sleep", "1000").run();
        assertThat(run.status()).isEqualTo(TIMEOUT);
        assertThat(run.err()).isEqualTo("javisor: --timeout ran out: the guest was stopped\n");
        assertThat(run.out()).isEmpty();
        System.out.printf("timeout of 2 s: %.1f s%n", run.time().toMillis() / 1000.0);
    }

    @Test
    void interrupt_ofTheGroup_endsAtOnce() throws Exception {
        HostTools.need("setsid");
        Javisor javisor = Javisor.of("run", "-v", "--", "sleep", "1000").interruptible();
        try (Javisor.Started started = javisor.start()) {
            started.awaitOnStandardError("Linux version");
            long begin = System.nanoTime();
            started.signalGroup("INT");
            Javisor.Run run = started.await();
            System.out.printf("interrupt: %.1f s%n", (System.nanoTime() - begin) / 1e9);
            assertThat(run.status()).isEqualTo(INTERRUPTED);
            assertThat(run.out()).isEmpty();
            assertThat(run.err()).doesNotContain("\tat ");
        }
    }
}
