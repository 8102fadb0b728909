package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Lockstep.Case;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.CpuState.DescriptorTable;
import dev.javisor.hypervisor.CpuState.Segment;
import dev.javisor.hypervisor.CpuState.Segments;
import java.util.List;

/** The privileged guests of {@link Lockstep}: each stops for comparison after each of its steps. */
final class LockstepCases {
    static final List<Case> CASES =
            List.of(
                    new Case("arithmetic", LockstepCases::arithmetic),
                    new Case(
                            "vectors",
                            CpuModel.X86_64_V2,
                            LockstepCases::vectors,
                            // MXCSR_MASK is the processor's.
                            List.of(new long[] {DATA + 0x1018, 8})),
                    new Case("paging", LockstepCases::paging),
                    new Case("faults", LockstepCases::faults),
                    new Case("interrupts", LockstepCases::interrupts),
                    new Case("segments", LockstepCases::segments),
                    new Case("user-mode", LockstepCases::userMode),
                    new Case("msrs", LockstepCases::msrs),
                    new Case("control-registers", LockstepCases::controlRegisters),
                    new Case("debug-registers", LockstepCases::debugRegisters),
                    new Case("strings", LockstepCases::strings),
                    new Case("string-io", LockstepCases::stringIo),
                    new Case("mode-switches", LockstepCases::modes),
                    new Case("task-switch", LockstepCases::tasks));

    /** For pages that guests map differently. */
    private static final long PAGE = 0x100000;

    private static final int VECTOR = 0x51;

    private LockstepCases() {}

    /** Stops; AL tells where. */
    private static Asm sync(Asm a) {
        return a.outImm(Lockstep.SYNC_PORT, 1);
    }

    private static void start(Testbed bed, Asm a) {
        bed.load(a);
        bed.start64(0, a.origin(), STACK);
    }

    /** Emits one instruction that may fault and is resumed behind, then stops. */
    private static void attempt(Asm a, String name, Runnable instruction) {
        a.mov(R15, "after-" + name);
        instruction.run();
        a.label("after-" + name);
        sync(a);
    }

    private static void arithmetic(Testbed bed) {
        Asm a = new Asm(64, CODE);
        long[] values = {0, 1, -1, 0x7FFF_FFFFL, 0x8000_0000L, Long.MAX_VALUE, Long.MIN_VALUE};
        for (long x : values) {
            for (Alu op : Alu.values()) {
                a.mov(RAX, x).mov(RBX, 0x8000_0001L).alu(op, 8, RAX, RBX);
                // Flags that are undefined after AND, OR, XOR: a SUB of the result defines all.
                a.movReg(RCX, RAX).alu(Alu.SUB, 4, RCX, RBX);
                sync(a);
            }
        }
        a.mov(RAX, 0x1234_5678_9ABCL).mov(RDX, 0).mov(RBX, 0x77).div(8, RBX);
        a.alu(Alu.CMP, 8, RAX, RDX);
        sync(a).exit(1);
        start(bed, a);
    }

    private static void vectors(Testbed bed) {
        Asm a = new Asm(64, CODE);
        for (int i = 0; i < 64; i += 8) {
            bed.memory.writeLong(DATA + i, 0x4010_2030_4050_6070L * (i + 1));
        }
        for (int i = 0; i < 4; i++) {
            a.movdquLoad(i, abs(DATA + 16 * i));
            sync(a);
        }
        a.bytes(0xDB, 0xE3); // FNINIT
        sync(a);
        a.bytes(0x0F, 0xAE, 0x04, 0x25).dd(DATA + 0x1000); // FXSAVE
        a.movdquLoad(0, abs(DATA + 0x1000 + 160));
        sync(a);
        a.bytes(0x0F, 0xAE, 0x0C, 0x25).dd(DATA + 0x1000); // FXRSTOR
        sync(a).exit(1);
        start(bed, a);
    }

    private static void paging(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.storeImm(8, abs(pte(PAGE)), DATA | 7).invlpg(abs(PAGE));
        sync(a).storeImm(4, abs(PAGE), 0x1234).load(4, RBX, abs(DATA));
        sync(a);
        attempt(
                a,
                "read-only",
                () -> {
                    a.storeImm(8, abs(pte(PAGE)), DATA | 5).invlpg(abs(PAGE));
                    a.load(4, RBX, abs(PAGE)).storeImm(4, abs(PAGE), 1);
                });
        attempt(
                a,
                "missing",
                () -> {
                    a.storeImm(8, abs(pte(PAGE)), 0)
                            .invlpg(abs(PAGE))
                            .load(4, RBX, abs(PAGE + 0x123));
                });
        attempt(
                a,
                "reserved",
                () -> {
                    // Bit 51 is beyond every physical address.
                    a.mov(RAX, 1L << 51 | DATA | 7).store(8, abs(pte(PAGE)), RAX);
                    a.invlpg(abs(PAGE)).load(4, RBX, abs(PAGE));
                });
        attempt(
                a,
                "no-execute",
                () -> {
                    a.mov(RAX, 1L << 63 | DATA | 7).store(8, abs(pte(PAGE)), RAX).invlpg(abs(PAGE));
                    a.mov(RAX, PAGE).jmpReg(RAX);
                });
        attempt(
                a,
                "not-canonical",
                () -> {
                    a.mov(RBX, 0x8000_0000_0000L).load(8, RAX, at(RBX, 0));
                });
        // Two pages of which the second is missing: nothing may be stored.
        a.storeImm(8, abs(pte(PAGE)), DATA | 7).storeImm(8, abs(pte(PAGE + 0x1000)), 0);
        a.movFromCr(RAX, 3).movToCr(3, RAX);
        attempt(a, "crossing", () -> a.mov(RAX, -1L).store(8, abs(PAGE + 0xFFC), RAX));
        // A large page, after its directory entry was a table.
        a.mov(RAX, 0x200000 | 0x83).store(8, abs(PD + 8), RAX).invlpg(abs(0x200000));
        a.storeImm(8, abs(0x200008), 0x5A5A).load(8, RBX, abs(0x200008));
        sync(a).exit(1);
        start(bed, a);
    }

    private static void faults(Testbed bed) {
        // A data segment that is not present.
        bed.memory.writeLong(GDT + 0x38, 0x00CF13000000FFFFL);
        Asm a = new Asm(64, CODE);
        attempt(a, "de", () -> a.alu(Alu.XOR, 4, RBX, RBX).div(4, RBX));
        attempt(a, "ud", a::ud2);
        attempt(a, "ss", () -> a.mov(RBP, 0x8000_0000_0000L).load(8, RAX, at(RBP, 0)));
        attempt(a, "np", () -> a.mov(RAX, 0x38).movSeg(3, RAX));
        attempt(a, "selector", () -> a.mov(RAX, 0x1000).movSeg(3, RAX));
        attempt(a, "cr4", () -> a.mov(RAX, 1L << 40).movToCr(4, RAX));
        attempt(a, "cr0", () -> a.mov(RAX, 0x80000000L).movToCr(0, RAX));
        attempt(a, "msr", () -> a.mov(RCX, 0xC0DE_0000L).rdmsr());
        attempt(
                a,
                "iret",
                () -> {
                    a.pushImm(0).push(RSP).pushImm(2).pushImm(0x1000).push(R15).iretq();
                });
        a.mov(RSP, STACK);
        sync(a);
        a.lidt(abs(DATA)).ud2(); // A limit of 0: a triple fault.
        start(bed, a);
    }

    private static void interrupts(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        sync(a);
        a.wrmsr(Apic.SELF_IPI, VECTOR);
        sync(a);
        a.wrmsr(Apic.SELF_IPI, VECTOR + 0x10);
        sync(a);
        // The shadow lets one more instruction run.
        a.mov(RBX, 0).sti().inc(8, RBX).nop().nop().nop().nop().nop().nop().nop().nop().cli();
        sync(a);
        a.mov(RAX, 8).movToCr(8, RAX).wrmsr(Apic.SELF_IPI, VECTOR);
        a.sti().nop().nop().nop().nop().nop().nop().nop().nop().cli();
        sync(a);
        a.mov(RAX, 0).movToCr(8, RAX);
        a.sti().nop().nop().nop().nop().nop().nop().nop().nop().cli();
        sync(a);
        a.wrmsr(Apic.LVT_TIMER, 0x10000 | VECTOR).wrmsr(Apic.DIVIDE, 0xB);
        sync(a).exit(1);
        for (int vector = VECTOR; vector <= VECTOR + 0x10; vector += 0x10) {
            a.align(16).label("handler" + vector).push(RAX).push(RCX).push(RDX);
            a.incMem(4, abs(DATA + vector));
            sync(a);
            a.wrmsr(Apic.EOI, 0).pop(RDX).pop(RCX).pop(RAX).iretq();
        }
        bed.load(a);
        bed.guest.gate(VECTOR, a.address("handler" + VECTOR), 0);
        bed.guest.gate(VECTOR + 0x10, a.address("handler" + (VECTOR + 0x10)), 0);
        bed.start64(0, CODE, STACK);
    }

    private static void segments(Testbed bed) {
        // An expand-down data segment and one with a base, a local table.
        bed.memory.writeLong(GDT + 0x38, 0x00CF93112233FFFFL);
        Asm a = new Asm(64, CODE);
        for (int seg : new int[] {0, 3, 4, 5}) {
            a.mov(RAX, 0x38).movSeg(seg, RAX);
            sync(a).mov(RAX, 0).movSeg(seg, RAX);
            sync(a).mov(RAX, 3).movSeg(seg, RAX);
            sync(a).mov(RAX, DATA0).movSeg(seg, RAX);
            sync(a);
        }
        a.wrmsr(0xC0000100, 0x7FFF_1122_3344L).wrmsr(0xC0000101, 0xFFFF_8000_0000_1000L);
        sync(a).wrmsr(0xC0000102, 0x55AA_0000L).swapgs();
        sync(a).swapgs();
        sync(a).mov(RAX, 0).bytes(0x0F, 0x00, 0xD0); // LLDT AX
        sync(a);
        // A far return to the same level.
        a.pushImm(CODE0).mov(RAX, "far").push(RAX).bytes(0x48, 0xCB).label("far");
        sync(a);
        attempt(a, "null-stack", () -> a.mov(RAX, 0x1000).movSeg(2, RAX));
        a.mov(RAX, 0).movSeg(2, RAX); // level 0 of 64-bit code may have none
        sync(a).mov(RAX, DATA0).movSeg(2, RAX).nop();
        sync(a).exit(1);
        start(bed, a);
    }

    private static void userMode(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.pushImm(USER_DATA).mov(RAX, USER_STACK).push(RAX).pushImm(2).pushImm(USER_CODE);
        a.mov(RAX, "user").push(RAX);
        sync(a).iretq();
        a.label("user").mov(RBX, 5).mov(R14, "kernel");
        a.load(8, RAX, abs(PAGE)).label("stuck").jmp("stuck");
        // Instead of the recorder: vector 14 stops at level 0 and ends.
        a.label("kernel");
        sync(a).exit(1);
        bed.load(a);
        bed.memory.writeLong(pte(PAGE), DATA | 3);
        bed.guest.gate(14, a.address("kernel"), 0);
        bed.start64(0, CODE, STACK);
    }

    private static void msrs(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.wrmsr(0xC0000081, 0x0023_0010_1234_5678L); // STAR
        a.wrmsr(0xC0000082, 0xFFFF_8000_1234_5678L); // LSTAR
        a.wrmsr(0xC0000083, 0x1234_5678L); // CSTAR
        a.wrmsr(0xC0000084, 0x4_7700L); // SFMASK
        sync(a);
        a.wrmsr(0x174, 0x10).wrmsr(0x175, STACK0).wrmsr(0x176, CODE);
        sync(a);
        a.wrmsr(0x277, 0x0007_0406_0007_0401L); // PAT
        sync(a);
        attempt(a, "pat", () -> a.wrmsr(0x277, 2));
        attempt(a, "lstar", () -> a.wrmsr(0xC0000082, 0x8000_0000_0000L));
        attempt(a, "efer", () -> a.wrmsr(0xC0000080, 0xF0F0_0000L));
        attempt(a, "apic-base", () -> a.wrmsr(0x1B, 0xFEE00000L | 1 << 10));
        for (int msr : new int[] {0xC0000080, 0xC0000081, 0xC0000082, 0x277, 0x174, 0x1B}) {
            a.mov(RCX, msr & 0xFFFFFFFFL).rdmsr();
            sync(a);
        }
        a.exit(1);
        start(bed, a);
    }

    private static void controlRegisters(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.movFromCr(RAX, 0).aluImm(Alu.OR, 4, RAX, 8).movToCr(0, RAX); // TS
        sync(a);
        attempt(a, "nm", () -> a.movdquLoad(0, abs(DATA)));
        a.bytes(0x0F, 0x06); // CLTS
        sync(a);
        a.movFromCr(RAX, 4).aluImm(Alu.OR, 4, RAX, 0x80).movToCr(4, RAX); // PGE
        sync(a).movFromCr(RAX, 4).aluImm(Alu.AND, 4, RAX, ~0x80).movToCr(4, RAX);
        sync(a);
        attempt(a, "pae", () -> a.mov(RAX, 0).movToCr(4, RAX));
        a.movFromCr(RAX, 0).aluImm(Alu.AND, 4, RAX, ~0x10000).movToCr(0, RAX); // WP off
        a.storeImm(8, abs(pte(PAGE)), DATA | 5).invlpg(abs(PAGE));
        attempt(a, "wp-off", () -> a.storeImm(4, abs(PAGE), 7));
        a.movFromCr(RAX, 0).aluImm(Alu.OR, 4, RAX, 0x10000).movToCr(0, RAX);
        attempt(a, "wp-on", () -> a.storeImm(4, abs(PAGE), 8));
        a.mov(RAX, 5).movToCr(8, RAX).mov(RAX, 0).movFromCr(RAX, 8);
        sync(a).mov(RAX, 0).movToCr(8, RAX);
        sync(a).bytes(0x0F, 0x01, 0x24, 0x25).dd(DATA + 64); // SMSW [DATA + 64]
        sync(a).bytes(0x0F, 0x01, 0x04, 0x25).dd(DATA + 80); // SGDT
        a.bytes(0x0F, 0x01, 0x0C, 0x25).dd(DATA + 96); // SIDT
        sync(a).exit(1);
        start(bed, a);
    }

    private static void debugRegisters(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.mov(RAX, DATA + 4).movToDr(0, RAX).mov(RAX, PAGE).movToDr(3, RAX);
        sync(a).movFromDr(RBX, 0).movFromDr(RCX, 6).movFromDr(RDX, 7);
        sync(a);
        attempt(
                a,
                "step",
                () -> {
                    a.pushf().pop(RAX).aluImm(Alu.OR, 4, RAX, 0x100).push(RAX).popf().nop().nop();
                });
        a.movFromDr(RAX, 6);
        sync(a).exit(1);
        start(bed, a);
    }

    private static void strings(Testbed bed) {
        for (int i = 0; i < 0x200; i += 8) {
            bed.memory.writeLong(DATA + i, 0x0102_0304_0506_0708L + i);
        }
        Asm a = new Asm(64, CODE);
        a.mov(RSI, DATA).mov(RDI, DATA + 0xFF0).mov(RCX, 0x123).bytes(0xF3, 0xA4); // REP MOVSB
        sync(a);
        a.mov(RSI, DATA).mov(RDI, DATA + 8).mov(RCX, 0x20).bytes(0xF3, 0x48, 0xA5); // overlapping
        sync(a);
        a.bytes(0xFD).mov(RSI, DATA + 0x1F8).mov(RDI, DATA + 0x2000).mov(RCX, 9);
        a.bytes(0xF3, 0x48, 0xA5, 0xFC); // downwards; CLD
        sync(a);
        a.mov(RAX, 0x55AA).mov(RDI, DATA + 0x2FFF).mov(RCX, 0x101).bytes(0xF3, 0x66, 0xAB);
        sync(a); // REP STOSW across a page, misaligned
        a.mov(RSI, DATA).mov(RDI, DATA + 8).mov(RCX, 0x1000).bytes(0xF3, 0xA6); // REPE CMPSB
        sync(a);
        a.mov(RAX, 0xAA).mov(RDI, DATA + 0x2F00).mov(RCX, 0x1000).bytes(0xF2, 0xAE); // REPNE SCASB
        sync(a);
        a.mov(RCX, 0).mov(RSI, -1L).bytes(0xF3, 0xA4); // nothing
        sync(a);
        // Faults in the middle: the registers tell how far it came.
        a.storeImm(8, abs(pte(PAGE + 0x1000)), 0).invlpg(abs(PAGE + 0x1000));
        attempt(
                a,
                "middle",
                () -> {
                    a.mov(RDI, PAGE + 0xFF0).mov(RAX, 7).mov(RCX, 0x100).bytes(0xF3, 0xAA);
                });
        a.exit(1);
        start(bed, a);
    }

    private static void stringIo(Testbed bed) {
        bed.ports =
                new Testbed.Device() {
                    private long reads;
                    private long sum;

                    @Override
                    public long read(long address, int sizeBytes) {
                        reads++;
                        return (reads * 0x0103_0509L + sum) & -1L >>> 64 - 8 * sizeBytes;
                    }

                    @Override
                    public void write(long address, int sizeBytes, long value) {
                        sum = sum * 31 + value + sizeBytes;
                    }
                };
        bed.memory.write(
                DATA,
                "what is written to a port".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        Asm a = new Asm(64, CODE);
        a.mov(RDX, 0x70).mov(RSI, DATA).mov(RCX, 25).bytes(0xF3, 0x6E); // REP OUTSB
        sync(a).mov(RDX, 0x70).mov(RDI, DATA + 0x100).mov(RCX, 10).bytes(0xF3, 0x6C);
        sync(a).mov(RDX, 0x70).mov(RDI, DATA + 0xFF8).mov(RCX, 8).bytes(0xF3, 0x66, 0x6D);
        sync(a).mov(RDX, 0x70).mov(RSI, DATA).mov(RCX, 5).bytes(0xF3, 0x6F); // REP OUTSD
        sync(a).mov(RDX, 0x70).inDx(4).movReg(RBX, RAX).inDx(1);
        sync(a).exit(1);
        start(bed, a);
    }

    private static void modes(Testbed bed) {
        ModeCases.gdtPointer(bed, 0x600);
        Asm a = new Asm(16, 0x8000);
        sync(a).mov(RAX, 0x1234).mov(RBX, 0x8765).alu(Alu.ADD, 2, RAX, RBX);
        sync(a).push(RAX).pop(RCX);
        sync(a);
        ModeCases.climb(a, 0x600);
        sync(a).exit(1);
        bed.load(a);
        bed.on(
                0,
                () -> {
                    CpuState real = States.real(bed.vcpu(0).save(), 0);
                    bed.vcpu(0).restore(States.withRip(real, 0x8000));
                    return true;
                });
    }

    /** Two tasks in 32-bit protected mode: a jump there, a call back, a return. */
    private static void tasks(Testbed bed) {
        long gdt = 0x600;
        long first = 0x700;
        long second = 0x800;
        bed.memory.writeLong(gdt + 0x08, 0x00CF9B000000FFFFL);
        bed.memory.writeLong(gdt + 0x10, 0x00CF93000000FFFFL);
        bed.memory.writeLong(gdt + 0x18, 0x0000_8B00_0000_0067L | first << 16); // busy
        bed.memory.writeLong(gdt + 0x20, 0x0000_8900_0000_0067L | second << 16);
        Asm a = new Asm(32, CODE);
        sync(a);
        a.mov(RAX, 0x1111).mov(RBX, 0x2222).bytes(0xEA).dd(0).bytes(0x20, 0); // JMP 20:0
        a.label("back").mov(RAX, 0x55);
        sync(a);
        a.bytes(0x9A).dd(0).bytes(0x20, 0); // CALL 20:0, nested
        a.label("returned");
        sync(a).exit(1);
        a.label("task");
        sync(a).mov(RCX, 0x3333).bytes(0xEA).dd(0).bytes(0x18, 0); // JMP 18:0
        a.label("again");
        sync(a).inc(4, RDX).bytes(0xCF); // IRET to the caller's task
        bed.load(a);
        bed.memory.writeInt(second + 0x20, (int) a.address("task"));
        bed.memory.writeInt(second + 0x24, 2);
        bed.memory.writeInt(second + 0x38, (int) STACK0); // ESP
        for (int field = 0x48; field < 0x60; field += 4) {
            bed.memory.writeInt(second + field, field == 0x4C ? 0x08 : 0x10);
        }
        bed.on(
                0,
                () -> {
                    CpuState s = States.real(bed.vcpu(0).save(), 0);
                    Segment code = new Segment(0x08, 0, -1, 0xC09B);
                    Segment data = new Segment(0x10, 0, -1, 0xC093);
                    Segment task = new Segment(0x18, first, 0x67, 0x8B);
                    Segment none = new Segment(0, 0, 0, 0x10000);
                    bed.vcpu(0)
                            .restore(
                                    States.protectedMode(
                                            s,
                                            CODE,
                                            STACK,
                                            new Segments(
                                                    data, code, data, data, data, data, task, none),
                                            new DescriptorTable(gdt, 0x27)));
                    return true;
                });
    }
}
