package dev.javisor.linux;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A file descriptor that belongs to whoever holds this object: closed once, by {@link #close}. The
 * number must not be used afterwards, as the kernel gives it out again.
 */
public final class OwnedFd implements AutoCloseable {
    private final SystemCalls system;
    private final int number;
    private final String name;
    private final AtomicBoolean closed = new AtomicBoolean();

    private OwnedFd(SystemCalls system, int number, String name) {
        this.system = system;
        this.number = number;
        this.name = name;
    }

    /**
     * Takes over what a call returned.
     *
     * @param name for messages
     * @throws LinuxException if it is a negated error number
     */
    public static OwnedFd take(SystemCalls system, String name, int result) {
        return new OwnedFd(system, LinuxException.check(name, result), name);
    }

    /**
     * open(2), closed on exec.
     *
     * @throws LinuxException when the kernel refuses
     */
    public static OwnedFd open(SystemCalls system, String path, int flags) {
        return take(system, "open " + path, system.open(path, flags | SystemCalls.O_CLOEXEC));
    }

    /**
     * Memory without a name in any file system, of {@code sizeBytes} zeroes, to be mapped shared.
     *
     * @throws LinuxException when the kernel refuses
     */
    public static OwnedFd memory(SystemCalls system, String name, long sizeBytes, HostPages pages) {
        int flags =
                SystemCalls.MFD_CLOEXEC
                        | SystemCalls.MFD_ALLOW_SEALING
                        | pages.flags(SystemCalls.MFD_HUGETLB);
        OwnedFd fd = take(system, "memfd_create", system.memfdCreate(name, flags));
        int result = system.ftruncate(fd.number, sizeBytes);
        if (result < 0) {
            fd.close();
            throw new LinuxException("ftruncate to " + sizeBytes + " bytes", -result);
        }
        return fd;
    }

    public int number() {
        return number;
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            // Linux releases the descriptor whatever it answers (close(2), "Dealing with errors").
            int unusedResult = system.close(number);
        }
    }

    @Override
    public String toString() {
        return name + " (fd " + number + ")";
    }
}
