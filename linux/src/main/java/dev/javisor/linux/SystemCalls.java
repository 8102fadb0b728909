package dev.javisor.linux;

import java.lang.foreign.MemorySegment;

/**
 * The system calls that Javisor makes, so that a test can play the kernel and let any of them fail.
 * Each answers as the kernel does: a result of zero or more, or a negated error number (see {@link
 * Errno}); none throws, none allocates in the steady state. {@link #host()} is the real kernel.
 *
 * <p>Callers pass on ownership rules of the kernel: an address given to a call must stay mapped for
 * as long as the kernel uses it.
 */
public interface SystemCalls {
    /** open(2) and eventfd(2) flags, generic ABI. */
    int O_RDONLY = 0;

    int O_RDWR = 2;
    int O_NONBLOCK = 0x800;
    int O_CLOEXEC = 0x80000;

    int PROT_READ = 1;
    int PROT_WRITE = 2;
    int MAP_SHARED = 1;
    int MAP_PRIVATE = 2;
    int MAP_ANONYMOUS = 0x20;
    int MAP_NORESERVE = 0x4000;
    int MAP_HUGETLB = 0x40000;

    int MADV_DONTNEED = 4;
    int MADV_REMOVE = 9;
    int MADV_HUGEPAGE = 14;
    int MADV_DONTDUMP = 16;
    int MADV_POPULATE_WRITE = 23;

    int MFD_CLOEXEC = 1;
    int MFD_ALLOW_SEALING = 2;
    int MFD_HUGETLB = 4;

    int EPOLL_CTL_ADD = 1;
    int EPOLL_CTL_DEL = 2;
    int EPOLLIN = 1;

    /** Ready is told once for each arrival, whether or not all was read. */
    int EPOLLET = 1 << 31;

    int AF_INET = 2;
    int SOCK_DGRAM = 2;
    int SOCK_CLOEXEC = O_CLOEXEC;

    int CLOCK_MONOTONIC = 1;

    int PR_SET_TIMERSLACK = 29;

    int SCHED_OTHER = 0;
    int SCHED_FIFO = 1;
    int SCHED_RR = 2;
    int SCHED_BATCH = 3;
    int SCHED_IDLE = 5;

    int PRIO_PROCESS = 0;

    /** The kernel under this process. */
    static SystemCalls host() {
        return HostSystemCalls.INSTANCE;
    }

    /** open(2). */
    int open(String path, int flags);

    /** close(2). Never to be repeated, whatever it answers. */
    int close(int fd);

    /** ioctl(2) whose argument is a number or absent. */
    int ioctl(int fd, long request, long argument);

    /** ioctl(2) whose argument is a structure. */
    int ioctl(int fd, long request, MemorySegment argument);

    /** The same ioctl again and again, by one thread, at the least cost. */
    BoundIoctl bindIoctl(int fd, long request);

    /** mmap(2) with no address wished for: the address, or a negated error number. */
    long mmap(long sizeBytes, int protection, int flags, int fd, long offset);

    /** munmap(2). */
    int munmap(long address, long sizeBytes);

    /** madvise(2). */
    int madvise(long address, long sizeBytes, int advice);

    /** memfd_create(2). */
    int memfdCreate(String name, int flags);

    /** ftruncate(2). */
    int ftruncate(int fd, long sizeBytes);

    /** Fixes a memory file's size for good: fcntl(2) with F_ADD_SEALS. */
    int sealSize(int fd);

    /** mlock(2). */
    int mlock(long address, long sizeBytes);

    /** munlock(2). */
    int munlock(long address, long sizeBytes);

    /** eventfd(2). */
    int eventfd(int initial, int flags);

    /** epoll_create1(2). */
    int epollCreate(int flags);

    /**
     * epoll_ctl(2).
     *
     * @param data comes back from {@link #epollWait}
     */
    int epollControl(int epoll, int operation, int fd, int events, long data);

    /**
     * epoll_wait(2) for as many events as {@code into} has room for.
     *
     * @param into receives the data of ready descriptors
     * @param timeoutMs -1 waits for ever
     */
    int epollWait(int epoll, long[] into, int timeoutMs);

    /** timerfd_create(2). */
    int timerfdCreate(int clock, int flags);

    /** timerfd_settime(2), relative; 0 disarms. */
    int timerfdSet(int fd, long initialNanos, long intervalNanos);

    /** read(2) of exactly 8 bytes: what eventfd(2) and timerfd_create(2) count. */
    long readCounter(int fd);

    /** write(2) of exactly 8 bytes. */
    long writeCounter(int fd, long value);

    /** read(2) into all of {@code into}: how many bytes came. */
    long read(int fd, MemorySegment into);

    /** write(2) of all of {@code from}: how many bytes went. */
    long write(int fd, MemorySegment from);

    /** socket(2). */
    int socket(int domain, int type, int protocol);

    /** getpid(2). */
    int getpid();

    /** gettid(2). */
    int gettid();

    /** tgkill(2). */
    int tgkill(int processId, int threadId, int signal);

    /**
     * Makes {@code signal} interrupt system calls and do nothing else: sigaction(2) without
     * SA_RESTART, whose handler is a function of the C library that has no effect. No code of the
     * JVM runs in the signal's context.
     */
    int handleByNothing(int signal);

    /** prctl(2). */
    int prctl(int option, long argument);

    /**
     * sched_setaffinity(2).
     *
     * @param cpus one bit per CPU
     */
    int setAffinity(int threadId, long[] cpus);

    /** sched_setscheduler(2). */
    int setScheduler(int threadId, int policy, int priority);

    /**
     * setpriority(2).
     *
     * @param nice -20 to 19
     */
    int setPriority(int which, int id, int nice);

    /** One ioctl bound to its descriptor and request. Belongs to one thread; its argument is 0. */
    interface BoundIoctl extends AutoCloseable {
        /** Zero or more, or a negated error number. */
        int call();

        @Override
        void close();
    }
}
