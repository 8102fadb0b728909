package dev.javisor.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;

/** What the two kinds of session share. */
final class Sessions {
    private Sessions() {}

    /** Calls {@code action} after this time, unless the thread is interrupted before. */
    static Thread after(Duration time, Runnable action) {
        return Thread.ofVirtual()
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

    /** The panic that explains an ending, if one does. */
    static Optional<String> panic(Machine.Ending ending, PanicWatch watch) {
        return switch (ending) {
            case Machine.Ending.Panicked(String message) ->
                    Optional.of(watch.panic().orElse(message));
            // Linux resets or stops after a panic, as its command line says.
            case Machine.Ending.Reset _,
                    Machine.Ending.PoweredOff _,
                    Machine.Ending.Stopped _,
                    Machine.Ending.DebugExit _,
                    Machine.Ending.Failed _ ->
                    watch.panic();
        };
    }
}
