package dev.javisor.kvm;

import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.linux.Errno;
import dev.javisor.linux.OwnedFd;
import dev.javisor.linux.SystemCalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** An open /dev/kvm whose version and required capabilities were checked. */
final class KvmDevice implements AutoCloseable {
    static final String PATH = "/dev/kvm";

    private static final int MAX_CPUID_ENTRIES = 256;
    private static final int MAX_MSRS = 1024;

    private final SystemCalls system;
    private final OwnedFd fd;
    private final KvmCalls calls;
    private final Map<Capability, Integer> capabilities = new EnumMap<>(Capability.class);

    private KvmDevice(SystemCalls system, OwnedFd fd) {
        this.system = system;
        this.fd = fd;
        this.calls = new KvmCalls(system, fd.number());
        for (Capability capability : Capability.values()) {
            capabilities.put(capability, calls.capability(capability));
        }
    }

    /**
     * @throws dev.javisor.linux.LinuxException if the node cannot be opened
     * @throws HypervisorException if what is behind it is not a KVM that suffices
     */
    static KvmDevice open(SystemCalls system) {
        OwnedFd fd = OwnedFd.open(system, PATH, SystemCalls.O_RDWR);
        try {
            int version = system.ioctl(fd.number(), KvmAbi.GET_API_VERSION, 0);
            if (version != KvmAbi.API_VERSION) {
                throw new HypervisorException(
                        version < 0
                                ? PATH + " is not KVM: " + Errno.describe(-version)
                                : "KVM API version %d: %d is needed"
                                        .formatted(version, KvmAbi.API_VERSION));
            }
            KvmDevice device = new KvmDevice(system, fd);
            List<String> missing = device.missing();
            if (!missing.isEmpty()) {
                throw new HypervisorException(
                        "this KVM lacks " + String.join(", ", missing) + ": Linux 4.12 has them");
            }
            return device;
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    private List<String> missing() {
        List<String> names = new ArrayList<>();
        for (Capability capability : Capability.values()) {
            if (capability.isRequired() && !has(capability)) {
                names.add(capability.name());
            }
        }
        return names;
    }

    boolean has(Capability capability) {
        return value(capability) > 0;
    }

    int value(Capability capability) {
        return capabilities.getOrDefault(capability, 0);
    }

    /**
     * Makes an empty virtual machine.
     *
     * @throws HypervisorException when KVM refuses, for example because VirtualBox holds the CPU
     */
    OwnedFd createVm() {
        int vm = calls.callAgain("create a virtual machine", KvmAbi.CREATE_VM, 0);
        return OwnedFd.take(system, "KVM virtual machine", vm);
    }

    /** Bytes of a vCPU's mapping: struct kvm_run and the pages behind it. */
    int runBytes() {
        return calls.call("say how large a vCPU's page is", KvmAbi.GET_VCPU_MMAP_SIZE, 0);
    }

    /** What CPUID can answer in a guest on this host. */
    List<CpuidEntry> supportedCpuid() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment table = CpuidEntry.table(arena, MAX_CPUID_ENTRIES);
            table.set(ValueLayout.JAVA_INT, 0, MAX_CPUID_ENTRIES);
            calls.call("say which CPUID it supports", KvmAbi.GET_SUPPORTED_CPUID, table);
            return CpuidEntry.read(table);
        }
    }

    /** Model-specific registers that make up a vCPU's state. */
    int[] msrIndices() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment list = arena.allocate(4 + 4L * MAX_MSRS, 8);
            list.set(ValueLayout.JAVA_INT, 0, MAX_MSRS);
            calls.call("list model-specific registers", KvmAbi.GET_MSR_INDEX_LIST, list);
            int count = Math.min(list.get(ValueLayout.JAVA_INT, 0), MAX_MSRS);
            return list.asSlice(4, 4L * count).toArray(ValueLayout.JAVA_INT);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
