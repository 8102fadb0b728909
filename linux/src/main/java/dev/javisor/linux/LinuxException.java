package dev.javisor.linux;

import dev.javisor.base.JavisorException;

/** A system call failed. */
public final class LinuxException extends JavisorException {
    private static final long serialVersionUID = 1;

    private final int errno;

    LinuxException(String operation, int errno) {
        super(operation + ": " + describe(errno));
        this.errno = errno;
    }

    /** The value of {@code errno} (errno(3)). */
    public int errno() {
        return errno;
    }

    /** The texts of strerror(3) for what the calls of this module can answer. */
    private static String describe(int errno) {
        return switch (errno) {
            case 1 -> "operation not permitted";
            case 11 -> "resource temporarily unavailable";
            case 12 -> "cannot allocate memory";
            case 13 -> "permission denied";
            case 22 -> "invalid argument";
            default -> "errno " + errno;
        };
    }
}
