package dev.javisor.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The kernel under this process. Every call captures {@code errno} in a segment of the calling
 * thread, so that nothing the JVM does in between can change it.
 */
final class HostSystemCalls implements SystemCalls {
    static final HostSystemCalls INSTANCE = new HostSystemCalls();

    /** struct epoll_event is packed on x86-64 only (bits/epoll.h). */
    private static final boolean PACKED = System.getProperty("os.arch", "").matches("amd64|x86_64");

    private static final int EPOLL_EVENT_BYTES = PACKED ? 12 : 16;
    private static final int EPOLL_DATA = PACKED ? 4 : 8;
    private static final int MAX_EPOLL_EVENTS = 64;

    /** glibc's struct sigaction: handler@0, mask@8, flags@136, restorer@144. */
    private static final int SIGACTION_BYTES = 152;

    /** fcntl(2): F_ADD_SEALS; F_SEAL_SEAL, F_SEAL_SHRINK and F_SEAL_GROW. */
    private static final int F_ADD_SEALS = 1033;

    private static final int SEALS = 1 | 2 | 4;

    /** What the calls of one thread write into. */
    private static final class Scratch {
        private final MemorySegment errno;

        /** Small structures; the longest is a list of epoll events. */
        private final MemorySegment memory;

        Scratch() {
            Arena arena = Arena.ofAuto();
            errno = LibC.captureState(arena);
            memory = arena.allocate((long) EPOLL_EVENT_BYTES * MAX_EPOLL_EVENTS, 8);
        }

        int result(int value) {
            return value < 0 ? -LibC.errno(errno) : value;
        }

        long result(long value) {
            return value < 0 ? -LibC.errno(errno) : value;
        }
    }

    private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

    private HostSystemCalls() {}

    @Override
    public int open(String path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            Scratch s = SCRATCH.get();
            // SAFETY: a zero-terminated string that lives through the call; no mode is read, as
            // nothing here creates files.
            return s.result((int) LibC.OPEN.invokeExact(s.errno, arena.allocateFrom(path), flags));
        } catch (Throwable e) {
            throw LibC.broken("open", e);
        }
    }

    @Override
    public int close(int fd) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: numbers only; that nobody else owns the descriptor is the caller's word.
            return s.result((int) LibC.CLOSE.invokeExact(s.errno, fd));
        } catch (Throwable e) {
            throw LibC.broken("close", e);
        }
    }

    @Override
    public int ioctl(int fd, long request, long argument) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: requests with a number as argument; the caller names such requests only.
            return s.result((int) LibC.IOCTL_NUMBER.invokeExact(s.errno, fd, request, argument));
        } catch (Throwable e) {
            throw LibC.broken("ioctl", e);
        }
    }

    @Override
    public int ioctl(int fd, long request, MemorySegment argument) {
        try {
            Scratch s = SCRATCH.get();
            long needed = request >>> 16 & 0x3FFF;
            if (argument.byteSize() < needed) {
                throw new IndexOutOfBoundsException(
                        "ioctl %#x wants %d bytes".formatted(request, needed));
            }
            // SAFETY: the segment is as long as the request's own size field says (asm-generic/
            // ioctl.h), and alive through the call. Structures with a tail name their length
            // inside, which the caller keeps within the segment.
            return s.result((int) LibC.IOCTL_POINTER.invokeExact(s.errno, fd, request, argument));
        } catch (IndexOutOfBoundsException e) {
            throw e;
        } catch (Throwable e) {
            throw LibC.broken("ioctl", e);
        }
    }

    /** No ThreadLocal on this path: the object owns its errno segment. */
    private static final class HostIoctl implements BoundIoctl {
        private final Arena arena = Arena.ofShared();
        private final MemorySegment errno = LibC.captureState(arena);
        private final int fd;
        private final long request;

        HostIoctl(int fd, long request) {
            this.fd = fd;
            this.request = request;
        }

        @Override
        public int call() {
            int result;
            try {
                // SAFETY: numbers only. Not critical: the call may block for ever.
                result = (int) LibC.IOCTL_NUMBER.invokeExact(errno, fd, request, 0L);
            } catch (Throwable e) {
                throw LibC.broken("ioctl", e);
            }
            return result < 0 ? -LibC.errno(errno) : result;
        }

        @Override
        public void close() {
            arena.close();
        }
    }

    @Override
    public BoundIoctl bindIoctl(int fd, long request) {
        return new HostIoctl(fd, request);
    }

    @Override
    public long mmap(long sizeBytes, int protection, int flags, int fd, long offset) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: no address given: the kernel chooses free address space.
            return s.result(
                    (long)
                            LibC.MMAP.invokeExact(
                                    s.errno, 0L, sizeBytes, protection, flags, fd, offset));
        } catch (Throwable e) {
            throw LibC.broken("mmap", e);
        }
    }

    @Override
    public int munmap(long address, long sizeBytes) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: the caller owns exactly this mapping and has dropped all views of it.
            return s.result((int) LibC.MUNMAP.invokeExact(s.errno, address, sizeBytes));
        } catch (Throwable e) {
            throw LibC.broken("munmap", e);
        }
    }

    @Override
    public int madvise(long address, long sizeBytes, int advice) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: the caller owns the range; advices used keep it mapped.
            return s.result((int) LibC.MADVISE.invokeExact(s.errno, address, sizeBytes, advice));
        } catch (Throwable e) {
            throw LibC.broken("madvise", e);
        }
    }

    @Override
    public int memfdCreate(String name, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            Scratch s = SCRATCH.get();
            // SAFETY: a zero-terminated string that lives through the call.
            return s.result(
                    (int) LibC.MEMFD_CREATE.invokeExact(s.errno, arena.allocateFrom(name), flags));
        } catch (Throwable e) {
            throw LibC.broken("memfd_create", e);
        }
    }

    @Override
    public int ftruncate(int fd, long sizeBytes) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: numbers only.
            return s.result((int) LibC.FTRUNCATE.invokeExact(s.errno, fd, sizeBytes));
        } catch (Throwable e) {
            throw LibC.broken("ftruncate", e);
        }
    }

    @Override
    public int sealSize(int fd) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: numbers only.
            return s.result((int) LibC.FCNTL.invokeExact(s.errno, fd, F_ADD_SEALS, SEALS));
        } catch (Throwable e) {
            throw LibC.broken("fcntl", e);
        }
    }

    @Override
    public int mlock(long address, long sizeBytes) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: brings pages in, and changes nothing that a program could see.
            return s.result((int) LibC.MLOCK.invokeExact(s.errno, address, sizeBytes));
        } catch (Throwable e) {
            throw LibC.broken("mlock", e);
        }
    }

    @Override
    public int munlock(long address, long sizeBytes) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: changes nothing that a program could see.
            return s.result((int) LibC.MUNLOCK.invokeExact(s.errno, address, sizeBytes));
        } catch (Throwable e) {
            throw LibC.broken("munlock", e);
        }
    }

    @Override
    public int eventfd(int initial, int flags) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: numbers only.
            return s.result((int) LibC.EVENTFD.invokeExact(s.errno, initial, flags));
        } catch (Throwable e) {
            throw LibC.broken("eventfd", e);
        }
    }

    @Override
    public int epollCreate(int flags) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: numbers only.
            return s.result((int) LibC.EPOLL_CREATE1.invokeExact(s.errno, flags));
        } catch (Throwable e) {
            throw LibC.broken("epoll_create1", e);
        }
    }

    @Override
    public int epollControl(int epoll, int operation, int fd, int events, long data) {
        try {
            Scratch s = SCRATCH.get();
            s.memory.set(ValueLayout.JAVA_INT, 0, events);
            s.memory.set(ValueLayout.JAVA_LONG_UNALIGNED, EPOLL_DATA, data);
            // SAFETY: the structure is this thread's and is only read.
            return s.result(
                    (int) LibC.EPOLL_CTL.invokeExact(s.errno, epoll, operation, fd, s.memory));
        } catch (Throwable e) {
            throw LibC.broken("epoll_ctl", e);
        }
    }

    @Override
    public int epollWait(int epoll, long[] into, int timeoutMs) {
        try {
            Scratch s = SCRATCH.get();
            int most = Math.min(into.length, MAX_EPOLL_EVENTS);
            // SAFETY: the list has room for that many structures and is this thread's.
            int ready =
                    s.result(
                            (int)
                                    LibC.EPOLL_WAIT.invokeExact(
                                            s.errno, epoll, s.memory, most, timeoutMs));
            for (int i = 0; i < ready; i++) {
                long at = (long) EPOLL_EVENT_BYTES * i + EPOLL_DATA;
                into[i] = s.memory.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
            }
            return ready;
        } catch (Throwable e) {
            throw LibC.broken("epoll_wait", e);
        }
    }

    @Override
    public int timerfdCreate(int clock, int flags) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: numbers only.
            return s.result((int) LibC.TIMERFD_CREATE.invokeExact(s.errno, clock, flags));
        } catch (Throwable e) {
            throw LibC.broken("timerfd_create", e);
        }
    }

    @Override
    public int timerfdSet(int fd, long initialNanos, long intervalNanos) {
        try {
            Scratch s = SCRATCH.get();
            // struct itimerspec: interval, then value, each seconds and nanoseconds.
            s.memory.set(ValueLayout.JAVA_LONG, 0, intervalNanos / 1_000_000_000);
            s.memory.set(ValueLayout.JAVA_LONG, 8, intervalNanos % 1_000_000_000);
            s.memory.set(ValueLayout.JAVA_LONG, 16, initialNanos / 1_000_000_000);
            s.memory.set(ValueLayout.JAVA_LONG, 24, initialNanos % 1_000_000_000);
            // SAFETY: the structure is this thread's and is only read; the old value is not asked.
            return s.result(
                    (int)
                            LibC.TIMERFD_SETTIME.invokeExact(
                                    s.errno, fd, 0, s.memory, MemorySegment.NULL));
        } catch (Throwable e) {
            throw LibC.broken("timerfd_settime", e);
        }
    }

    @Override
    public long readCounter(int fd) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: 8 bytes of this thread's memory.
            long count = s.result((long) LibC.READ.invokeExact(s.errno, fd, s.memory, 8L));
            return count < 0 ? count : s.memory.get(ValueLayout.JAVA_LONG, 0);
        } catch (Throwable e) {
            throw LibC.broken("read", e);
        }
    }

    @Override
    public long writeCounter(int fd, long value) {
        try {
            Scratch s = SCRATCH.get();
            s.memory.set(ValueLayout.JAVA_LONG, 0, value);
            // SAFETY: 8 bytes of this thread's memory, only read.
            return s.result((long) LibC.WRITE.invokeExact(s.errno, fd, s.memory, 8L));
        } catch (Throwable e) {
            throw LibC.broken("write", e);
        }
    }

    @Override
    public long read(int fd, MemorySegment into) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: the kernel writes within the segment, which is alive through the call; one
            // that is not native, or read-only, is refused by the linker or here.
            return s.result(
                    (long) LibC.READ.invokeExact(s.errno, fd, writable(into), into.byteSize()));
        } catch (IllegalArgumentException e) {
            throw e;
        } catch (Throwable e) {
            throw LibC.broken("read", e);
        }
    }

    private static MemorySegment writable(MemorySegment segment) {
        if (segment.isReadOnly()) {
            throw new IllegalArgumentException("read into memory that is read-only");
        }
        return segment;
    }

    @Override
    public long write(int fd, MemorySegment from) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: the kernel reads within the segment, which is alive through the call.
            return s.result((long) LibC.WRITE.invokeExact(s.errno, fd, from, from.byteSize()));
        } catch (IllegalArgumentException e) {
            throw e;
        } catch (Throwable e) {
            throw LibC.broken("write", e);
        }
    }

    @Override
    public int socket(int domain, int type, int protocol) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: numbers only.
            return s.result((int) LibC.SOCKET.invokeExact(s.errno, domain, type, protocol));
        } catch (Throwable e) {
            throw LibC.broken("socket", e);
        }
    }

    @Override
    public int getpid() {
        try {
            // SAFETY: no arguments.
            return (int) LibC.GETPID.invokeExact(SCRATCH.get().errno);
        } catch (Throwable e) {
            throw LibC.broken("getpid", e);
        }
    }

    @Override
    public int gettid() {
        try {
            // SAFETY: no arguments.
            return (int) LibC.GETTID.invokeExact(SCRATCH.get().errno);
        } catch (Throwable e) {
            throw LibC.broken("gettid", e);
        }
    }

    @Override
    public int tgkill(int processId, int threadId, int signal) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: numbers only; the kernel refuses a thread that is not of this process.
            return s.result((int) LibC.TGKILL.invokeExact(s.errno, processId, threadId, signal));
        } catch (Throwable e) {
            throw LibC.broken("tgkill", e);
        }
    }

    @Override
    public int handleByNothing(int signal) {
        try (Arena arena = Arena.ofConfined()) {
            Scratch s = SCRATCH.get();
            MemorySegment action = arena.allocate(SIGACTION_BYTES, 8);
            action.set(ValueLayout.ADDRESS, 0, LibC.functionWithoutEffect());
            // SAFETY: a whole struct sigaction, zero but for the handler: no mask, no flags. The
            // handler is a leaf function of the C library, which is never unloaded; it takes and
            // returns an int in registers, touches no memory, and so may run anywhere.
            return s.result(
                    (int) LibC.SIGACTION.invokeExact(s.errno, signal, action, MemorySegment.NULL));
        } catch (Throwable e) {
            throw LibC.broken("sigaction", e);
        }
    }

    @Override
    public int prctl(int option, long argument) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: numbers only; options that take a pointer are not used.
            return s.result((int) LibC.PRCTL.invokeExact(s.errno, option, argument, 0L, 0L, 0L));
        } catch (Throwable e) {
            throw LibC.broken("prctl", e);
        }
    }

    @Override
    public int setAffinity(int threadId, long[] cpus) {
        try (Arena arena = Arena.ofConfined()) {
            Scratch s = SCRATCH.get();
            MemorySegment mask =
                    arena.allocate(MemoryLayout.sequenceLayout(cpus.length, ValueLayout.JAVA_LONG));
            MemorySegment.copy(cpus, 0, mask, ValueLayout.JAVA_LONG, 0, cpus.length);
            // SAFETY: the mask is as long as said and is only read.
            return s.result(
                    (int)
                            LibC.SCHED_SETAFFINITY.invokeExact(
                                    s.errno, threadId, mask.byteSize(), mask));
        } catch (Throwable e) {
            throw LibC.broken("sched_setaffinity", e);
        }
    }

    @Override
    public int setScheduler(int threadId, int policy, int priority) {
        try {
            Scratch s = SCRATCH.get();
            s.memory.set(ValueLayout.JAVA_INT, 0, priority);
            // SAFETY: struct sched_param is one int of this thread's memory, only read.
            return s.result(
                    (int) LibC.SCHED_SETSCHEDULER.invokeExact(s.errno, threadId, policy, s.memory));
        } catch (Throwable e) {
            throw LibC.broken("sched_setscheduler", e);
        }
    }

    @Override
    public int setPriority(int which, int id, int nice) {
        try {
            Scratch s = SCRATCH.get();
            // SAFETY: numbers only.
            return s.result((int) LibC.SETPRIORITY.invokeExact(s.errno, which, id, nice));
        } catch (Throwable e) {
            throw LibC.broken("setpriority", e);
        }
    }
}
