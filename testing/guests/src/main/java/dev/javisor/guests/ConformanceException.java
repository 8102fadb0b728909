package dev.javisor.guests;

/** An accelerator did not do what the contract or the architecture says. */
public final class ConformanceException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public ConformanceException(String message) {
        super(message);
    }

    public ConformanceException(String message, Throwable cause) {
        super(message, cause);
    }
}
