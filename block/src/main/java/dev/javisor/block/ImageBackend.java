package dev.javisor.block;

import java.nio.file.Path;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A disk image as a backend for a device: operations run on a small pool of platform threads,
 * straight from and into the buffers.
 */
public final class ImageBackend implements BlockBackend {
    /** Logical block size, bytes. */
    public static final int BLOCK_BYTES = 512;

    private static final int THREADS = 4;
    private static final int IDLE_SECONDS = 10;
    private static final int ID_CHARACTERS = 20;

    private final DiskImage image;
    private final String id;
    private final ThreadPoolExecutor pool;

    /** Named after its file. */
    public ImageBackend(DiskImage image) {
        this(image, String.valueOf(Path.of(image.name()).getFileName()));
    }

    /**
     * @param image closed with this backend
     * @param serial names the disk to the guest; cut to what it can be
     */
    public ImageBackend(DiskImage image, String serial) {
        this.image = image;
        String file = String.valueOf(Path.of(image.name()).getFileName());
        String name = serial.replaceAll("[^!-~]", "_");
        id = name.substring(0, Math.min(name.length(), ID_CHARACTERS));
        if (image.sizeBytes() < BLOCK_BYTES) {
            image.close();
            throw new BlockException(
                    "disk %s has %d bytes: too small for one block of 512"
                            .formatted(image.name(), image.sizeBytes()));
        }
        ThreadFactory threads =
                Thread.ofPlatform().daemon().name("block-" + file + "-", 0).factory();
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

    public DiskImage image() {
        return image;
    }

    @Override
    public String id() {
        return id;
    }

    @Override
    public long sizeBytes() {
        return image.sizeBytes() & -BLOCK_BYTES;
    }

    @Override
    public void grow(long sizeBytes) {
        if (isReadOnly()) {
            throw new BlockException("disk %s is read-only".formatted(image.name()));
        }
        if (sizeBytes < sizeBytes()) {
            throw new BlockException(
                    "disk %s has %d bytes: while a guest uses it, it can only grow"
                            .formatted(image.name(), sizeBytes()));
        }
        if (sizeBytes % BLOCK_BYTES != 0) {
            throw new BlockException(
                    "disk %s: a size must be a multiple of 512 bytes".formatted(image.name()));
        }
        image.resize(sizeBytes);
    }

    @Override
    public int blockSizeBytes() {
        return BLOCK_BYTES;
    }

    @Override
    public boolean isReadOnly() {
        return image.isReadOnly();
    }

    @Override
    public boolean canDiscard() {
        return !image.isReadOnly() && image.canDiscard();
    }

    @Override
    public void submit(BlockIo io) {
        String refusal = refusal(io);
        if (refusal != null) {
            fail(io, refusal, null);
            return;
        }
        try {
            pool.execute(() -> run(io));
        } catch (RejectedExecutionException e) {
            fail(io, "is closed", e);
        }
    }

    private void fail(BlockIo io, String why, @Nullable Exception cause) {
        String line = "disk %s: %s".formatted(image.name(), why);
        io.completion()
                .completed(
                        cause == null ? new BlockException(line) : new BlockException(line, cause));
    }

    private @Nullable String refusal(BlockIo io) {
        if (io.offset() < 0 || io.sizeBytes() < 0 || io.offset() > sizeBytes() - io.sizeBytes()) {
            return "%s beyond its end at %d".formatted(io.kind(), io.offset());
        }
        return switch (io.kind()) {
            case READ, FLUSH -> null;
            case WRITE, WRITE_ZEROES -> isReadOnly() ? "it is read-only" : null;
            case DISCARD -> canDiscard() ? null : "discard is not supported";
        };
    }

    private void run(BlockIo io) {
        BlockException error = null;
        try {
            switch (io.kind()) {
                case READ -> image.read(io.offset(), new IoBuffers(io.buffers()));
                case WRITE -> image.write(io.offset(), new IoBuffers(io.buffers()));
                case FLUSH -> image.flush();
                case WRITE_ZEROES -> image.writeZeroes(io.offset(), io.sizeBytes());
                case DISCARD -> image.discard(io.offset(), io.sizeBytes());
            }
        } catch (BlockException e) {
            error = e;
        } catch (RuntimeException e) {
            // The guest memory that the buffers belong to was freed, or a fault of ours: the
            // request must complete all the same, or the guest waits for ever.
            error =
                    new BlockException(
                            "disk %s: %s of %d bytes at %d: %s"
                                    .formatted(
                                            image.name(),
                                            io.kind(),
                                            io.sizeBytes(),
                                            io.offset(),
                                            e),
                            e);
        }
        io.completion().completed(error);
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
        image.close();
    }

    @Override
    public String toString() {
        return "ImageBackend[" + image + "]";
    }
}
