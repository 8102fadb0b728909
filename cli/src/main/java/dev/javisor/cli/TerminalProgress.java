package dev.javisor.cli;

import dev.javisor.guestkit.Progress;
import java.io.PrintStream;
import java.util.Optional;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Shows how the guest's preparation goes: a bar on a terminal, else a line for each step. */
final class TerminalProgress implements Progress, AutoCloseable {
    private static final int WIDTH = 78;

    private final PrintStream out;
    private final boolean terminal;
    private Optional<ProgressBar> bar = Optional.empty();
    private String step = "";

    TerminalProgress(PrintStream out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    @Override
    public void step(String what) {
        close();
        step = what;
        if (!terminal) {
            out.println("javisor: " + what);
        } else {
            out.print("javisor: " + what + "\r");
        }
    }

    @Override
    public void bytes(long done, long total) {
        if (!terminal || total <= 0) {
            return;
        }
        if (bar.isEmpty()) {
            bar =
                    Optional.of(
                            new ProgressBarBuilder()
                                    .setTaskName(shortened(step))
                                    .setInitialMax(total)
                                    .setUnit("MB", 1_000_000)
                                    .setStyle(ProgressBarStyle.ASCII)
                                    .setUpdateIntervalMillis(100)
                                    .setConsumer(new ConsoleProgressBarConsumer(out, WIDTH))
                                    .build());
        }
        bar.get().stepTo(done);
    }

    /** Ends the current line. */
    @Override
    public void close() {
        if (bar.isPresent()) {
            bar.get().close();
            bar = Optional.empty();
        } else if (terminal && !step.isEmpty()) {
            out.println("javisor: " + step);
        }
        step = "";
    }

    private static String shortened(String text) {
        return text.length() <= 30 ? text : text.substring(0, 29) + "…";
    }
}
