package dev.javisor.block.image;

import dev.javisor.block.BlockException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Goes through a disk in pieces, a few threads side by side, each with a buffer of its own. */
final class Workers {
    /** Works on the bytes [offset, offset + length). */
    interface Task {
        void run(long offset, long lengthBytes, MemorySegment buffer);
    }

    private Workers() {}

    static void run(long sizeBytes, long pieceBytes, int threads, Progress progress, Task task) {
        AtomicLong next = new AtomicLong();
        AtomicLong done = new AtomicLong();
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        Runnable loop =
                () -> {
                    try (Arena arena = Arena.ofConfined()) {
                        MemorySegment buffer = arena.allocate(pieceBytes, 4096);
                        while (failure.get() == null) {
                            long offset = next.getAndAdd(pieceBytes);
                            if (offset >= sizeBytes) {
                                return;
                            }
                            long length = Math.min(pieceBytes, sizeBytes - offset);
                            task.run(offset, length, buffer.asSlice(0, length));
                            progress.at(done.addAndGet(length), sizeBytes);
                        }
                    } catch (RuntimeException | Error e) {
                        failure.compareAndSet(null, e);
                    }
                };
        int count = (int) Math.max(1, Math.min(threads, sizeBytes / pieceBytes));
        Thread[] others = new Thread[count - 1];
        for (int i = 0; i < others.length; i++) {
            others[i] = Thread.ofPlatform().daemon().name("image-" + i).start(loop);
        }
        loop.run();
        boolean interrupted = false;
        for (Thread each : others) {
            while (each.isAlive()) {
                try {
                    each.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                    failure.compareAndSet(null, new BlockException("interrupted"));
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        switch (failure.get()) {
            case null -> {}
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable t -> throw new IllegalStateException(t);
        }
    }
}
