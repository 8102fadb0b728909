package dev.javisor.block;

import dev.javisor.base.JavisorException;

/** A backend cannot be opened, or an operation on it failed. One line for a person. */
public final class BlockException extends JavisorException {
    private static final long serialVersionUID = 1;

    private final boolean outOfSpace;

    public BlockException(String message) {
        super(message);
        outOfSpace = false;
    }

    public BlockException(String message, Throwable cause) {
        super(message, cause);
        outOfSpace = cause instanceof BlockException inner && inner.outOfSpace;
    }

    private BlockException(Throwable cause, String message) {
        super(message, cause);
        outOfSpace = true;
    }

    /** The host's file system or the user's quota is full: the same may succeed later. */
    public static BlockException outOfSpace(String message, Throwable cause) {
        return new BlockException(cause, message);
    }

    /** Whether making room helps. */
    public boolean isOutOfSpace() {
        return outOfSpace;
    }
}
