package dev.javisor.virtio.driver;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.virtio.VirtioFeatures;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** The guest's side of a split virtqueue (VIRTIO 1.2 §2.7.13, §2.7.14). */
public final class DriverQueue {
    private static final int NEXT = 1;
    private static final int WRITE = 2;
    private static final int INDIRECT = 4;

    /**
     * One part of a chain.
     *
     * @param writable by the device
     */
    public record Part(long address, int sizeBytes, boolean writable) {}

    /** A chain that the device has used. */
    public record Used(int head, int writtenBytes) {}

    public final int index;
    public final int size;
    public final long descriptors;
    public final long available;
    public final long used;
    public long doorbell;
    private final GuestDriver driver;
    private final GuestMemory memory;
    private final ArrayDeque<Integer> free = new ArrayDeque<>();
    private final int[] chainLength;
    private int availableIndex;
    private int seenUsed;
    private int kickedIndex;
    public boolean indirect;

    DriverQueue(GuestDriver driver, int index, int size) {
        this.driver = driver;
        this.memory = driver.memory;
        this.index = index;
        this.size = size;
        descriptors = driver.allocate(16 * size, 16);
        available = driver.allocate(6 + 2 * size, 2);
        used = driver.allocate(6 + 8 * size, 4);
        chainLength = new int[size];
        for (int i = 0; i < size; i++) {
            free.add(i);
        }
    }

    public void setIndirect(boolean use) {
        indirect = use;
    }

    public static Part out(long address, int sizeBytes) {
        return new Part(address, sizeBytes, false);
    }

    public static Part in(long address, int sizeBytes) {
        return new Part(address, sizeBytes, true);
    }

    private boolean eventIdx() {
        return (driver.negotiated & VirtioFeatures.RING_EVENT_IDX) != 0;
    }

    /** Makes a chain available; answers its head. */
    public int add(Part... parts) {
        int head;
        if (indirect) {
            long table = driver.allocate(16 * parts.length, 16);
            for (int i = 0; i < parts.length; i++) {
                writeDescriptor(
                        table + 16L * i,
                        parts[i].address,
                        parts[i].sizeBytes,
                        (parts[i].writable ? WRITE : 0) | (i + 1 < parts.length ? NEXT : 0),
                        i + 1);
            }
            head = free.remove();
            chainLength[head] = 1;
            writeDescriptor(descriptors + 16L * head, table, 16 * parts.length, INDIRECT, 0);
        } else {
            int[] at = new int[parts.length];
            for (int i = 0; i < parts.length; i++) {
                at[i] = free.remove();
            }
            head = at[0];
            chainLength[head] = parts.length;
            for (int i = 0; i < parts.length; i++) {
                boolean last = i + 1 == parts.length;
                writeDescriptor(
                        descriptors + 16L * at[i],
                        parts[i].address,
                        parts[i].sizeBytes,
                        (parts[i].writable ? WRITE : 0) | (last ? 0 : NEXT),
                        last ? 0 : at[i + 1]);
            }
        }
        offer(head);
        return head;
    }

    public void writeDescriptor(long at, long address, int sizeBytes, int flags, int next) {
        memory.writeLong(at, address);
        memory.writeInt(at + 8, sizeBytes);
        memory.writeShort(at + 12, flags);
        memory.writeShort(at + 14, next);
    }

    /** Puts a head into the available ring. */
    public void offer(int head) {
        memory.writeShort(available + 4 + 2L * (availableIndex % size), head);
        availableIndex = (availableIndex + 1) & 0xFFFF;
        memory.writeShortRelease(available + 2, availableIndex);
    }

    public void setAvailableIndex(int to) {
        availableIndex = to & 0xFFFF;
        memory.writeShort(available + 2, availableIndex);
    }

    /** Rings if the device wants it; answers whether it did. */
    public boolean kick() {
        boolean wanted;
        if (eventIdx()) {
            int event = memory.readShort(used + 4 + 8L * size);
            wanted =
                    ((availableIndex - event - 1) & 0xFFFF)
                            < ((availableIndex - kickedIndex) & 0xFFFF);
        } else {
            wanted = (memory.readShort(used) & 1) == 0;
        }
        kickedIndex = availableIndex;
        if (wanted) {
            ring();
        }
        return wanted;
    }

    /** Rings in any case. */
    public void ring() {
        driver.bus.writeMemory(doorbell, 2, index);
    }

    /** Asks not to be interrupted, or for the next used chain. */
    public void wantInterrupts(boolean wanted) {
        if (eventIdx()) {
            memory.writeShort(available + 4 + 2L * size, wanted ? seenUsed : seenUsed - 1);
        } else {
            memory.writeShort(available, wanted ? 0 : 1);
        }
    }

    public @Nullable Used take() {
        if (memory.readShortAcquire(used + 2) == seenUsed) {
            return null;
        }
        long at = used + 4 + 8L * (seenUsed % size);
        int head = memory.readInt(at);
        int written = memory.readInt(at + 4);
        seenUsed = (seenUsed + 1) & 0xFFFF;
        if (eventIdx()) {
            memory.writeShort(available + 4 + 2L * size, seenUsed);
        }
        int next = head;
        for (int i = 0; i < chainLength[head]; i++) {
            free.add(next);
            next = memory.readShort(descriptors + 16L * next + 14);
        }
        return new Used(head, written);
    }

    public int usedIndex() {
        return memory.readShort(used + 2);
    }

    /** How many chains {@link #take} has given, modulo 65536. */
    public int takenIndex() {
        return seenUsed;
    }

    /** Whether the device has used chains up to that count. */
    public boolean usedReached(int count) {
        return (short) (memory.readShortAcquire(used + 2) - count) >= 0;
    }
}
