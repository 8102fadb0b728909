package dev.javisor.linux;

/** An epoll(7) instance: waits until one of many descriptors can be read. */
public final class Epoll implements AutoCloseable {
    private final SystemCalls system;
    private final OwnedFd fd;

    private Epoll(SystemCalls system, OwnedFd fd) {
        this.system = system;
        this.fd = fd;
    }

    /**
     * @throws LinuxException when the kernel refuses
     */
    public static Epoll create(SystemCalls system) {
        int result = system.epollCreate(SystemCalls.O_CLOEXEC);
        return new Epoll(system, OwnedFd.take(system, "epoll_create1", result));
    }

    /**
     * @param key what {@link #await} answers for it
     * @throws LinuxException when the kernel refuses
     */
    public void add(int watched, long key) {
        int result =
                system.epollControl(
                        fd.number(), SystemCalls.EPOLL_CTL_ADD, watched, SystemCalls.EPOLLIN, key);
        LinuxException.check("epoll_ctl", result);
    }

    /**
     * As {@link #add}, but {@link #await} answers once for each arrival, also while what came
     * before has not been read.
     *
     * @throws LinuxException when the kernel refuses
     */
    public void addArrivals(int watched, long key) {
        int events = SystemCalls.EPOLLIN | SystemCalls.EPOLLET;
        int result =
                system.epollControl(fd.number(), SystemCalls.EPOLL_CTL_ADD, watched, events, key);
        LinuxException.check("epoll_ctl", result);
    }

    /**
     * As {@link #await}, without waiting.
     *
     * @throws LinuxException when the kernel refuses
     */
    public int poll(long[] keys) {
        int ready = system.epollWait(fd.number(), keys, 0);
        return ready == -Errno.EINTR ? 0 : LinuxException.check("epoll_wait", ready);
    }

    /** Before {@code watched} is closed. */
    public void remove(int watched) {
        int result = system.epollControl(fd.number(), SystemCalls.EPOLL_CTL_DEL, watched, 0, 0);
        LinuxException.check("epoll_ctl", result);
    }

    /**
     * Waits, for ever if need be.
     *
     * @param keys receives the keys of readable descriptors, as many as it has room for
     * @return how many; 0 after a signal
     * @throws LinuxException when the kernel refuses
     */
    public int await(long[] keys) {
        int ready = system.epollWait(fd.number(), keys, -1);
        return ready == -Errno.EINTR ? 0 : LinuxException.check("epoll_wait", ready);
    }

    @Override
    public void close() {
        fd.close();
    }
}
