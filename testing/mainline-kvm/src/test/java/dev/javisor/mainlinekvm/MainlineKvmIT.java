package dev.javisor.mainlinekvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.javisor.mainlinekvm.RigReport.Failed;
import dev.javisor.mainlinekvm.RigReport.Outcome;
import dev.javisor.mainlinekvm.RigReport.Passed;
import dev.javisor.mainlinekvm.RigReport.Planned;
import dev.javisor.mainlinekvm.RigReport.Skipped;
import dev.javisor.mainlinekvm.RigReport.Started;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/**
 * Starts the emulated machine, and tells each case of {@link InsideMain} as a test of its own.
 * {@code -Drig.filter=PART,...} runs only cases with one of these parts in {@code SUITE/CASE}.
 */
class MainlineKvmIT {
    @TestFactory
    List<DynamicNode> onMainlineKvm() throws IOException, InterruptedException {
        assumeTrue(EmulatedMachine.isInstalled(), "qemu-system-x86_64 is not installed");
        String filter = System.getProperty("rig.filter", "");
        List<String> parts = filter.isBlank() ? List.of() : List.of(filter.split(","));
        Path target = Path.of(System.getProperty("rig.directory", "target")).toAbsolutePath();
        Path work = Files.createDirectories(target.resolve("rig"));
        RigImage rig = new RigImage(work, target.resolve("runtime"));
        RigReport report = new RigReport();
        Path log = work.resolve("console.log");
        EmulatedMachine.run(rig.build(parts), log, line -> take(report, line));
        List<DynamicNode> nodes = new ArrayList<>();
        for (Map.Entry<String, Map<String, Outcome>> suite : report.suites().entrySet()) {
            List<DynamicNode> cases = new ArrayList<>();
            suite.getValue()
                    .forEach((name, outcome) ->
                            cases.add(
                                    dynamicTest(
                                            suite.getKey() + '/' + name,
                                            () -> verdict(outcome, log))));
            nodes.add(dynamicContainer(suite.getKey(), cases));
        }
        nodes.add(
                dynamicTest(
                        "every-case-was-run",
                        () ->
                                assertThat(report.ended())
                                        .as("the console ends: " + tail(log))
                                        .isTrue()));
        return nodes;
    }

    private static void take(RigReport report, String line) {
        if (report.line(line) && Boolean.getBoolean("rig.verbose")) {
            System.out.println(line.strip());
        }
    }

    private static void verdict(Outcome outcome, Path log) throws IOException {
        switch (outcome) {
            case Passed _ -> {}
            case Skipped skipped -> Assumptions.abort(skipped.reason());
            case Failed failed -> throw new AssertionError("inside: " + failed.trace());
            case Planned _ -> throw new AssertionError("never begun");
            case Started _ -> throw new AssertionError("never ended; the console: " + tail(log));
        }
    }

    private static String tail(Path log) throws IOException {
        String text = Files.readString(log);
        return text.substring(Math.max(0, text.length() - 3000)) + "\nwhole console: " + log;
    }
}
