package dev.javisor.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Finds and makes holes in a file: what the platform's own file channels cannot. It holds a file
 * descriptor of its own; as the system drops a process's locks on a file with any of its
 * descriptors, it must not be closed before the channel that holds a lock. From any thread.
 */
public final class SparseFile implements AutoCloseable {
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;
    private static final int FALLOC_FL_KEEP_SIZE = 1;
    private static final int FALLOC_FL_PUNCH_HOLE = 2;
    private static final int FALLOC_FL_ZERO_RANGE = 16;
    private static final int ENXIO = 6;

    private final OwnedFd fd;
    private volatile boolean punches = true;

    private volatile boolean zeroes = true;

    private SparseFile(OwnedFd fd) {
        this.fd = fd;
    }

    /** Empty where there is nothing of the kind: another system, no native access, no such file. */
    public static Optional<SparseFile> open(String path, boolean writable) {
        if (!HostMemory.isSupported() || !SparseFile.class.getModule().isNativeAccessEnabled()) {
            return Optional.empty();
        }
        int flags = writable ? SystemCalls.O_RDWR : SystemCalls.O_RDONLY;
        try {
            return Optional.of(new SparseFile(OwnedFd.open(SystemCalls.host(), path, flags)));
        } catch (LinuxException e) {
            return Optional.empty();
        }
    }

    /** The first offset from {@code from} on where there is data; -1 if there is none. */
    public long nextData(long from) {
        return seek(from, SEEK_DATA);
    }

    /** The first offset from {@code from} on where there is a hole, at latest the file's end. */
    public long nextHole(long from) {
        return seek(from, SEEK_HOLE);
    }

    /** lseek(2); -1 where there is nothing, or the file system does not know. */
    private long seek(long from, int whence) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = LibC.captureState(arena);
            // SAFETY: numbers only. The descriptor is this object's alone, so that the position
            // that the call moves is nobody's.
            long at = (long) LibC.LSEEK.invokeExact(state, fd.number(), from, whence);
            if (at < 0 && LibC.errno(state) != ENXIO && whence == SEEK_DATA) {
                return from;
            }
            return at;
        } catch (Throwable e) {
            throw LibC.broken("lseek", e);
        }
    }

    /** Whether {@link #punch} does something, as far as is known. */
    public boolean canPunch() {
        return punches;
    }

    /** Gives a part back to the file system; it then reads as zeroes. Whether that was possible. */
    public boolean punch(long offset, long sizeBytes) {
        // Where the file system has no holes: asked once is enough.
        punches =
                punches && fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, sizeBytes);
        return punches;
    }

    /**
     * Makes a part zeroes that keep their space; past the end, the file grows. Whether that was
     * possible; if not, anything of it may have been done.
     */
    public boolean zero(long offset, long sizeBytes) {
        zeroes = zeroes && fallocate(FALLOC_FL_ZERO_RANGE, offset, sizeBytes);
        return zeroes;
    }

    private boolean fallocate(int mode, long offset, long sizeBytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = LibC.captureState(arena);
            // SAFETY: numbers only.
            int result =
                    (int) LibC.FALLOCATE.invokeExact(state, fd.number(), mode, offset, sizeBytes);
            return result >= 0;
        } catch (Throwable e) {
            throw LibC.broken("fallocate", e);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
