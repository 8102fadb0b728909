package dev.javisor.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Private anonymous memory of the process, zeroed, not reserved in swap: pages cost nothing until
 * touched. {@link #close} unmaps it; a later access through {@link #segment} throws {@link
 * IllegalStateException} instead of reaching what is mapped there next.
 */
public final class AnonymousMemory implements AutoCloseable {
    private static final long MAP_FAILED = -1;

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
        MemorySegment raw = mmap(sizeBytes);
        Arena arena = Arena.ofShared();
        // SAFETY: mmap returned exactly sizeBytes of fresh memory that nobody else knows; the
        // arena's close, which waits for accesses by any thread to end, is the only place that
        // unmaps it. The cleanup captures the raw address, not the scoped segment.
        MemorySegment scoped = raw.reinterpret(sizeBytes, arena, gone -> munmap(raw, sizeBytes));
        // Guest RAM in a core file would be a leak of the guest's secrets; failure is harmless.
        madvise(raw, sizeBytes, LibC.MADV_DONTDUMP);
        if (hugePages) {
            madvise(raw, sizeBytes, LibC.MADV_HUGEPAGE);
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

    private static MemorySegment mmap(long sizeBytes) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment state = LibC.captureState(call);
            // SAFETY: a null hint, no file, offset 0: the kernel chooses free address space.
            MemorySegment raw =
                    (MemorySegment)
                            LibC.MMAP.invokeExact(
                                    state,
                                    MemorySegment.NULL,
                                    sizeBytes,
                                    LibC.PROT_READ | LibC.PROT_WRITE,
                                    LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS | LibC.MAP_NORESERVE,
                                    -1,
                                    0L);
            if (raw.address() == MAP_FAILED) {
                throw new LinuxException("mmap of " + sizeBytes + " bytes", LibC.errno(state));
            }
            return raw;
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw LibC.broken("mmap", e);
        }
    }

    private static void munmap(MemorySegment raw, long sizeBytes) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment state = LibC.captureState(call);
            // SAFETY: runs once, from the arena's close, with what mmap returned; no segment over
            // this range is accessible any more.
            int result = (int) LibC.MUNMAP.invokeExact(state, raw, sizeBytes);
            if (result != 0) {
                throw new LinuxException("munmap of " + sizeBytes + " bytes", LibC.errno(state));
            }
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw LibC.broken("munmap", e);
        }
    }

    private static void madvise(MemorySegment raw, long sizeBytes, int advice) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment state = LibC.captureState(call);
            // SAFETY: the range is ours alone; both advices used keep its contents.
            int ignored = (int) LibC.MADVISE.invokeExact(state, raw, sizeBytes, advice);
            assert ignored == 0 || LibC.errno(state) != 0;
        } catch (Throwable e) {
            throw LibC.broken("madvise", e);
        }
    }
}
