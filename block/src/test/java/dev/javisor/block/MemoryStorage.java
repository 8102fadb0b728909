package dev.javisor.block;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** A file in memory. */
public final class MemoryStorage implements Storage {
    private byte[] bytes;
    private int size;

    public MemoryStorage() {
        this(new byte[0]);
    }

    public MemoryStorage(byte[] contents) {
        bytes = contents.clone();
        size = contents.length;
    }

    public synchronized byte[] contents() {
        return Arrays.copyOf(bytes, size);
    }

    @Override
    public String name() {
        return "memory";
    }

    @Override
    public synchronized long sizeBytes() {
        return size;
    }

    @Override
    public boolean isReadOnly() {
        return false;
    }

    @Override
    public synchronized void read(long offset, MemorySegment into) {
        into.fill((byte) 0);
        if (offset < size) {
            long n = Math.min(into.byteSize(), size - offset);
            MemorySegment.copy(MemorySegment.ofArray(bytes), offset, into, 0, n);
        }
    }

    @Override
    public synchronized void write(long offset, MemorySegment from) {
        long end = offset + from.byteSize();
        if (end > 1 << 30) {
            throw new BlockException("memory: writing at %d".formatted(offset));
        }
        if (end > bytes.length) {
            bytes = Arrays.copyOf(bytes, (int) Math.max(end, bytes.length * 2L));
        }
        size = (int) Math.max(size, end);
        MemorySegment.copy(from, 0, MemorySegment.ofArray(bytes), offset, from.byteSize());
    }

    @Override
    public synchronized void resize(long sizeBytes) {
        if (sizeBytes < size) {
            Arrays.fill(bytes, (int) sizeBytes, size, (byte) 0);
        }
        bytes = Arrays.copyOf(bytes, (int) Math.max(sizeBytes, bytes.length));
        size = (int) sizeBytes;
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
}
