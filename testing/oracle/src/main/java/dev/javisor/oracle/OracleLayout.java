package dev.javisor.oracle;

/**
 * Addresses in the runner process, and the file that it shares with the JVM.
 *
 * <pre>
 * shared file  0        number of cases in this batch, 8 bytes
 *              0x1000   pool of random bytes: the data page starts as 4 KiB of it
 *              ...      the code page
 *              CASES    BATCH records of CASE_BYTES
 *              RESULTS  BATCH records of RESULT_BYTES
 * </pre>
 *
 * Both records start with the registers in the order of Linux's {@code struct sigcontext} (x86-64).
 */
final class OracleLayout {
    /** Where the ELF file is loaded. */
    static final int IMAGE = 0x3A5A_0000;

    static final int IMAGE_BYTES = 0x40000;

    /**
     * One page of 0xCC with the instruction under test: a page of the shared file, read-only here.
     */
    static final int CODE = 0x1000_0000;

    /** One page, neighbours unmapped. */
    static final int DATA = 0x2000_0000;

    static final int SHARED = 0x5B6C_0000;

    static final int PAGE = 4096;
    static final int BATCH = 1024;

    static final int POOL = 0x1000;
    static final int POOL_BYTES = 0x10000;
    static final int CODE_IN_FILE = POOL + POOL_BYTES + PAGE;
    static final int CASES = CODE_IN_FILE + PAGE;
    static final int CASE_BYTES = 1024;
    static final int RESULTS = CASES + BATCH * CASE_BYTES;
    static final int RESULT_BYTES = 1024 + PAGE;
    static final int SHARED_BYTES = RESULTS + BATCH * RESULT_BYTES;

    /** Offset of RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15 in both records. */
    static final int[] GPR = {104, 112, 96, 88, 120, 80, 72, 64, 0, 8, 16, 24, 32, 40, 48, 56};

    static final int RIP = 128;
    static final int RFLAGS = 136;

    /** CS, GS, FS, SS, 16 bits each. */
    static final int SELECTORS = 144;

    // A case only.
    static final int POOL_OFFSET = 152;

    /** Where the runner writes the instruction: in its view of the shared file. */
    static final int CODE_ADDRESS = 160;

    /** 16 bytes, padded with 0xCC. */
    static final int CODE_BYTES = 168;

    // A result only.
    static final int ERROR_CODE = 152;
    static final int TRAP = 160;
    static final int CR2 = 176;
    static final int MEMORY = 1024;

    /** First 416 bytes of an FXSAVE image: x87, MXCSR, XMM0..XMM15. */
    static final int FX = 256;

    static final int FX_BYTES = 416;

    /** Upper halves of YMM0..YMM15. */
    static final int YMM_HIGH = FX + FX_BYTES;

    static final int YMM_BYTES = 256;

    /** Linux's selectors: 64-bit code, 32-bit code, user data. */
    static final int CS_64 = 0x33;

    static final int CS_32 = 0x23;
    static final int SS_USER = 0x2B;

    /** Linux's TASK_SIZE_MAX with 4-level paging. */
    static final long USER_END = 0x7FFF_FFFF_F000L;

    private OracleLayout() {}

    /** Linux's vsyscall page, executable in every process. */
    private static final long VSYSCALL = 0xFFFF_FFFF_FF60_0000L;

    /** Whether the address is in pages that only the runner has: image, file, stack, vDSO. */
    static boolean isRunner(long address) {
        long image = address - IMAGE;
        long file = address - SHARED;
        boolean stack = address >>> 40 != 0 && address > 0 && address < USER_END;
        boolean vsyscall = address >= VSYSCALL && address < VSYSCALL + PAGE;
        return stack
                || vsyscall
                || (image >= -16 && image < IMAGE_BYTES)
                || (file >= -16 && file < SHARED_BYTES);
    }
}
