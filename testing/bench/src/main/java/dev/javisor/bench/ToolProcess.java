package dev.javisor.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A program that ran to its end.
 *
 * @param cpuSeconds of it and its children, user and system
 * @param peakBytes largest resident set, as seen every few milliseconds
 */
record ToolProcess(double seconds, double cpuSeconds, long peakBytes) {
    private static final int SAMPLE_MS = 5;

    static ToolProcess run(List<String> command) throws IOException, InterruptedException {
        // bash tells what its child used; "$@" is the command.
        List<String> timed =
                new java.util.ArrayList<>(
                        List.of("bash", "-c", "TIMEFORMAT='%R %U %S'; time \"$@\"", "bash"));
        timed.addAll(command);
        Process process =
                new ProcessBuilder(timed).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        process.getOutputStream().close();
        long peak = 0;
        while (process.isAlive()) {
            for (ProcessHandle child : process.descendants().toList()) {
                peak = Math.max(peak, peakOf(child.pid()));
            }
            Thread.sleep(SAMPLE_MS);
        }
        String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + ": " + err);
        }
        String[] times = err.strip().lines().reduce("", (a, b) -> b).split(" ");
        return new ToolProcess(
                Double.parseDouble(times[0]),
                Double.parseDouble(times[1]) + Double.parseDouble(times[2]),
                peak);
    }

    private static long peakOf(long pid) {
        try {
            for (String text : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
                if (text.startsWith("VmHWM:")) {
                    return Long.parseLong(text.replaceAll("[^0-9]", "")) * 1024;
                }
            }
        } catch (IOException e) {
            // It has gone.
            return 0;
        }
        return 0;
    }
}
