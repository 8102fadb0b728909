package dev.javisor.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** What the two kinds of session share. */
final class Sessions {
    private Sessions() {}

    /** Calls {@code action} after this time; a process that ends does not wait for it. */
    static void after(Duration time, Runnable action) {
        Thread.ofVirtual()
                .name("timeout")
                .start(() -> {
                    try {
                        Thread.sleep(time);
                        action.run();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
    }

    /** Calls {@code action} when this process ends, also by a signal that can be caught. */
    static void atExit(Runnable action) {
        Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().name("cleanup").unstarted(action));
    }

    static void write(OutputStream out, byte[] bytes, int offset, int length) {
        try {
            out.write(bytes, offset, length);
            out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void line(OutputStream out, String text) {
        byte[] bytes = (text + System.lineSeparator()).getBytes(StandardCharsets.UTF_8);
        write(out, bytes, 0, bytes.length);
    }
}
