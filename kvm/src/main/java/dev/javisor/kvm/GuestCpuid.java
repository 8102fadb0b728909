package dev.javisor.kvm;

import dev.javisor.hypervisor.VirtualMachineConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** What CPUID answers in a guest: the model, cut to what this host can do. */
final class GuestCpuid {
    private final List<CpuidEntry> entries;

    GuestCpuid(VirtualMachineConfig config, KvmDevice device) {
        this.entries = device.supportedCpuid();
    }

    /** Gives a vCPU its answers. */
    void set(KvmCalls vcpu, int id) {
        List<CpuidEntry> own = new ArrayList<>();
        for (CpuidEntry entry : entries) {
            own.add(forVcpu(entry, id));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment table = CpuidEntry.table(arena, own.size());
            CpuidEntry.write(table, own);
            vcpu.call("accept the CPU model", KvmAbi.SET_CPUID2, table);
        }
    }

    private static CpuidEntry forVcpu(CpuidEntry e, int id) {
        return switch (e.leaf()) {
            case 1 ->
                    new CpuidEntry(
                            e.leaf(),
                            e.subleaf(),
                            e.significant(),
                            e.eax(),
                            e.ebx() & 0xFFFFFF | id << 24,
                            e.ecx() | 1 << 24 | 1 << 31,
                            e.edx());
            case 0xB, 0x1F ->
                    new CpuidEntry(
                            e.leaf(), e.subleaf(), e.significant(), e.eax(), e.ebx(), e.ecx(), id);
            default -> e;
        };
    }
}
