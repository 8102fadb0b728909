package dev.javisor.virtio;

import dev.javisor.hypervisor.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The device's side of a split virtqueue (VIRTIO 1.2 §2.7). Belongs to one thread. Knows neither
 * the device nor the transport.
 *
 * <p>The three areas were checked to lie in RAM, which never moves, so that ring accesses need no
 * further look-up. Everything read from them is still the driver's and may change at any time: each
 * field is read once into a local and then checked.
 */
public final class Virtqueue {
    /** Largest size of a split queue (§2.7). */
    public static final int MAX_SIZE = 32768;

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int DESCRIPTOR_BYTES = 16;
    private static final int DESC_F_NEXT = 1;
    private static final int DESC_F_WRITE = 2;
    private static final int DESC_F_INDIRECT = 4;
    private static final int AVAIL_F_NO_INTERRUPT = 1;
    private static final int USED_F_NO_NOTIFY = 1;

    /** Flags and index before the entries of both rings. */
    private static final int RING_HEADER_BYTES = 4;

    private static final int USED_ELEMENT_BYTES = 8;

    /** What {@link #poll} found. */
    public enum Poll {
        CHAIN,
        EMPTY,
        /** The driver broke the rules, {@link Virtqueue#fault} says how: the queue is dead. */
        FAULT
    }

    /** How the queue tells the driver of used buffers. */
    @FunctionalInterface
    public interface Signal {
        void interrupt();
    }

    private final GuestMemory memory;
    private final MemorySegment backing;
    private final int size;
    private final int mask;
    private final boolean eventIdx;
    private final boolean indirect;
    private final Signal signal;

    /** Offsets in the backing. */
    private final long descriptors;

    private final long available;
    private final long used;

    private final long usedAddress;
    private final QueueState registers;

    /** Heads taken and not yet used. */
    private final boolean[] inFlight;

    private int nextAvailable;
    private int nextUsed;

    /** {@link #nextUsed} when the driver was last told. */
    private int signalledUsed;

    private boolean signalledOnce;
    private boolean notificationsOff;
    private @Nullable String fault;

    private Virtqueue(
            GuestMemory memory,
            QueueState state,
            long features,
            Signal signal,
            long descriptors,
            long available,
            long used) {
        this.memory = memory;
        this.backing = memory.backing();
        this.registers = state;
        this.size = state.size();
        this.mask = size - 1;
        this.eventIdx = (features & VirtioFeatures.RING_EVENT_IDX) != 0;
        this.indirect = (features & VirtioFeatures.RING_INDIRECT_DESC) != 0;
        this.signal = signal;
        this.descriptors = descriptors;
        this.available = available;
        this.used = used;
        this.usedAddress = state.used();
        this.inFlight = new boolean[size];
        this.nextAvailable = state.nextAvailable() & 0xFFFF;
        this.nextUsed = state.nextUsed() & 0xFFFF;
        this.signalledUsed = nextUsed;
    }

    /**
     * Makes the live queue.
     *
     * @param features as negotiated
     * @return null if the driver described a queue that cannot be: size not a power of two, area
     *     not aligned (§2.7) or not in RAM
     */
    public static @Nullable Virtqueue from(
            QueueState state, GuestMemory memory, long features, Signal signal) {
        int size = state.size();
        if (size < 1 || size > MAX_SIZE || Integer.bitCount(size) != 1) {
            return null;
        }
        if ((state.descriptors() & 15) != 0
                || (state.available() & 1) != 0
                || (state.used() & 3) != 0) {
            return null;
        }
        int event = (features & VirtioFeatures.RING_EVENT_IDX) != 0 ? 2 : 0;
        long descriptors = memory.offsetOf(state.descriptors(), (long) size * DESCRIPTOR_BYTES);
        long available = memory.offsetOf(state.available(), RING_HEADER_BYTES + size * 2L + event);
        long used =
                memory.offsetOf(
                        state.used(), RING_HEADER_BYTES + (long) size * USED_ELEMENT_BYTES + event);
        if (descriptors < 0 || available < 0 || used < 0) {
            return null;
        }
        return new Virtqueue(memory, state, features, signal, descriptors, available, used);
    }

    public int size() {
        return size;
    }

    /** Why {@link #poll} answered FAULT. */
    public @Nullable String fault() {
        return fault;
    }

    /** Where both sides are, for a saved state. No chain may be in flight. */
    public QueueState save() {
        return new QueueState(
                size,
                true,
                registers.descriptors(),
                registers.available(),
                registers.used(),
                nextAvailable,
                nextUsed);
    }

    /** Whether a chain waits. */
    public boolean hasAvailable() {
        return fault == null && availableIndex() != nextAvailable;
    }

    private int availableIndex() {
        int index = backing.get(SHORT, available + 2) & 0xFFFF;
        // Ring entries and descriptors are read after the index that published them.
        VarHandle.acquireFence();
        return index;
    }

    /** Takes the next chain, if there is one. */
    public Poll poll(DescriptorChain chain) {
        if (fault != null) {
            return Poll.FAULT;
        }
        int waiting = (availableIndex() - nextAvailable) & 0xFFFF;
        if (waiting == 0) {
            return Poll.EMPTY;
        }
        if (waiting > size) {
            return fault("available index runs ahead of the queue");
        }
        int head =
                backing.get(SHORT, available + RING_HEADER_BYTES + 2L * (nextAvailable & mask))
                        & 0xFFFF;
        if (head >= size) {
            return fault("head beyond the descriptor table");
        }
        if (inFlight[head]) {
            return fault("head is already in flight");
        }
        chain.begin(memory, head);
        String broken = walk(chain, head);
        if (broken != null) {
            return fault(broken);
        }
        inFlight[head] = true;
        nextAvailable = (nextAvailable + 1) & 0xFFFF;
        return Poll.CHAIN;
    }

    /**
     * Takes a chain again that was in flight when the queue's state was saved.
     *
     * @return what is wrong with it, or null
     */
    public @Nullable String retake(DescriptorChain chain, int head) {
        if (head < 0 || head >= size || inFlight[head]) {
            return "head %d cannot be in flight".formatted(head);
        }
        chain.begin(memory, head);
        String broken = walk(chain, head);
        if (broken == null) {
            inFlight[head] = true;
        }
        return broken;
    }

    private Poll fault(String why) {
        fault = why;
        return Poll.FAULT;
    }

    /** Copies the chain's descriptors; null if all are well. */
    private @Nullable String walk(DescriptorChain chain, int head) {
        int index = head;
        // A chain has no more descriptors than the queue (§2.7.5.3.1), which also ends loops.
        for (int left = size; left > 0; left--) {
            long at = descriptors + (long) index * DESCRIPTOR_BYTES;
            long address = backing.get(LONG, at);
            int length = backing.get(INT, at + 8);
            int flags = backing.get(SHORT, at + 12);
            int next = backing.get(SHORT, at + 14) & 0xFFFF;
            if ((flags & DESC_F_INDIRECT) != 0) {
                if (!indirect) {
                    return "indirect descriptor without the feature";
                }
                return (flags & DESC_F_NEXT) != 0
                        ? "indirect descriptor with a next one"
                        : walkIndirect(chain, address, length);
            }
            String broken = chain.add(address, length, (flags & DESC_F_WRITE) != 0);
            if (broken != null) {
                return broken;
            }
            if ((flags & DESC_F_NEXT) == 0) {
                return null;
            }
            if (next >= size) {
                return "next beyond the descriptor table";
            }
            index = next;
        }
        return "chain longer than the queue";
    }

    private @Nullable String walkIndirect(DescriptorChain chain, long table, int lengthBytes) {
        int count = lengthBytes >>> 4;
        if (count == 0 || (lengthBytes & 15) != 0 || count > DescriptorChain.MAX_DESCRIPTORS) {
            return "bad length of an indirect table";
        }
        long base = memory.offsetOf(table, (long) count * DESCRIPTOR_BYTES);
        if (base < 0) {
            return "indirect table outside RAM";
        }
        int index = 0;
        for (int left = count; left > 0; left--) {
            long at = base + (long) index * DESCRIPTOR_BYTES;
            long address = backing.get(LONG, at);
            int length = backing.get(INT, at + 8);
            int flags = backing.get(SHORT, at + 12);
            int next = backing.get(SHORT, at + 14) & 0xFFFF;
            if ((flags & DESC_F_INDIRECT) != 0) {
                return "indirect descriptor within an indirect table";
            }
            String broken = chain.add(address, length, (flags & DESC_F_WRITE) != 0);
            if (broken != null) {
                return broken;
            }
            if ((flags & DESC_F_NEXT) == 0) {
                return null;
            }
            if (next >= count) {
                return "next beyond the indirect table";
            }
            index = next;
        }
        return "chain longer than its indirect table";
    }

    /**
     * Gives the latest chain back to the ring, as if it had not been taken. Only for the chain that
     * the last {@link #poll} gave.
     */
    public void unpoll(DescriptorChain chain) {
        inFlight[chain.head()] = false;
        nextAvailable = (nextAvailable - 1) & 0xFFFF;
    }

    /**
     * Returns a chain to the driver; {@link #notifyDriver} tells it.
     *
     * @param writtenBytes bytes written into its writable part, from the start
     */
    public void push(DescriptorChain chain, long writtenBytes) {
        int head = chain.head();
        if (!inFlight[head]) {
            throw new IllegalStateException("chain " + head + " is not in flight");
        }
        inFlight[head] = false;
        long at = RING_HEADER_BYTES + (long) (nextUsed & mask) * USED_ELEMENT_BYTES;
        backing.set(INT, used + at, head);
        backing.set(INT, used + at + 4, (int) writtenBytes);
        nextUsed = (nextUsed + 1) & 0xFFFF;
        // The driver that sees the index must see the element and the data (§2.7.8.2).
        VarHandle.releaseFence();
        backing.set(SHORT, used + 2, (short) nextUsed);
        memory.written(usedAddress, 4);
        memory.written(usedAddress + at, USED_ELEMENT_BYTES);
    }

    /**
     * Returns several chains at once: the driver sees all of them or none.
     *
     * @param writtenBytes for each chain
     */
    public void push(DescriptorChain[] chains, int count, int[] writtenBytes) {
        for (int i = 0; i < count; i++) {
            int head = chains[i].head();
            if (!inFlight[head]) {
                throw new IllegalStateException("chain " + head + " is not in flight");
            }
            inFlight[head] = false;
            long at = RING_HEADER_BYTES + (long) ((nextUsed + i) & mask) * USED_ELEMENT_BYTES;
            backing.set(INT, used + at, head);
            backing.set(INT, used + at + 4, writtenBytes[i]);
            memory.written(usedAddress + at, USED_ELEMENT_BYTES);
        }
        nextUsed = (nextUsed + count) & 0xFFFF;
        VarHandle.releaseFence();
        backing.set(SHORT, used + 2, (short) nextUsed);
        memory.written(usedAddress, 4);
    }

    /**
     * Interrupts if chains were pushed since the last call and the driver wants to know (§2.7.7).
     */
    public void notifyDriver() {
        int now = nextUsed;
        int before = signalledUsed;
        if (now == before) {
            return;
        }
        // The index must be visible before we look whether the driver wants to be told: it
        // publishes its wish first and then looks at the index.
        VarHandle.fullFence();
        boolean wanted;
        if (eventIdx) {
            int event = backing.get(SHORT, available + RING_HEADER_BYTES + 2L * size) & 0xFFFF;
            wanted = !signalledOnce || needsEvent(event, now, before);
        } else {
            wanted = (backing.get(SHORT, available) & AVAIL_F_NO_INTERRUPT) == 0;
        }
        signalledUsed = now;
        signalledOnce = true;
        if (wanted) {
            signal.interrupt();
        }
    }

    /** Whether moving from {@code before} to {@code now} passed {@code event} (§2.7.7.1). */
    private static boolean needsEvent(int event, int now, int before) {
        return ((now - event - 1) & 0xFFFF) < ((now - before) & 0xFFFF);
    }

    /** Asks the driver not to ring: we look anyway. */
    public void disableNotifications() {
        if (notificationsOff) {
            return;
        }
        notificationsOff = true;
        // With the event index a stale avail_event does the same.
        if (!eventIdx) {
            setUsedFlags(USED_F_NO_NOTIFY);
        }
    }

    /**
     * Asks the driver to ring for the next chain.
     *
     * @return whether one came in the meantime, for which it may not ring
     */
    public boolean enableNotifications() {
        notificationsOff = false;
        if (eventIdx) {
            long at = RING_HEADER_BYTES + (long) size * USED_ELEMENT_BYTES;
            backing.set(SHORT, used + at, (short) nextAvailable);
            memory.written(usedAddress + at, 2);
        } else {
            setUsedFlags(0);
        }
        // Our wish must be visible before we look: the driver does it the other way round.
        VarHandle.fullFence();
        return hasAvailable();
    }

    private void setUsedFlags(int flags) {
        backing.set(SHORT, used, (short) flags);
        memory.written(usedAddress, 2);
    }
}
