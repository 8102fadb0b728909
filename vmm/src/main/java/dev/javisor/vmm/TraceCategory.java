package dev.javisor.vmm;

import java.util.Locale;

/** What can be traced. Each category is a logger; it is on if that logger lets DEBUG through. */
public enum TraceCategory {
    /** Instructions that the accelerator had executed by the software CPU. */
    ASSIST,
    /** How the machine is put together and what is loaded. */
    BOOT,
    /** Every port and memory-mapped access of the guest. */
    EXITS,
    /** Starts, pauses, resets, ends. */
    VMM;

    /** The logger's name. */
    public String loggerName() {
        return "dev.javisor." + name().toLowerCase(Locale.ROOT);
    }

    System.Logger logger() {
        return System.getLogger(loggerName());
    }

    boolean isOn() {
        return logger().isLoggable(System.Logger.Level.DEBUG);
    }

    void log(String format, Object... values) {
        System.Logger logger = logger();
        if (logger.isLoggable(System.Logger.Level.DEBUG)) {
            logger.log(System.Logger.Level.DEBUG, String.format(Locale.ROOT, format, values));
        }
    }
}
