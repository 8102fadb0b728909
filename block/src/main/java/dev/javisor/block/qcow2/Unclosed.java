package dev.javisor.block.qcow2;

import dev.javisor.block.Storage;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** A storage that stays open when what uses it is closed. */
record Unclosed(Storage storage) implements Storage {
    static @Nullable Storage orNull(@Nullable Storage storage) {
        return storage == null ? null : new Unclosed(storage);
    }

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
    public void flush() {
        storage.flush();
    }

    @Override
    public void close() {}
}
