package dev.javisor.guests;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.CpuState.Activity;
import dev.javisor.hypervisor.CpuState.DescriptorTable;
import dev.javisor.hypervisor.CpuState.Events;
import dev.javisor.hypervisor.CpuState.Segment;
import dev.javisor.hypervisor.CpuState.Segments;
import dev.javisor.hypervisor.GuestMemory;

/**
 * A 64-bit guest's surroundings: page tables that map the first 4 GiB onto themselves (the first 2
 * MiB by 4 KiB pages), GDT, TSS, and an IDT whose exceptions are recorded and resumed at R15.
 */
public final class LongMode {
    // Memory map.
    public static final long GDT = 0x1000;
    public static final long IDT = 0x2000;
    public static final long TSS = 0x3000;
    public static final long PML4 = 0x4000;
    public static final long PDPT = 0x5000;

    /** Four page directories. */
    public static final long PD = 0x20000;

    /** Page table of the first 2 MiB. */
    public static final long PT = 0x24000;

    /** Exceptions recorded, then 32 bytes each: vector, error code, RIP, CR2. */
    public static final long LOG_COUNT = 0xB000;

    public static final long LOG = 0xB020;
    public static final long STUBS = 0xC000;

    /** For tests. */
    public static final long CODE = 0x10000;

    public static final long DATA = 0x40000;
    public static final long STACK = 0x80000;
    public static final long STACK0 = 0x88000;
    public static final long IST = 0x8C000;
    public static final long USER_STACK = 0x90000;

    public static final int CODE0 = 0x08;
    public static final int DATA0 = 0x10;
    public static final int USER_CODE32 = 0x1B;
    public static final int USER_DATA = 0x23;
    public static final int USER_CODE = 0x2B;
    public static final int CODE32 = 0x30;
    public static final int TSS_SELECTOR = 0x40;

    private static final long PRESENT_WRITE_USER = 7;
    private static final long LARGE = 0x80;
    private static final long CR0 = 0x80010033L;
    private static final long CR4 = 0x6A0;
    private static final long EFER = 0xD01;

    private final GuestMemory memory;

    public LongMode(GuestMemory memory) {
        this.memory = memory;
        tables();
        descriptors();
        stubs();
    }

    private void tables() {
        memory.writeLong(PML4, PDPT | PRESENT_WRITE_USER);
        for (int i = 0; i < 4; i++) {
            memory.writeLong(PDPT + 8 * i, PD + 0x1000 * i | PRESENT_WRITE_USER);
        }
        for (long i = 0; i < 2048; i++) {
            memory.writeLong(PD + 8 * i, i << 21 | LARGE | PRESENT_WRITE_USER);
        }
        memory.writeLong(PD, PT | PRESENT_WRITE_USER);
        for (long i = 0; i < 512; i++) {
            memory.writeLong(PT + 8 * i, i << 12 | PRESENT_WRITE_USER);
        }
    }

    /** The page-table entry of an address below 2 MiB. */
    public static long pte(long address) {
        return PT + 8 * (address >>> 12);
    }

    private void descriptors() {
        memory.writeLong(GDT + CODE0, 0x00AF9B000000FFFFL);
        memory.writeLong(GDT + DATA0, 0x00CF93000000FFFFL);
        memory.writeLong(GDT + (USER_CODE32 & ~7), 0x00CFFB000000FFFFL);
        memory.writeLong(GDT + (USER_DATA & ~7), 0x00CFF3000000FFFFL);
        memory.writeLong(GDT + (USER_CODE & ~7), 0x00AFFB000000FFFFL);
        memory.writeLong(GDT + CODE32, 0x00CF9B000000FFFFL);
        memory.writeLong(GDT + TSS_SELECTOR, 0x00008B0000000067L | TSS << 16);
        memory.writeLong(GDT + TSS_SELECTOR + 8, 0);
        memory.writeLong(TSS + 4, STACK0);
        memory.writeLong(TSS + 36, IST);
    }

    /** Sets a gate: an interrupt gate that level 3 may use too. */
    public void gate(int vector, long target, int ist) {
        memory.writeLong(
                IDT + 16L * vector,
                (target & 0xFFFF)
                        | (long) CODE0 << 16
                        | (long) ist << 32
                        | 0xEEL << 40
                        | (target >>> 16 & 0xFFFF) << 48);
        memory.writeLong(IDT + 16L * vector + 8, target >>> 32);
    }

    private static boolean hasErrorCode(int vector) {
        return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
    }

    private void stubs() {
        Asm a = new Asm(64, STUBS);
        for (int vector = 0; vector < 32; vector++) {
            gate(vector, a.here(), vector == 8 ? 1 : 0);
            if (!hasErrorCode(vector)) {
                a.pushImm(0);
            }
            a.pushImm(vector).jmp("record");
        }
        a.label("record").push(Asm.RAX).push(Asm.RBX);
        a.load(8, Asm.RAX, Asm.abs(LOG_COUNT)).shl(8, Asm.RAX, 5);
        for (int slot = 0; slot < 3; slot++) {
            a.load(8, Asm.RBX, Asm.at(Asm.RSP, 16 + 8 * slot));
            a.store(8, Asm.at(Asm.RAX, LOG + 8 * slot), Asm.RBX);
        }
        a.movFromCr(Asm.RBX, 2).store(8, Asm.at(Asm.RAX, LOG + 24), Asm.RBX);
        a.incMem(8, Asm.abs(LOG_COUNT));
        // Too many: the guest is lost.
        a.aluMemImm(Asm.Alu.CMP, 8, Asm.abs(LOG_COUNT), 32).jcc(Asm.Cond.AE, "lost");
        a.store(8, Asm.at(Asm.RSP, 32), Asm.R15);
        // No further single steps.
        a.aluMemImm(Asm.Alu.AND, 8, Asm.at(Asm.RSP, 48), ~0x100L);
        a.pop(Asm.RBX).pop(Asm.RAX).aluImm(Asm.Alu.ADD, 8, Asm.RSP, 16).iretq();
        a.label("lost").exit(0xDEAD);
        memory.write(STUBS, a.assemble());
    }

    /** Exceptions recorded so far. */
    public int exceptions() {
        return memory.readInt(LOG_COUNT);
    }

    public void clearExceptions() {
        memory.writeLong(LOG_COUNT, 0);
    }

    /** Checks the n-th recorded exception. */
    void expect(int n, int vector, long errorCode, String what) {
        Check.that(n < exceptions(), what + ": no exception");
        Check.same(memory.readLong(LOG + 32L * n), vector, what + ": vector");
        Check.same(memory.readLong(LOG + 32L * n + 8), errorCode, what + ": error code");
    }

    long rip(int n) {
        return memory.readLong(LOG + 32L * n + 16);
    }

    long cr2(int n) {
        return memory.readLong(LOG + 32L * n + 24);
    }

    /** {@code from} with its registers in 64-bit mode at level 0; the APIC and MSRs stay. */
    public CpuState state(CpuState from, long rip, long rsp) {
        long[] gpr = new long[16];
        gpr[Asm.RSP] = rsp;
        Segment code = new Segment(CODE0, 0, 0xFFFFFFFF, 0xA09B);
        Segment data = new Segment(DATA0, 0, 0xFFFFFFFF, 0xC093);
        Segment task = new Segment(TSS_SELECTOR, TSS, 0x67, 0x8B);
        Segment ldt = new Segment(0, 0, 0, 0x10000);
        return new CpuState(
                gpr,
                rip,
                2,
                new Segments(data, code, data, data, data, data, task, ldt),
                new DescriptorTable(GDT, 0x4F),
                new DescriptorTable(IDT, 0xFFF),
                CR0,
                0,
                PML4,
                CR4,
                0,
                EFER,
                from.xcr0(),
                from.debug(),
                from.msrs(),
                from.xsave(),
                from.lapic(),
                new Events(-1, -1, -1, false, false, false, -1),
                Activity.RUNNING,
                from.tscOffset());
    }
}
