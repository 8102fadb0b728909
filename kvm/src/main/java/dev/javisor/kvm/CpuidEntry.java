package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuFeature.Register;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * One answer of CPUID (struct kvm_cpuid_entry2).
 *
 * @param significant whether the sub-leaf matters ({@code KVM_CPUID_FLAG_SIGNIFCANT_INDEX})
 */
record CpuidEntry(int leaf, int subleaf, boolean significant, int eax, int ebx, int ecx, int edx) {
    private static final int HEADER_BYTES = 8;
    private static final int ENTRY_BYTES = 40;

    int register(Register register) {
        return switch (register) {
            case EAX -> eax;
            case EBX -> ebx;
            case ECX -> ecx;
            case EDX -> edx;
        };
    }

    /** struct kvm_cpuid2 with room for {@code entries}. */
    static MemorySegment table(SegmentAllocator arena, int entries) {
        return arena.allocate(HEADER_BYTES + (long) ENTRY_BYTES * entries, 8);
    }

    static List<CpuidEntry> read(MemorySegment table) {
        int count = table.get(ValueLayout.JAVA_INT, 0);
        List<CpuidEntry> entries = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            MemorySegment at = table.asSlice(HEADER_BYTES + (long) ENTRY_BYTES * i, ENTRY_BYTES);
            entries.add(
                    new CpuidEntry(
                            at.get(ValueLayout.JAVA_INT, 0),
                            at.get(ValueLayout.JAVA_INT, 4),
                            (at.get(ValueLayout.JAVA_INT, 8) & 1) != 0,
                            at.get(ValueLayout.JAVA_INT, 12),
                            at.get(ValueLayout.JAVA_INT, 16),
                            at.get(ValueLayout.JAVA_INT, 20),
                            at.get(ValueLayout.JAVA_INT, 24)));
        }
        return entries;
    }

    static void write(MemorySegment table, List<CpuidEntry> entries) {
        table.set(ValueLayout.JAVA_INT, 0, entries.size());
        for (int i = 0; i < entries.size(); i++) {
            CpuidEntry entry = entries.get(i);
            MemorySegment at = table.asSlice(HEADER_BYTES + (long) ENTRY_BYTES * i, ENTRY_BYTES);
            at.set(ValueLayout.JAVA_INT, 0, entry.leaf);
            at.set(ValueLayout.JAVA_INT, 4, entry.subleaf);
            at.set(ValueLayout.JAVA_INT, 8, entry.significant ? 1 : 0);
            at.set(ValueLayout.JAVA_INT, 12, entry.eax);
            at.set(ValueLayout.JAVA_INT, 16, entry.ebx);
            at.set(ValueLayout.JAVA_INT, 20, entry.ecx);
            at.set(ValueLayout.JAVA_INT, 24, entry.edx);
        }
    }
}
