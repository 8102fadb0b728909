package dev.javisor.linux;

/** A timerfd_create(2) timer on the monotonic clock, which becomes readable when it expires. */
public final class TimerFd implements AutoCloseable {
    private final SystemCalls system;
    private final OwnedFd fd;

    private TimerFd(SystemCalls system, OwnedFd fd) {
        this.system = system;
        this.fd = fd;
    }

    /**
     * @throws LinuxException when the kernel refuses
     */
    public static TimerFd create(SystemCalls system) {
        int flags = SystemCalls.O_CLOEXEC | SystemCalls.O_NONBLOCK;
        int result = system.timerfdCreate(SystemCalls.CLOCK_MONOTONIC, flags);
        return new TimerFd(system, OwnedFd.take(system, "timerfd_create", result));
    }

    public int number() {
        return fd.number();
    }

    /**
     * Expires after {@code delayNanos} (1 or more), then every {@code intervalNanos} unless that is
     * 0.
     */
    public void arm(long delayNanos, long intervalNanos) {
        if (delayNanos < 1 || intervalNanos < 0) {
            throw new IllegalArgumentException("timer of %d ns".formatted(delayNanos));
        }
        LinuxException.check(
                "timerfd_settime", system.timerfdSet(fd.number(), delayNanos, intervalNanos));
    }

    public void disarm() {
        LinuxException.check("timerfd_settime", system.timerfdSet(fd.number(), 0, 0));
    }

    /** Expirations since the last call; 0 if there was none. */
    public long drain() {
        long count = system.readCounter(fd.number());
        if (count < 0 && count != -Errno.EAGAIN && count != -Errno.EINTR) {
            throw new LinuxException("read of timerfd", (int) -count);
        }
        return Math.max(count, 0);
    }

    @Override
    public void close() {
        fd.close();
    }
}
