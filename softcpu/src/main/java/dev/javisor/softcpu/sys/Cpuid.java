package dev.javisor.softcpu.sys;

import dev.javisor.hypervisor.CpuModel;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.PageWalker;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.Set;

/**
 * What CPUID answers: the same for all vCPUs of a virtual machine but for their APIC ids.
 * Immutable.
 *
 * <p>The vendor string is AuthenticAMD, because that is the behaviour where the vendors differ
 * (SYSRET, null selectors, no Meltdown); the family is our own, so that no model's errata are
 * worked around. Topology: one package, one core per vCPU, one thread per core.
 */
public final class Cpuid {
    private static final int MAX_BASIC_LEAF = 0x16;
    private static final int MAX_EXTENDED_LEAF = 0x80000021;
    private static final int HYPERVISOR_LEAF = 0x40000000;
    private static final int MAX_HYPERVISOR_LEAF = 0x40000010;

    /** Family 0x1F (extended family 16), model 1, stepping 0. */
    private static final int SIGNATURE = 16 << 20 | 0xF << 8 | 1 << 4;

    private static final int CLFLUSH_BYTES = 64;

    // KVM_FEATURE_ bits of leaf 0x40000001.
    private static final int KVM_CLOCKSOURCE = 1;
    private static final int KVM_NOP_IO_DELAY = 1 << 1;
    private static final int KVM_CLOCKSOURCE2 = 1 << 3;
    private static final int KVM_PV_UNHALT = 1 << 7;
    private static final int KVM_CLOCKSOURCE_STABLE = 1 << 24;

    private static final Set<Feature> V1 =
            EnumSet.of(
                    Feature.FPU,
                    Feature.VME,
                    Feature.DE,
                    Feature.PSE,
                    Feature.TSC,
                    Feature.MSR,
                    Feature.PAE,
                    Feature.MCE,
                    Feature.CX8,
                    Feature.APIC,
                    Feature.SEP,
                    Feature.MTRR,
                    Feature.PGE,
                    Feature.MCA,
                    Feature.CMOV,
                    Feature.PAT,
                    Feature.PSE36,
                    Feature.CLFSH,
                    Feature.MMX,
                    Feature.FXSR,
                    Feature.SSE,
                    Feature.SSE2,
                    Feature.X2APIC,
                    Feature.TSC_DEADLINE,
                    Feature.HYPERVISOR,
                    Feature.TSC_ADJUST,
                    Feature.ERMS,
                    Feature.FSRM,
                    Feature.SMEP,
                    Feature.SMAP,
                    Feature.UMIP,
                    Feature.FSGSBASE,
                    Feature.CMP_LEGACY,
                    Feature.TOPOLOGY_EXTENSIONS,
                    Feature.SYSCALL,
                    Feature.NX,
                    Feature.PAGE_1G,
                    Feature.RDTSCP,
                    Feature.LONG_MODE,
                    Feature.INVARIANT_TSC,
                    Feature.XSAVE_ERROR_POINTERS,
                    Feature.SSB_NO,
                    Feature.LFENCE_SERIALIZING,
                    Feature.NULL_SELECTOR_CLEARS_BASE,
                    Feature.AUTOMATIC_IBRS,
                    Feature.SRSO_NO,
                    Feature.TSA_SQ_NO,
                    Feature.TSA_L1_NO);

    private static final Set<Feature> V2 =
            with(
                    V1,
                    Feature.SSE3,
                    Feature.SSSE3,
                    Feature.SSE41,
                    Feature.SSE42,
                    Feature.CMPXCHG16B,
                    Feature.POPCNT,
                    Feature.LAHF_LM,
                    Feature.PREFETCHW,
                    Feature.PCLMULQDQ,
                    Feature.AES,
                    Feature.RDRAND,
                    Feature.RDSEED,
                    Feature.RDPID,
                    Feature.CLFLUSHOPT,
                    Feature.CLWB,
                    Feature.SHA,
                    Feature.ADX);

    private static final Set<Feature> V3 =
            with(
                    V2,
                    Feature.BMI1,
                    Feature.BMI2,
                    Feature.ABM,
                    Feature.MOVBE,
                    Feature.XSAVE,
                    Feature.XSAVEOPT,
                    Feature.XSAVEC,
                    Feature.AVX,
                    Feature.AVX2,
                    Feature.FMA,
                    Feature.F16C);

    private static final Set<Feature> HOST =
            with(
                    V3,
                    Feature.GFNI,
                    Feature.VAES,
                    Feature.VPCLMULQDQ,
                    Feature.PCID,
                    Feature.INVPCID,
                    Feature.LA57);

    private final Set<Feature> features;
    private final int vcpus;
    private final int tscKhz;

    /** Feature bits by leaf group and register. */
    private final int[][] bits = new int[LEAVES.length][4];

    private static final int[] LEAVES = {1, 7, 0xD, 0x80000001, 0x80000007, 0x80000008, 0x80000021};

    private final int[] brand = ascii("Javisor software processor", 48);

    /**
     * @param vcpus that the virtual machine can have
     */
    public Cpuid(CpuModel model, int vcpus, long tscHz) {
        this.features =
                switch (model) {
                    case X86_64_V1 -> V1;
                    case X86_64_V2 -> V2;
                    case X86_64_V3 -> V3;
                    case HOST -> HOST;
                };
        this.vcpus = vcpus;
        this.tscKhz = (int) Math.min(Integer.MAX_VALUE, tscHz / 1000);
        for (Feature feature : features) {
            bits[group(feature.leaf())][feature.register().ordinal()] |= feature.mask();
        }
        if (vcpus == 1) {
            bits[group(0x80000001)][2] &= ~Feature.CMP_LEGACY.mask();
        }
    }

    private static Set<Feature> with(Set<Feature> base, Feature... more) {
        EnumSet<Feature> set = EnumSet.copyOf(base);
        set.addAll(Set.of(more));
        return set;
    }

    private static int group(int leaf) {
        for (int i = 0; i < LEAVES.length; i++) {
            if (LEAVES[i] == leaf) {
                return i;
            }
        }
        throw new IllegalStateException("no features in leaf %#x".formatted(leaf));
    }

    public boolean has(Feature feature) {
        return features.contains(feature);
    }

    /** CR4 bits that exist with these features. */
    long cr4Bits() {
        long mask =
                Cpu.CR4_VME
                        | Cpu.CR4_PVI
                        | Cpu.CR4_TSD
                        | Cpu.CR4_DE
                        | Cpu.CR4_PSE
                        | Cpu.CR4_PAE
                        | Cpu.CR4_MCE
                        | Cpu.CR4_PGE
                        | Cpu.CR4_PCE
                        | Cpu.CR4_OSFXSR
                        | Cpu.CR4_OSXMMEXCPT;
        mask |= has(Feature.UMIP) ? Cpu.CR4_UMIP : 0;
        mask |= has(Feature.LA57) ? Cpu.CR4_LA57 : 0;
        mask |= has(Feature.FSGSBASE) ? Cpu.CR4_FSGSBASE : 0;
        mask |= has(Feature.PCID) ? Cpu.CR4_PCIDE : 0;
        mask |= has(Feature.XSAVE) ? Cpu.CR4_OSXSAVE : 0;
        mask |= has(Feature.SMEP) ? Cpu.CR4_SMEP : 0;
        mask |= has(Feature.SMAP) ? Cpu.CR4_SMAP : 0;
        return mask;
    }

    long xcr0Bits() {
        if (!has(Feature.XSAVE)) {
            return 1;
        }
        return has(Feature.AVX) ? 7 : 3;
    }

    private int feature(int leaf, Feature.Register register) {
        return bits[group(leaf)][register.ordinal()];
    }

    /** Bits needed to tell the vCPUs' APIC ids apart. */
    private int coreBits() {
        return 32 - Integer.numberOfLeadingZeros(vcpus - 1);
    }

    /**
     * Answers CPUID on {@code cpu}.
     *
     * @param out EAX, EBX, ECX, EDX, zero-extended
     */
    void query(Cpu cpu, boolean apicEnabled, int leaf, int subleaf, long[] out) {
        int a = 0;
        int b = 0;
        int c = 0;
        int d = 0;
        int number = leaf;
        if (leaf >>> 30 == 0 && leaf > MAX_BASIC_LEAF) {
            // AMD answers zero beyond its last leaf.
            number = -1;
        }
        switch (number) {
            case 0 -> {
                a = MAX_BASIC_LEAF;
                b = fourCc("Auth");
                d = fourCc("enti");
                c = fourCc("cAMD");
            }
            case 1 -> {
                a = SIGNATURE;
                b = cpu.id << 24 | (vcpus & 0xFF) << 16 | (CLFLUSH_BYTES / 8) << 8;
                c = feature(1, Feature.Register.ECX);
                if ((cpu.cr4 & Cpu.CR4_OSXSAVE) != 0) {
                    c |= 1 << 27;
                }
                d = feature(1, Feature.Register.EDX);
                if (vcpus > 1) {
                    d |= 1 << 28;
                }
                if (!apicEnabled) {
                    d &= ~Feature.APIC.mask();
                }
            }
            case 7 -> {
                if (subleaf == 0) {
                    b = feature(7, Feature.Register.EBX);
                    c = feature(7, Feature.Register.ECX);
                    d = feature(7, Feature.Register.EDX);
                }
            }
            case 0xB -> {
                // Level 0: threads of a core, level 1: cores of the package.
                c = subleaf & 0xFF;
                d = cpu.id;
                if (subleaf == 0) {
                    b = 1;
                    c |= 1 << 8;
                } else if (subleaf == 1) {
                    a = coreBits();
                    b = vcpus;
                    c |= 2 << 8;
                }
            }
            case 0xD -> {
                if (has(Feature.XSAVE)) {
                    xsave(cpu, subleaf, out);
                    return;
                }
            }
            case 0x15 -> {
                // TSC / crystal ratio 1, the crystal's frequency.
                a = 1;
                b = 1;
                c = (int) Math.min(tscKhz * 1000L, 0xFFFFFFFFL);
            }
            case 0x16 -> {
                a = tscKhz / 1000;
                b = tscKhz / 1000;
                c = 100;
            }
            case HYPERVISOR_LEAF -> {
                a = MAX_HYPERVISOR_LEAF;
                b = fourCc("KVMK");
                c = fourCc("VMKV");
                d = fourCc("M\0\0\0");
            }
            case HYPERVISOR_LEAF + 1 ->
                    a =
                            KVM_CLOCKSOURCE
                                    | KVM_NOP_IO_DELAY
                                    | KVM_CLOCKSOURCE2
                                    | KVM_PV_UNHALT
                                    | KVM_CLOCKSOURCE_STABLE;
            case MAX_HYPERVISOR_LEAF -> {
                a = tscKhz;
                b = 1_000_000; // local APIC timer input, kHz
            }
            case 0x80000000 -> {
                a = MAX_EXTENDED_LEAF;
                b = fourCc("Auth");
                d = fourCc("enti");
                c = fourCc("cAMD");
            }
            case 0x80000001 -> {
                a = SIGNATURE;
                c = feature(0x80000001, Feature.Register.ECX);
                // AMD repeats part of leaf 1 here.
                d =
                        feature(0x80000001, Feature.Register.EDX)
                                | feature(1, Feature.Register.EDX) & 0x0183F3FF;
            }
            case 0x80000002, 0x80000003, 0x80000004 -> {
                int at = 4 * (leaf - 0x80000002);
                a = brand[at];
                b = brand[at + 1];
                c = brand[at + 2];
                d = brand[at + 3];
            }
            case 0x80000005 -> {
                // 64 TLB entries; L1: 32 KiB, 8 ways, 64-byte lines, data and code.
                a = 0xFF40FF40;
                b = 0xFF40FF40;
                c = 0x20080140;
                d = 0x20080140;
            }
            case 0x80000006 -> {
                // L2: 512 KiB, 8 ways; L3: 16 MiB (in 512 KiB), 16 ways.
                a = 0x68006400;
                b = 0x68006400;
                c = 0x02006140;
                d = 0x00808140;
            }
            case 0x80000007 -> d = feature(0x80000007, Feature.Register.EDX);
            case 0x80000008 -> {
                int linear = has(Feature.LA57) ? 57 : 48;
                a = linear << 8 | PageWalker.PHYSICAL_BITS;
                b = feature(0x80000008, Feature.Register.EBX);
                c = coreBits() << 12 | (vcpus - 1);
            }
            case 0x8000001D -> {
                cache(subleaf, out);
                return;
            }
            case 0x8000001E -> {
                a = cpu.id;
                b = cpu.id & 0xFF;
            }
            case 0x80000021 -> {
                a = feature(0x80000021, Feature.Register.EAX);
                c = feature(0x80000021, Feature.Register.ECX);
            }
            default -> {
                // Reserved leaves answer zero.
            }
        }
        set(out, a, b, c, d);
    }

    /** Leaf 0xD (SDM 1 §13.2). */
    private void xsave(Cpu cpu, int subleaf, long[] out) {
        boolean avx = has(Feature.AVX);
        switch (subleaf) {
            case 0 -> {
                int enabled = (cpu.xcr0 & 4) != 0 ? 832 : 576;
                set(out, (int) xcr0Bits(), enabled, avx ? 832 : 576, 0);
            }
            case 1 -> {
                int enabled = (cpu.xcr0 & 4) != 0 ? 832 : 576;
                set(out, feature(0xD, Feature.Register.EAX), enabled, 0, 0);
            }
            case 2 -> set(out, avx ? 256 : 0, avx ? 576 : 0, 0, 0);
            default -> set(out, 0, 0, 0, 0);
        }
    }

    /** AMD's cache topology: L1D, L1I and L2 of a core, L3 of the package. */
    private void cache(int subleaf, long[] out) {
        switch (subleaf) {
            case 0 -> cache(out, 1, 1, 1, 8, 64);
            case 1 -> cache(out, 2, 1, 1, 8, 64);
            case 2 -> cache(out, 3, 2, 1, 8, 1024);
            case 3 -> cache(out, 3, 3, vcpus, 16, 16384);
            default -> set(out, 0, 0, 0, 0);
        }
    }

    private static void cache(long[] out, int type, int level, int sharing, int ways, int sets) {
        int a = type | level << 5 | 1 << 8 | (sharing - 1) << 14;
        int b = (CLFLUSH_BYTES - 1) | (ways - 1) << 22;
        set(out, a, b, sets - 1, 0);
    }

    private static void set(long[] out, int a, int b, int c, int d) {
        out[0] = a & 0xFFFFFFFFL;
        out[1] = b & 0xFFFFFFFFL;
        out[2] = c & 0xFFFFFFFFL;
        out[3] = d & 0xFFFFFFFFL;
    }

    private static int fourCc(String text) {
        return text.charAt(0) | text.charAt(1) << 8 | text.charAt(2) << 16 | text.charAt(3) << 24;
    }

    private static int[] ascii(String text, int sizeBytes) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        int[] words = new int[sizeBytes / 4];
        for (int i = 0; i < bytes.length; i++) {
            words[i >>> 2] |= (bytes[i] & 0xFF) << (8 * (i & 3));
        }
        return words;
    }
}
