package dev.javisor.kvm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Set;

/** Tells KVM to leave {@link PlatformMsrs} to us (KVM_X86_SET_MSR_FILTER). */
final class MsrFilter {
    /** KVM_CAP_X86_USER_SPACE_MSR: exits for what the filter denies. */
    static final long EXIT_REASON_FILTER = 4;

    // struct kvm_msr_filter: flags@0, ranges@8 of flags@0, nmsrs@4, base@8, bitmap@16
    private static final int SIZE_BYTES = 392;
    private static final int RANGES = 8;
    private static final int RANGE_BYTES = 24;
    private static final int READ_AND_WRITE = 3;

    /** Registers of a range: one page of AMD's index space holds all that we keep. */
    private static final int RANGE_MSRS = 256;

    private static final int[] BASES = {0xC0010000, 0xC0011000};

    private MsrFilter() {}

    static void set(KvmCalls vm) {
        Set<Integer> denied = PlatformMsrs.all().keySet();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment filter = arena.allocate(SIZE_BYTES, 8);
            for (int i = 0; i < BASES.length; i++) {
                // A set bit allows KVM to serve the register itself.
                MemorySegment bitmap = arena.allocate(RANGE_MSRS / 8, 8).fill((byte) -1);
                for (int index : denied) {
                    int bit = index - BASES[i];
                    if (bit >= 0 && bit < RANGE_MSRS) {
                        byte old = bitmap.get(ValueLayout.JAVA_BYTE, bit >> 3);
                        byte without = (byte) (old & ~(1 << (bit & 7)));
                        bitmap.set(ValueLayout.JAVA_BYTE, bit >> 3, without);
                    }
                }
                long at = RANGES + (long) RANGE_BYTES * i;
                filter.set(ValueLayout.JAVA_INT, at, READ_AND_WRITE);
                filter.set(ValueLayout.JAVA_INT, at + 4, RANGE_MSRS);
                filter.set(ValueLayout.JAVA_INT, at + 8, BASES[i]);
                // SAFETY: KVM copies the bitmap during the call.
                filter.set(ValueLayout.JAVA_LONG, at + 16, bitmap.address());
            }
            vm.call("filter registers", KvmAbi.X86_SET_MSR_FILTER, filter);
        }
    }
}
