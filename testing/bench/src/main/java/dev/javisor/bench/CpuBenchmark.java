package dev.javisor.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Hot loops as a bare-metal guest, built from testing/bench/guest by the host's gcc: each kernel's
 * wall time on the software CPU, on QEMU's, and, where a process can do it, natively. Every run
 * repeats each kernel; rows are minima over all repetitions, and a summary compares the first ones,
 * warm-up included.
 */
final class CpuBenchmark implements Benchmark {
    /** Times as slow as native at which the peer counts as abnormally slow. */
    private static final int ABNORMAL = 12;

    private static final int TIMEOUT_SECONDS = 300;
    private static final Pattern BEGIN = Pattern.compile("begin (.+) ([0-9a-f]{16})");
    private static final Pattern END =
            Pattern.compile("end (.+) ([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16})");
    private static final Pattern RETIRED =
            Pattern.compile("vcpu 0: ([0-9]+) instructions in ([0-9.]+) s");

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String description() {
        return "hot loops, vectors, atomics, system calls and faults, bare metal; and guest MIPS";
    }

    /** What one side measured, by kernel, in seconds. */
    private record Times(Map<String, List<Double>> all, Map<String, List<Double>> first) {
        Times() {
            this(new LinkedHashMap<>(), new LinkedHashMap<>());
        }

        double best(String kernel) {
            return Statistics.minimum(all.getOrDefault(kernel, List.of()));
        }

        double cold(String kernel) {
            return Statistics.minimum(first.getOrDefault(kernel, List.of()));
        }
    }

    @Override
    public List<Row> run(Setting setting) throws IOException, InterruptedException {
        Path guest = buildGuest(setting);
        Path nativeProgram = buildNative(setting);
        List<String> ours =
                List.of(
                        setting.launcher(),
                        "run",
                        "--accel",
                        "soft",
                        "--memory",
                        "256M",
                        "--cpus",
                        "2",
                        "--kernel",
                        guest.toString(),
                        "--debug-exit",
                        "--trace",
                        "cpu");
        List<String> peer =
                Qemu.command(
                        "256M",
                        List.of(
                                "-smp",
                                "2",
                                "-cpu",
                                "max",
                                "-kernel",
                                guest.toString(),
                                "-device",
                                "isa-debug-exit,iobase=0xf4,iosize=4"));
        System.err.println("peer: " + Qemu.version());
        Times ourTimes = new Times();
        Times peerTimes = new Times();
        Times nativeTimes = new Times();
        Map<String, String> checksums = new LinkedHashMap<>();
        List<Double> mips = new ArrayList<>();
        for (int i = 0; i < setting.runs(); i++) {
            System.err.println("run " + (i + 1) + " of " + setting.runs());
            measure(List.of(nativeProgram.toString()), nativeTimes, checksums);
            String output = measure(ours, ourTimes, checksums);
            measure(peer, peerTimes, checksums);
            Matcher retired = RETIRED.matcher(output);
            if (retired.find()) {
                mips.add(
                        Long.parseLong(retired.group(1))
                                / 1e6
                                / Double.parseDouble(retired.group(2)));
            }
        }
        List<Row> rows = new ArrayList<>();
        List<Double> ratios = new ArrayList<>();
        List<Double> normal = new ArrayList<>();
        List<Double> colds = new ArrayList<>();
        List<Double> slowdowns = new ArrayList<>();
        for (String kernel : ourTimes.all.keySet()) {
            double our = ourTimes.best(kernel);
            double their = peerTimes.best(kernel);
            double hosts = nativeTimes.best(kernel);
            rows.add(
                    Row.lessIsBetter(kernel, our * 1e3, their * 1e3, "ms")
                            .withReference(hosts * 1e3));
            ratios.add(their / our);
            colds.add(peerTimes.cold(kernel) / ourTimes.cold(kernel));
            if (!Double.isNaN(hosts)) {
                slowdowns.add(hosts / our);
            }
            if (their < ABNORMAL * hosts || Double.isNaN(hosts)) {
                normal.add(their / our);
            }
        }
        rows.add(Row.summary("geomean against peer", Statistics.geometricMean(ratios)));
        rows.add(
                Row.summary(
                        "the same where peer/native < " + ABNORMAL,
                        Statistics.geometricMean(normal)));
        rows.add(Row.summary("geomean, first repetition", Statistics.geometricMean(colds)));
        rows.add(Row.summary("geomean against native", Statistics.geometricMean(slowdowns)));
        if (!mips.isEmpty()) {
            rows.add(Row.alone("guest instructions", Statistics.median(mips), "MIPS"));
        }
        return rows;
    }

    /** Of a time-stamp counter, from the host's times of the first and the last line. */
    private static final class Frequency {
        private double firstSeconds = Double.NaN;
        private double lastSeconds;
        private long firstTicks;
        private long lastTicks;

        void see(double seconds, String hex) {
            lastSeconds = seconds;
            lastTicks = Long.parseUnsignedLong(hex, 16);
            if (Double.isNaN(firstSeconds)) {
                firstSeconds = seconds;
                firstTicks = lastTicks;
            }
        }

        double hertz() {
            return (lastTicks - firstTicks) / (lastSeconds - firstSeconds);
        }
    }

    /** Runs to the line "done"; adds each kernel's times; every side must agree on checksums. */
    private static String measure(List<String> command, Times times, Map<String, String> checksums)
            throws IOException, InterruptedException {
        Map<String, List<Double>> ticks = new LinkedHashMap<>();
        Frequency frequency = new Frequency();
        List<String> wrong = new ArrayList<>();
        boolean[] done = new boolean[1];
        GuestProcess.Result result =
                GuestProcess.run(
                        command,
                        TIMEOUT_SECONDS,
                        (now, line) -> {
                            Matcher begin = BEGIN.matcher(line.strip());
                            Matcher end = END.matcher(line.strip());
                            if (begin.matches()) {
                                frequency.see(now, begin.group(2));
                            } else if (end.matches()) {
                                frequency.see(now, end.group(4));
                                List<Double> list =
                                        ticks.computeIfAbsent(
                                                end.group(1), key -> new ArrayList<>());
                                list.add((double) Long.parseLong(end.group(3), 16));
                                check(end.group(1) + " " + list.size(), end, checksums, wrong);
                            }
                            done[0] |= line.strip().equals("done");
                            return false;
                        });
        if (!done[0]) {
            throw new IOException(
                    String.join(" ", command)
                            + " did not finish; its output ends:\n"
                            + BootBenchmark.tail(result.output()));
        }
        if (!wrong.isEmpty()) {
            throw new IOException(command.getFirst() + ": " + String.join("; ", wrong));
        }
        ticks.forEach((kernel, counts) -> {
            List<Double> list = counts.stream().map(t -> t / frequency.hertz()).toList();
            times.all.computeIfAbsent(kernel, key -> new ArrayList<>()).addAll(list);
            times.first.computeIfAbsent(kernel, key -> new ArrayList<>()).add(list.getFirst());
        });
        return result.output();
    }

    private static void check(
            String repetition, Matcher end, Map<String, String> checksums, List<String> wrong) {
        String expected = checksums.putIfAbsent(repetition, end.group(2));
        if (expected != null && !expected.equals(end.group(2))) {
            wrong.add("%s is %s instead of %s".formatted(repetition, end.group(2), expected));
        }
    }

    private static void gcc(Setting setting, List<String> arguments)
            throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(arguments);
        if (!setting.only().isEmpty()) {
            all.addFirst("-DONLY=\"" + setting.only() + "\"");
        }
        Compiler.gcc(all);
    }

    private static Path buildGuest(Setting setting) throws IOException, InterruptedException {
        Path sources = setting.root().resolve("testing/bench/guest");
        Path guest = setting.output().resolve("cpu.elf");
        gcc(
                setting,
                List.of(
                        "-O2",
                        "-DBARE_METAL",
                        "-fno-tree-vectorize",
                        "-fno-stack-protector",
                        "-ffreestanding",
                        "-mno-red-zone",
                        "-fno-pie",
                        "-no-pie",
                        "-fcf-protection=none",
                        "-nostdlib",
                        "-static",
                        "-Wl,-T," + sources.resolve("link.ld"),
                        "-Wl,--build-id=none",
                        "-Wl,-z,max-page-size=4096",
                        "-Wl,--no-warn-rwx-segments",
                        "-o",
                        guest.toString(),
                        sources.resolve("start.S").toString(),
                        sources.resolve("guest.c").toString(),
                        sources.resolve("kernels.c").toString()));
        return guest;
    }

    private static Path buildNative(Setting setting) throws IOException, InterruptedException {
        Path sources = setting.root().resolve("testing/bench/guest");
        Path program = setting.output().resolve("cpu-native");
        gcc(
                setting,
                List.of(
                        "-O2",
                        "-fno-tree-vectorize",
                        "-pthread",
                        "-o",
                        program.toString(),
                        sources.resolve("native.c").toString(),
                        sources.resolve("kernels.c").toString()));
        return program;
    }
}
