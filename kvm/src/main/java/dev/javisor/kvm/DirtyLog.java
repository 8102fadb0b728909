package dev.javisor.kvm;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Which pages were written: by vCPUs, from KVM's bitmaps or rings, and by everybody else through
 * {@link GuestMemory}, from bitmaps of our own, as KVM does not see these. What rings tell goes
 * into our bitmaps.
 *
 * <p>A page that was taken from a ring is watched again from {@link #reset} on, so its bytes must
 * be read after that: after {@link #fetch}, that is.
 */
final class DirtyLog implements AutoCloseable {
    private static final int PAGE_SHIFT = 12;

    private final KvmCalls vm;
    private final MemorySlots slots;
    private final GuestMemory memory;

    private final How how;

    /** Of all vCPUs. */
    private final List<DirtyRing> rings = new ArrayList<>();

    private final Arena arena = Arena.ofShared();
    private final List<Region> regions;
    private final AtomicLongArray[] written;

    /** KVM's bitmap of each region, once asked for. */
    private final MemorySegment[] bitmaps;

    private final MemorySegment argument = arena.allocate(24, 8);
    private volatile boolean enabled;

    /** How KVM tells what vCPUs write. */
    enum How {
        /** In bitmaps that are cleared when they are read. */
        BITMAP,
        /** In bitmaps that keep bits until they are cleared by a call of their own. */
        BITMAP_CLEARED_APART,
        /** In rings, one for each vCPU. */
        RINGS
    }

    DirtyLog(KvmCalls vm, MemorySlots slots, GuestMemory memory, How how) {
        this.vm = vm;
        this.slots = slots;
        this.memory = memory;
        this.how = how;
        regions = memory.regions();
        written = new AtomicLongArray[regions.size()];
        bitmaps = new MemorySegment[regions.size()];
        for (int i = 0; i < written.length; i++) {
            written[i] = new AtomicLongArray(0);
            bitmaps[i] = MemorySegment.NULL;
        }
        memory.addWriteObserver(observer);
    }

    private final GuestMemory.WriteObserver observer = this::written;

    private static long pages(Region region) {
        return region.sizeBytes() >>> PAGE_SHIFT;
    }

    private static int words(Region region) {
        return (int) ((pages(region) + 63) / 64);
    }

    private void written(long guestAddress, long sizeBytes) {
        if (!enabled) {
            return;
        }
        for (int i = 0; i < written.length; i++) {
            Region region = regions.get(i);
            long in = guestAddress - region.guestAddress();
            if (in >= 0 && in < region.sizeBytes()) {
                long last = in + sizeBytes - 1 >>> PAGE_SHIFT;
                for (long page = in >>> PAGE_SHIFT; page <= last; page++) {
                    mark(written[i], page);
                }
                return;
            }
        }
    }

    private static void mark(AtomicLongArray bits, long page) {
        int word = (int) (page >>> 6);
        if (word < bits.length()) {
            // A full fence comes with it: whoever takes the bit sees the bytes.
            bits.getAndAccumulate(word, 1L << page, (old, bit) -> old | bit);
        }
    }

    synchronized void setEnabled(boolean enable) {
        if (enable == enabled) {
            return;
        }
        if (enable) {
            harvest();
            for (int i = 0; i < written.length; i++) {
                written[i] = new AtomicLongArray(words(regions.get(i)));
                if (how != How.RINGS && bitmaps[i].byteSize() == 0) {
                    bitmaps[i] = arena.allocate(8L * words(regions.get(i)), 8);
                }
            }
        }
        slots.map(enable);
        enabled = enable;
        if (!enable) {
            harvest();
        }
    }

    boolean hasRings() {
        return how == How.RINGS;
    }

    synchronized void add(DirtyRing ring) {
        rings.add(ring);
    }

    /** Its vCPU ends, but not what it has written. */
    synchronized void remove(DirtyRing ring) {
        harvest();
        rings.remove(ring);
    }

    /** Takes what all rings have; a vCPU whose ring was full can go on. */
    synchronized void harvest() {
        int taken = 0;
        for (DirtyRing ring : rings) {
            taken += ring.harvest(this::take);
        }
        if (taken > 0) {
            reset();
        }
    }

    private void reset() {
        vm.callAgain("watch written pages again", KvmAbi.RESET_DIRTY_RINGS, 0);
    }

    private void take(int slot, long page) {
        if (slot < written.length) {
            mark(written[slot], page);
        }
    }

    synchronized void fetch(Region region, long[] into) {
        int slot = regions.indexOf(region);
        int words = words(region);
        if (slot < 0 || into.length < words) {
            throw new IllegalArgumentException(
                    "not a region of this memory, or no room: " + region);
        }
        if (!enabled) {
            Arrays.fill(into, 0, words, 0);
            return;
        }
        if (how == How.RINGS) {
            harvest();
            Arrays.fill(into, 0, words, 0);
        } else {
            fetchBitmap(region, slot, into, words);
        }
        AtomicLongArray ours = written[slot];
        for (int i = 0; i < words; i++) {
            // Mostly zero: an exchange for each would take longer than KVM's part.
            if (ours.getOpaque(i) != 0) {
                into[i] |= ours.getAndSet(i, 0);
            }
        }
    }

    private void fetchBitmap(Region region, int slot, long[] into, int words) {
        MemorySegment bitmap = bitmaps[slot];
        argument.fill((byte) 0);
        argument.set(ValueLayout.JAVA_INT, 0, slot);
        // SAFETY: the bitmap has a bit for each page of the slot and lives until close().
        argument.set(ValueLayout.JAVA_LONG, 8, bitmap.address());
        vm.call("tell written pages", KvmAbi.GET_DIRTY_LOG, argument);
        MemorySegment.copy(bitmap, ValueLayout.JAVA_LONG, 0, into, 0, words);
        if (how == How.BITMAP_CLEARED_APART) {
            argument.set(ValueLayout.JAVA_INT, 4, (int) pages(region));
            argument.set(ValueLayout.JAVA_LONG, 8, 0);
            argument.set(ValueLayout.JAVA_LONG, 16, bitmap.address());
            vm.call("forget written pages", KvmAbi.CLEAR_DIRTY_LOG, argument);
        }
    }

    @Override
    public void close() {
        memory.removeWriteObserver(observer);
        arena.close();
    }
}
