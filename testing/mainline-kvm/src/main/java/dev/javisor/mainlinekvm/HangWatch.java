package dev.javisor.mainlinekvm;

import java.io.PrintStream;
import java.util.concurrent.TimeUnit;

/**
 * Ends the process when a case does not end, after it has printed what all threads do: nothing else
 * inside the emulated machine could tell.
 */
final class HangWatch {
    private static final long LIMIT_SECONDS = 500;

    /** Of the process; the host then sees a case without an end. */
    private static final int STATUS = 99;

    private volatile String running = "";
    private volatile long sinceNanos;

    HangWatch(PrintStream out) {
        sinceNanos = System.nanoTime();
        Thread.ofPlatform().daemon().name("hang watch").start(() -> watch(out));
    }

    void begin(String testCase) {
        sinceNanos = System.nanoTime();
        running = testCase;
    }

    void end() {
        running = "";
    }

    private void watch(PrintStream out) {
        try {
            while (true) {
                TimeUnit.SECONDS.sleep(1);
                String now = running;
                long nanos = System.nanoTime() - sinceNanos;
                if (!now.isEmpty() && nanos > TimeUnit.SECONDS.toNanos(LIMIT_SECONDS)) {
                    out.println("\n" + now + " has not ended in " + LIMIT_SECONDS + " s:");
                    Thread.getAllStackTraces()
                            .forEach((thread, stack) -> {
                                out.println(thread);
                                for (StackTraceElement element : stack) {
                                    out.println("    at " + element);
                                }
                            });
                    out.flush();
                    Runtime.getRuntime().halt(STATUS);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
