package dev.javisor.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BiPredicate;

/** A virtual machine monitor as a child process whose output lines are stamped as they arrive. */
final class GuestProcess {
    private GuestProcess() {}

    /**
     * What a run took.
     *
     * @param seconds from the start of the process to the line that ended it; NaN if it never came
     * @param peakBytes largest resident set of the process and its descendants, summed
     * @param output everything it printed until then
     */
    record Result(double seconds, long peakBytes, String output) {}

    /**
     * Starts {@code command} and feeds its output's lines to {@code line} with the seconds since
     * the start, until that answers true or the process ends; then ends it.
     */
    static Result run(List<String> command, int timeoutSeconds, BiPredicate<Double, String> line)
            throws IOException, InterruptedException {
        long start = System.nanoTime();
        Process process =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectInput(ProcessBuilder.Redirect.PIPE)
                        .start();
        Thread watchdog =
                Thread.ofVirtual()
                        .start(() -> {
                            try {
                                if (!process.waitFor(timeoutSeconds, TimeUnit.SECONDS)) {
                                    kill(process);
                                }
                            } catch (InterruptedException e) {
                                Thread.currentThread().interrupt();
                            }
                        });
        double seconds = Double.NaN;
        long peak = 0;
        StringBuilder output = new StringBuilder();
        try (BufferedReader reader =
                new BufferedReader(
                        new InputStreamReader(
                                process.getInputStream(), StandardCharsets.ISO_8859_1))) {
            for (String text = reader.readLine(); text != null; text = reader.readLine()) {
                double now = (System.nanoTime() - start) / 1e9;
                output.append(text).append('\n');
                if (line.test(now, text)) {
                    seconds = now;
                    peak = peakBytes(process.toHandle());
                    break;
                }
            }
        } finally {
            watchdog.interrupt();
            kill(process);
            process.waitFor();
        }
        return new Result(seconds, peak, output.toString());
    }

    private static void kill(Process process) {
        List<ProcessHandle> children = process.descendants().toList();
        process.destroyForcibly();
        children.forEach(ProcessHandle::destroyForcibly);
    }

    /** Sum of VmHWM over the process and its descendants, or 0 where /proc does not tell. */
    private static long peakBytes(ProcessHandle process) {
        long sum = peakOf(process.pid());
        for (ProcessHandle child : process.descendants().toList()) {
            sum += peakOf(child.pid());
        }
        return sum;
    }

    private static long peakOf(long pid) {
        try {
            for (String text : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
                if (text.startsWith("VmHWM:")) {
                    return Long.parseLong(text.replaceAll("[^0-9]", "")) * 1024;
                }
            }
            return 0;
        } catch (IOException e) {
            // The process has gone, or this is not Linux.
            return 0;
        }
    }
}
