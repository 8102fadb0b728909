package dev.javisor.mainlinekvm;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * QEMU with its own translator (TCG), as a machine with AMD's virtualization: nested paging and
 * all. 5-level paging is masked, as TCG's nested page walk does not know it. The machine is a q35
 * because of its HPET and PM timer: a busy host makes the calibration of the TSC against the PIT
 * alone fail.
 *
 * <p>It has one processor: with several, each translates in a thread of its own, and QEMU before
 * 8.1 then keeps a stale translation of code that one processor writes while another translates it
 * (README.md says how that was found).
 */
final class EmulatedMachine {
    private static final String PROGRAM = "qemu-system-x86_64";
    private static final long SILENCE_SECONDS = 560;
    private static final long TOTAL_SECONDS = 1500;

    private EmulatedMachine() {}

    static boolean isInstalled() {
        return HostPrograms.isInstalled(PROGRAM);
    }

    /**
     * Runs until the machine turns itself off, is silent for too long, or the whole takes too long.
     *
     * @param log takes the whole console
     * @param line takes each line of it, too
     */
    static void run(RigImage.Built image, Path log, Consumer<String> line)
            throws IOException, InterruptedException {
        List<String> command =
                List.of(
                        PROGRAM,
                        "-accel",
                        "tcg",
                        "-machine",
                        "q35",
                        "-cpu",
                        "max,-la57",
                        "-smp",
                        "1",
                        "-m",
                        "1536",
                        "-nic",
                        "none",
                        "-display",
                        "none",
                        "-monitor",
                        "none",
                        "-serial",
                        "stdio",
                        "-no-reboot",
                        "-kernel",
                        image.kernel().toString(),
                        "-initrd",
                        image.initramfs().toString(),
                        "-append",
                        "console=ttyS0 rdinit=/rig/init panic=-1 mitigations=off");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        long start = System.nanoTime();
        AtomicLong lastLine = new AtomicLong(start);
        Thread watch = Thread.ofVirtual().start(() -> watch(process, start, lastLine));
        try (BufferedReader console =
                        new BufferedReader(
                                new InputStreamReader(
                                        process.getInputStream(), StandardCharsets.UTF_8));
                PrintStream file = new PrintStream(log.toFile(), StandardCharsets.UTF_8)) {
            for (String text; (text = console.readLine()) != null; ) {
                lastLine.set(System.nanoTime());
                file.println(text);
                line.accept(text);
            }
        } finally {
            process.destroyForcibly();
            process.waitFor();
            watch.interrupt();
        }
    }

    private static void watch(Process process, long start, AtomicLong lastLine) {
        try {
            while (!process.waitFor(1, TimeUnit.SECONDS)) {
                long now = System.nanoTime();
                if (now - lastLine.get() > TimeUnit.SECONDS.toNanos(SILENCE_SECONDS)
                        || now - start > TimeUnit.SECONDS.toNanos(TOTAL_SECONDS)) {
                    process.destroyForcibly();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
