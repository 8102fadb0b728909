package dev.javisor.softcpu.core;

import dev.javisor.hypervisor.GuestDebug;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.fp.FpUnit;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * The architectural state of one vCPU and the primitives that all instruction families share. Owned
 * by the vCPU's thread; only {@link #requests} may be touched from others. Fields are public
 * because this is the register file: the package is not exported.
 *
 * <p>Invariants: {@code regs[16] == 0}; after any change of CR0, CR4, EFER, RFLAGS.VM, CS, SS or
 * the CPL, {@link #updateMode()} is called, and the running block ends.
 */
public final class Cpu {
    // CR0
    public static final long CR0_PE = 1;
    public static final long CR0_MP = 1 << 1;
    public static final long CR0_EM = 1 << 2;
    public static final long CR0_TS = 1 << 3;
    public static final long CR0_ET = 1 << 4;
    public static final long CR0_NE = 1 << 5;
    public static final long CR0_WP = 1 << 16;
    public static final long CR0_AM = 1 << 18;
    public static final long CR0_NW = 1 << 29;
    public static final long CR0_CD = 1 << 30;
    public static final long CR0_PG = 1L << 31;
    // CR4
    public static final long CR4_VME = 1;
    public static final long CR4_PVI = 1 << 1;
    public static final long CR4_TSD = 1 << 2;
    public static final long CR4_DE = 1 << 3;
    public static final long CR4_PSE = 1 << 4;
    public static final long CR4_PAE = 1 << 5;
    public static final long CR4_MCE = 1 << 6;
    public static final long CR4_PGE = 1 << 7;
    public static final long CR4_PCE = 1 << 8;
    public static final long CR4_OSFXSR = 1 << 9;
    public static final long CR4_OSXMMEXCPT = 1 << 10;
    public static final long CR4_UMIP = 1 << 11;
    public static final long CR4_LA57 = 1 << 12;
    public static final long CR4_FSGSBASE = 1 << 16;
    public static final long CR4_PCIDE = 1 << 17;
    public static final long CR4_OSXSAVE = 1 << 18;
    public static final long CR4_SMEP = 1 << 20;
    public static final long CR4_SMAP = 1 << 21;
    // EFER
    public static final long EFER_SCE = 1;
    public static final long EFER_LME = 1 << 8;
    public static final long EFER_LMA = 1 << 10;
    public static final long EFER_NXE = 1 << 11;

    // Requests: bits of the attention word, set from any thread, taken at block boundaries.
    /** {@code kick()}: leave run. */
    public static final int REQUEST_KICK = 1;

    /** The local APIC may have something to deliver. */
    public static final int REQUEST_INTERRUPT = 2;

    public static final int REQUEST_NMI = 4;
    public static final int REQUEST_INIT = 8;
    public static final int REQUEST_SIPI = 16;

    /** Another vCPU needs to run alone. */
    public static final int REQUEST_EXCLUSIVE = 32;

    /** RFLAGS.TF, an interrupt shadow or a pending debug trap: own thread only. */
    public static final int REQUEST_STEP = 64;

    public final int id;

    /**
     * RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15, then a constant zero, then a temporary of
     * tier one.
     */
    public final long[] regs = new long[18];

    /** Offset in CS of the next instruction. Inside a block, exact only where the block ends. */
    public long rip;

    public final Flags flags = new Flags();

    // Segments, by number (Seg). Limits in bytes, inclusive, unsigned.
    public final int[] segSelector = new int[8];
    public final long[] segBase = new long[8];
    public final long[] segLimit = new long[8];
    public final int[] segAttributes = new int[8];

    /** Base that linear addresses really use: 0 for ES, CS, SS, DS in 64-bit mode. */
    public final long[] linearBase = new long[8];

    /** Bit n: segment n is present, writable (readable for CS), expand-up with a 4 GiB limit. */
    public int flatSegments;

    public long gdtBase;
    public int gdtLimit;
    public long idtBase;
    public int idtLimit = 0x3FF;

    public long cr0 = CR0_ET;
    public long cr2;
    public long cr3;
    public long cr4;
    public long efer;
    public long xcr0 = 1;

    /** DR0..DR3, (4, 5 unused), DR6, DR7. */
    public final long[] dr = {0, 0, 0, 0, 0, 0, 0xFFFF0FF0L, 0x400};

    // Derived by updateMode().
    /** Code size in bits: 16, 32 or 64. */
    public int codeBits = 16;

    public int cpl;

    /** EFER.LMA and CS.L. */
    public boolean long64;

    public boolean protectedMode;

    /** RFLAGS.VM in protected mode. */
    public boolean virtual8086;

    /** RSP mask: 0xFFFF, 0xFFFFFFFF or all ones, by SS.B or 64-bit mode. */
    public long stackMask = 0xFFFF;

    // x87, MMX: physical registers R0..R7 (not relative to TOP). See the fp package.
    public final long[] fpSignificand = new long[8];

    /** Sign in bit 15, biased exponent in bits 0..14. */
    public final int[] fpSignExponent = new int[8];

    public int fpControl = 0x37F;

    /** Status word without TOP's bits 11..13, which are in {@link #fpTop}. */
    public int fpStatus;

    public int fpTop;

    /** Bit n set: physical register n is empty (abridged tag, inverted FXSAVE form). */
    public int fpEmpty = 0xFF;

    public long fpLastIp;
    public long fpLastData;
    public int fpLastOpcode;
    public int fpLastCs;
    public int fpLastDs;

    /** Vector registers, four longs each: register n at [4n .. 4n+3], low first. */
    public final long[] vec = new long[16 * 4];

    public int mxcsr = 0x1F80;

    /** Working storage of the fp package, not state. */
    public final FpUnit fpu = new FpUnit();

    // MSRs that hot paths need; the rest is in the Msrs object of the sys package.
    public long star;
    public long lstar;
    public long cstar;
    public long sfmask;
    public long kernelGsBase;
    public long tscAux;
    public long sysenterCs;
    public long sysenterEsp;
    public long sysenterEip;

    /** HLT or MWAIT: waits for an interrupt. */
    public boolean halted;

    /** Interrupts (and debug traps) are blocked for the next instruction: STI, MOV SS, POP SS. */
    public boolean interruptShadow;

    /** NMIs are blocked until IRET. */
    public boolean nmiMasked;

    /** After INIT, until SIPI: executes nothing. */
    public boolean waitsForSipi;

    /** Exception or interrupt that a restored state still owes, or -1. */
    public int owedVector = -1;

    /** Its error code, or -1. */
    public int owedErrorCode = -1;

    /** Whether {@link #owedVector} is an interrupt rather than an exception. */
    public boolean owedInterrupt;

    /** DR6 bits of breakpoints that the running instruction met: a trap after it. */
    public int pendingDebug;

    /** The machine's own breakpoints, beside those of {@link #dr}; DR7's form. */
    public final long[] hostDr = new long[4];

    public long hostDr7;

    /** Bit n: the machine's data breakpoint n was met. */
    public int hostHits;

    /** The instruction that translated code has handed to its family: what a fault is of. */
    public @Nullable Insn calledOut;

    /** Guest instructions that translated code has retired. */
    public long retired;

    /** Scratch of the system instructions: frames, CPUID results. */
    public final long[] scratch = new long[16];

    public Platform platform = Platform.NONE;

    /** The bus of the current run, on this thread only. */
    public VcpuBus bus = NoBus.INSTANCE;

    /** What RDRAND and RDSEED read: a virtual machine's owner sets one fit for cryptography. */
    public RandomGenerator random = new SplittableRandom();

    public final Mmu mmu;
    private final GuestFault fault = new GuestFault();

    /**
     * Attention word: REQUEST_ bits. Volatile plain reads at block boundaries; changed only by
     * {@link #request} and {@link #acknowledge}, atomically.
     */
    @SuppressWarnings("unused")
    public volatile int requests;

    private static final java.util.concurrent.atomic.AtomicIntegerFieldUpdater<Cpu> REQUESTS =
            java.util.concurrent.atomic.AtomicIntegerFieldUpdater.newUpdater(Cpu.class, "requests");

    public Cpu(int id, Ram ram) {
        this.id = id;
        this.mmu = new Mmu(this, ram);
    }

    /** A spin of a few microseconds. */
    private static final int PAUSES_PER_YIELD = 16;

    private int pauses;

    /** Set while this vCPU's thread waits in {@link #awaitRequest}. */
    private volatile @Nullable Thread waiter;

    /** What ends that wait. Written before {@link #waiter}. */
    private volatile int awaited;

    /** Any thread: asks for attention at the next block boundary; wakes a halted vCPU. */
    public void request(int bits) {
        REQUESTS.getAndUpdate(this, old -> old | bits);
        Thread thread = waiter;
        if (thread != null && (bits & awaited) != 0) {
            LockSupport.unpark(thread);
        }
    }

    /**
     * Own thread: waits until one of the requests {@code bits} is pending. Volatile writes order
     * waiter and requests. Who waits executes nothing, so {@link #REQUEST_EXCLUSIVE} can wait too.
     */
    public void awaitRequest(int bits) {
        int ending = bits & ~REQUEST_EXCLUSIVE;
        awaited = ending;
        waiter = Thread.currentThread();
        while ((requests & ending) == 0) {
            LockSupport.park(this);
        }
        waiter = null;
    }

    /**
     * Own thread: PAUSE. What the guest spins for may be another vCPU's to do that waits for a core
     * of the host: leave it this one now and then (as pause-loop exiting does, SDM 3C §26.1.3).
     */
    public void pause() {
        pauses++;
        if (pauses % PAUSES_PER_YIELD == 0) {
            Thread.yield();
        } else {
            Thread.onSpinWait();
        }
    }

    public void acknowledge(int bits) {
        REQUESTS.getAndUpdate(this, old -> old & ~bits);
    }

    public int requests() {
        return requests;
    }

    // ------------------------------------------------------------------ faults

    /** The fault to throw, without an error code: {@code throw cpu.fault(GuestFault.UD)}. */
    public GuestFault fault(int vector) {
        return fault.with(vector, -1);
    }

    public GuestFault fault(int vector, int errorCode) {
        return fault.with(vector, errorCode);
    }

    /** #PF; sets CR2. */
    public GuestFault pageFault(long linear, int errorCode) {
        cr2 = linear;
        return fault.with(GuestFault.PF, errorCode);
    }

    /** #GP(0). */
    public GuestFault gp0() {
        return fault.with(GuestFault.GP, 0);
    }

    public GuestFault ud() {
        return fault.with(GuestFault.UD, -1);
    }

    // ------------------------------------------------------------------ mode

    public boolean longModeActive() {
        return (efer & EFER_LMA) != 0;
    }

    /** Recomputes everything derived from CR0, CR4, EFER, RFLAGS.VM, segments and CPL. */
    public void updateMode() {
        protectedMode = (cr0 & CR0_PE) != 0;
        virtual8086 = protectedMode && (flags.system & Flags.VM) != 0;
        int cs = segAttributes[Seg.CS];
        long64 = longModeActive() && (cs & Seg.L) != 0 && !virtual8086;
        codeBits = long64 ? 64 : protectedMode && !virtual8086 && (cs & Seg.DB) != 0 ? 32 : 16;
        stackMask =
                long64
                        ? -1L
                        : protectedMode && !virtual8086 && (segAttributes[Seg.SS] & Seg.DB) != 0
                                ? 0xFFFFFFFFL
                                : 0xFFFFL;
        int flat = 0;
        for (int s = 0; s < 8; s++) {
            linearBase[s] = long64 && s < Seg.FS ? 0 : segBase[s];
            if (isFlat(s)) {
                flat |= 1 << s;
            }
        }
        flatSegments = flat;
        mmu.updateMode();
    }

    /** The part of {@link #updateMode()} that a load of ES, DS, FS or GS needs. */
    public void updateSegment(int s) {
        linearBase[s] = long64 && s < Seg.FS ? 0 : segBase[s];
        flatSegments = isFlat(s) ? flatSegments | 1 << s : flatSegments & ~(1 << s);
    }

    private boolean isFlat(int s) {
        int a = segAttributes[s];
        if (segLimit[s] != 0xFFFFFFFFL || (a & Seg.UNUSABLE) != 0 || (a & Seg.PRESENT) == 0) {
            return false;
        }
        return (a & Seg.CODE) == 0 && (a & Seg.RW) != 0 && (a & Seg.DC) == 0;
    }

    // ------------------------------------------------------------------ addresses

    /** Offset of the memory operand, truncated to the address size. */
    public long effectiveAddress(Insn in) {
        long ea = regs[in.base] + (regs[in.index] << in.scale) + in.disp;
        return switch (in.addrSize) {
            case 8 -> ea;
            case 4 -> ea & 0xFFFFFFFFL;
            default -> ea & 0xFFFF;
        };
    }

    /**
     * Linear address of the memory operand after segment checks.
     *
     * @param sizeBytes of the access, for the limit
     */
    public long linear(Insn in, int sizeBytes, boolean write) {
        return linear(in.seg, effectiveAddress(in), sizeBytes, write);
    }

    /** Linear address of {@code seg:offset} after segment checks (not canonicality). */
    public long linear(int seg, long offset, int sizeBytes, boolean write) {
        if (long64) {
            return linearBase[seg] + offset;
        }
        if ((flatSegments & (1 << seg)) == 0) {
            checkSegment(seg, offset, sizeBytes, write);
        }
        return (linearBase[seg] + offset) & 0xFFFFFFFFL;
    }

    /** SDM 3A §6.3, §6.5, §6.7: limit, type and null-selector checks outside 64-bit mode. */
    private void checkSegment(int seg, long offset, int sizeBytes, boolean write) {
        int a = segAttributes[seg];
        boolean ok;
        if (protectedMode && !virtual8086) {
            ok = (a & (Seg.UNUSABLE | Seg.PRESENT)) == Seg.PRESENT;
            if ((a & Seg.CODE) != 0) {
                ok &= !write && (a & Seg.RW) != 0;
            } else {
                ok &= !write || (a & Seg.RW) != 0;
            }
        } else {
            ok = true;
        }
        long last = offset + sizeBytes - 1;
        if ((a & (Seg.CODE | Seg.DC)) == Seg.DC && protectedMode && !virtual8086) {
            long top = (a & Seg.DB) != 0 ? 0xFFFFFFFFL : 0xFFFFL;
            ok &= offset > segLimit[seg] && last <= top;
        } else {
            ok &= last <= segLimit[seg] && offset <= last;
        }
        if (!ok) {
            throw fault(seg == Seg.SS ? GuestFault.SS : GuestFault.GP, 0);
        }
    }

    // ------------------------------------------------------------------ operands

    /** Reads a general register of 1, 2, 4 or 8 bytes, zero-extended. */
    public long reg(int n, int sizeBytes) {
        return switch (sizeBytes) {
            case 1 -> regs[n] & 0xFF;
            case 2 -> regs[n] & 0xFFFF;
            case 4 -> regs[n] & 0xFFFFFFFFL;
            default -> regs[n];
        };
    }

    /** Writes a general register: 32-bit writes clear the upper half, narrower ones keep it. */
    public void setReg(int n, int sizeBytes, long value) {
        switch (sizeBytes) {
            case 1 -> regs[n] = (regs[n] & ~0xFFL) | (value & 0xFF);
            case 2 -> regs[n] = (regs[n] & ~0xFFFFL) | (value & 0xFFFF);
            case 4 -> regs[n] = value & 0xFFFFFFFFL;
            default -> regs[n] = value;
        }
    }

    /** Reads a GPR, GPR_HIGH, MEM or IMM operand, zero-extended (IMM: as stored). */
    public long read(Insn in, int kind, int reg, int sizeBytes) {
        return switch (kind) {
            case Insn.GPR -> reg(reg, sizeBytes);
            case Insn.GPR_HIGH -> (regs[reg] >>> 8) & 0xFF;
            case Insn.MEM -> mmu.read(linear(in, sizeBytes, false), sizeBytes);
            case Insn.IMM -> in.imm;
            default -> throw new IllegalStateException("operand kind " + kind + " of " + in.op);
        };
    }

    /** Writes a GPR, GPR_HIGH or MEM operand. */
    public void write(Insn in, int kind, int reg, int sizeBytes, long value) {
        switch (kind) {
            case Insn.GPR -> setReg(reg, sizeBytes, value);
            case Insn.GPR_HIGH -> regs[reg] = (regs[reg] & ~0xFF00L) | ((value & 0xFF) << 8);
            case Insn.MEM -> mmu.write(linear(in, sizeBytes, true), sizeBytes, value);
            default -> throw new IllegalStateException("operand kind " + kind + " of " + in.op);
        }
    }

    // ------------------------------------------------------------------ stack

    /** Pushes without moving RSP until the store has succeeded. */
    public void push(int sizeBytes, long value) {
        long sp = regs[4] - sizeBytes;
        long offset = sp & stackMask;
        try {
            mmu.write(linear(Seg.SS, offset, sizeBytes, true), sizeBytes, value);
        } catch (GuestFault fault) {
            throw onStack(fault);
        }
        setStackPointer(offset);
    }

    /** Pops: reads first, then moves RSP. */
    public long pop(int sizeBytes) {
        long offset = regs[4] & stackMask;
        long value;
        try {
            value = mmu.read(linear(Seg.SS, offset, sizeBytes, false), sizeBytes);
        } catch (GuestFault fault) {
            throw onStack(fault);
        }
        setStackPointer((offset + sizeBytes) & stackMask);
        return value;
    }

    /** A non-canonical address of the stack is #SS, also where the instruction has other memory. */
    private GuestFault onStack(GuestFault fault) {
        if (!mmu.nonCanonical) {
            return fault;
        }
        mmu.nonCanonical = false;
        return fault(GuestFault.SS, 0);
    }

    /** Replaces RSP, ESP or SP by the stack's width; {@code offset} is already truncated. */
    public void setStackPointer(long offset) {
        regs[4] = stackMask == 0xFFFF ? (regs[4] & ~0xFFFFL) | offset : offset;
    }

    /** SDM 1 §3.3.7.1. */
    public boolean isCanonical(long linear) {
        int bits = (cr4 & CR4_LA57) != 0 ? 57 : 48;
        return linear << (64 - bits) >> (64 - bits) == linear;
    }

    /** The machine's breakpoints, from now on. */
    public void setHostDebug(GuestDebug debug) {
        for (int n = 0; n < debug.breakpoints().size(); n++) {
            hostDr[n] = debug.breakpoints().get(n).address();
        }
        hostDr7 = debug.controlRegister();
        hostHits = 0;
        mmu.updateWatch();
    }

    /** All registers in a few lines, for faults and traces. */
    public String dump() {
        StringBuilder text = new StringBuilder();
        String[] names = {
            "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
            "r13", "r14", "r15"
        };
        text.append(
                "rip %016x rflags %08x cpl %d %d-bit%n"
                        .formatted(rip, flags.rflags(), cpl, codeBits));
        for (int i = 0; i < 16; i++) {
            text.append("%s %016x%s".formatted(names[i], regs[i], i % 4 == 3 ? "\n" : " "));
        }
        text.append("cr0 %x cr2 %x cr3 %x cr4 %x efer %x%n".formatted(cr0, cr2, cr3, cr4, efer));
        String[] segs = {"es", "cs", "ss", "ds", "fs", "gs", "tr", "ldtr"};
        for (int i = 0; i < 8; i++) {
            text.append(
                    "%s %04x base %x limit %x attr %x%n"
                            .formatted(
                                    segs[i],
                                    segSelector[i],
                                    segBase[i],
                                    segLimit[i],
                                    segAttributes[i]));
        }
        return text.append("halted ").append(halted).toString();
    }

    /** Clears the general and vector registers and the x87's: part of a reset. */
    public void clearRegisters() {
        Arrays.fill(regs, 0);
        Arrays.fill(vec, 0);
        Arrays.fill(fpSignificand, 0);
        Arrays.fill(fpSignExponent, 0);
    }

    /** Stands in before the first run. */
    private enum NoBus implements VcpuBus {
        INSTANCE;

        @Override
        public int readPort(int port, int sizeBytes) {
            return -1;
        }

        @Override
        public void writePort(int port, int sizeBytes, int value) {}

        @Override
        public long readMemory(long address, int sizeBytes) {
            return -1;
        }

        @Override
        public void writeMemory(long address, int sizeBytes, long value) {}

        @Override
        public int acknowledgeExternalInterrupt() {
            return -1;
        }

        @Override
        public void endOfInterrupt(int vector) {}
    }
}
