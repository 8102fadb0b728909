package dev.javisor.base;

/**
 * A fault that is the user's or the host's, not ours: its message is one line that says what was
 * wrong, where, and what to do. Modules subclass it.
 */
public class JavisorException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public JavisorException(String message) {
        super(message);
    }

    public JavisorException(String message, Throwable cause) {
        super(message, cause);
    }
}
