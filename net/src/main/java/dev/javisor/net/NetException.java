package dev.javisor.net;

import dev.javisor.base.JavisorException;

/** A network cannot be had as asked for: a port in use, an address that is none. */
public final class NetException extends JavisorException {
    private static final long serialVersionUID = 1;

    public NetException(String message) {
        super(message);
    }

    public NetException(String message, Throwable cause) {
        super(message, cause);
    }
}
