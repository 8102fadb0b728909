package dev.javisor.kvm;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Guest RAM as KVM's memory slots: slot n is region n. */
final class MemorySlots {
    // struct kvm_userspace_memory_region
    private static final int SLOT = 0;
    private static final int FLAGS = 4;
    private static final int GUEST_ADDRESS = 8;
    private static final int SIZE = 16;
    private static final int HOST_ADDRESS = 24;

    private final KvmCalls vm;
    private final GuestMemory memory;

    MemorySlots(KvmCalls vm, GuestMemory memory) {
        this.vm = vm;
        this.memory = memory;
    }

    /** Maps all RAM, or changes whether KVM logs writes to it. */
    void map(boolean logDirtyPages) {
        List<Region> regions = memory.regions();
        for (int slot = 0; slot < regions.size(); slot++) {
            set(slot, regions.get(slot), logDirtyPages ? KvmAbi.MEM_LOG_DIRTY_PAGES : 0, false);
        }
    }

    /** Takes all RAM away. The backing must not be unmapped before. */
    void unmap() {
        List<Region> regions = memory.regions();
        for (int slot = 0; slot < regions.size(); slot++) {
            set(slot, regions.get(slot), 0, true);
        }
    }

    private void set(int slot, Region region, int flags, boolean delete) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment s = arena.allocate(32, 8);
            s.set(ValueLayout.JAVA_INT, SLOT, slot);
            s.set(ValueLayout.JAVA_INT, FLAGS, flags);
            s.set(ValueLayout.JAVA_LONG, GUEST_ADDRESS, region.guestAddress());
            s.set(ValueLayout.JAVA_LONG, SIZE, delete ? 0 : region.sizeBytes());
            // SAFETY: the backing outlives the virtual machine (its owner closes it afterwards),
            // and close() of the virtual machine deletes the slots first.
            s.set(
                    ValueLayout.JAVA_LONG,
                    HOST_ADDRESS,
                    memory.backing().address() + region.backingOffset());
            vm.call("map guest memory", KvmAbi.SET_USER_MEMORY_REGION, s);
        }
    }
}
