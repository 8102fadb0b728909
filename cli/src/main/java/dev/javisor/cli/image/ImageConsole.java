package dev.javisor.cli.image;

import dev.javisor.block.image.Progress;
import java.io.PrintStream;
import java.util.Optional;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * Where the verbs print.
 *
 * @param terminal whether progress bars are shown if nobody says otherwise
 */
public record ImageConsole(PrintStream out, PrintStream err, boolean terminal) {
    private static final int WIDTH = 78;

    void line(String format, Object... values) {
        out.printf(format + "%n", values);
    }

    void json(JsonNode node) {
        ObjectMapper mapper =
                JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
        out.println(mapper.writeValueAsString(node));
    }

    /** A progress bar for as long as {@code work} takes. */
    void withProgress(String what, boolean shown, Work work) {
        if (!shown) {
            work.run(Progress.NONE);
            return;
        }
        Bar bar = new Bar(what);
        try {
            work.run(bar);
        } finally {
            bar.close();
        }
    }

    /** Something that takes long. */
    interface Work {
        void run(Progress progress);
    }

    private final class Bar implements Progress {
        private final String what;
        private Optional<ProgressBar> bar = Optional.empty();

        Bar(String what) {
            this.what = what;
        }

        @Override
        public synchronized void at(long done, long total) {
            if (bar.isEmpty()) {
                bar =
                        Optional.of(
                                new ProgressBarBuilder()
                                        .setTaskName(what)
                                        .setInitialMax(total)
                                        .setUnit("MiB", 1 << 20)
                                        .setStyle(ProgressBarStyle.ASCII)
                                        .setUpdateIntervalMillis(100)
                                        .setConsumer(new ConsoleProgressBarConsumer(err, WIDTH))
                                        .build());
            }
            bar.get().stepTo(done);
        }

        private synchronized void close() {
            bar.ifPresent(ProgressBar::close);
        }
    }
}
