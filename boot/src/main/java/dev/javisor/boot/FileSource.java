package dev.javisor.boot;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file that stays open, so that a reset finds it again even when its name is gone. */
public final class FileSource implements ByteSource {
    private static final long CHUNK_BYTES = 1L << 20;

    private final FileChannel channel;
    private final long sizeBytes;

    private FileSource(FileChannel channel, long sizeBytes) {
        this.channel = channel;
        this.sizeBytes = sizeBytes;
    }

    /**
     * Opens a regular file for reading.
     *
     * @param role what it is for, starts the message of an error: {@code kernel}, {@code initrd}
     */
    @SuppressWarnings("MustBeClosedChecker") // owned by the source, closed by close()
    public static FileSource open(String role, Path path) {
        if (Files.isDirectory(path)) {
            throw new BootException("%s %s is a directory".formatted(role, path));
        }
        // A FIFO or a device could block or never end.
        if (Files.exists(path) && !Files.isRegularFile(path)) {
            throw new BootException("%s %s is not a regular file".formatted(role, path));
        }
        try {
            FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
            return new FileSource(channel, channel.size());
        } catch (NoSuchFileException e) {
            throw new BootException("%s %s does not exist".formatted(role, path), e);
        } catch (AccessDeniedException e) {
            throw new BootException("%s %s: permission denied".formatted(role, path), e);
        } catch (IOException e) {
            throw new BootException(
                    "%s %s cannot be opened: %s".formatted(role, path, e.getMessage()), e);
        }
    }

    @Override
    public long sizeBytes() {
        return sizeBytes;
    }

    @Override
    public void read(long offset, MemorySegment into) throws IOException {
        long done = 0;
        long size = into.byteSize();
        while (done < size) {
            ByteBuffer chunk =
                    into.asSlice(done, Math.min(size - done, CHUNK_BYTES)).asByteBuffer();
            while (chunk.hasRemaining()) {
                int count = channel.read(chunk, offset + done);
                if (count < 0) {
                    throw new EOFException("end of file");
                }
                done += count;
            }
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new BootException("closing a boot file: " + e.getMessage(), e);
        }
    }
}
