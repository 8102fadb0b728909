package dev.javisor.block;

import dev.javisor.linux.SparseFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * A file or a block device, locked: shared if read-only, else exclusively, so that no two machines
 * write one disk (QEMU respects these locks, and we its own). Within one process, readers of a file
 * share a channel, as the system drops a process's locks with the first channel that is closed.
 */
public final class FileStorage implements Storage {
    /** Largest single transfer; the system's own limit is just below 2 GiB. */
    private static final long PIECE_BYTES = 1L << 30;

    /** Below, writing zeroes is cheaper than changing the file's extents. */
    private static final long ZERO_RANGE_BYTES = 1 << 16;

    /** A file system with less room than this counts as full. */
    private static final long FULL_BYTES = 1 << 16;

    /** Most runs of data and holes that are counted. */
    private static final int MAX_RUNS = 1 << 16;

    /** Channels that are open for reading, by the file's identity. */
    private static final Map<Object, Shared> SHARED = new ConcurrentHashMap<>();

    private final Path path;
    private final FileChannel channel;
    private final @Nullable Object sharedKey;
    private final boolean readOnly;

    /** Null where the system has nothing of the kind. */
    private final @Nullable SparseFile holes;

    private static final class Shared {
        private final FileChannel channel;
        private final @Nullable SparseFile holes;
        private int users = 1;

        Shared(FileChannel channel, @Nullable SparseFile holes) {
            this.channel = channel;
            this.holes = holes;
        }
    }

    private FileStorage(
            Path path,
            FileChannel channel,
            @Nullable SparseFile holes,
            @Nullable Object sharedKey,
            boolean readOnly) {
        this.path = path;
        this.channel = channel;
        this.holes = holes;
        this.sharedKey = sharedKey;
        this.readOnly = readOnly;
    }

    /**
     * Opens and locks a file.
     *
     * @throws BlockException if it cannot be a disk, saying why in one line
     */
    public static FileStorage open(Path path, boolean readOnly) {
        if (Files.isDirectory(path)) {
            throw new BlockException("disk %s is a directory: name a file".formatted(path));
        }
        return readOnly ? openShared(path) : openExclusive(path, false);
    }

    /** Makes a file, or empties one that nobody uses. */
    public static FileStorage create(Path path) {
        if (Files.isDirectory(path)) {
            throw new BlockException("%s is a directory: name a file".formatted(path));
        }
        FileStorage storage = openExclusive(path, true);
        try {
            storage.channel.truncate(0);
        } catch (IOException e) {
            storage.close();
            throw storage.failed("creating", 0, e);
        }
        return storage;
    }

    private static FileStorage openShared(Path path) {
        synchronized (SHARED) {
            try {
                Object key = key(path);
                Shared present = SHARED.get(key);
                if (present != null) {
                    present.users++;
                    return new FileStorage(path, present.channel, present.holes, key, true);
                }
                FileChannel channel = openChannel(path, StandardOpenOption.READ);
                lock(path, channel, true);
                SparseFile holes = SparseFile.open(path.toString(), false).orElse(null);
                SHARED.put(key, new Shared(channel, holes));
                return new FileStorage(path, channel, holes, key, true);
            } catch (IOException e) {
                throw explained(path, true, e);
            }
        }
    }

    private static FileStorage openExclusive(Path path, boolean create) {
        FileChannel channel =
                create
                        ? openChannel(
                                path,
                                StandardOpenOption.READ,
                                StandardOpenOption.WRITE,
                                StandardOpenOption.CREATE)
                        : openChannel(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        lock(path, channel, false);
        SparseFile holes = SparseFile.open(path.toString(), true).orElse(null);
        return new FileStorage(path, channel, holes, null, false);
    }

    private static Object key(Path path) throws IOException {
        Object key =
                Files.readAttributes(path, java.nio.file.attribute.BasicFileAttributes.class)
                        .fileKey();
        return key == null ? path.toRealPath() : key;
    }

    private static FileChannel openChannel(Path path, StandardOpenOption... options) {
        try {
            return FileChannel.open(path, options);
        } catch (IOException e) {
            throw explained(path, options.length == 1, e);
        }
    }

    private static BlockException explained(Path path, boolean readOnly, IOException e) {
        return new BlockException(
                switch (e) {
                    case NoSuchFileException _ -> "disk %s does not exist".formatted(path);
                    case AccessDeniedException _ ->
                            readOnly
                                    ? "disk %s: no permission to read it".formatted(path)
                                    : "disk %s: no permission to write it; attach it read-only or change its mode"
                                            .formatted(path);
                    case FileAlreadyExistsException _ -> "%s exists already".formatted(path);
                    case FileSystemException f -> "disk %s: %s".formatted(path, f.getReason());
                    default -> "disk %s: %s".formatted(path, e.getMessage());
                },
                e);
    }

    private static void lock(Path path, FileChannel channel, boolean shared) {
        FileLock lock = null;
        boolean locked = false;
        try {
            lock = channel.tryLock(0, Long.MAX_VALUE, shared);
            locked = lock != null;
        } catch (OverlappingFileLockException e) {
            // Another machine in this process: told below.
            locked = false;
        } catch (IOException e) {
            throw new BlockException("disk %s: locking: %s".formatted(path, e.getMessage()), e);
        } finally {
            if (!locked) {
                closeQuietly(channel);
            }
        }
        if (lock == null) {
            throw new BlockException(
                    "disk %s is in use by another virtual machine or tool".formatted(path));
        }
    }

    private static void closeQuietly(FileChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            System.getLogger(FileStorage.class.getName())
                    .log(System.Logger.Level.DEBUG, "close after a failed open", e);
        }
    }

    public Path path() {
        return path;
    }

    @Override
    public String name() {
        return path.toString();
    }

    @Override
    public long sizeBytes() {
        try {
            return channel.size();
        } catch (IOException e) {
            throw failed("size", 0, e);
        }
    }

    @Override
    public boolean isReadOnly() {
        return readOnly;
    }

    @Override
    public void read(long offset, MemorySegment into) {
        long size = into.byteSize();
        try {
            for (long done = 0; done < size; ) {
                int n = channel.read(piece(into, done), offset + done);
                if (n < 0) {
                    into.asSlice(done).fill((byte) 0);
                    return;
                }
                done += n;
            }
        } catch (IOException | IllegalStateException e) {
            // IllegalStateException: the guest memory that the buffers belong to was freed.
            throw failed("reading", offset, e);
        }
    }

    @Override
    public void write(long offset, MemorySegment from) {
        long size = from.byteSize();
        try {
            for (long done = 0; done < size; ) {
                done += channel.write(piece(from, done), offset + done);
            }
        } catch (IOException | IllegalStateException e) {
            throw failed("writing", offset, e);
        }
    }

    private static ByteBuffer piece(MemorySegment buffer, long from) {
        return buffer.asSlice(from, Math.min(PIECE_BYTES, buffer.byteSize() - from)).asByteBuffer();
    }

    @Override
    public void resize(long sizeBytes) {
        try {
            long size = channel.size();
            if (sizeBytes < size) {
                channel.truncate(sizeBytes);
            } else if (sizeBytes > size) {
                channel.write(ByteBuffer.allocate(1), sizeBytes - 1);
            }
        } catch (IOException e) {
            throw failed("resizing to", sizeBytes, e);
        }
    }

    /** By the file system where it can, which then has no zeroes to write. */
    @Override
    public void zero(long offset, long sizeBytes) {
        if (holes == null
                || readOnly
                || sizeBytes < ZERO_RANGE_BYTES
                || !holes.zero(offset, sizeBytes)) {
            Storage.super.zero(offset, sizeBytes);
        }
    }

    @Override
    public void discard(long offset, long sizeBytes) {
        if (holes != null && !readOnly && sizeBytes > 0) {
            boolean unusedDone = holes.punch(offset, sizeBytes);
        }
    }

    @Override
    public boolean canDiscard() {
        return holes != null && !readOnly && holes.canPunch();
    }

    @Override
    public long run(long offset, long max) {
        if (holes == null) {
            return max;
        }
        long data = holes.nextData(offset);
        if (data != offset) {
            return -(data < 0 ? max : Math.min(max, data - offset));
        }
        long hole = holes.nextHole(offset);
        return hole <= offset ? max : Math.min(max, hole - offset);
    }

    @Override
    public long allocatedBytes() {
        if (holes == null) {
            return -1;
        }
        long size = sizeBytes();
        long sum = 0;
        int runs = 0;
        for (long at = 0; at < size; runs++) {
            if (runs > MAX_RUNS) {
                return -1;
            }
            long run = run(at, size - at);
            sum += Math.max(run, 0);
            at += Math.abs(run);
        }
        return sum;
    }

    @Override
    public void flush() {
        if (readOnly) {
            return;
        }
        try {
            channel.force(false);
        } catch (IOException e) {
            throw failed("flushing", 0, e);
        }
    }

    @Override
    public void close() {
        if (sharedKey != null) {
            synchronized (SHARED) {
                Shared shared = SHARED.get(sharedKey);
                if (shared == null || --shared.users > 0) {
                    return;
                }
                SHARED.remove(sharedKey);
            }
        }
        try {
            channel.close();
        } catch (IOException e) {
            throw failed("closing", 0, e);
        } finally {
            if (holes != null) {
                holes.close();
            }
        }
    }

    private BlockException failed(String what, long at, Exception e) {
        String line =
                "disk %s: %s at %d: %s"
                        .formatted(path, what, at, e instanceof IOException ? e.getMessage() : e);
        return isOutOfSpace(e) ? BlockException.outOfSpace(line, e) : new BlockException(line, e);
    }

    /**
     * ENOSPC or EDQUOT. The platform passes on only the system's words, which depend on the
     * language, so a file system that is full counts too.
     */
    private boolean isOutOfSpace(Exception e) {
        String words = String.valueOf(e.getMessage());
        if (!(e instanceof IOException)) {
            return false;
        }
        if (words.contains("No space left") || words.contains("quota exceeded")) {
            return true;
        }
        try {
            return Files.getFileStore(path).getUsableSpace() < FULL_BYTES;
        } catch (IOException unknown) {
            return false;
        }
    }

    @Override
    public String toString() {
        return "FileStorage[" + path + "]";
    }
}
