package dev.javisor.hypervisor;

/**
 * A vCPU as an {@link InstructionAssistant} sees it: what most instructions need is in {@link
 * #registers}, everything else is fetched and stored only for instructions that use it. Implemented
 * by the accelerator; all calls come from within {@link InstructionAssistant#assist}, on the vCPU's
 * thread. A host that refuses a call is a {@link HypervisorException}.
 */
public interface AssistedVcpu {
    /** Also the initial APIC id. */
    int id();

    /** Filled by the accelerator before each call, updated in place. Always the same object. */
    VcpuRegisters registers();

    /**
     * @param area standard-format XSAVE area as {@link CpuState#xsave}, 832 bytes
     */
    void readXsave(byte[] area);

    /** Stores x87, SSE and AVX state; further components of the vCPU stay as they are. */
    void writeXsave(byte[] area);

    long readXcr0();

    void writeXcr0(long value);

    /**
     * @param registers DR0..DR3, (4, 5 unused), DR6, DR7
     */
    void readDebug(long[] registers);

    void writeDebug(long[] registers);

    /**
     * Any MSR, the TSC, IA32_APIC_BASE and the x2APIC's among them; not EFER, FS_BASE, GS_BASE,
     * which are in {@link #registers}.
     *
     * @param into its first element gets the value
     * @return false if the guest may not read it: RDMSR raises #GP(0)
     */
    boolean readMsr(int index, long[] into);

    /**
     * @return false if the guest may not write this: WRMSR raises #GP(0)
     */
    boolean writeMsr(int index, long value);

    /** What CPUID answers: EAX, EBX, ECX, EDX, zero-extended, in the first four elements. */
    void cpuid(int leaf, int subleaf, long[] into);

    /** Whose data breakpoints are watched for: see {@link InstructionAssistant#breakpoints}. */
    GuestDebug debug();

    /** Runs {@code action} while no other vCPU of the virtual machine executes guest code. */
    void exclusively(Runnable action);
}
