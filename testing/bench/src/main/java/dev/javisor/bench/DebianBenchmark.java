package dev.javisor.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A full Debian with systemd and two vCPUs to its login prompt; no unit may have failed. */
final class DebianBenchmark implements Benchmark {
    private static final String APPEND = "root=/dev/vda rw console=ttyS0 quiet panic=-1";
    private static final int VCPUS = 2;
    private static final int TIMEOUT_SECONDS = 900;

    @Override
    public String name() {
        return "debian";
    }

    @Override
    public String description() {
        return "Debian 12 with systemd, 2 vCPUs, to its login prompt; needs root, mmdebstrap";
    }

    @Override
    public List<Row> run(Setting setting) throws IOException, InterruptedException {
        DebianDisk debian = DebianDisk.prepare(setting);
        List<Double> ours = new ArrayList<>();
        List<Double> peer = new ArrayList<>();
        for (int i = 0; i < setting.runs(); i++) {
            ours.add(measure("ours", debian.ours(setting, VCPUS, APPEND)));
            peer.add(measure("peer", debian.peer(VCPUS, APPEND)));
        }
        return List.of(
                Row.lessIsBetter(
                        "boot to the login prompt, median",
                        Statistics.median(ours),
                        Statistics.median(peer),
                        "s"));
    }

    /** Seconds to the login prompt; waits for the report that no unit has failed. */
    private static double measure(String side, List<String> command)
            throws IOException, InterruptedException {
        double[] prompt = {Double.NaN};
        String[] report = {""};
        GuestProcess.Result result =
                GuestProcess.run(
                        command,
                        TIMEOUT_SECONDS,
                        (now, line) -> {
                            // The line above "login:", which has no end of its own.
                            if (line.contains("Debian GNU/Linux 12") && line.contains("ttyS0")) {
                                prompt[0] = now;
                            }
                            if (line.contains(DebianDisk.REPORT)) {
                                report[0] = line.strip();
                            }
                            return !Double.isNaN(prompt[0]) && !report[0].isEmpty();
                        });
        if (Double.isNaN(result.seconds()) || !report[0].contains(" 0 failed units")) {
            throw new IOException(
                    "%s: %s; the output ends:%n%s"
                            .formatted(side, report[0], BootBenchmark.tail(result.output())));
        }
        System.err.printf("%s: login prompt after %.1f s, %s%n", side, prompt[0], report[0]);
        return prompt[0];
    }
}
