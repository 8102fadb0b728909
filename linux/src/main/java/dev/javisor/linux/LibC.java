package dev.javisor.linux;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * Handles of the C library's functions. Each captures {@code errno} in its first argument. None is
 * "critical": any may block, and a thread inside must not hold up the garbage collector.
 */
final class LibC {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO =
            CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final AddressLayout POINTER = ValueLayout.ADDRESS;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    /** {@code int open(const char *path, int flags, ...)}. */
    static final MethodHandle OPEN = variadic("open", FunctionDescriptor.of(INT, POINTER, INT), 2);

    static final MethodHandle CLOSE = downcall("close", FunctionDescriptor.of(INT, INT));

    /** {@code int ioctl(int fd, unsigned long request, ...)} with a number. */
    static final MethodHandle IOCTL_NUMBER =
            variadic("ioctl", FunctionDescriptor.of(INT, INT, LONG, LONG), 2);

    /** {@code int ioctl(int fd, unsigned long request, ...)} with a pointer. */
    static final MethodHandle IOCTL_POINTER =
            variadic("ioctl", FunctionDescriptor.of(INT, INT, LONG, POINTER), 2);

    /** {@code void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)}. */
    static final MethodHandle MMAP =
            downcall("mmap", FunctionDescriptor.of(LONG, LONG, LONG, INT, INT, INT, LONG));

    /** {@code int munmap(void *addr, size_t length)}. */
    static final MethodHandle MUNMAP = downcall("munmap", FunctionDescriptor.of(INT, LONG, LONG));

    /** {@code int madvise(void *addr, size_t length, int advice)}. */
    static final MethodHandle MADVISE =
            downcall("madvise", FunctionDescriptor.of(INT, LONG, LONG, INT));

    /** {@code int mlock(const void *addr, size_t len)}. */
    static final MethodHandle MLOCK = downcall("mlock", FunctionDescriptor.of(INT, LONG, LONG));

    /** {@code int munlock(const void *addr, size_t len)}. */
    static final MethodHandle MUNLOCK = downcall("munlock", FunctionDescriptor.of(INT, LONG, LONG));

    /** {@code int fcntl(int fd, int cmd, ...)} with a number. */
    static final MethodHandle FCNTL =
            variadic("fcntl", FunctionDescriptor.of(INT, INT, INT, INT), 2);

    static final MethodHandle MEMFD_CREATE =
            downcall("memfd_create", FunctionDescriptor.of(INT, POINTER, INT));
    static final MethodHandle FTRUNCATE =
            downcall("ftruncate", FunctionDescriptor.of(INT, INT, LONG));
    static final MethodHandle LSEEK =
            downcall("lseek", FunctionDescriptor.of(LONG, INT, LONG, INT));
    static final MethodHandle FALLOCATE =
            downcall("fallocate", FunctionDescriptor.of(INT, INT, INT, LONG, LONG));
    static final MethodHandle SOCKET =
            downcall("socket", FunctionDescriptor.of(INT, INT, INT, INT));
    static final MethodHandle EVENTFD = downcall("eventfd", FunctionDescriptor.of(INT, INT, INT));
    static final MethodHandle EPOLL_CREATE1 =
            downcall("epoll_create1", FunctionDescriptor.of(INT, INT));
    static final MethodHandle EPOLL_CTL =
            downcall("epoll_ctl", FunctionDescriptor.of(INT, INT, INT, INT, POINTER));
    static final MethodHandle EPOLL_WAIT =
            downcall("epoll_wait", FunctionDescriptor.of(INT, INT, POINTER, INT, INT));
    static final MethodHandle TIMERFD_CREATE =
            downcall("timerfd_create", FunctionDescriptor.of(INT, INT, INT));
    static final MethodHandle TIMERFD_SETTIME =
            downcall("timerfd_settime", FunctionDescriptor.of(INT, INT, INT, POINTER, POINTER));
    static final MethodHandle READ =
            downcall("read", FunctionDescriptor.of(LONG, INT, POINTER, LONG));
    static final MethodHandle WRITE =
            downcall("write", FunctionDescriptor.of(LONG, INT, POINTER, LONG));
    static final MethodHandle GETPID = downcall("getpid", FunctionDescriptor.of(INT));
    static final MethodHandle GETTID = downcall("gettid", FunctionDescriptor.of(INT));
    static final MethodHandle TGKILL =
            downcall("tgkill", FunctionDescriptor.of(INT, INT, INT, INT));
    static final MethodHandle SIGACTION =
            downcall("sigaction", FunctionDescriptor.of(INT, INT, POINTER, POINTER));

    /** {@code int prctl(int option, ...)}. */
    static final MethodHandle PRCTL =
            variadic("prctl", FunctionDescriptor.of(INT, INT, LONG, LONG, LONG, LONG), 1);

    static final MethodHandle SCHED_SETAFFINITY =
            downcall("sched_setaffinity", FunctionDescriptor.of(INT, INT, LONG, POINTER));
    static final MethodHandle SCHED_SETSCHEDULER =
            downcall("sched_setscheduler", FunctionDescriptor.of(INT, INT, INT, POINTER));
    static final MethodHandle SETPRIORITY =
            downcall("setpriority", FunctionDescriptor.of(INT, INT, INT, INT));

    private LibC() {}

    static MemorySegment captureState(SegmentAllocator arena) {
        return arena.allocate(CAPTURE);
    }

    static int errno(MemorySegment captureState) {
        return (int) ERRNO.get(captureState, 0L);
    }

    /**
     * The address of {@code int abs(int)}: async-signal-safe, without effect, and of the shape of a
     * signal handler.
     */
    static MemorySegment functionWithoutEffect() {
        return LINKER.defaultLookup().findOrThrow("abs");
    }

    private static MethodHandle downcall(String name, FunctionDescriptor type) {
        return handle(name, type, Linker.Option.captureCallState("errno"));
    }

    private static MethodHandle variadic(String name, FunctionDescriptor type, int first) {
        return handle(
                name,
                type,
                Linker.Option.captureCallState("errno"),
                Linker.Option.firstVariadicArg(first));
    }

    @SuppressWarnings("restricted") // downcallHandle: this module is inside the fence
    private static MethodHandle handle(
            String name, FunctionDescriptor type, Linker.Option... options) {
        // SAFETY: the descriptors above are the functions' prototypes in POSIX.1-2017 and glibc on
        // LP64; pointers that may be any address are passed as 64-bit numbers.
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), type, options);
    }

    /** What a downcall handle can throw is only a fault of ours. */
    static IllegalStateException broken(String function, Throwable cause) {
        return new IllegalStateException("downcall to " + function + " failed", cause);
    }
}
