package dev.javisor.bench;

import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** {@code javisor image convert} beside {@code qemu-img convert}, on the same files. */
final class ImageBenchmark implements Benchmark {
    private static final int MEBIBYTE = 1 << 20;

    /** Of the sample: code and text, noise, zeroes, and holes. */
    private static final int FILLED_MEBIBYTES = 512;

    private static final long SIZE = 2048L * MEBIBYTE;

    @Override
    public String name() {
        return "image";
    }

    @Override
    public String description() {
        return "converting a disk of 2 GiB, 512 MiB of it used, raw to qcow2 and back";
    }

    /** One kind of conversion. */
    private record Kind(String name, List<String> options, String from, String to) {}

    @Override
    public List<Row> run(Setting setting) throws IOException, InterruptedException {
        Path folder = Files.createDirectories(setting.output().resolve("image"));
        Path raw = folder.resolve("sample.img");
        writeSample(raw);
        List<Kind> kinds =
                List.of(
                        new Kind("raw to qcow2", List.of(), "sample.img", "plain.qcow2"),
                        new Kind("qcow2 to raw", List.of(), "plain.qcow2", "back.img"),
                        new Kind("raw to compressed", List.of("-c"), "sample.img", "small.qcow2"),
                        new Kind("compressed to raw", List.of(), "small.qcow2", "back.img"));
        List<Row> rows = new ArrayList<>();
        for (Kind kind : kinds) {
            measure(setting, folder, kind, rows);
        }
        long ours = Files.size(folder.resolve("ours-small.qcow2"));
        long peer = Files.size(folder.resolve("peer-small.qcow2"));
        rows.add(Row.lessIsBetter("compressed size", ours / 1048576.0, peer / 1048576.0, "MiB"));
        return rows;
    }

    private void measure(Setting setting, Path folder, Kind kind, List<Row> rows)
            throws IOException, InterruptedException {
        List<Double> ourSeconds = new ArrayList<>();
        List<Double> peerSeconds = new ArrayList<>();
        List<Double> ourCpu = new ArrayList<>();
        List<Double> peerCpu = new ArrayList<>();
        List<Double> ourMib = new ArrayList<>();
        List<Double> peerMib = new ArrayList<>();
        for (int i = 0; i < setting.runs(); i++) {
            ToolProcess ours =
                    ToolProcess.run(command(setting.launcher() + " image", folder, kind, "ours-"));
            ToolProcess peer = ToolProcess.run(command("qemu-img", folder, kind, "peer-"));
            System.err.printf(
                    "run %d %s: ours %.2f s, peer %.2f s%n",
                    i + 1, kind.name, ours.seconds(), peer.seconds());
            ourSeconds.add(ours.seconds());
            peerSeconds.add(peer.seconds());
            ourCpu.add(ours.cpuSeconds());
            peerCpu.add(peer.cpuSeconds());
            ourMib.add(ours.peakBytes() / 1048576.0);
            peerMib.add(peer.peakBytes() / 1048576.0);
        }
        rows.add(
                Row.lessIsBetter(
                        kind.name + ", median",
                        Statistics.median(ourSeconds),
                        Statistics.median(peerSeconds),
                        "s"));
        rows.add(
                Row.lessIsBetter(
                        kind.name + ", CPU time",
                        Statistics.median(ourCpu),
                        Statistics.median(peerCpu),
                        "s"));
        rows.add(
                Row.lessIsBetter(
                        kind.name + ", peak memory",
                        Statistics.median(ourMib),
                        Statistics.median(peerMib),
                        "MiB"));
    }

    private static List<String> command(String tool, Path folder, Kind kind, String side)
            throws IOException {
        List<String> command = new ArrayList<>(List.of(tool.split(" ")));
        Path from = folder.resolve(kind.from.equals("sample.img") ? kind.from : side + kind.from);
        Path to = folder.resolve(side + kind.to);
        Files.deleteIfExists(to);
        command.add("convert");
        command.addAll(kind.options);
        command.addAll(List.of("-f", format(kind.from), "-O", format(kind.to)));
        command.addAll(List.of(from.toString(), to.toString()));
        return command;
    }

    private static String format(String file) {
        return file.endsWith(".img") ? "raw" : "qcow2";
    }

    private static void writeSample(Path raw) throws IOException {
        // The runtime's own classes are code and text as a disk has them.
        Path modules = Path.of(System.getProperty("java.home"), "lib", "modules");
        byte[] code = new byte[64 * MEBIBYTE];
        try (RandomAccessFile in = new RandomAccessFile(modules.toFile(), "r")) {
            in.seek(in.length() / 4);
            in.readFully(code);
        }
        byte[] noise = new byte[16 * MEBIBYTE];
        new Random(5).nextBytes(noise);
        Files.deleteIfExists(raw);
        try (OutputStream out = Files.newOutputStream(raw)) {
            int written = 0;
            while (written < FILLED_MEBIBYTES) {
                out.write(code, 0, 64 * MEBIBYTE);
                out.write(noise);
                out.write(new byte[16 * MEBIBYTE]);
                out.write("javisor ".repeat(4 * MEBIBYTE).getBytes(StandardCharsets.US_ASCII));
                written += 128;
            }
        }
        try (RandomAccessFile file = new RandomAccessFile(raw.toFile(), "rw")) {
            file.setLength(SIZE);
        }
    }
}
