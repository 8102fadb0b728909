package dev.javisor.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** {@code bench [NAME [RUNS [ONLY]]]}: lists the benchmarks, or runs one. */
public final class BenchMain {
    private static final List<Benchmark> ALL =
            List.of(
                    new BootBenchmark(),
                    new CpuBenchmark(),
                    new KvmBenchmark(),
                    new ImageBenchmark(),
                    new UserlandBenchmark(),
                    new DebianBenchmark());
    private static final int DEFAULT_RUNS = 5;
    private static final int USAGE = 64;

    private BenchMain() {}

    public static void main(String[] args) throws InterruptedException {
        System.exit(run(Path.of(System.getProperty("javisor.root", ".")), args));
    }

    private static int run(Path root, String[] args) throws InterruptedException {
        if (args.length == 0 || args[0].equals("--help")) {
            System.out.println("usage: ./bench NAME [RUNS [ONLY]]");
            System.out.println();
            System.out.println(
                    "  RUNS     repetitions of each side, " + DEFAULT_RUNS + " if not given");
            System.out.println("  ONLY     cpu: only kernels with this in their names");
            System.out.println();
            for (Benchmark benchmark : ALL) {
                System.out.printf("  %-8s %s%n", benchmark.name(), benchmark.description());
            }
            return 0;
        }
        int runs;
        try {
            runs = args.length > 1 ? Integer.parseInt(args[1]) : DEFAULT_RUNS;
        } catch (NumberFormatException e) {
            runs = 0;
        }
        if (runs < 1 || args.length > 3) {
            System.err.println("bench: RUNS is a number from 1; see ./bench --help");
            return USAGE;
        }
        String only = args.length > 2 ? args[2] : "";
        for (Benchmark benchmark : ALL) {
            if (benchmark.name().equals(args[0])) {
                return measure(
                        benchmark, new Setting(root.toAbsolutePath().normalize(), runs, only));
            }
        }
        System.err.println("bench: no benchmark " + args[0] + "; ./bench lists them");
        return USAGE;
    }

    private static int measure(Benchmark benchmark, Setting setting) throws InterruptedException {
        try {
            List<Row> rows = benchmark.run(setting);
            Report.print(System.out, rows);
            Path json = setting.output().resolve(benchmark.name() + ".json");
            Report.write(json, benchmark.name(), rows);
            System.err.println("written: " + setting.root().relativize(json));
            return 0;
        } catch (IOException e) {
            System.err.println("bench: " + e.getMessage());
            return 1;
        }
    }
}
