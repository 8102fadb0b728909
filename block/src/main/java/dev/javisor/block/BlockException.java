package dev.javisor.block;

import dev.javisor.base.JavisorException;

/** A backend cannot be opened, or an operation on it failed. One line for a person. */
public final class BlockException extends JavisorException {
    private static final long serialVersionUID = 1;

    public BlockException(String message) {
        super(message);
    }

    public BlockException(String message, Throwable cause) {
        super(message, cause);
    }
}
