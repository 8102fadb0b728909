package dev.javisor.cli;

import dev.javisor.guestkit.GuestImage;
import dev.javisor.guestkit.GuestImages;
import dev.javisor.guestkit.GuestOverlay;
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.Optional;

/** From settings to a session: checks them against the host, prepares the guest, runs. */
final class Launch {
    /** Set by the launcher script when standard error is a terminal. */
    private static final String ERROR_IS_TERMINAL = "JAVISOR_STDERR_TTY";

    private final StandardStreams streams;
    private final Map<String, String> environment;
    private final Machine.Factory factory;

    Launch(StandardStreams streams, Map<String, String> environment, Machine.Factory factory) {
        this.streams = streams;
        this.environment = environment;
        this.factory = factory;
    }

    /** Whether standard error is a terminal, so that progress can be drawn there. */
    boolean isErrorTerminal() {
        return "1".equals(environment.get(ERROR_IS_TERMINAL));
    }

    /** The exit code. */
    int run(RunSettings settings) throws InterruptedException {
        settings.checked(hostMemoryBytes());
        Tracing.start(settings.trace(), settings.verbose(), settings.command().isEmpty());
        String commandLine = settings.commandLine();
        GuestOverlay overlay = new GuestOverlay();
        if (!settings.command().isEmpty()) {
            overlay.ports().command(settings.command());
            return new CommandSession(streams, settings.verbose())
                    .run(settings, files(settings, overlay, commandLine), factory);
        }
        Optional<HostTerminal> terminal = HostTerminal.find(environment);
        if (terminal.isPresent() && environment.containsKey(HostTerminal.SAVED)) {
            // The launcher waits for this process; should it be killed, nobody could restore the
            // terminal once this one is gone too.
            ProcessHandle.current()
                    .parent()
                    .ifPresent(p -> p.onExit().thenRun(() -> System.exit(ExitCodes.HANG_UP)));
        }
        overlay.console("hvc0");
        if (terminal.isPresent()) {
            overlay.terminalType(environment.getOrDefault("TERM", ""));
        }
        Optional<HostTerminal.Size> size = terminal.flatMap(HostTerminal::size);
        size.ifPresent(s -> overlay.terminalSize(s.columns(), s.rows()));
        return new InteractiveSession(streams, terminal)
                .run(settings, files(settings, overlay, commandLine), factory);
    }

    private GuestFiles files(RunSettings settings, GuestOverlay overlay, String commandLine) {
        if (settings.kernel().isPresent()) {
            // A guest of the person's own gets what the person gave, and a command if there is one.
            byte[] archive = settings.command().isEmpty() ? new byte[0] : overlay.toByteArray();
            return new GuestFiles(settings.kernel().get(), settings.initrd(), archive, commandLine);
        }
        GuestImage image;
        try (TerminalProgress progress = new TerminalProgress(System.err, isErrorTerminal())) {
            image = GuestImages.standard().prepare(progress);
        }
        return new GuestFiles(
                image.kernel(),
                Optional.of(settings.initrd().orElse(image.initramfs())),
                overlay.toByteArray(),
                commandLine);
    }

    private static long hostMemoryBytes() {
        var bean =
                ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class);
        return bean.getTotalMemorySize() + bean.getTotalSwapSpaceSize();
    }
}
