package dev.javisor.hypervisor;

import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;

/**
 * What CPUID answers in a guest of a named CPU model, on every accelerator: the same for all vCPUs
 * of a virtual machine but for their APIC ids. Immutable.
 *
 * <p>The vendor string is AuthenticAMD, because that is the behaviour where the vendors differ
 * (SYSRET, null selectors, no Meltdown); the family is our own, so that no model's errata are
 * worked around. Topology: one package, one core per vCPU, one thread per core.
 */
public final class CpuIdentity {
    private static final int MAX_BASIC_LEAF = 0x16;
    private static final int MAX_EXTENDED_LEAF = 0x80000021;
    private static final int HYPERVISOR_LEAF = 0x40000000;
    private static final int MAX_HYPERVISOR_LEAF = 0x40000010;

    /** Family 0x1F (extended family 16), model 1, stepping 0. */
    private static final int SIGNATURE = 16 << 20 | 0xF << 8 | 1 << 4;

    private static final int CLFLUSH_BYTES = 64;
    private static final long CR4_OSXSAVE = 1 << 18;

    /** Of guest-physical addresses, where the host does not have fewer. */
    public static final int PHYSICAL_BITS = 40;

    // KVM_FEATURE_ bits of leaf 0x40000001.
    private static final int KVM_CLOCKSOURCE = 1;
    private static final int KVM_NOP_IO_DELAY = 1 << 1;
    private static final int KVM_CLOCKSOURCE2 = 1 << 3;
    private static final int KVM_PV_UNHALT = 1 << 7;
    private static final int KVM_CLOCKSOURCE_STABLE = 1 << 24;

    private static final Set<CpuFeature> V1 =
            with(
                    Set.of(CpuFeature.FPU),
                    CpuFeature.VME,
                    CpuFeature.DE,
                    CpuFeature.PSE,
                    CpuFeature.TSC,
                    CpuFeature.MSR,
                    CpuFeature.PAE,
                    CpuFeature.MCE,
                    CpuFeature.CX8,
                    CpuFeature.APIC,
                    CpuFeature.SEP,
                    CpuFeature.MTRR,
                    CpuFeature.PGE,
                    CpuFeature.MCA,
                    CpuFeature.CMOV,
                    CpuFeature.PAT,
                    CpuFeature.PSE36,
                    CpuFeature.CLFSH,
                    CpuFeature.MMX,
                    CpuFeature.FXSR,
                    CpuFeature.SSE,
                    CpuFeature.SSE2,
                    CpuFeature.X2APIC,
                    CpuFeature.TSC_DEADLINE,
                    CpuFeature.HYPERVISOR,
                    CpuFeature.TSC_ADJUST,
                    CpuFeature.ERMS,
                    CpuFeature.FSRM,
                    CpuFeature.SMEP,
                    CpuFeature.SMAP,
                    CpuFeature.UMIP,
                    CpuFeature.FSGSBASE,
                    CpuFeature.CMP_LEGACY,
                    CpuFeature.TOPOLOGY_EXTENSIONS,
                    CpuFeature.SYSCALL,
                    CpuFeature.NX,
                    CpuFeature.PAGE_1G,
                    CpuFeature.RDTSCP,
                    CpuFeature.LONG_MODE,
                    CpuFeature.INVARIANT_TSC,
                    CpuFeature.XSAVE_ERROR_POINTERS,
                    CpuFeature.SSB_NO,
                    CpuFeature.LFENCE_SERIALIZING,
                    CpuFeature.NULL_SELECTOR_CLEARS_BASE,
                    CpuFeature.AUTOMATIC_IBRS,
                    CpuFeature.SRSO_NO,
                    CpuFeature.TSA_SQ_NO,
                    CpuFeature.TSA_L1_NO);

    private static final Set<CpuFeature> V2 =
            with(
                    V1,
                    CpuFeature.SSE3,
                    CpuFeature.SSSE3,
                    CpuFeature.SSE41,
                    CpuFeature.SSE42,
                    CpuFeature.CMPXCHG16B,
                    CpuFeature.POPCNT,
                    CpuFeature.LAHF_LM,
                    CpuFeature.PREFETCHW,
                    CpuFeature.PCLMULQDQ,
                    CpuFeature.AES,
                    CpuFeature.RDRAND,
                    CpuFeature.RDSEED,
                    CpuFeature.RDPID,
                    CpuFeature.CLFLUSHOPT,
                    CpuFeature.CLWB,
                    CpuFeature.SHA,
                    CpuFeature.ADX);

    private static final Set<CpuFeature> V3 =
            with(
                    V2,
                    CpuFeature.BMI1,
                    CpuFeature.BMI2,
                    CpuFeature.ABM,
                    CpuFeature.MOVBE,
                    CpuFeature.XSAVE,
                    CpuFeature.XSAVEOPT,
                    CpuFeature.XSAVEC,
                    CpuFeature.AVX,
                    CpuFeature.AVX2,
                    CpuFeature.FMA,
                    CpuFeature.F16C);

    private static final Set<CpuFeature> HOST =
            with(
                    V3,
                    CpuFeature.GFNI,
                    CpuFeature.VAES,
                    CpuFeature.VPCLMULQDQ,
                    CpuFeature.PCID,
                    CpuFeature.INVPCID,
                    CpuFeature.LA57);

    private final Set<CpuFeature> features;
    private final int vcpus;
    private final int tscKhz;
    private final int physicalBits;

    /** CpuFeature bits by leaf group and register. */
    private final int[][] bits = new int[LEAVES.length][4];

    private static final int[] LEAVES = {1, 7, 0xD, 0x80000001, 0x80000007, 0x80000008, 0x80000021};

    private final int[] brand = ascii("Javisor software processor", 48);

    /**
     * What a model's guests have where the host has all of it.
     *
     * @param vcpus that the virtual machine can have
     */
    public CpuIdentity(CpuModel model, int vcpus, long tscHz) {
        this(featuresOf(model), vcpus, tscHz, PHYSICAL_BITS);
    }

    /**
     * @param features of the model, perhaps fewer
     * @param physicalBits of guest-physical addresses
     */
    public CpuIdentity(Set<CpuFeature> features, int vcpus, long tscHz, int physicalBits) {
        this.features = EnumSet.copyOf(features);
        this.vcpus = vcpus;
        this.tscKhz = (int) Math.min(Integer.MAX_VALUE, tscHz / 1000);
        this.physicalBits = physicalBits;
        for (CpuFeature feature : features) {
            bits[group(feature.leaf())][feature.register().ordinal()] |= feature.mask();
        }
        if (vcpus == 1) {
            bits[group(0x80000001)][2] &= ~CpuFeature.CMP_LEGACY.mask();
        }
    }

    /** All features of a model; of {@code HOST}, those that the software CPU has. */
    public static Set<CpuFeature> featuresOf(CpuModel model) {
        return switch (model) {
            case X86_64_V1 -> V1;
            case X86_64_V2 -> V2;
            case X86_64_V3 -> V3;
            case HOST -> HOST;
        };
    }

    private static Set<CpuFeature> with(Set<CpuFeature> base, CpuFeature... more) {
        EnumSet<CpuFeature> set = EnumSet.copyOf(base);
        set.addAll(Set.of(more));
        return Collections.unmodifiableSet(set);
    }

    private static int group(int leaf) {
        for (int i = 0; i < LEAVES.length; i++) {
            if (LEAVES[i] == leaf) {
                return i;
            }
        }
        throw new IllegalStateException("no features in leaf %#x".formatted(leaf));
    }

    public boolean has(CpuFeature feature) {
        return features.contains(feature);
    }

    /** Bits that XCR0 can have. */
    public long xcr0Bits() {
        if (!has(CpuFeature.XSAVE)) {
            return 1;
        }
        return has(CpuFeature.AVX) ? 7 : 3;
    }

    private int feature(int leaf, CpuFeature.Register register) {
        return bits[group(leaf)][register.ordinal()];
    }

    /** Bits needed to tell the vCPUs' APIC ids apart. */
    private int coreBits() {
        return 32 - Integer.numberOfLeadingZeros(vcpus - 1);
    }

    /**
     * Answers CPUID on a vCPU.
     *
     * @param cr4 the vCPU's, of which OSXSAVE shows
     * @param xcr0 the vCPU's, which says how long an XSAVE area is
     * @param apicEnabled IA32_APIC_BASE.EN
     * @param out EAX, EBX, ECX, EDX, zero-extended
     */
    public void query(
            int apicId,
            long cr4,
            long xcr0,
            boolean apicEnabled,
            int leaf,
            int subleaf,
            long[] out) {
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
                b = apicId << 24 | (vcpus & 0xFF) << 16 | (CLFLUSH_BYTES / 8) << 8;
                c = feature(1, CpuFeature.Register.ECX);
                if ((cr4 & CR4_OSXSAVE) != 0) {
                    c |= 1 << 27;
                }
                d = feature(1, CpuFeature.Register.EDX);
                if (vcpus > 1) {
                    d |= 1 << 28;
                }
                if (!apicEnabled) {
                    d &= ~CpuFeature.APIC.mask();
                }
            }
            case 7 -> {
                if (subleaf == 0) {
                    b = feature(7, CpuFeature.Register.EBX);
                    c = feature(7, CpuFeature.Register.ECX);
                    d = feature(7, CpuFeature.Register.EDX);
                }
            }
            case 0xB -> {
                // Level 0: threads of a core, level 1: cores of the package.
                c = subleaf & 0xFF;
                d = apicId;
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
                if (has(CpuFeature.XSAVE)) {
                    xsave(xcr0, subleaf, out);
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
                c = feature(0x80000001, CpuFeature.Register.ECX);
                // AMD repeats part of leaf 1 here.
                d =
                        feature(0x80000001, CpuFeature.Register.EDX)
                                | feature(1, CpuFeature.Register.EDX) & 0x0183F3FF;
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
            case 0x80000007 -> d = feature(0x80000007, CpuFeature.Register.EDX);
            case 0x80000008 -> {
                int linear = has(CpuFeature.LA57) ? 57 : 48;
                a = linear << 8 | physicalBits;
                b = feature(0x80000008, CpuFeature.Register.EBX);
                c = coreBits() << 12 | (vcpus - 1);
            }
            case 0x8000001D -> {
                cache(subleaf, out);
                return;
            }
            case 0x8000001E -> {
                a = apicId;
                b = apicId & 0xFF;
            }
            case 0x80000021 -> {
                a = feature(0x80000021, CpuFeature.Register.EAX);
                c = feature(0x80000021, CpuFeature.Register.ECX);
            }
            default -> {
                // Reserved leaves answer zero.
            }
        }
        set(out, a, b, c, d);
    }

    /** Leaf 0xD (SDM 1 §13.2). */
    private void xsave(long xcr0, int subleaf, long[] out) {
        boolean avx = has(CpuFeature.AVX);
        switch (subleaf) {
            case 0 -> {
                int enabled = (xcr0 & 4) != 0 ? 832 : 576;
                set(out, (int) xcr0Bits(), enabled, avx ? 832 : 576, 0);
            }
            case 1 -> {
                int enabled = (xcr0 & 4) != 0 ? 832 : 576;
                set(out, feature(0xD, CpuFeature.Register.EAX), enabled, 0, 0);
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
