package dev.javisor.bench;

import dev.javisor.bench.BenchGuests.Scenario;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** What our accelerator adds to KVM: the same guests driven by us and by a program in C. */
final class KvmBenchmark implements Benchmark {
    private static final String DEVICE = "/dev/kvm";

    /** Batches of each side in a run; they alternate. */
    private static final int BATCHES = 8;

    /** Batches of ours before anything counts: the compilers need them. */
    private static final int WARM_UP = 8;

    @Override
    public String name() {
        return "kvm";
    }

    @Override
    public String description() {
        return "exits, interrupts, doorbells, kicks, dirty log on /dev/kvm, beside the same in C";
    }

    @Override
    public List<Row> run(Setting setting) throws IOException, InterruptedException {
        if (!Files.isReadable(Path.of(DEVICE)) || !Files.isWritable(Path.of(DEVICE))) {
            throw new IOException("no permission for " + DEVICE + ", or it is not there");
        }
        Path program = setting.output().resolve("kvm-peer");
        Compiler.gcc(
                List.of(
                        "-O2",
                        "-pthread",
                        "-o",
                        program.toString(),
                        setting.root().resolve("testing/bench/kvm/peer.c").toString()));
        Map<Scenario, Double> allocated = new EnumMap<>(Scenario.class);
        List<Row> rows = new ArrayList<>();
        try (Side peer = new Side(List.of(program.toString()));
                Side ours = new Side(ourCommand())) {
            for (Scenario scenario : Scenario.values()) {
                rows.add(measure(setting, scenario, ours, peer, allocated));
            }
        }
        for (Scenario scenario : List.of(Scenario.PIO, Scenario.MMIO)) {
            rows.add(
                    Row.alone(
                            scenario.id() + ": allocated per exit",
                            allocated.getOrDefault(scenario, Double.NaN),
                            "bytes"));
        }
        return rows;
    }

    private static Row measure(
            Setting setting,
            Scenario scenario,
            Side ours,
            Side peer,
            Map<Scenario, Double> allocated)
            throws IOException {
        String command =
                "%s %s %d".formatted(scenario.id(), image(setting, scenario), scenario.rounds);
        for (int i = 0; i < WARM_UP; i++) {
            ours.ask(command);
        }
        List<Double> ourMicros = new ArrayList<>();
        List<Double> peerMicros = new ArrayList<>();
        for (int i = 0; i < setting.runs() * BATCHES; i++) {
            peerMicros.add(peer.ask(command)[0] / 1e3);
            double[] answer = ours.ask(command);
            ourMicros.add(answer[0] / 1e3);
            // The last one counts: by then all is compiled.
            allocated.put(scenario, answer[1]);
        }
        Row row =
                Row.lessIsBetter(
                        scenario.text,
                        Statistics.median(ourMicros),
                        Statistics.median(peerMicros),
                        "us");
        System.err.printf(
                "%s: ours %.2f us, peer %.2f us; best %.2f and %.2f%n",
                scenario.id(),
                row.ours(),
                row.peer(),
                Statistics.minimum(ourMicros),
                Statistics.minimum(peerMicros));
        return row;
    }

    /** The guest as a file, as the peer wants it. */
    private static Path image(Setting setting, Scenario scenario) throws IOException {
        Path file = setting.output().resolve("kvm-" + scenario.id() + ".image");
        try (Arena arena = Arena.ofConfined()) {
            long bytes = BenchGuests.SMALL_BYTES;
            var segment = arena.allocate(bytes, GuestMemory.PAGE_BYTES);
            try (GuestMemory memory =
                    new GuestMemory(segment, List.of(new Region(0, 0, bytes)), () -> {})) {
                BenchGuests.build(scenario, memory);
                Files.write(file, segment.toArray(java.lang.foreign.ValueLayout.JAVA_BYTE));
            }
        }
        return file;
    }

    /** This program's own modules, with the options of the launcher that shape code. */
    private static List<String> ourCommand() {
        return List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-Xms32m",
                "-Xmx512m",
                "-XX:+UseCompactObjectHeaders",
                "-XX:PerMethodTrapLimit=0",
                "-XX:PerBytecodeTrapLimit=0",
                "-XX:-ClipInlining",
                "--enable-native-access=dev.javisor.linux,dev.javisor.kvm",
                "--illegal-native-access=deny",
                "-p",
                System.getProperty("jdk.module.path"),
                "-m",
                "dev.javisor.bench/dev.javisor.bench.KvmSide");
    }

    /** One side, a process that answers a line for each line. */
    private static final class Side implements AutoCloseable {
        private final Process process;
        private final PrintStream commands;
        private final BufferedReader answers;

        Side(List<String> command) throws IOException {
            process =
                    new ProcessBuilder(command)
                            .redirectError(ProcessBuilder.Redirect.INHERIT)
                            .start();
            commands = new PrintStream(process.getOutputStream(), true, StandardCharsets.US_ASCII);
            answers =
                    new BufferedReader(
                            new InputStreamReader(
                                    process.getInputStream(), StandardCharsets.US_ASCII));
        }

        double[] ask(String command) throws IOException {
            commands.println(command);
            String answer = answers.readLine();
            if (answer == null) {
                throw new IOException("no answer to '" + command + "'");
            }
            String[] fields = answer.split(" ");
            double[] values = new double[fields.length];
            for (int i = 0; i < fields.length; i++) {
                values[i] = Double.parseDouble(fields[i]);
            }
            return values;
        }

        @Override
        public void close() {
            commands.close();
            process.destroyForcibly();
        }
    }
}
