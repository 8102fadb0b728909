package dev.javisor.cli;

import dev.javisor.base.JavisorException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Gives a person the guest's console in the terminal. A guest that reboots is started again; the
 * terminal is as it was before, whatever ends the session.
 */
final class InteractiveSession implements Machine.Output {
    private final StandardStreams streams;
    private final Optional<HostTerminal> terminal;
    private final AtomicReference<PanicWatch> panicWatch = new AtomicReference<>(new PanicWatch());
    private final AtomicReference<Optional<Machine>> machine =
            new AtomicReference<>(Optional.empty());
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
        Thread cleanup = Thread.ofPlatform().unstarted(this::cleanUp);
        Runtime.getRuntime().addShutdownHook(cleanup);
        settings.timeout()
                .ifPresent(time ->
                        Sessions.after(
                                time,
                                () -> {
                                    timedOut.set(true);
                                    stop();
                                }));
        Machine.Ending ending;
        try (Machine first = factory.create(settings, guest, this)) {
            machine.set(Optional.of(first));
            if (terminal.isPresent()) {
                show("javisor: Ctrl-] opens a menu\r\n");
                terminal.get().raw();
            }
            Signals.handle("WINCH", this::resized);
            Thread.ofPlatform().daemon().name("standard-input").start(this::passInput);
            first.start();
            resized();
            ending = first.await();
        } catch (JavisorException e) {
            cleanUp();
            throw e;
        }
        while (startsAgain(ending)) {
            panicWatch.set(new PanicWatch());
            try (Machine next = factory.create(settings, guest, this)) {
                machine.set(Optional.of(next));
                next.start();
                ending = next.await();
            } catch (JavisorException e) {
                cleanUp();
                throw e;
            }
        }
        cleanUp();
        return exitCode(ending);
    }

    @Override
    public void console(byte[] bytes, int offset, int length) {
        panicWatch.get().output(bytes, offset, length);
        show(bytes, offset, length);
    }

    @Override
    public void port(String name, byte[] bytes, int offset, int length) {
        // An interactive guest has no use for the ports of a command.
    }

    private boolean startsAgain(Machine.Ending ending) {
        return ending instanceof Machine.Ending.Reset
                && panicWatch.get().panic().isEmpty()
                && !quit.get()
                && !timedOut.get();
    }

    private int exitCode(Machine.Ending ending) {
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
        Optional<String> panic = Sessions.panic(ending, panicWatch.get());
        if (panic.isPresent()) {
            Sessions.line(streams.err(), "javisor: the guest's kernel panicked: " + panic.get());
            return ExitCodes.GUEST_PANIC;
        }
        return switch (ending) {
            case Machine.Ending.PoweredOff _, Machine.Ending.Stopped _ -> ExitCodes.OK;
            case Machine.Ending.Reset _ -> ExitCodes.OK;
            case Machine.Ending.Panicked _ -> ExitCodes.GUEST_PANIC;
            case Machine.Ending.DebugExit(int value) -> value & 0xFF;
            case Machine.Ending.Failed(String message) -> throw new JavisorException(message);
        };
    }

    private void cleanUp() {
        stop();
        terminal.ifPresent(HostTerminal::restore);
        if (lastShown != '\n') {
            show(System.lineSeparator());
        }
    }

    private void stop() {
        machine.get().ifPresent(Machine::stop);
    }

    private void resized() {
        terminal.flatMap(HostTerminal::size)
                .ifPresent(size ->
                        machine.get().ifPresent(m -> m.resize(size.columns(), size.rows())));
    }

    private void show(byte[] bytes, int offset, int length) {
        if (length > 0) {
            lastShown = bytes[offset + length - 1];
        }
        try {
            Sessions.write(streams.out(), bytes, offset, length);
        } catch (UncheckedIOException e) {
            outputGone.set(true);
            stop();
        }
    }

    private void show(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        show(bytes, 0, bytes.length);
    }

    private void passInput() {
        EscapeKeys keys = new EscapeKeys(new Keys());
        byte[] buffer = new byte[4096];
        try {
            for (int n; (n = streams.in().read(buffer)) >= 0; ) {
                if (terminal.isPresent()) {
                    keys.typed(buffer, n);
                } else {
                    byte[] bytes = java.util.Arrays.copyOf(buffer, n);
                    machine.get().ifPresent(m -> m.consoleInput(bytes));
                }
            }
        } catch (IOException e) {
            // The terminal is gone: a hang-up signal comes with it.
        }
    }

    /** What the keys after Ctrl-] do. */
    private final class Keys implements EscapeKeys.Listener {
        @Override
        public void toGuest(byte[] bytes) {
            machine.get().ifPresent(m -> m.consoleInput(bytes));
        }

        @Override
        public void showMenu() {
            show(EscapeKeys.MENU);
        }

        @Override
        public void quit() {
            quit.set(true);
            stop();
        }

        @Override
        public void powerButton() {
            show("[javisor] power button pressed\r\n");
            machine.get().ifPresent(Machine::powerButton);
        }

        @Override
        public void reset() {
            show("[javisor] reset\r\n");
            machine.get().ifPresent(Machine::reset);
        }

        @Override
        public void state() {
            machine.get().ifPresent(m -> show(m.status().strip().replace("\n", "\r\n") + "\r\n"));
        }

        @Override
        public void back() {
            show("[javisor] back to the guest\r\n");
        }
    }
}
