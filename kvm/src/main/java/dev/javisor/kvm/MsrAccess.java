package dev.javisor.kvm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;

/** One vCPU's model-specific registers by KVM_GET_MSRS and KVM_SET_MSRS. */
final class MsrAccess {
    // struct kvm_msrs: nmsrs@0, entries@8 of index@0, data@8
    private static final int HEADER_BYTES = 8;
    private static final int ENTRY_BYTES = 16;

    private final KvmCalls vcpu;

    MsrAccess(KvmCalls vcpu) {
        this.vcpu = vcpu;
    }

    private static MemorySegment table(Arena arena, int entries) {
        return arena.allocate(HEADER_BYTES + (long) ENTRY_BYTES * entries, 8);
    }

    private static long at(int entry) {
        return HEADER_BYTES + (long) ENTRY_BYTES * entry;
    }

    /** Adds all registers of {@code indices} that this vCPU has. */
    void read(int[] indices, Map<Integer, Long> into) {
        try (Arena arena = Arena.ofConfined()) {
            int first = 0;
            while (first < indices.length) {
                int count = indices.length - first;
                MemorySegment table = table(arena, count);
                table.set(ValueLayout.JAVA_INT, 0, count);
                for (int i = 0; i < count; i++) {
                    table.set(ValueLayout.JAVA_INT, at(i), indices[first + i]);
                }
                int got = vcpu.call("tell its registers", KvmAbi.GET_MSRS, table);
                for (int i = 0; i < got; i++) {
                    into.put(
                            table.get(ValueLayout.JAVA_INT, at(i)),
                            table.get(ValueLayout.JAVA_LONG, at(i) + 8));
                }
                // KVM stops in front of one that this vCPU does not have.
                first += got + 1;
            }
        }
    }

    /** 0 if the vCPU has no such register. */
    long read(int index) {
        long[] value = new long[1];
        return read(index, value) ? value[0] : 0;
    }

    /** Whether the vCPU has this register, whose value goes to the first element. */
    boolean read(int index, long[] into) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment table = table(arena, 1);
            table.set(ValueLayout.JAVA_INT, 0, 1);
            table.set(ValueLayout.JAVA_INT, at(0), index);
            if (vcpu.call("tell a register", KvmAbi.GET_MSRS, table) != 1) {
                return false;
            }
            into[0] = table.get(ValueLayout.JAVA_LONG, at(0) + 8);
            return true;
        }
    }

    /** Whether the vCPU has this register and it can have this value. */
    boolean write(int index, long value) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment table = table(arena, 1);
            table.set(ValueLayout.JAVA_INT, 0, 1);
            table.set(ValueLayout.JAVA_INT, at(0), index);
            table.set(ValueLayout.JAVA_LONG, at(0) + 8, value);
            return vcpu.call("set a register", KvmAbi.SET_MSRS, table) == 1;
        }
    }
}
