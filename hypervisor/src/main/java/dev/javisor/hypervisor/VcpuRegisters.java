package dev.javisor.hypervisor;

/**
 * The part of a vCPU's state that is cheap to move, in one reusable object: general registers,
 * segments, control registers, events. Meanings and units are those of {@link CpuState}. Owned by
 * the vCPU's thread.
 */
public final class VcpuRegisters {
    /** Index of a segment in the arrays here: the order of {@link CpuState.Segments}. */
    public static final int ES = 0;

    public static final int CS = 1;
    public static final int SS = 2;
    public static final int DS = 3;
    public static final int FS = 4;
    public static final int GS = 5;
    public static final int TR = 6;
    public static final int LDTR = 7;

    /** Bits of {@link #changed}. */
    public static final int GENERAL = 1;

    /** Segments, tables, control registers, EFER. */
    public static final int SYSTEM = 2;

    /** Everything below {@link #exceptionVector}. */
    public static final int EVENTS = 4;

    /** The guest dropped cached translations (INVPCID, MOV to CR3): the accelerator's must go. */
    public static final int TRANSLATIONS = 8;

    /** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15. */
    public final long[] gpr = new long[16];

    public long rip;
    public long rflags;

    public final int[] segmentSelector = new int[8];
    public final long[] segmentBase = new long[8];

    /** In bytes, inclusive, unsigned. */
    public final int[] segmentLimit = new int[8];

    /** As {@link CpuState.Segment#attributes}. */
    public final int[] segmentAttributes = new int[8];

    public long gdtBase;
    public int gdtLimit;
    public long idtBase;
    public int idtLimit;

    public long cr0;
    public long cr2;
    public long cr3;
    public long cr4;
    public long cr8;
    public long efer;

    /** IA32_APIC_BASE. Read only: it is written as an MSR. */
    public long apicBase;

    /** Exception to deliver before anything else, or -1. */
    public int exceptionVector = -1;

    /** Its error code, or -1 for none. */
    public long exceptionErrorCode = -1;

    /** Interrupt to deliver before anything else, or -1. */
    public int interruptVector = -1;

    /** NMIs are blocked until IRET. */
    public boolean nmiMasked;

    /** Interrupts are blocked for one instruction by STI or MOV SS. */
    public boolean interruptShadow;

    /** Which groups the assistant has changed; the accelerator stores these and clears it. */
    public int changed;

    public VcpuRegisters() {}
}
