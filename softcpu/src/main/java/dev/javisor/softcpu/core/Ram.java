package dev.javisor.softcpu.core;

import dev.javisor.hypervisor.GuestMemory;
import java.lang.foreign.MemorySegment;

/**
 * Guest RAM as all vCPUs of one virtual machine share it: backing, layout, and which pages hold
 * decoded code.
 */
public final class Ram {
    public final GuestMemory memory;
    public final MemorySegment backing;
    public final CodePages codePages;
    public final DirtyPages dirty;
    public final BlockBudget blockBudget = new BlockBudget();

    /**
     * The memory is another accelerator's, whose vCPUs change it unseen: translations are not kept,
     * and stores are reported through {@link GuestMemory#written}.
     */
    public final boolean borrowed;

    /** See {@link #offsetMask}. */
    public static final long NO_MASK = -1;

    /** Bytes that the largest access at once may reach beyond an offset. */
    private static final int WIDEST_BYTES = 32;

    /**
     * Keeps an offset in RAM as it is, and makes of any other one from which an access stays inside
     * of the backing; {@link #NO_MASK} if RAM is not a power of two, or has no margin behind it.
     */
    public final long offsetMask;

    private final GuestMemory.WriteObserver observer = this::written;

    public Ram(GuestMemory memory) {
        this(memory, false);
        memory.addWriteObserver(observer);
    }

    private Ram(GuestMemory memory, boolean borrowed) {
        this.memory = memory;
        this.backing = memory.backing();
        this.offsetMask = offsetMask(memory);
        long tracked = borrowed ? 0 : backing.byteSize();
        this.codePages = new CodePages(tracked);
        this.dirty = new DirtyPages(tracked);
        this.borrowed = borrowed;
    }

    private static long offsetMask(GuestMemory memory) {
        long end = 0;
        for (GuestMemory.Region region : memory.regions()) {
            end = Math.max(end, region.backingOffset() + region.sizeBytes());
        }
        boolean powerOfTwo = Long.bitCount(end) == 1;
        return powerOfTwo && end + WIDEST_BYTES <= memory.backing().byteSize() ? end - 1 : NO_MASK;
    }

    /** See {@link #borrowed}. */
    public static Ram borrowed(GuestMemory memory) {
        return new Ram(memory, true);
    }

    /** Stops watching the memory, which lives on. */
    public void release() {
        memory.removeWriteObserver(observer);
    }

    /** A vCPU stored into a page through the slow path. */
    void stored(int page, long guestAddress, int sizeBytes) {
        dirty.mark(page);
        if (borrowed) {
            memory.written(guestAddress, sizeBytes);
        } else if (codePages.isCode(page)) {
            codePages.written(page);
        }
    }

    private void written(long guestAddress, long sizeBytes) {
        long offset = memory.offsetOf(guestAddress, sizeBytes);
        int last = (int) ((offset + sizeBytes - 1) >>> 12);
        for (int page = (int) (offset >>> 12); page <= last; page++) {
            dirty.mark(page);
        }
        codePages.writtenByDevice(offset, sizeBytes);
    }
}
