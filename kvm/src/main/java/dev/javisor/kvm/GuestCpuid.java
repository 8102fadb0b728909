package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuFeature;
import dev.javisor.hypervisor.CpuFeature.Register;
import dev.javisor.hypervisor.CpuIdentity;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.hypervisor.VirtualMachineConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What CPUID answers in a guest. A named model has the answers of {@link CpuIdentity}, which the
 * software CPU gives too, without the features that this host cannot give; what the model's psABI
 * level demands must be there. {@code host} passes on what KVM supports, with our topology.
 */
final class GuestCpuid {
    private static final int KVM_FEATURES = 0x40000001;
    private static final long APIC_ENABLE = 1 << 11;
    private static final long CR4_OSXSAVE = 1 << 18;

    private static final int[] LEAVES = {
        0,
        1,
        7,
        0xB,
        0xD,
        0x15,
        0x16,
        0x40000000,
        KVM_FEATURES,
        0x40000010,
        0x80000000,
        0x80000001,
        0x80000002,
        0x80000003,
        0x80000004,
        0x80000005,
        0x80000006,
        0x80000007,
        0x80000008,
        0x8000001D,
        0x8000001E,
        0x80000021
    };

    /** They describe the virtual machine, not what the host's CPU executes. */
    private static final Set<CpuFeature> DESCRIPTIVE =
            EnumSet.of(
                    CpuFeature.HYPERVISOR,
                    CpuFeature.X2APIC,
                    CpuFeature.CMP_LEGACY,
                    CpuFeature.TOPOLOGY_EXTENSIONS);

    /** Without these a level of the psABI is not what it says. */
    private static final Set<CpuFeature> DEMANDED =
            EnumSet.of(
                    CpuFeature.CMOV,
                    CpuFeature.CX8,
                    CpuFeature.FPU,
                    CpuFeature.FXSR,
                    CpuFeature.MMX,
                    CpuFeature.SYSCALL,
                    CpuFeature.SSE,
                    CpuFeature.SSE2,
                    CpuFeature.LONG_MODE,
                    CpuFeature.CMPXCHG16B,
                    CpuFeature.LAHF_LM,
                    CpuFeature.POPCNT,
                    CpuFeature.SSE3,
                    CpuFeature.SSE41,
                    CpuFeature.SSE42,
                    CpuFeature.SSSE3,
                    CpuFeature.AVX,
                    CpuFeature.AVX2,
                    CpuFeature.BMI1,
                    CpuFeature.BMI2,
                    CpuFeature.F16C,
                    CpuFeature.FMA,
                    CpuFeature.ABM,
                    CpuFeature.MOVBE,
                    CpuFeature.XSAVE);

    private final List<CpuidEntry> supported;
    private final VirtualMachineConfig config;
    private final CpuIdentity identity;

    /**
     * @param supported what KVM lists
     * @param unstoppable what guests can execute even if KVM does not list it
     * @param tscDeadline whether the local APIC's timer has that mode, which KVM tells elsewhere
     * @throws HypervisorException if the host cannot be the model that is asked for
     */
    GuestCpuid(
            VirtualMachineConfig config,
            List<CpuidEntry> supported,
            Set<CpuFeature> unstoppable,
            boolean tscDeadline) {
        this.supported = supported;
        this.config = config;
        Set<CpuFeature> features = EnumSet.noneOf(CpuFeature.class);
        Set<CpuFeature> missing = new TreeSet<>();
        for (CpuFeature feature : CpuIdentity.featuresOf(config.model())) {
            boolean has =
                    feature == CpuFeature.TSC_DEADLINE
                            ? tscDeadline
                            : DESCRIPTIVE.contains(feature)
                                    || unstoppable.contains(feature)
                                    || isSupported(feature);
            if (has) {
                features.add(feature);
            } else if (DEMANDED.contains(feature) && config.model() != CpuModel.HOST) {
                missing.add(feature);
            }
        }
        if (!missing.isEmpty()) {
            throw new HypervisorException(
                    "this host cannot be %s, it lacks %s: give a lower --cpu"
                            .formatted(config.model().id(), missing));
        }
        int hostBits = word(0x80000008, 0, Register.EAX) & 0xFF;
        int bits = hostBits == 0 ? 36 : Math.min(hostBits, CpuIdentity.PHYSICAL_BITS);
        identity = new CpuIdentity(features, config.maxVcpus(), config.tscHz(), bits);
    }

    /**
     * The highest level that the host has all of; parameters as of the constructor.
     *
     * @throws HypervisorException if not even the lowest
     */
    static CpuModel best(
            List<CpuidEntry> supported, Set<CpuFeature> unstoppable, boolean tscDeadline) {
        HypervisorException none = new HypervisorException("no CPU model");
        for (CpuModel model : List.of(CpuModel.X86_64_V3, CpuModel.X86_64_V2, CpuModel.X86_64_V1)) {
            try {
                var config = new VirtualMachineConfig("", 1, model, 0);
                return new GuestCpuid(config, supported, unstoppable, tscDeadline).config.model();
            } catch (HypervisorException e) {
                none = e;
            }
        }
        throw none;
    }

    private boolean isSupported(CpuFeature feature) {
        int subleaf = feature.leaf() == 0xD ? 1 : 0;
        return (word(feature.leaf(), subleaf, feature.register()) & feature.mask()) != 0;
    }

    private int word(int leaf, int subleaf, Register register) {
        for (CpuidEntry e : supported) {
            if (e.leaf() == leaf && (!e.significant() || e.subleaf() == subleaf)) {
                return e.register(register);
            }
        }
        return 0;
    }

    /** Gives a vCPU its answers. */
    void set(KvmCalls vcpu, int id) {
        List<CpuidEntry> own = answers(id);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment table = CpuidEntry.table(arena, own.size());
            CpuidEntry.write(table, own);
            vcpu.call("accept the CPU model", KvmAbi.SET_CPUID2, table);
        }
    }

    /** What CPUID answers on a vCPU, as KVM would. */
    void query(int id, long cr4, long xcr0, long apicBase, int leaf, int subleaf, long[] out) {
        boolean apicEnabled = (apicBase & APIC_ENABLE) != 0;
        if (config.model() != CpuModel.HOST) {
            identity.query(id, cr4, xcr0, apicEnabled, leaf, subleaf, out);
            if (leaf == KVM_FEATURES) {
                out[0] &= word(KVM_FEATURES, 0, Register.EAX) & 0xFFFFFFFFL;
            }
            return;
        }
        Arrays.fill(out, 0, 4, 0);
        for (CpuidEntry e : answers(id)) {
            if (e.leaf() == leaf && (!e.significant() || e.subleaf() == subleaf)) {
                out[0] = e.eax() & 0xFFFFFFFFL;
                out[1] = e.ebx() & 0xFFFFFFFFL;
                out[2] = e.ecx() & 0xFFFFFFFFL;
                out[3] = e.edx() & 0xFFFFFFFFL;
            }
        }
        if (leaf == 1) {
            out[2] |= (cr4 & CR4_OSXSAVE) != 0 ? 1 << 27 : 0;
            out[3] &= apicEnabled ? -1 : ~CpuFeature.APIC.mask();
        }
    }

    /** All answers of a vCPU. KVM itself keeps up what follows CR4, XCR0 and the APIC base. */
    List<CpuidEntry> answers(int id) {
        List<CpuidEntry> own = new ArrayList<>();
        if (config.model() == CpuModel.HOST) {
            addHost(own, id);
        } else {
            for (int leaf : LEAVES) {
                addNamed(own, leaf, id);
            }
        }
        return own;
    }

    private void addNamed(List<CpuidEntry> own, int leaf, int id) {
        switch (leaf) {
            case 0xB -> addSubleaves(own, leaf, 3, id);
            case 0xD -> addSubleaves(own, leaf, identity.has(CpuFeature.XSAVE) ? 3 : 0, id);
            case 0x8000001D -> addSubleaves(own, leaf, 5, id);
            case KVM_FEATURES -> {
                CpuidEntry all = named(leaf, 0, false, id);
                int bits = all.eax() & word(KVM_FEATURES, 0, Register.EAX);
                own.add(new CpuidEntry(leaf, 0, false, bits, 0, 0, 0));
            }
            default -> own.add(named(leaf, 0, leaf == 7, id));
        }
    }

    private void addSubleaves(List<CpuidEntry> own, int leaf, int count, int id) {
        for (int subleaf = 0; subleaf < count; subleaf++) {
            own.add(named(leaf, subleaf, true, id));
        }
    }

    private CpuidEntry named(int leaf, int subleaf, boolean significant, int id) {
        long[] out = new long[4];
        identity.query(id, 0, identity.xcr0Bits(), true, leaf, subleaf, out);
        return new CpuidEntry(
                leaf, subleaf, significant, (int) out[0], (int) out[1], (int) out[2], (int) out[3]);
    }

    /** Leaves that tell a processor from its neighbours are ours, as are those about the TSC. */
    private void addHost(List<CpuidEntry> own, int id) {
        boolean amd = word(0, 0, Register.EBX) == named(0, 0, false, id).ebx();
        for (CpuidEntry e : supported) {
            switch (e.leaf()) {
                case 1 -> own.add(hostLeaf1(e, named(1, 0, false, id)));
                case 0xB, 0x15, 0x16, 0x1F, 0x40000010, 0x8000001D, 0x8000001E -> {
                    // Added below, if at all.
                }
                default -> own.add(e);
            }
        }
        addNamed(own, 0xB, id);
        addNamed(own, 0x15, id);
        addNamed(own, 0x16, id);
        addNamed(own, 0x40000010, id);
        if (amd) {
            addNamed(own, 0x8000001D, id);
            addNamed(own, 0x8000001E, id);
        }
    }

    private static CpuidEntry hostLeaf1(CpuidEntry host, CpuidEntry ours) {
        int deadline = CpuFeature.TSC_DEADLINE.mask() | CpuFeature.HYPERVISOR.mask();
        int threads = 1 << 28;
        return new CpuidEntry(
                1,
                0,
                false,
                host.eax(),
                ours.ebx(),
                host.ecx() | ours.ecx() & deadline,
                host.edx() & ~threads | ours.edx() & threads);
    }
}
