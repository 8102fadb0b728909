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

    public Ram(GuestMemory memory) {
        this.memory = memory;
        this.backing = memory.backing();
        this.codePages = new CodePages(backing.byteSize());
        this.dirty = new DirtyPages(backing.byteSize());
        memory.addWriteObserver(this::written);
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
