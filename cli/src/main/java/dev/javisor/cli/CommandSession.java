package dev.javisor.cli;

import dev.javisor.base.JavisorException;
import dev.javisor.vmm.VmConsole;
import dev.javisor.vmm.VmOutcome;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Runs one command in a guest: its output is ours and nothing else is, our standard input is its
 * input, its status becomes our exit code.
 */
final class CommandSession implements VmConsole {
    private static final int CHUNK = 1 << 14;

    private final StandardStreams streams;
    private final boolean verbose;
    private final ControlChannel control = new ControlChannel();
    private final MarkedOutput marked;
    private final AtomicBoolean timedOut = new AtomicBoolean();

    /** Nobody reads our standard output any more. */
    private final AtomicBoolean outputGone = new AtomicBoolean();

    private final AtomicReference<@Nullable Machine> machine = new AtomicReference<>();

    CommandSession(StandardStreams streams, boolean verbose) {
        this.streams = streams;
        this.verbose = verbose;
        this.marked =
                new MarkedOutput((bytes, offset, n) -> toStream(streams.out(), bytes, offset, n));
    }

    /** The exit code. */
    int run(RunSettings settings, GuestFiles guest, Machine.Factory factory)
            throws InterruptedException {
        try (Machine created = factory.create(settings, guest, this)) {
            machine.set(created);
            Sessions.atExit(created::stop);
            settings.timeout()
                    .ifPresent(time ->
                            Sessions.after(
                                    time,
                                    () -> {
                                        timedOut.set(true);
                                        created.stop();
                                    }));
            Sessions.continueOnSignal(created);
            created.start();
            Sessions.switchLater(settings, created, streams.err());
            Thread.ofPlatform().daemon().name("standard-input").start(() -> passInput(created));
            return exitCode(created.await());
        }
    }

    @Override
    public void serialOutput(byte[] bytes, int offset, int length) {
        marked.output(bytes, offset, length);
        if (verbose) {
            toStream(streams.err(), bytes, offset, length);
        }
    }

    @Override
    public void consoleOutput(byte[] bytes, int offset, int length) {
        // Nobody is there to see it: the command has the ports.
    }

    @Override
    public void portOutput(String name, byte[] bytes, int offset, int length) {
        switch (name) {
            case "dev.javisor.stdout" -> toStream(streams.out(), bytes, offset, length);
            case "dev.javisor.stderr" -> toStream(streams.err(), bytes, offset, length);
            case "dev.javisor.control" -> control.output(bytes, offset, length);
            default -> {} // Not ours.
        }
    }

    @Override
    public void stopped(String why) {
        Sessions.line(
                streams.err(),
                "javisor: the guest is stopped: %s%njavisor: to go on: %s"
                        .formatted(why, Sessions.continueCommand()));
    }

    private void toStream(OutputStream out, byte[] bytes, int offset, int length) {
        try {
            Sessions.write(out, bytes, offset, length);
        } catch (UncheckedIOException e) {
            // As a pipe whose reader is gone ends a local command, it ends the guest.
            outputGone.set(true);
            Machine running = machine.get();
            if (running != null) {
                running.stop();
            }
        }
    }

    private void passInput(Machine to) {
        byte[] buffer = new byte[CHUNK];
        try {
            for (int n; (n = streams.in().read(buffer)) >= 0; ) {
                to.portInput("dev.javisor.stdin", buffer, n);
            }
        } catch (IOException e) {
            // An input that cannot be read any more is at its end.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        to.closePort("dev.javisor.stdin");
    }

    private int exitCode(VmOutcome outcome) {
        OptionalInt status = control.status().isPresent() ? control.status() : marked.status();
        if (status.isPresent()) {
            return status.getAsInt();
        }
        if (outputGone.get()) {
            return ExitCodes.OUTPUT_GONE;
        }
        if (timedOut.get()) {
            Sessions.line(streams.err(), "javisor: --timeout ran out: the guest was stopped");
            return ExitCodes.TIMEOUT;
        }
        return switch (outcome) {
            case VmOutcome.PoweredOff _, VmOutcome.Stopped _ -> ExitCodes.OK;
            case VmOutcome.Panicked(String message) -> {
                explain("the guest's kernel panicked: " + message);
                yield ExitCodes.GUEST_PANIC;
            }
            case VmOutcome.DebugExit(int value) -> ExitCodes.ofDebugExit(value);
            case VmOutcome.Reset _ -> {
                explain("the guest reset itself before its command had ended");
                yield ExitCodes.GUEST_RESET;
            }
            case VmOutcome.Failed(String message) -> throw new JavisorException(message);
        };
    }

    private void explain(String what) {
        Sessions.line(
                streams.err(),
                "javisor: " + what + (verbose ? "" : " (-v shows the guest's boot log)"));
    }
}
