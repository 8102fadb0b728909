package dev.javisor.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Memory of the process, zeroed: private, or shared through a memory file whose size is sealed. The
 * kernel wipes what it hands out and what {@link #discard} gave back. {@link #close} unmaps it; a
 * later access through {@link #segment} throws {@link IllegalStateException} instead of reaching
 * what is mapped there next.
 */
public final class HostMemory implements AutoCloseable {
    private final SystemCalls system;
    private final Config config;
    private final Optional<OwnedFd> file;
    private final long address;
    private final Arena arena;
    private final MemorySegment segment;

    /**
     * How memory is wanted.
     *
     * @param sizeBytes at least 1; rounded up to whole pages
     * @param shared whether other processes can map it, through its file
     * @param preallocated whether all of it is there from the start and for good
     * @param locked whether it is never swapped out; it is there for good as well
     */
    public record Config(
            long sizeBytes, HostPages pages, boolean shared, boolean preallocated, boolean locked) {
        public Config {
            if (sizeBytes < 1) {
                throw new IllegalArgumentException("size out of range: " + sizeBytes);
            }
        }

        /** Private memory whose pages come when they are touched. */
        public static Config lazy(long sizeBytes, HostPages pages) {
            return new Config(sizeBytes, pages, false, false, false);
        }

        /** What is mapped. */
        long mappedBytes() {
            return Math.ceilDiv(sizeBytes, pages.sizeBytes()) * pages.sizeBytes();
        }
    }

    /** Whether this system has the calls. */
    public static boolean isSupported() {
        return System.getProperty("os.name", "").equals("Linux");
    }

    /**
     * Maps memory of the host's kernel.
     *
     * @throws LinuxException when the kernel refuses; nothing stays mapped or open
     */
    public static HostMemory map(Config config) {
        return map(SystemCalls.host(), config);
    }

    /**
     * @throws LinuxException when the kernel refuses; nothing stays mapped or open
     */
    public static HostMemory map(SystemCalls system, Config config) {
        Optional<OwnedFd> file =
                config.shared ? Optional.of(file(system, config)) : Optional.empty();
        try {
            long address = mmap(system, config, file);
            try {
                settle(system, config, address);
            } catch (LinuxException e) {
                munmap(system, address, config.mappedBytes());
                throw e;
            }
            return new HostMemory(system, config, file, address);
        } catch (LinuxException e) {
            file.ifPresent(OwnedFd::close);
            throw e;
        }
    }

    // reinterpret: this module is inside the fence; the arena is closed by close().
    @SuppressWarnings({"restricted", "MustBeClosedChecker"})
    private HostMemory(SystemCalls system, Config config, Optional<OwnedFd> file, long address) {
        this.system = system;
        this.config = config;
        this.file = file;
        this.address = address;
        arena = Arena.ofShared();
        long mappedBytes = config.mappedBytes();
        // SAFETY: mmap returned that much fresh memory that nobody else knows; the arena's close,
        // which waits for accesses by any thread to end, is the only place that unmaps it. The
        // cleanup captures the raw address, not the scoped segment.
        segment =
                MemorySegment.ofAddress(address)
                        .reinterpret(mappedBytes, arena, _ -> munmap(system, address, mappedBytes));
    }

    private static OwnedFd file(SystemCalls system, Config config) {
        OwnedFd file = OwnedFd.memory(system, "guest memory", config.mappedBytes(), config.pages);
        try {
            // Whoever else maps it cannot take it away under us, which would kill this process.
            LinuxException.check("sealing the memory file", system.sealSize(file.number()));
            return file;
        } catch (LinuxException e) {
            file.close();
            throw e;
        }
    }

    private static long mmap(SystemCalls system, Config config, Optional<OwnedFd> file) {
        int protection = SystemCalls.PROT_READ | SystemCalls.PROT_WRITE;
        int flags;
        if (file.isPresent()) {
            flags = SystemCalls.MAP_SHARED;
        } else {
            flags = SystemCalls.MAP_PRIVATE | SystemCalls.MAP_ANONYMOUS;
            flags |= config.pages.flags(SystemCalls.MAP_HUGETLB);
        }
        if (!config.pages.isReserved()) {
            // Not for huge pages: a pool that ran dry would be a SIGBUS at some later access.
            flags |= SystemCalls.MAP_NORESERVE;
        }
        return LinuxException.check(
                "mmap of " + config.mappedBytes() + " bytes",
                system.mmap(
                        config.mappedBytes(),
                        protection,
                        flags,
                        file.map(OwnedFd::number).orElse(-1),
                        0));
    }

    private static void settle(SystemCalls system, Config config, long address) {
        long bytes = config.mappedBytes();
        // Guest RAM in a core file would be a leak of the guest's secrets; failure is harmless.
        advise(system, address, bytes, SystemCalls.MADV_DONTDUMP);
        if (config.pages == HostPages.TRANSPARENT) {
            // A kernel without them is no error.
            advise(system, address, bytes, SystemCalls.MADV_HUGEPAGE);
        }
        if (config.preallocated) {
            int result = system.madvise(address, bytes, SystemCalls.MADV_POPULATE_WRITE);
            if (result == -Errno.EINVAL) {
                // Before Linux 5.14: mlock(2) brings all pages in, and they stay where there is
                // no swapping.
                result = system.mlock(address, bytes);
                if (result == 0 && !config.locked) {
                    result = system.munlock(address, bytes);
                }
            }
            LinuxException.check("allocating " + bytes + " bytes", result);
        }
        if (config.locked) {
            LinuxException.check(
                    "locking " + bytes + " bytes in memory", system.mlock(address, bytes));
        }
    }

    /** The memory, accessible from all threads until {@link #close}. */
    public MemorySegment segment() {
        return segment;
    }

    /** Whether {@link #discard} can do anything: not where all of it is to be there for good. */
    public boolean isDiscardable() {
        return !config.preallocated && !config.locked;
    }

    /**
     * Gives the whole pages within a range back to the host; they read as zero afterwards. Harmless
     * while others access them.
     *
     * @return whether the range had whole pages and the kernel took them
     */
    public boolean discard(long offset, long sizeBytes) {
        java.util.Objects.checkFromIndexSize(offset, sizeBytes, segment.byteSize());
        long page = config.pages.sizeBytes();
        long from = (offset + page - 1) & -page;
        long to = (offset + sizeBytes) & -page;
        if (!isDiscardable() || from >= to) {
            return false;
        }
        // A private page goes with its mapping, a shared one only out of its file.
        int advice = file.isPresent() ? SystemCalls.MADV_REMOVE : SystemCalls.MADV_DONTNEED;
        synchronized (this) {
            return segment.scope().isAlive()
                    && system.madvise(address + from, to - from, advice) == 0;
        }
    }

    /** Unmaps. A second call does nothing. */
    @Override
    public synchronized void close() {
        if (segment.scope().isAlive()) {
            arena.close();
            file.ifPresent(OwnedFd::close);
        }
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
