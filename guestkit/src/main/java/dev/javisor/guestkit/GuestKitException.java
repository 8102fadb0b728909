package dev.javisor.guestkit;

import dev.javisor.base.JavisorException;

/** The default guest cannot be prepared; the message says why and what to do. */
public final class GuestKitException extends JavisorException {
    private static final long serialVersionUID = 1;

    public GuestKitException(String message) {
        super(message);
    }

    public GuestKitException(String message, Throwable cause) {
        super(message, cause);
    }
}
