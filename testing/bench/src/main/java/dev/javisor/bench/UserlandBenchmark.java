package dev.javisor.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Debian's programs in a guest, timed by its own clock: {@code userland.sh} runs as its init. */
final class UserlandBenchmark implements Benchmark {
    private static final String APPEND =
            "root=/dev/vda rw console=ttyS0 quiet panic=-1 init=/root/userland.sh";
    private static final int TIMEOUT_SECONDS = 1800;
    private static final Pattern ROW = Pattern.compile("ROW (.*) (seconds|per-second) ([0-9.]+)");
    private static final String END = "END";

    private record Figure(boolean lessIsBetter, double value) {}

    @Override
    public String name() {
        return "userland";
    }

    @Override
    public String description() {
        return "Debian's gzip, xz, sha256sum, gcc, python3, openssl, sysbench; needs root, mmdebstrap";
    }

    @Override
    public List<Row> run(Setting setting) throws IOException, InterruptedException {
        DebianDisk debian = DebianDisk.prepare(setting);
        Map<String, Figure> ours = new LinkedHashMap<>();
        Map<String, Figure> peer = new LinkedHashMap<>();
        for (int i = 0; i < setting.runs(); i++) {
            measure("ours", debian.ours(setting, 1, APPEND), ours);
            measure("peer", debian.peer(1, APPEND), peer);
        }
        List<Row> rows = new ArrayList<>();
        ours.forEach((name, figure) -> {
            Figure other = peer.getOrDefault(name, new Figure(figure.lessIsBetter, Double.NaN));
            rows.add(
                    figure.lessIsBetter
                            ? Row.lessIsBetter(name, figure.value, other.value, "s")
                            : new Row(
                                    name,
                                    figure.value,
                                    other.value,
                                    "1/s",
                                    figure.value / other.value));
        });
        return rows;
    }

    /** Keeps the best of each row. */
    private static void measure(String side, List<String> command, Map<String, Figure> figures)
            throws IOException, InterruptedException {
        GuestProcess.Result result =
                GuestProcess.run(
                        command,
                        TIMEOUT_SECONDS,
                        (now, line) -> {
                            if (line.startsWith("FAILED") || line.startsWith("ROW")) {
                                System.err.printf("%s %.0f s: %s%n", side, now, line);
                            }
                            return line.strip().equals(END);
                        });
        if (Double.isNaN(result.seconds())) {
            throw new IOException(
                    side
                            + " did not end; its output ends:\n"
                            + BootBenchmark.tail(result.output()));
        }
        result.output()
                .lines()
                .forEach(line -> {
                    Matcher row = ROW.matcher(line.strip());
                    if (row.matches()) {
                        boolean less = row.group(2).equals("seconds");
                        Figure figure = new Figure(less, Double.parseDouble(row.group(3)));
                        figures.merge(row.group(1), figure, UserlandBenchmark::better);
                    }
                });
    }

    private static Figure better(Figure a, Figure b) {
        boolean first = a.lessIsBetter ? a.value <= b.value : a.value >= b.value;
        return first ? a : b;
    }
}
