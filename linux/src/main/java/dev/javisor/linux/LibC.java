package dev.javisor.linux;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/** Handles of the C library's functions. Each captures {@code errno} in its first argument. */
final class LibC {
    // Values of the x86-64 and AArch64 ABIs (asm-generic/mman.h), which agree.
    static final int PROT_READ = 1;
    static final int PROT_WRITE = 2;
    static final int MAP_PRIVATE = 0x02;
    static final int MAP_ANONYMOUS = 0x20;
    static final int MAP_NORESERVE = 0x4000;
    static final int MADV_HUGEPAGE = 14;
    static final int MADV_DONTDUMP = 16;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO =
            CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final AddressLayout POINTER = ValueLayout.ADDRESS;

    /** {@code void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)}. */
    static final MethodHandle MMAP =
            downcall(
                    "mmap",
                    FunctionDescriptor.of(
                            POINTER,
                            POINTER,
                            ValueLayout.JAVA_LONG,
                            ValueLayout.JAVA_INT,
                            ValueLayout.JAVA_INT,
                            ValueLayout.JAVA_INT,
                            ValueLayout.JAVA_LONG));

    /** {@code int munmap(void *addr, size_t length)}. */
    static final MethodHandle MUNMAP =
            downcall(
                    "munmap",
                    FunctionDescriptor.of(ValueLayout.JAVA_INT, POINTER, ValueLayout.JAVA_LONG));

    /** {@code int madvise(void *addr, size_t length, int advice)}. */
    static final MethodHandle MADVISE =
            downcall(
                    "madvise",
                    FunctionDescriptor.of(
                            ValueLayout.JAVA_INT,
                            POINTER,
                            ValueLayout.JAVA_LONG,
                            ValueLayout.JAVA_INT));

    private LibC() {}

    static MemorySegment captureState(Arena arena) {
        return arena.allocate(CAPTURE);
    }

    static int errno(MemorySegment captureState) {
        return (int) ERRNO.get(captureState, 0L);
    }

    @SuppressWarnings("restricted") // downcallHandle: this module is inside the fence
    private static MethodHandle downcall(String name, FunctionDescriptor type) {
        // SAFETY: the descriptors above are the functions' prototypes in POSIX.1-2017 on LP64.
        return LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow(name),
                type,
                Linker.Option.captureCallState("errno"));
    }

    /** What a downcall handle can throw is only a fault of ours. */
    static IllegalStateException broken(String function, Throwable cause) {
        return new IllegalStateException("downcall to " + function + " failed", cause);
    }
}
