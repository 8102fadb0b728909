package dev.javisor.linux;

import dev.javisor.base.JavisorException;

/** A system call failed. */
public final class LinuxException extends JavisorException {
    private static final long serialVersionUID = 1;

    private final int errno;

    public LinuxException(String operation, int errno) {
        super(operation + ": " + Errno.describe(errno));
        this.errno = errno;
    }

    /**
     * Passes on what a {@link SystemCalls} method returned unless it is an error.
     *
     * @throws LinuxException if {@code result} is a negated error number
     */
    public static int check(String operation, int result) {
        if (result < 0) {
            throw new LinuxException(operation, -result);
        }
        return result;
    }

    /**
     * As {@link #check(String, int)} for results that are sizes or addresses.
     *
     * @throws LinuxException if {@code result} is a negated error number
     */
    public static long check(String operation, long result) {
        if (result < 0) {
            throw new LinuxException(operation, (int) -result);
        }
        return result;
    }

    /** The value of {@code errno} (errno(3)). */
    public int errno() {
        return errno;
    }
}
