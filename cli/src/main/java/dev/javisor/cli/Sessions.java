package dev.javisor.cli;

import dev.javisor.base.JavisorException;
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

    /** Does what {@code --switch-to} asks for, when it is time. */
    static void switchLater(RunSettings settings, Machine machine, OutputStream err) {
        for (SwitchOption option : settings.switches()) {
            after(
                    option.after(),
                    () -> {
                        try {
                            machine.switchTo(option);
                        } catch (JavisorException e) {
                            line(err, "javisor: --switch-to: " + e.getMessage());
                        }
                    });
        }
    }

    /** What a person types elsewhere to let a machine go on that a disk error has stopped. */
    static String continueCommand() {
        return "kill -CONT " + ProcessHandle.current().pid();
    }

    /** Lets the machine go on when that signal comes. */
    static void continueOnSignal(Machine machine) {
        Signals.handle(
                "CONT",
                () -> {
                    try {
                        machine.resume();
                    } catch (JavisorException e) {
                        // Not paused: a shell that brings this process to the foreground sends
                        // the signal too.
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
