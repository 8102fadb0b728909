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

    private final GuestMemory.WriteObserver observer = this::written;

    public Ram(GuestMemory memory) {
        this(memory, false);
        memory.addWriteObserver(observer);
    }

    private Ram(GuestMemory memory, boolean borrowed) {
        this.memory = memory;
        this.backing = memory.backing();
        long tracked = borrowed ? 0 : backing.byteSize();
        this.codePages = new CodePages(tracked);
        this.dirty = new DirtyPages(tracked);
        this.borrowed = borrowed;
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
