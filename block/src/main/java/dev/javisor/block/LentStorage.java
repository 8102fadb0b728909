package dev.javisor.block;

import java.lang.foreign.MemorySegment;

/**
 * A storage that is lent: some of what its user does to it as a whole is left out.
 *
 * @param flushes else writes become durable when the host gets to it: for what can be made anew
 * @param closes else it stays open when its user closes it
 */
public record LentStorage(Storage storage, boolean flushes, boolean closes) implements Storage {
    /** Whose flushes do nothing. */
    public static Storage unflushed(Storage storage) {
        return new LentStorage(storage, false, true);
    }

    /** Whose flushes do nothing, and which its owner closes. */
    public static Storage unflushedUnclosed(Storage storage) {
        return new LentStorage(storage, false, false);
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
    public void flush() {
        if (flushes) {
            storage.flush();
        }
    }

    @Override
    public void close() {
        if (closes) {
            storage.close();
        }
    }
}
