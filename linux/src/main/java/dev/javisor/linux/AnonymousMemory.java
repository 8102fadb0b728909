package dev.javisor.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Private anonymous memory of the process, zeroed, not reserved in swap: pages cost nothing until
 * touched. {@link #close} unmaps it; a later access through {@link #segment} throws {@link
 * IllegalStateException} instead of reaching what is mapped there next.
 */
public final class AnonymousMemory implements AutoCloseable {
    private final Arena arena;
    private final MemorySegment segment;

    private AnonymousMemory(Arena arena, MemorySegment segment) {
        this.arena = arena;
        this.segment = segment;
    }

    /** Whether this system has the calls. */
    public static boolean isSupported() {
        return System.getProperty("os.name", "").equals("Linux");
    }

    /**
     * Maps {@code sizeBytes}, rounded up by the kernel to whole pages.
     *
     * @param sizeBytes at least 1
     * @param hugePages asks for transparent huge pages; a kernel without them is no error
     * @throws LinuxException when the kernel refuses (mmap(2))
     */
    // reinterpret: this module is inside the fence; the arena is closed by close().
    @SuppressWarnings({"restricted", "MustBeClosedChecker"})
    public static AnonymousMemory map(long sizeBytes, boolean hugePages) {
        if (sizeBytes < 1) {
            throw new IllegalArgumentException("size out of range: " + sizeBytes);
        }
        SystemCalls system = SystemCalls.host();
        long address = mmap(system, sizeBytes);
        Arena arena = Arena.ofShared();
        // SAFETY: mmap returned exactly sizeBytes of fresh memory that nobody else knows; the
        // arena's close, which waits for accesses by any thread to end, is the only place that
        // unmaps it. The cleanup captures the raw address, not the scoped segment.
        MemorySegment scoped =
                MemorySegment.ofAddress(address)
                        .reinterpret(sizeBytes, arena, gone -> munmap(system, address, sizeBytes));
        // Guest RAM in a core file would be a leak of the guest's secrets; failure is harmless.
        advise(system, address, sizeBytes, SystemCalls.MADV_DONTDUMP);
        if (hugePages) {
            advise(system, address, sizeBytes, SystemCalls.MADV_HUGEPAGE);
        }
        return new AnonymousMemory(arena, scoped);
    }

    /** The memory, accessible from all threads until {@link #close}. */
    public MemorySegment segment() {
        return segment;
    }

    /** Unmaps. A second call does nothing. */
    @Override
    public void close() {
        if (segment.scope().isAlive()) {
            arena.close();
        }
    }

    private static long mmap(SystemCalls system, long sizeBytes) {
        int protection = SystemCalls.PROT_READ | SystemCalls.PROT_WRITE;
        int flags = SystemCalls.MAP_PRIVATE | SystemCalls.MAP_ANONYMOUS | SystemCalls.MAP_NORESERVE;
        return LinuxException.check(
                "mmap of " + sizeBytes + " bytes",
                system.mmap(sizeBytes, protection, flags, -1, 0));
    }

    private static void munmap(SystemCalls system, long address, long sizeBytes) {
        LinuxException.check(
                "munmap of " + sizeBytes + " bytes", system.munmap(address, sizeBytes));
    }

    private static void advise(SystemCalls system, long address, long sizeBytes, int advice) {
        int ignored = system.madvise(address, sizeBytes, advice);
        assert ignored <= 0;
    }
}
