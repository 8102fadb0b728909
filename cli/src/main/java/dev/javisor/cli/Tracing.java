package dev.javisor.cli;

import java.util.Set;
import java.util.logging.ConsoleHandler;
import java.util.logging.Formatter;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/**
 * Sends what the modules log to standard error, one line each: warnings always, why an accelerator
 * was chosen in interactive sessions and with {@code -v}, and for the categories of {@code --trace}
 * everything. A category is the logger {@code dev.javisor.CATEGORY}.
 */
final class Tracing {
    /** Loggers are forgotten unless somebody holds them. */
    private static final Logger ROOT = Logger.getLogger("dev.javisor");

    private static final Logger ACCELERATOR = Logger.getLogger("dev.javisor.accelerator");

    private Tracing() {}

    static void start(Set<TraceCategory> categories, boolean verbose, boolean interactive) {
        ROOT.setUseParentHandlers(false);
        ROOT.setLevel(Level.WARNING);
        // A command's standard error is its own: there only who asks is told.
        ACCELERATOR.setLevel(verbose ? Level.ALL : interactive ? Level.INFO : Level.WARNING);
        for (var handler : ROOT.getHandlers()) {
            ROOT.removeHandler(handler);
        }
        ConsoleHandler handler = new ConsoleHandler();
        handler.setLevel(Level.ALL);
        handler.setFormatter(new OneLine());
        ROOT.addHandler(handler);
        HELD.clear();
        for (TraceCategory category : categories) {
            Logger logger = Logger.getLogger("dev.javisor." + category);
            logger.setLevel(Level.ALL);
            HELD.add(logger);
        }
    }

    private static final java.util.List<Logger> HELD = new java.util.ArrayList<>();

    private static final class OneLine extends Formatter {
        @Override
        public String format(LogRecord record) {
            // Traces tell where they come from; a warning speaks to a person.
            String where =
                    record.getLevel().intValue() >= Level.WARNING.intValue()
                            ? ""
                            : String.valueOf(record.getLoggerName())
                                            .replaceFirst("^dev\\.javisor\\.", "")
                                    + ": ";
            Throwable thrown = record.getThrown();
            return "javisor: %s%s%s%n"
                    .formatted(where, formatMessage(record), thrown == null ? "" : ": " + thrown);
        }
    }
}
