package dev.javisor.linux;

/** An eventfd(2) counter: signalled by anyone, also by the kernel; drained without blocking. */
public final class EventFd implements AutoCloseable {
    private final SystemCalls system;
    private final OwnedFd fd;

    private EventFd(SystemCalls system, OwnedFd fd) {
        this.system = system;
        this.fd = fd;
    }

    /**
     * @throws LinuxException when the kernel refuses
     */
    public static EventFd create(SystemCalls system) {
        int flags = SystemCalls.O_CLOEXEC | SystemCalls.O_NONBLOCK;
        return new EventFd(system, OwnedFd.take(system, "eventfd", system.eventfd(0, flags)));
    }

    public int number() {
        return fd.number();
    }

    /** Adds one. A counter at its limit stays there, which is as good. */
    public void signal() {
        long result = system.writeCounter(fd.number(), 1);
        if (result < 0 && result != -Errno.EAGAIN) {
            throw new LinuxException("write to eventfd", (int) -result);
        }
    }

    /** Takes the count; 0 if there was none. */
    public long drain() {
        long count = system.readCounter(fd.number());
        if (count < 0 && count != -Errno.EAGAIN && count != -Errno.EINTR) {
            throw new LinuxException("read of eventfd", (int) -count);
        }
        return Math.max(count, 0);
    }

    @Override
    public void close() {
        fd.close();
    }
}
