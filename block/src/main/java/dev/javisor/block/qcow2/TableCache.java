package dev.javisor.block.qcow2;

import dev.javisor.block.Storage;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Slices of tables (L2 tables or refcount blocks) in memory. Bounded: a clock hand chooses what is
 * dropped. A slice that is dirty or being written stays; should all be so, the cache grows until
 * the next commit. Guarded by the metadata lock. Finding a slice that is present allocates nothing.
 */
final class TableCache {
    /** Of a slice; tables are read and written by these, so that large clusters cost no more. */
    static final int MAX_SLICE_BYTES = 4096;

    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle INT =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle SHORT =
            MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.BIG_ENDIAN);

    private static final int EMPTY = -1;

    /** A dirty slice as it was when a commit began. */
    record Copy(long offset, byte[] bytes) {}

    private final Storage file;
    private final int sliceBytes;
    private final int capacity;

    // One element for each slot.
    private long[] offsets;
    private byte[][] contents;
    private boolean[] recent;
    private boolean[] dirty;
    private boolean[] writing;
    private int used;
    private int hand;
    private int dirtyCount;

    /** Slots by a hash of the offset, linear probing; at most half full. */
    private int[] index;

    TableCache(Storage file, int clusterBytes, long capacityBytes) {
        this.file = file;
        sliceBytes = Math.min(MAX_SLICE_BYTES, clusterBytes);
        capacity = (int) Math.max(8, capacityBytes / sliceBytes);
        int first = 64;
        offsets = new long[first];
        contents = new byte[first][];
        recent = new boolean[first];
        dirty = new boolean[first];
        writing = new boolean[first];
        index = new int[first * 4];
        Arrays.fill(index, EMPTY);
    }

    int sliceBytes() {
        return sliceBytes;
    }

    /** Whether so much is dirty that a commit should make room. */
    boolean isCrowded() {
        return dirtyCount >= capacity - capacity / 4;
    }

    boolean hasDirty() {
        return dirtyCount > 0;
    }

    /** The slot of the slice at an offset, which is read if it is not present. */
    int slot(long offset) {
        int slot = find(offset);
        if (slot < 0) {
            byte[] bytes = new byte[sliceBytes];
            file.read(offset, MemorySegment.ofArray(bytes));
            slot = put(offset, bytes);
        }
        recent[slot] = true;
        return slot;
    }

    long getLong(int slot, int at) {
        return (long) LONG.get(contents[slot], at);
    }

    void setLong(int slot, int at, long value) {
        LONG.set(contents[slot], at, value);
        mark(slot);
    }

    /** An unsigned number of 1 to 64 bits; those of less than a byte begin at the lowest bit. */
    long getBits(int slot, int number, int order) {
        byte[] bytes = contents[slot];
        return switch (order) {
            case 3 -> bytes[number] & 0xFFL;
            case 4 -> (short) SHORT.get(bytes, number << 1) & 0xFFFFL;
            case 5 -> (int) INT.get(bytes, number << 2) & 0xFFFF_FFFFL;
            case 6 -> (long) LONG.get(bytes, number << 3);
            default -> {
                int bit = number << order;
                yield bytes[bit >> 3] >> (bit & 7) & ((1 << (1 << order)) - 1);
            }
        };
    }

    void setBits(int slot, int number, int order, long value) {
        byte[] bytes = contents[slot];
        switch (order) {
            case 3 -> bytes[number] = (byte) value;
            case 4 -> SHORT.set(bytes, number << 1, (short) value);
            case 5 -> INT.set(bytes, number << 2, (int) value);
            case 6 -> LONG.set(bytes, number << 3, value);
            default -> {
                int bit = number << order;
                int mask = ((1 << (1 << order)) - 1) << (bit & 7);
                bytes[bit >> 3] = (byte) (bytes[bit >> 3] & ~mask | (int) value << (bit & 7));
            }
        }
        mark(slot);
    }

    private void mark(int slot) {
        if (!dirty[slot]) {
            dirty[slot] = true;
            dirtyCount++;
        }
    }

    /** Forgets the slices of a cluster that is not used any more, written or not. */
    void drop(long offset, long bytes) {
        for (long at = offset; at < offset + bytes; at += sliceBytes) {
            int slot = find(at);
            if (slot >= 0 && dirty[slot]) {
                dirty[slot] = false;
                dirtyCount--;
            }
            if (slot >= 0 && !writing[slot]) {
                remove(slot);
            }
        }
    }

    /** Forgets everything, also what has not been written. */
    void clear() {
        dirtyCount = 0;
        Arrays.fill(dirty, false);
        Arrays.fill(writing, false);
        used = 0;
        hand = 0;
        Arrays.fill(index, EMPTY);
        Arrays.fill(contents, null);
    }

    /** Writes everything dirty, in no order. */
    void writeDirty() {
        for (int slot = 0; slot < used && dirtyCount > 0; slot++) {
            if (dirty[slot]) {
                file.write(offsets[slot], MemorySegment.ofArray(contents[slot]));
                dirty[slot] = false;
                dirtyCount--;
            }
        }
    }

    /** Copies of all that is dirty, for {@link #written} or {@link #notWritten} afterwards. */
    List<Copy> takeDirty() {
        List<Copy> copies = new ArrayList<>(dirtyCount);
        for (int slot = 0; slot < used; slot++) {
            if (dirty[slot]) {
                copies.add(new Copy(offsets[slot], contents[slot].clone()));
                dirty[slot] = false;
                writing[slot] = true;
            }
        }
        dirtyCount = 0;
        return copies;
    }

    void written() {
        Arrays.fill(writing, 0, used, false);
    }

    void notWritten() {
        for (int slot = 0; slot < used; slot++) {
            if (writing[slot]) {
                writing[slot] = false;
                mark(slot);
            }
        }
    }

    private int put(long offset, byte[] bytes) {
        int slot = used < capacity ? used : victim();
        if (slot == used) {
            if (used == offsets.length) {
                grow();
            }
            used++;
        } else {
            unlink(slot);
        }
        offsets[slot] = offset;
        contents[slot] = bytes;
        dirty[slot] = false;
        writing[slot] = false;
        link(slot);
        return slot;
    }

    /** A slot that can be dropped; the number of slots if there is none. */
    private int victim() {
        for (int tries = 2 * used; tries > 0; tries--) {
            int slot = hand;
            hand = hand + 1 >= used ? 0 : hand + 1;
            if (recent[slot]) {
                recent[slot] = false;
            } else if (!dirty[slot] && !writing[slot]) {
                return slot;
            }
        }
        return used;
    }

    private void grow() {
        int size = offsets.length * 2;
        offsets = Arrays.copyOf(offsets, size);
        contents = Arrays.copyOf(contents, size);
        recent = Arrays.copyOf(recent, size);
        dirty = Arrays.copyOf(dirty, size);
        writing = Arrays.copyOf(writing, size);
        index = new int[size * 4];
        Arrays.fill(index, EMPTY);
        for (int slot = 0; slot < used; slot++) {
            link(slot);
        }
    }

    private void remove(int slot) {
        unlink(slot);
        int last = --used;
        if (slot != last) {
            unlink(last);
            offsets[slot] = offsets[last];
            contents[slot] = contents[last];
            recent[slot] = recent[last];
            dirty[slot] = dirty[last];
            writing[slot] = writing[last];
            link(slot);
        }
        if (hand >= used) {
            hand = 0;
        }
    }

    private int home(long offset) {
        long hash = offset / sliceBytes * 0x9E3779B97F4A7C15L;
        return (int) (hash >>> 33) & (index.length - 1);
    }

    private int find(long offset) {
        int mask = index.length - 1;
        for (int i = home(offset); ; i = i + 1 & mask) {
            int slot = index[i];
            if (slot == EMPTY || offsets[slot] == offset) {
                return slot;
            }
        }
    }

    private void link(int slot) {
        int mask = index.length - 1;
        int i = home(offsets[slot]);
        while (index[i] != EMPTY) {
            i = i + 1 & mask;
        }
        index[i] = slot;
    }

    /** Takes a slot out of the index, and moves up those that had to go past it. */
    private void unlink(int slot) {
        int mask = index.length - 1;
        int hole = home(offsets[slot]);
        while (index[hole] != slot) {
            if (index[hole] == EMPTY) {
                throw new IllegalStateException("slot %d is not in the index".formatted(slot));
            }
            hole = hole + 1 & mask;
        }
        index[hole] = EMPTY;
        for (int i = hole + 1 & mask; index[i] != EMPTY; i = i + 1 & mask) {
            int home = home(offsets[index[i]]);
            // Whether home lies cyclically in (hole, i]: then it need not move.
            boolean stays = hole < i ? hole < home && home <= i : hole < home || home <= i;
            if (!stays) {
                index[hole] = index[i];
                index[i] = EMPTY;
                hole = i;
            }
        }
    }
}
