package dev.javisor.kvm;

import dev.javisor.linux.Mapping;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * The pages that one vCPU has written, as KVM tells them (KVM_CAP_DIRTY_LOG_RING): KVM marks an
 * entry dirty, we take it and mark it taken, and KVM_RESET_DIRTY_RINGS watches its page again. Not
 * for several threads at a time.
 */
final class DirtyRing implements AutoCloseable {
    /** Page of a vCPU's mapping at which its ring begins (KVM_DIRTY_LOG_PAGE_OFFSET). */
    static final long FIRST_PAGE = 64;

    /** 4096 entries: 16 MiB of memory written until the vCPU must wait for a harvest. */
    static final int SIZE_BYTES = 1 << 16;

    // struct kvm_dirty_gfn
    private static final int ENTRY_BYTES = 16;
    private static final int FLAGS = 0;
    private static final int SLOT = 4;
    private static final int OFFSET = 8;
    private static final int DIRTY = 1;
    private static final int TAKEN = 2;
    private static final VarHandle FLAGS_WORD = ValueLayout.JAVA_INT.varHandle();

    private final Mapping mapping;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment ring;
    private final int entries;
    private int next;

    /** Takes written pages. */
    interface Sink {
        void dirty(int slot, long page);
    }

    @SuppressWarnings("restricted") // reinterpret: this module is inside the fence
    DirtyRing(Mapping mapping) {
        this.mapping = mapping;
        // SAFETY: the mapping is that long and lives until close(), which first closes the arena.
        ring =
                MemorySegment.ofAddress(mapping.address())
                        .reinterpret(mapping.sizeBytes(), arena, null);
        entries = (int) (mapping.sizeBytes() / ENTRY_BYTES);
    }

    /** Takes what is there, in order; returns how many. A page may come more than once. */
    int harvest(Sink sink) {
        int count = 0;
        while (count < entries) {
            long at = (long) next * ENTRY_BYTES;
            // Acquire: slot and offset are written before the flag.
            if (((int) FLAGS_WORD.getAcquire(ring, at + FLAGS) & DIRTY) == 0) {
                break;
            }
            // The upper half is the address space, of which there is one.
            int slot = ring.get(ValueLayout.JAVA_INT, at + SLOT) & 0xFFFF;
            sink.dirty(slot, ring.get(ValueLayout.JAVA_LONG, at + OFFSET));
            // Release: KVM may use the entry again once it sees this.
            FLAGS_WORD.setRelease(ring, at + FLAGS, TAKEN);
            next = (next + 1) % entries;
            count++;
        }
        return count;
    }

    @Override
    public void close() {
        arena.close();
        mapping.close();
    }
}
