package dev.javisor.bench;

import dev.javisor.guestkit.GuestImage;
import dev.javisor.guestkit.GuestImages;
import dev.javisor.guestkit.Progress;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** From the start of the process to the first line of the default guest's init. */
final class BootBenchmark implements Benchmark {
    private static final String MEMORY = "512M";
    private static final String APPEND = "console=ttyS0 panic=-1";
    private static final String FIRST_LINE = "javisor: init";
    private static final int TIMEOUT_SECONDS = 180;

    @Override
    public String name() {
        return "boot";
    }

    @Override
    public String description() {
        return "Debian's cloud kernel to the init script's first line, cold start included";
    }

    @Override
    public List<Row> run(Setting setting) throws IOException, InterruptedException {
        GuestImage image = GuestImages.standard().prepare(Progress.NONE);
        String kernel = image.kernel().toString();
        String initrd = image.initramfs().toString();
        List<String> ours =
                List.of(
                        setting.launcher(),
                        "run",
                        "--accel",
                        "soft",
                        "--memory",
                        MEMORY,
                        "--kernel",
                        kernel,
                        "--initrd",
                        initrd,
                        "--append",
                        APPEND);
        List<String> peer =
                Qemu.command(
                        MEMORY, List.of("-kernel", kernel, "-initrd", initrd, "-append", APPEND));
        System.err.println("peer: " + Qemu.version() + ", guest: " + image.version());
        List<Double> ourSeconds = new ArrayList<>();
        List<Double> peerSeconds = new ArrayList<>();
        List<Double> ourMib = new ArrayList<>();
        List<Double> peerMib = new ArrayList<>();
        for (int i = 0; i < setting.runs(); i++) {
            measure("ours", i, ours, ourSeconds, ourMib);
            measure("peer", i, peer, peerSeconds, peerMib);
        }
        return List.of(
                Row.lessIsBetter(
                        "boot to init, median",
                        Statistics.median(ourSeconds),
                        Statistics.median(peerSeconds),
                        "s"),
                Row.lessIsBetter(
                        "boot to init, minimum",
                        Statistics.minimum(ourSeconds),
                        Statistics.minimum(peerSeconds),
                        "s"),
                Row.lessIsBetter(
                        "peak resident memory",
                        Statistics.median(ourMib),
                        Statistics.median(peerMib),
                        "MiB"));
    }

    private static void measure(
            String side, int run, List<String> command, List<Double> seconds, List<Double> mib)
            throws IOException, InterruptedException {
        GuestProcess.Result result =
                GuestProcess.run(
                        command, TIMEOUT_SECONDS, (now, line) -> line.contains(FIRST_LINE));
        if (Double.isNaN(result.seconds())) {
            throw new IOException(
                    side + " did not boot; its output ends:\n" + tail(result.output()));
        }
        System.err.printf("run %d %s: %.2f s%n", run + 1, side, result.seconds());
        seconds.add(result.seconds());
        mib.add(result.peakBytes() / 1048576.0);
    }

    static String tail(String text) {
        return text.substring(Math.max(0, text.length() - 2000));
    }
}
