package dev.javisor.mainlinekvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.mainlinekvm.RigReport.Failed;
import dev.javisor.mainlinekvm.RigReport.Passed;
import dev.javisor.mainlinekvm.RigReport.Planned;
import dev.javisor.mainlinekvm.RigReport.Skipped;
import dev.javisor.mainlinekvm.RigReport.Started;
import dev.javisor.mainlinekvm.Suite.TestCase;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** What is told inside arrives outside. */
class RigReportTest {
    private final ByteArrayOutputStream console = new ByteArrayOutputStream();
    private final Results results =
            new Results(new PrintStream(console, true, StandardCharsets.UTF_8));

    private RigReport read() {
        RigReport report = new RigReport();
        console.toString(StandardCharsets.UTF_8).lines().forEach(report::line);
        return report;
    }

    private static Map<String, RigReport.Outcome> cases(RigReport report, String suite) {
        return Objects.requireNonNull(report.suites().get(suite));
    }

    private static Suite suite() {
        return new Suite(
                "things",
                List.of(
                        new TestCase("fine", () -> {}),
                        new TestCase(
                                "broken",
                                () -> {
                                    throw new IllegalStateException("größer als\n3");
                                }),
                        new TestCase("after", () -> {})));
    }

    @Test
    void run_oneCaseFails_theOthersRunAndAllIsTold() {
        assertThat(InsideMain.run(List.of(suite()), results, List.of())).isEqualTo(1);
        RigReport report = read();
        assertThat(report.ended()).isTrue();
        Map<String, RigReport.Outcome> cases = cases(report, "things");
        assertThat(cases).containsOnlyKeys("fine", "broken", "after");
        assertThat(cases.get("fine")).isInstanceOf(Passed.class);
        assertThat(cases.get("after")).isInstanceOf(Passed.class);
        assertThat(cases.get("broken"))
                .isInstanceOfSatisfying(
                        Failed.class,
                        failed ->
                                assertThat(failed.trace())
                                        .startsWith(
                                                "java.lang.IllegalStateException: größer als\n3"));
    }

    @Test
    void run_skippedCase_isNoFailureAndSaysWhy() {
        Suite suite =
                new Suite(
                        "s",
                        List.of(
                                new TestCase(
                                        "a",
                                        () -> {
                                            throw new SkippedException("no such thing here");
                                        })));
        assertThat(InsideMain.run(List.of(suite), results, List.of())).isZero();
        assertThat(cases(read(), "s")).containsEntry("a", new Skipped("no such thing here"));
    }

    @Test
    void flaw_sameCaseOtherSymptom_isAFailure() {
        String name = "page-fault-error-codes";
        assertThat(
                        EmulatorFlaw.shownBy(
                                name, new RuntimeException("reserved bit: error code: 0x8, x")))
                .isPresent();
        assertThat(EmulatorFlaw.shownBy(name, new RuntimeException("write: error code: 0x8, x")))
                .isEmpty();
        assertThat(
                        EmulatorFlaw.shownBy(
                                "other", new RuntimeException("reserved bit: error code: 0x8,")))
                .isEmpty();
    }

    @Test
    void resumeFlag_anythingElseDiffers_isAFailure() {
        String start = "faults, stop 1 Stop[reason=KICKED], soft against kvm:\n";
        String flag = "  memory at 0x7ffe8: 0x10046 against 0x46\n";
        assertThat(EmulatorFlaw.onlyResumeFlag(start + flag + "  RFLAGS: 0x2 against 0x10002"))
                .isTrue();
        assertThat(EmulatorFlaw.onlyResumeFlag(start + flag + "  RAX: 0x10002 against 0x2"))
                .isFalse();
        assertThat(EmulatorFlaw.onlyResumeFlag(start + "  RFLAGS: 0x3 against 0x10002")).isFalse();
        assertThat(EmulatorFlaw.onlyResumeFlag("faults: does not end")).isFalse();
    }

    @Test
    void run_withParts_onlyWhatHasOneInItsName() {
        assertThat(InsideMain.run(List.of(suite()), results, List.of("s/af", "fin"))).isZero();
        assertThat(cases(read(), "things")).containsOnlyKeys("fine", "after");
    }

    @Test
    void line_machineStopsHalfway_saysWhichCasesAreOpen() {
        results.plan("s", "a");
        results.plan("s", "b");
        results.start("s", "a");
        RigReport report = read();
        assertThat(report.ended()).isFalse();
        assertThat(cases(report, "s"))
                .containsEntry("a", new Started())
                .containsEntry("b", new Planned());
    }

    @Test
    void line_kernelMessageBefore_isStillFound() {
        RigReport report = new RigReport();
        assertThat(report.line("[  3.14] kvm: nested@rig pass s a 12\r")).isTrue();
        assertThat(report.line("[  3.14] kvm: hello")).isFalse();
        assertThat(cases(report, "s")).containsEntry("a", new Passed(12));
    }
}
