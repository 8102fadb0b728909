package dev.javisor.boot;

import dev.javisor.base.JavisorException;

/** A kernel, an initial RAM disk or a command line that cannot be booted; says why in one line. */
public final class BootException extends JavisorException {
    private static final long serialVersionUID = 1;

    public BootException(String message) {
        super(message);
    }

    public BootException(String message, Throwable cause) {
        super(message, cause);
    }
}
