package dev.javisor.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Hot loops as a bare-metal guest, built from testing/bench/guest by the host's gcc: each kernel's
 * wall time on the software CPU, on QEMU's, and as a native process; minima over the runs.
 */
final class CpuBenchmark implements Benchmark {
    private static final int TIMEOUT_SECONDS = 300;
    private static final Pattern BEGIN = Pattern.compile("begin (.+)");
    private static final Pattern END = Pattern.compile("end (.+) ([0-9a-f]{16})");
    private static final Pattern RETIRED =
            Pattern.compile("vcpu 0: ([0-9]+) instructions in ([0-9.]+) s");

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String description() {
        return "hot integer, memory, call and floating-point loops, bare metal; and guest MIPS";
    }

    /** Kernel name to seconds and checksum. */
    private record Kernel(double seconds, String checksum) {}

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
                        "--kernel",
                        guest.toString(),
                        "--debug-exit",
                        "--trace",
                        "cpu");
        List<String> peer =
                Qemu.command(
                        "256M",
                        List.of(
                                "-kernel",
                                guest.toString(),
                                "-device",
                                "isa-debug-exit,iobase=0xf4,iosize=4"));
        System.err.println("peer: " + Qemu.version());
        Map<String, List<Double>> ourTimes = new LinkedHashMap<>();
        Map<String, List<Double>> peerTimes = new LinkedHashMap<>();
        Map<String, List<Double>> nativeTimes = new LinkedHashMap<>();
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
        List<Double> slowdowns = new ArrayList<>();
        for (String kernel : ourTimes.keySet()) {
            double our = Statistics.minimum(ourTimes.get(kernel));
            double their = Statistics.minimum(peerTimes.getOrDefault(kernel, List.of()));
            rows.add(Row.lessIsBetter(kernel, our * 1e3, their * 1e3, "ms"));
            ratios.add(their / our);
            slowdowns.add(Statistics.minimum(nativeTimes.getOrDefault(kernel, List.of())) / our);
        }
        rows.add(Row.summary("geomean against peer", Statistics.geometricMean(ratios)));
        rows.add(Row.summary("geomean against native", Statistics.geometricMean(slowdowns)));
        if (!mips.isEmpty()) {
            rows.add(Row.alone("guest instructions", Statistics.median(mips), "MIPS"));
        }
        return rows;
    }

    /** Runs to the line "done"; adds each kernel's time; every side must agree on checksums. */
    private static String measure(
            List<String> command, Map<String, List<Double>> times, Map<String, String> checksums)
            throws IOException, InterruptedException {
        Map<String, Double> started = new LinkedHashMap<>();
        Map<String, Kernel> ended = new LinkedHashMap<>();
        boolean[] done = new boolean[1];
        GuestProcess.Result result =
                GuestProcess.run(
                        command,
                        TIMEOUT_SECONDS,
                        (now, line) -> {
                            Matcher begin = BEGIN.matcher(line.strip());
                            Matcher end = END.matcher(line.strip());
                            if (begin.matches()) {
                                started.put(begin.group(1), now);
                            } else if (end.matches()) {
                                Double since = started.get(end.group(1));
                                if (since != null) {
                                    ended.put(end.group(1), new Kernel(now - since, end.group(2)));
                                }
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
        for (Map.Entry<String, Kernel> entry : ended.entrySet()) {
            Kernel kernel = entry.getValue();
            String expected = checksums.putIfAbsent(entry.getKey(), kernel.checksum());
            if (expected != null && !expected.equals(kernel.checksum())) {
                throw new IOException(
                        "%s: %s computes %s instead of %s"
                                .formatted(
                                        command.getFirst(),
                                        entry.getKey(),
                                        kernel.checksum(),
                                        expected));
            }
            times.computeIfAbsent(entry.getKey(), key -> new ArrayList<>()).add(kernel.seconds());
        }
        return result.output();
    }

    private static Path buildGuest(Setting setting) throws IOException, InterruptedException {
        Path sources = setting.root().resolve("testing/bench/guest");
        Path guest = setting.output().resolve("cpu.elf");
        gcc(
                List.of(
                        "-O2",
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
                List.of(
                        "-O2",
                        "-fno-tree-vectorize",
                        "-o",
                        program.toString(),
                        sources.resolve("native.c").toString(),
                        sources.resolve("kernels.c").toString()));
        return program;
    }

    private static void gcc(List<String> arguments) throws IOException, InterruptedException {
        Files.createDirectories(Path.of(arguments.get(arguments.indexOf("-o") + 1)).getParent());
        List<String> command = new ArrayList<>(List.of("gcc"));
        command.addAll(arguments);
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException e) {
            throw new IOException("gcc is not installed; on Debian: apt-get install gcc", e);
        }
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException("gcc failed:\n" + output);
        }
    }
}
