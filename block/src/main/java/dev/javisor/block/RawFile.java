package dev.javisor.block;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A disk whose bytes are those of a file or a block device. Positional I/O on a small pool of
 * platform threads, straight from and into the buffers. The file is locked: shared if read-only,
 * else exclusively, so that two machines cannot write one disk.
 */
public final class RawFile implements BlockBackend {
    /** Logical block size, bytes. */
    public static final int BLOCK_BYTES = 512;

    private static final int THREADS = 4;
    private static final int IDLE_SECONDS = 10;
    private static final int ID_CHARACTERS = 20;

    /** Largest single transfer; the system's own limit is just below 2 GiB. */
    private static final long PIECE_BYTES = 1L << 30;

    private static final ByteBuffer ZEROES = ByteBuffer.allocateDirect(1 << 16).asReadOnlyBuffer();

    private final Path path;
    private final FileChannel channel;
    private final boolean readOnly;
    private final long sizeBytes;
    private final List<String> notes;
    private final ThreadPoolExecutor pool;

    private RawFile(Path path, FileChannel channel, boolean readOnly, long fileBytes) {
        this.path = path;
        this.channel = channel;
        this.readOnly = readOnly;
        sizeBytes = fileBytes & -BLOCK_BYTES;
        notes =
                sizeBytes == fileBytes
                        ? List.of()
                        : List.of(
                                "disk %s: size %d is not a multiple of 512, the last %d bytes are not used"
                                        .formatted(path, fileBytes, fileBytes - sizeBytes));
        ThreadFactory threads =
                Thread.ofPlatform().daemon().name("block-" + path.getFileName() + "-", 0).factory();
        pool =
                new ThreadPoolExecutor(
                        THREADS,
                        THREADS,
                        IDLE_SECONDS,
                        TimeUnit.SECONDS,
                        new LinkedBlockingQueue<>(),
                        threads);
        pool.allowCoreThreadTimeOut(true);
    }

    /**
     * Opens and locks a file.
     *
     * @throws BlockException if it cannot be a disk, saying why in one line
     */
    public static RawFile open(Path path, boolean readOnly) {
        if (Files.isDirectory(path)) {
            throw new BlockException("disk %s is a directory: name a file".formatted(path));
        }
        FileChannel channel = openChannel(path, readOnly);
        boolean opened = false;
        try {
            lock(path, channel, readOnly);
            long size = channel.size();
            if (size < BLOCK_BYTES) {
                throw new BlockException(
                        "disk %s has %d bytes: too small for one block of 512"
                                .formatted(path, size));
            }
            RawFile file = new RawFile(path, channel, readOnly, size);
            opened = true;
            return file;
        } catch (IOException e) {
            throw new BlockException("disk %s: %s".formatted(path, e.getMessage()), e);
        } finally {
            if (!opened) {
                closeQuietly(channel);
            }
        }
    }

    private static FileChannel openChannel(Path path, boolean readOnly) {
        try {
            return readOnly
                    ? FileChannel.open(path, StandardOpenOption.READ)
                    : FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (NoSuchFileException e) {
            throw new BlockException("disk %s does not exist".formatted(path), e);
        } catch (AccessDeniedException e) {
            throw new BlockException(
                    readOnly
                            ? "disk %s: no permission to read it".formatted(path)
                            : "disk %s: no permission to write it; attach it read-only or change its mode"
                                    .formatted(path),
                    e);
        } catch (FileSystemException e) {
            throw new BlockException("disk %s: %s".formatted(path, e.getReason()), e);
        } catch (IOException e) {
            throw new BlockException("disk %s: %s".formatted(path, e.getMessage()), e);
        }
    }

    private static void lock(Path path, FileChannel channel, boolean shared) throws IOException {
        FileLock lock;
        try {
            lock = channel.tryLock(0, Long.MAX_VALUE, shared);
        } catch (OverlappingFileLockException e) {
            // Another machine in this process.
            lock = null;
        }
        if (lock == null) {
            throw new BlockException(
                    "disk %s is in use by another virtual machine".formatted(path));
        }
    }

    private static void closeQuietly(FileChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            System.getLogger(RawFile.class.getName())
                    .log(System.Logger.Level.DEBUG, "close after a failed open", e);
        }
    }

    /** What the person should know about this disk, one line each. */
    public List<String> notes() {
        return notes;
    }

    @Override
    public String id() {
        String name = String.valueOf(path.getFileName()).replaceAll("[^!-~]", "_");
        return name.substring(0, Math.min(name.length(), ID_CHARACTERS));
    }

    @Override
    public long sizeBytes() {
        return sizeBytes;
    }

    @Override
    public int blockSizeBytes() {
        return BLOCK_BYTES;
    }

    @Override
    public boolean isReadOnly() {
        return readOnly;
    }

    /** No: the platform has no call to punch a hole into a file. */
    @Override
    public boolean canDiscard() {
        return false;
    }

    @Override
    public void submit(BlockIo io) {
        String refusal = refusal(io);
        if (refusal != null) {
            io.completion().completed(new BlockException("disk %s: %s".formatted(path, refusal)));
            return;
        }
        try {
            pool.execute(() -> run(io));
        } catch (RejectedExecutionException e) {
            io.completion().completed(new BlockException("disk %s is closed".formatted(path), e));
        }
    }

    private @Nullable String refusal(BlockIo io) {
        if (io.offset() < 0 || io.sizeBytes() < 0 || io.offset() > sizeBytes - io.sizeBytes()) {
            return "%s beyond its end at %d".formatted(io.kind(), io.offset());
        }
        return switch (io.kind()) {
            case READ, FLUSH -> null;
            case WRITE, WRITE_ZEROES -> readOnly ? "it is read-only" : null;
            case DISCARD -> "discard is not supported";
        };
    }

    private void run(BlockIo io) {
        BlockException error = null;
        try {
            switch (io.kind()) {
                case READ -> read(io);
                case WRITE -> write(io);
                case FLUSH -> {
                    // Writes complete once the system has them, so this covers all completed ones.
                    if (!readOnly) {
                        channel.force(false);
                    }
                }
                case WRITE_ZEROES -> writeZeroes(io);
                case DISCARD -> throw new IllegalStateException("discard was refused before");
            }
        } catch (IOException | IllegalStateException e) {
            // IllegalStateException: the guest memory that the buffers belong to was freed.
            error =
                    new BlockException(
                            "disk %s: %s of %d bytes at %d: %s"
                                    .formatted(
                                            path,
                                            io.kind(),
                                            io.sizeBytes(),
                                            io.offset(),
                                            e.getMessage()),
                            e);
        }
        io.completion().completed(error);
    }

    private void read(BlockIo io) throws IOException {
        long at = io.offset();
        for (MemorySegment buffer : io.buffers()) {
            for (long done = 0; done < buffer.byteSize(); ) {
                ByteBuffer piece = piece(buffer, done);
                int n = channel.read(piece, at);
                if (n < 0) {
                    throw new EOFException("the file has become shorter than the disk");
                }
                done += n;
                at += n;
            }
        }
    }

    private void write(BlockIo io) throws IOException {
        long at = io.offset();
        for (MemorySegment buffer : io.buffers()) {
            for (long done = 0; done < buffer.byteSize(); ) {
                int n = channel.write(piece(buffer, done), at);
                done += n;
                at += n;
            }
        }
    }

    private static ByteBuffer piece(MemorySegment buffer, long from) {
        return buffer.asSlice(from, Math.min(PIECE_BYTES, buffer.byteSize() - from)).asByteBuffer();
    }

    private void writeZeroes(BlockIo io) throws IOException {
        long end = io.offset() + io.sizeBytes();
        for (long at = io.offset(); at < end; ) {
            ByteBuffer piece = ZEROES.duplicate();
            piece.limit((int) Math.min(piece.capacity(), end - at));
            at += channel.write(piece, at);
        }
    }

    @Override
    public void close() {
        pool.shutdown();
        boolean interrupted = false;
        while (true) {
            try {
                if (pool.awaitTermination(1, TimeUnit.HOURS)) {
                    break;
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        try {
            channel.close();
        } catch (IOException e) {
            throw new BlockException("disk %s: closing: %s".formatted(path, e.getMessage()), e);
        }
    }

    @Override
    public String toString() {
        return "RawFile[%s, %d bytes%s]".formatted(path, sizeBytes, readOnly ? ", read-only" : "");
    }
}
