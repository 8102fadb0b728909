package dev.javisor.block.qcow2;

import dev.javisor.block.Storage;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;

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
    public void flush() {
        storage.flush();
    }

    @Override
    public void close() {}
}
