package dev.javisor.hypervisor;

/**
 * Processor features that guests of named CPU models can have, by the CPUID bit that reports them
 * (SDM 2A "CPUID", AMD APM 3 appendix E). The software CPU executes exactly these.
 */
public enum CpuFeature {
    FPU(1, Register.EDX, 0),
    VME(1, Register.EDX, 1),
    DE(1, Register.EDX, 2),
    PSE(1, Register.EDX, 3),
    TSC(1, Register.EDX, 4),
    MSR(1, Register.EDX, 5),
    PAE(1, Register.EDX, 6),
    MCE(1, Register.EDX, 7),
    CX8(1, Register.EDX, 8),
    APIC(1, Register.EDX, 9),
    SEP(1, Register.EDX, 11),
    MTRR(1, Register.EDX, 12),
    PGE(1, Register.EDX, 13),
    MCA(1, Register.EDX, 14),
    CMOV(1, Register.EDX, 15),
    PAT(1, Register.EDX, 16),
    PSE36(1, Register.EDX, 17),
    CLFSH(1, Register.EDX, 19),
    MMX(1, Register.EDX, 23),
    FXSR(1, Register.EDX, 24),
    SSE(1, Register.EDX, 25),
    SSE2(1, Register.EDX, 26),

    SSE3(1, Register.ECX, 0),
    PCLMULQDQ(1, Register.ECX, 1),
    SSSE3(1, Register.ECX, 9),
    FMA(1, Register.ECX, 12),
    CMPXCHG16B(1, Register.ECX, 13),
    PCID(1, Register.ECX, 17),
    SSE41(1, Register.ECX, 19),
    SSE42(1, Register.ECX, 20),
    X2APIC(1, Register.ECX, 21),
    MOVBE(1, Register.ECX, 22),
    POPCNT(1, Register.ECX, 23),
    TSC_DEADLINE(1, Register.ECX, 24),
    AES(1, Register.ECX, 25),
    XSAVE(1, Register.ECX, 26),
    AVX(1, Register.ECX, 28),
    F16C(1, Register.ECX, 29),
    RDRAND(1, Register.ECX, 30),
    HYPERVISOR(1, Register.ECX, 31),

    FSGSBASE(7, Register.EBX, 0),
    TSC_ADJUST(7, Register.EBX, 1),
    BMI1(7, Register.EBX, 3),
    AVX2(7, Register.EBX, 5),
    SMEP(7, Register.EBX, 7),
    BMI2(7, Register.EBX, 8),
    ERMS(7, Register.EBX, 9),
    INVPCID(7, Register.EBX, 10),
    RDSEED(7, Register.EBX, 18),
    ADX(7, Register.EBX, 19),
    SMAP(7, Register.EBX, 20),
    CLFLUSHOPT(7, Register.EBX, 23),
    CLWB(7, Register.EBX, 24),
    SHA(7, Register.EBX, 29),
    UMIP(7, Register.ECX, 2),
    GFNI(7, Register.ECX, 8),
    VAES(7, Register.ECX, 9),
    VPCLMULQDQ(7, Register.ECX, 10),
    LA57(7, Register.ECX, 16),
    RDPID(7, Register.ECX, 22),
    FSRM(7, Register.EDX, 4),

    XSAVEOPT(0xD, Register.EAX, 0),
    XSAVEC(0xD, Register.EAX, 1),

    LAHF_LM(0x80000001, Register.ECX, 0),
    CMP_LEGACY(0x80000001, Register.ECX, 1),
    ABM(0x80000001, Register.ECX, 5),
    PREFETCHW(0x80000001, Register.ECX, 8),
    TOPOLOGY_EXTENSIONS(0x80000001, Register.ECX, 22),
    SYSCALL(0x80000001, Register.EDX, 11),
    NX(0x80000001, Register.EDX, 20),
    PAGE_1G(0x80000001, Register.EDX, 26),
    RDTSCP(0x80000001, Register.EDX, 27),
    LONG_MODE(0x80000001, Register.EDX, 29),
    INVARIANT_TSC(0x80000007, Register.EDX, 8),

    /** FXRSTOR and XRSTOR always restore the x87 error pointers. */
    XSAVE_ERROR_POINTERS(0x80000008, Register.EBX, 2),

    /** No speculative store bypass: there is no speculation that a guest could see. */
    SSB_NO(0x80000008, Register.EBX, 26),
    LFENCE_SERIALIZING(0x80000021, Register.EAX, 2),
    NULL_SELECTOR_CLEARS_BASE(0x80000021, Register.EAX, 6),
    /** No guest branch is predicted across privilege levels, with or without the bit in EFER. */
    AUTOMATIC_IBRS(0x80000021, Register.EAX, 8),
    SRSO_NO(0x80000021, Register.EAX, 29),
    TSA_SQ_NO(0x80000021, Register.ECX, 1),
    TSA_L1_NO(0x80000021, Register.ECX, 2);

    /** Which result register holds the bit, in the order of CPUID's results. */
    public enum Register {
        EAX,
        EBX,
        ECX,
        EDX
    }

    private final int leaf;
    private final Register register;
    private final int bit;

    CpuFeature(int leaf, Register register, int bit) {
        this.leaf = leaf;
        this.register = register;
        this.bit = bit;
    }

    /** The CPUID leaf; sub-leaf 0, but 1 for leaf 0xD. */
    public int leaf() {
        return leaf;
    }

    public Register register() {
        return register;
    }

    public int mask() {
        return 1 << bit;
    }
}
