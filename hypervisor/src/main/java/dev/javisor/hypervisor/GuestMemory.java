package dev.javisor.hypervisor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * Guest RAM: one bounds-checked backing segment, mapped to one or more guest-physical ranges with
 * holes between them. Everything a device or loader reads or writes in guest RAM goes through here.
 *
 * <p>Guest addresses come from the guest: check with {@link #contains} or take {@link #slice},
 * which answers rather than throws. The scalar accessors throw {@link IndexOutOfBoundsException} on
 * an address outside RAM and are for addresses already checked. Little endian throughout.
 *
 * <p>Writers other than vCPUs must be seen by accelerators (translated code, dirty tracking): the
 * writing methods here report themselves; whoever writes through a {@link #slice} calls {@link
 * #written} afterwards.
 */
public final class GuestMemory implements AutoCloseable {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Page of dirty tracking and of code invalidation, bytes. */
    public static final int PAGE_BYTES = 4096;

    private final MemorySegment backing;
    private final Region[] regions;
    private final Runnable release;
    private final @Nullable Discarder discarder;
    private final CopyOnWriteArrayList<WriteObserver> observers = new CopyOnWriteArrayList<>();

    /**
     * A mapped range.
     *
     * @param guestAddress guest-physical start, page aligned
     * @param backingOffset start in the backing segment, page aligned
     * @param sizeBytes page multiple
     */
    public record Region(long guestAddress, long backingOffset, long sizeBytes) {
        public Region {
            if (((guestAddress | backingOffset | sizeBytes) & (PAGE_BYTES - 1)) != 0
                    || guestAddress < 0
                    || backingOffset < 0
                    || sizeBytes <= 0) {
                throw new IllegalArgumentException(
                        "region not page aligned: %x %x %x"
                                .formatted(guestAddress, backingOffset, sizeBytes));
            }
        }

        public long guestEnd() {
            return guestAddress + sizeBytes;
        }
    }

    /** Sees writes to RAM that do not come from a vCPU, after they are in memory. */
    @FunctionalInterface
    public interface WriteObserver {
        /** {@code guestAddress .. guestAddress + sizeBytes} lies within one region. */
        void written(long guestAddress, long sizeBytes);
    }

    /** Gives memory of the backing back to the host. From any thread. */
    @FunctionalInterface
    public interface Discarder {
        /**
         * Whole pages within the range read as zero afterwards, or as before.
         *
         * @return whether the host took any
         */
        boolean discard(long backingOffset, long sizeBytes);
    }

    /** Memory that stays with the guest. */
    public GuestMemory(MemorySegment backing, List<Region> regions, Runnable release) {
        this(backing, regions, release, null);
    }

    /**
     * @param backing zeroed memory, accessible from all threads
     * @param regions ascending, not overlapping
     * @param release frees the backing; runs once on {@link #close}
     * @param discarder null if the backing stays where it is
     */
    public GuestMemory(
            MemorySegment backing,
            List<Region> regions,
            Runnable release,
            @Nullable Discarder discarder) {
        this.backing = backing;
        this.regions = regions.toArray(Region[]::new);
        this.release = release;
        this.discarder = discarder;
        long end = 0;
        for (Region region : this.regions) {
            if (region.guestAddress() < end
                    || region.backingOffset() + region.sizeBytes() > backing.byteSize()) {
                throw new IllegalArgumentException("regions overlap or leave the backing");
            }
            end = region.guestEnd();
        }
    }

    /** The whole backing; offsets as in {@link Region#backingOffset}. For accelerators. */
    public MemorySegment backing() {
        return backing;
    }

    public List<Region> regions() {
        return List.of(regions);
    }

    /** Bytes of RAM in all regions. */
    public long sizeBytes() {
        long sum = 0;
        for (Region region : regions) {
            sum += region.sizeBytes();
        }
        return sum;
    }

    public void addWriteObserver(WriteObserver observer) {
        observers.add(observer);
    }

    /** Whoever observes for less than this memory's life takes itself away. */
    public void removeWriteObserver(WriteObserver observer) {
        observers.remove(observer);
    }

    /** The backing offset of a range that lies within one region, else -1. Never throws. */
    public long offsetOf(long guestAddress, long sizeBytes) {
        for (Region region : regions) {
            long in = guestAddress - region.guestAddress();
            if (in >= 0 && in < region.sizeBytes()) {
                return sizeBytes >= 0 && sizeBytes <= region.sizeBytes() - in
                        ? region.backingOffset() + in
                        : -1;
            }
        }
        return -1;
    }

    /** Whether the range lies within one region of RAM. Never throws. */
    public boolean contains(long guestAddress, long sizeBytes) {
        return offsetOf(guestAddress, sizeBytes) >= 0;
    }

    /** A view for direct I/O, or empty if the range is not within one region. */
    public Optional<MemorySegment> slice(long guestAddress, long sizeBytes) {
        long offset = offsetOf(guestAddress, sizeBytes);
        return offset < 0 ? Optional.empty() : Optional.of(backing.asSlice(offset, sizeBytes));
    }

    /** Reports a write done through a {@link #slice}. Must follow the write on the same thread. */
    public void written(long guestAddress, long sizeBytes) {
        if (sizeBytes <= 0) {
            return;
        }
        // Full fence: the bytes must be visible before observers look whether the page holds code.
        VarHandle.fullFence();
        for (WriteObserver observer : observers) {
            observer.written(guestAddress, sizeBytes);
        }
    }

    /** Whether {@link #discard} can do anything. */
    public boolean isDiscardable() {
        return discarder != null;
    }

    /**
     * Gives pages whose content nobody needs back to the host: they read as zero afterwards, or as
     * before. A range that is not within one region is left alone. Reports itself as a write.
     *
     * @return whether the host took any
     */
    public boolean discard(long guestAddress, long sizeBytes) {
        long offset = offsetOf(guestAddress, sizeBytes);
        if (discarder == null || offset < 0 || !discarder.discard(offset, sizeBytes)) {
            return false;
        }
        written(guestAddress, sizeBytes);
        return true;
    }

    private long checked(long guestAddress, int sizeBytes) {
        long offset = offsetOf(guestAddress, sizeBytes);
        if (offset < 0) {
            throw new IndexOutOfBoundsException(
                    "guest address %#x +%d is not RAM".formatted(guestAddress, sizeBytes));
        }
        return offset;
    }

    /** Zero-extended byte. */
    public int readByte(long guestAddress) {
        return backing.get(ValueLayout.JAVA_BYTE, checked(guestAddress, 1)) & 0xFF;
    }

    /** Zero-extended 16 bits. */
    public int readShort(long guestAddress) {
        return backing.get(SHORT, checked(guestAddress, 2)) & 0xFFFF;
    }

    public int readInt(long guestAddress) {
        return backing.get(INT, checked(guestAddress, 4));
    }

    public long readLong(long guestAddress) {
        return backing.get(LONG, checked(guestAddress, 8));
    }

    /** 16 bits with acquire order: later reads see what was written before the value was. */
    public int readShortAcquire(long guestAddress) {
        int value = readShort(guestAddress);
        VarHandle.acquireFence();
        return value;
    }

    /** 32 bits with acquire order. */
    public int readIntAcquire(long guestAddress) {
        int value = readInt(guestAddress);
        VarHandle.acquireFence();
        return value;
    }

    public void writeByte(long guestAddress, int value) {
        backing.set(ValueLayout.JAVA_BYTE, checked(guestAddress, 1), (byte) value);
        written(guestAddress, 1);
    }

    public void writeShort(long guestAddress, int value) {
        backing.set(SHORT, checked(guestAddress, 2), (short) value);
        written(guestAddress, 2);
    }

    public void writeInt(long guestAddress, int value) {
        backing.set(INT, checked(guestAddress, 4), value);
        written(guestAddress, 4);
    }

    public void writeLong(long guestAddress, long value) {
        backing.set(LONG, checked(guestAddress, 8), value);
        written(guestAddress, 8);
    }

    /** 16 bits with release order: whoever sees it sees every earlier write of this thread. */
    public void writeShortRelease(long guestAddress, int value) {
        VarHandle.releaseFence();
        writeShort(guestAddress, value);
    }

    public void write(long guestAddress, byte[] bytes) {
        MemorySegment.copy(
                bytes,
                0,
                backing,
                ValueLayout.JAVA_BYTE,
                checked(guestAddress, bytes.length),
                bytes.length);
        written(guestAddress, bytes.length);
    }

    public byte[] read(long guestAddress, int sizeBytes) {
        return backing.asSlice(checked(guestAddress, sizeBytes), sizeBytes)
                .toArray(ValueLayout.JAVA_BYTE);
    }

    @Override
    public void close() {
        release.run();
    }
}
