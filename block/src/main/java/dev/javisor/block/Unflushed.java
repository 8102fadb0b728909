package dev.javisor.block;

import java.lang.foreign.MemorySegment;

/** A storage whose writes become durable when the host gets to it: for what can be made anew. */
record Unflushed(Storage storage) implements Storage {
    @Override
    public String name() {
        return storage.name();
    }

    @Override
    public long sizeBytes() {
        return storage.sizeBytes();
    }

    @Override
    public boolean isReadOnly() {
        return storage.isReadOnly();
    }

    @Override
    public void read(long offset, MemorySegment into) {
        storage.read(offset, into);
    }

    @Override
    public void write(long offset, MemorySegment from) {
        storage.write(offset, from);
    }

    @Override
    public void resize(long sizeBytes) {
        storage.resize(sizeBytes);
    }

    @Override
    public void zero(long offset, long sizeBytes) {
        storage.zero(offset, sizeBytes);
    }

    @Override
    public void discard(long offset, long sizeBytes) {
        storage.discard(offset, sizeBytes);
    }

    @Override
    public boolean canDiscard() {
        return storage.canDiscard();
    }

    @Override
    public long run(long offset, long max) {
        return storage.run(offset, max);
    }

    @Override
    public long allocatedBytes() {
        return storage.allocatedBytes();
    }

    @Override
    public void flush() {}

    @Override
    public void close() {
        storage.close();
    }
}
