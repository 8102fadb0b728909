package dev.javisor.cli;

import dev.javisor.base.JavisorException;
import dev.javisor.vmm.VmConsole;
import dev.javisor.vmm.VmOutcome;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Gives a person the guest's console in the terminal, which is as it was before, whatever ends the
 * session.
 */
final class InteractiveSession implements VmConsole {
    private final StandardStreams streams;
    private final Optional<HostTerminal> terminal;
    private final AtomicReference<@Nullable Machine> machine = new AtomicReference<>();
    private final AtomicBoolean quit = new AtomicBoolean();
    private final AtomicBoolean timedOut = new AtomicBoolean();
    private final AtomicBoolean outputGone = new AtomicBoolean();

    /** The last byte that was shown; messages of ours begin on a new line. */
    private volatile byte lastShown = '\n';

    InteractiveSession(StandardStreams streams, Optional<HostTerminal> terminal) {
        this.streams = streams;
        this.terminal = terminal;
    }

    /** The exit code. */
    int run(RunSettings settings, GuestFiles guest, Machine.Factory factory)
            throws InterruptedException {
        VmOutcome outcome;
        try (Machine created = factory.create(settings, guest, this)) {
            machine.set(created);
            Sessions.atExit(this::cleanUp);
            settings.timeout()
                    .ifPresent(time ->
                            Sessions.after(
                                    time,
                                    () -> {
                                        timedOut.set(true);
                                        created.stop();
                                    }));
            if (terminal.isPresent()) {
                show("javisor: Ctrl-] opens a menu\r\n");
                terminal.get().raw();
            }
            Signals.handle("WINCH", () -> resized(created));
            Sessions.continueOnSignal(created);
            created.start();
            Sessions.switchLater(settings, created, streams.err());
            resized(created);
            Thread.ofPlatform().daemon().name("standard-input").start(() -> passInput(created));
            outcome = created.await();
        } finally {
            cleanUp();
        }
        return exitCode(outcome);
    }

    @Override
    public synchronized void serialOutput(byte[] bytes, int offset, int length) {
        show(bytes, offset, length);
    }

    @Override
    public void stopped(String why) {
        String how = terminal.isPresent() ? "press Ctrl-] c" : Sessions.continueCommand();
        show(
                "\r\n[javisor] the guest is stopped: %s\r\n[javisor] to go on: %s\r\n"
                        .formatted(why, how));
    }

    private int exitCode(VmOutcome outcome) {
        if (quit.get()) {
            return ExitCodes.OK;
        }
        if (outputGone.get()) {
            return ExitCodes.OUTPUT_GONE;
        }
        if (timedOut.get()) {
            Sessions.line(streams.err(), "javisor: --timeout ran out: the guest was stopped");
            return ExitCodes.TIMEOUT;
        }
        return switch (outcome) {
            case VmOutcome.PoweredOff _, VmOutcome.Stopped _, VmOutcome.Reset _ -> ExitCodes.OK;
            case VmOutcome.Panicked(String message) -> {
                Sessions.line(streams.err(), "javisor: the guest's kernel panicked: " + message);
                yield ExitCodes.GUEST_PANIC;
            }
            case VmOutcome.DebugExit(int value) -> ExitCodes.ofDebugExit(value);
            case VmOutcome.Failed(String message) -> throw new JavisorException(message);
        };
    }

    private void cleanUp() {
        Machine running = machine.get();
        if (running != null) {
            running.stop();
        }
        terminal.ifPresent(HostTerminal::restore);
        if (lastShown != '\n') {
            show(System.lineSeparator());
        }
    }

    private void resized(Machine of) {
        terminal.flatMap(HostTerminal::size)
                .ifPresent(size -> of.resize(size.columns(), size.rows()));
    }

    private void show(byte[] bytes, int offset, int length) {
        if (length == 0) {
            return;
        }
        lastShown = bytes[offset + length - 1];
        try {
            Sessions.write(streams.out(), bytes, offset, length);
        } catch (UncheckedIOException e) {
            outputGone.set(true);
            Machine running = machine.get();
            if (running != null) {
                running.stop();
            }
        }
    }

    private void show(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        show(bytes, 0, bytes.length);
    }

    private void passInput(Machine to) {
        EscapeKeys keys = new EscapeKeys(new Keys(to));
        byte[] buffer = new byte[4096];
        try {
            for (int n; (n = streams.in().read(buffer)) >= 0; ) {
                if (terminal.isPresent()) {
                    keys.typed(buffer, n);
                } else {
                    to.consoleInput(Arrays.copyOf(buffer, n));
                }
            }
        } catch (IOException e) {
            // The terminal is gone: a hang-up signal comes with it.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** What the keys after Ctrl-] do. */
    private final class Keys implements EscapeKeys.Listener {
        private final Machine machine;

        Keys(Machine machine) {
            this.machine = machine;
        }

        @Override
        public void toGuest(byte[] bytes) throws InterruptedException {
            machine.consoleInput(bytes);
        }

        @Override
        public void showMenu() {
            show(EscapeKeys.MENU);
        }

        @Override
        public void quit() {
            quit.set(true);
            machine.stop();
        }

        @Override
        public void powerButton() {
            show("[javisor] power button pressed\r\n");
            attempt(machine::powerButton);
        }

        @Override
        public void reset() {
            show("[javisor] reset\r\n");
            attempt(machine::reset);
        }

        @Override
        public void state() {
            show("[javisor] " + machine.status().strip().replace("\n", "\r\n") + "\r\n");
        }

        @Override
        public void resume() {
            attempt(machine::resume);
        }

        @Override
        public void echo(String text) {
            show(text);
        }

        @Override
        public void command(String line) {
            String answer = new MachineCommands(machine).run(line);
            show("[javisor] " + answer.replace("\n", "\r\n") + "\r\n");
        }

        @Override
        public void move() {
            attempt(() -> show("[javisor] now on " + machine.switchAccelerator() + "\r\n"));
        }

        @Override
        public void back() {
            show("[javisor] back to the guest\r\n");
        }

        /** The machine may have ended, or be too early for this. */
        private void attempt(Runnable action) {
            try {
                action.run();
            } catch (JavisorException e) {
                show("[javisor] " + e.getMessage() + "\r\n");
            }
        }
    }
}
