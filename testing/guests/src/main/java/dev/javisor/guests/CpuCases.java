package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.guests.Conformance.Case;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import java.util.List;

/** Registers, exceptions with their error codes, identity, clocks, debug traps. */
final class CpuCases {
    static final List<Case> CASES =
            List.of(
                    new Case("registers-in-and-out", 1, CpuCases::registers),
                    new Case("exceptions-and-error-codes", 1, CpuCases::exceptions),
                    new Case("double-fault-on-ist", 1, CpuCases::doubleFault),
                    new Case("triple-fault-is-shutdown", 1, CpuCases::tripleFault),
                    new Case("cpuid-leaves", 1, CpuCases::cpuid),
                    new Case("tsc-runs-forward", 1, CpuCases::tsc),
                    new Case("paravirtual-clock", 1, CpuCases::paravirtualClock),
                    new Case("msr-unknown-is-gp", 1, CpuCases::unknownMsr),
                    new Case("single-step", 1, CpuCases::singleStep),
                    new Case("breakpoints", 1, CpuCases::breakpoints));

    private CpuCases() {}

    private static void registers(Testbed bed) {
        Asm a = new Asm(64, CODE);
        // Each register plus its number, then exit with RAX kept in R15's place.
        for (int r = 0; r < 16; r++) {
            if (r != RSP) {
                a.aluImm(Alu.ADD, 8, r, r + 1);
            }
        }
        a.movReg(R15, RAX).exit(1);
        bed.load(a);
        Vcpu vcpu = bed.vcpu(0);
        bed.start64(0, CODE, STACK);
        bed.on(
                0,
                () -> {
                    CpuState s = vcpu.save();
                    for (int r = 0; r < 16; r++) {
                        if (r != RSP) {
                            s.gpr()[r] = 0x0123_4567_89AB_0000L + 0x100 * r;
                        }
                    }
                    vcpu.restore(s);
                    return true;
                });
        Check.same(bed.run(0), 1, "exit");
        CpuState after = bed.on(0, vcpu::save);
        for (int r = 1; r < 15; r++) {
            long expected = r == RSP ? STACK : 0x0123_4567_89AB_0000L + 0x100 * r + r + 1;
            Check.same(after.gpr()[r], expected, "register " + r);
        }
        Check.same(after.gpr()[R15], 0x0123_4567_89AB_0001L, "RAX");
        Check.same(after.segments().cs().selector(), CODE0, "CS");
        Check.same(after.cr3(), PML4, "CR3");
        Check.same(after.rflags() & 2, 2, "RFLAGS bit 1");
    }

    /** Emits one faulting instruction that resumes behind it. */
    private static void attempt(Asm a, String name, Runnable instruction) {
        a.mov(R15, "after-" + name).label("at-" + name);
        instruction.run();
        a.label("after-" + name);
    }

    private static void exceptions(Testbed bed) {
        Asm a = new Asm(64, CODE);
        attempt(a, "de", () -> a.alu(Alu.XOR, 4, RBX, RBX).div(4, RBX));
        attempt(a, "ud", a::ud2);
        attempt(a, "gp", () -> a.mov(RBX, 0x8000_0000_0000L).load(8, RAX, at(RBX, 0)));
        attempt(a, "ss", () -> a.mov(RBP, 0x8000_0000_0000L).load(8, RAX, at(RBP, 0)));
        attempt(a, "np", () -> a.mov(RAX, 0x38).movSeg(3, RAX));
        attempt(a, "sel", () -> a.mov(RAX, 0x1000).movSeg(3, RAX));
        attempt(a, "bp", () -> a.bytes(0xCC));
        attempt(a, "int", () -> a.interrupt(0x90));
        attempt(a, "cr", () -> a.mov(RAX, 1L << 40).movToCr(4, RAX));
        a.exit(7);
        // A data segment that is not present.
        bed.memory.writeLong(GDT + 0x38, 0x00CF13000000FFFFL);
        Check.same(bed.run64(a), 7, "exit");
        LongMode g = bed.guest;
        g.expect(0, 0, 0, "DIV by zero");
        Check.same(g.rip(0), a.address("after-de") - 2, "RIP of #DE");
        g.expect(1, 6, 0, "UD2");
        Check.same(g.rip(1), a.address("at-ud"), "RIP of #UD");
        g.expect(2, 13, 0, "non-canonical load");
        g.expect(3, 12, 0, "non-canonical stack load");
        g.expect(4, 11, 0x38, "segment not present");
        g.expect(5, 13, 0x1000, "selector beyond the GDT");
        g.expect(6, 3, 0, "INT3");
        Check.same(g.rip(6), a.address("after-bp"), "RIP of #BP");
        g.expect(7, 13, 0x90 << 3 | 2, "INT without a gate");
        g.expect(8, 13, 0, "reserved bit of CR4");
        Check.same(g.exceptions(), 9, "number of exceptions");
    }

    private static void doubleFault(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.mov(R15, "after").mov(RSP, 0xFFFF_9000_0000_0000L).ud2();
        a.label("after").exit(3);
        // Vector 6 pushes on an unmapped stack: #PF, whose frame does not fit either.
        bed.load(a);
        bed.start64(0, CODE, STACK);
        bed.guest.gate(8, a.address("after"), 1);
        Check.same(bed.run(0), 3, "exit through vector 8");
    }

    private static void tripleFault(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.lidt(abs(DATA)).ud2().exit(1);
        bed.load(a);
        bed.start64(0, CODE, STACK);
        Check.same(bed.start(0).reason(), ExitReason.SHUTDOWN, "exit reason");
    }

    private static void cpuid(Testbed bed) {
        Asm a = new Asm(64, CODE);
        int[] leaves = {0, 1, 0x40000000, 0x40000001, 0x80000000, 0x80000001, 0x80000008};
        for (int i = 0; i < leaves.length; i++) {
            a.mov(RAX, leaves[i] & 0xFFFFFFFFL).mov(RCX, 0).cpuid();
            a.store(4, abs(DATA + 16 * i), RAX).store(4, abs(DATA + 16 * i + 4), RBX);
            a.store(4, abs(DATA + 16 * i + 8), RCX).store(4, abs(DATA + 16 * i + 12), RDX);
        }
        a.exit(1);
        Check.same(bed.run64(a), 1, "exit");
        Check.that(bed.memory.readInt(DATA) >= 7, "highest leaf");
        int ecx1 = bed.memory.readInt(DATA + 16 + 8);
        int edx1 = bed.memory.readInt(DATA + 16 + 12);
        Check.that(ecx1 < 0, "hypervisor bit");
        Check.same(edx1 & 0x06808371, 0x06808371, "x86-64 baseline of leaf 1");
        Check.same(ecx1 & 0x00982201, 0x00982201, "x86-64-v2 of leaf 1");
        Check.same(bed.memory.readInt(DATA + 32 + 4), 0x4B4D564B, "KVMK");
        Check.that((bed.memory.readInt(DATA + 48) & 8) != 0, "KVM clock source");
        int edx81 = bed.memory.readInt(DATA + 80 + 12);
        Check.same(edx81 & 0x20100800, 0x20100800, "long mode, NX, SYSCALL");
        Check.that((bed.memory.readInt(DATA + 96) & 0xFF) >= 36, "physical address bits");
    }

    private static void tsc(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.mov(R8, 0).mov(RBX, 10_000);
        a.label("loop").rdtsc().shl(8, RDX, 32).alu(Alu.OR, 8, RAX, RDX);
        a.alu(Alu.CMP, 8, RAX, R8).jcc(Cond.B, "back").movReg(R8, RAX);
        a.dec(4, RBX).jcc(Cond.NE, "loop").exit(1);
        a.label("back").exit(2);
        Check.same(bed.run64(a), 1, "TSC never runs back");
    }

    private static void paravirtualClock(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.wrmsr(0x4B564D01, DATA | 1).rdtsc();
        a.shl(8, RDX, 32).alu(Alu.OR, 8, RAX, RDX).store(8, abs(DATA + 64), RAX).exit(1);
        long before = bed.vm.clock().guestNanos();
        Check.same(bed.run64(a), 1, "exit");
        long after = bed.vm.clock().guestNanos();
        long page = DATA;
        Check.same(bed.memory.readInt(page) & 1, 0, "version is even");
        long delta = bed.memory.readLong(DATA + 64) - bed.memory.readLong(page + 8);
        int shift = (byte) bed.memory.readByte(page + 28);
        long multiplier = bed.memory.readInt(page + 24) & 0xFFFFFFFFL;
        long shifted = shift < 0 ? delta >> -shift : delta << shift;
        long high = Math.multiplyHigh(shifted, multiplier);
        long nanos = (high << 32 | shifted * multiplier >>> 32) + bed.memory.readLong(page + 16);
        Check.that(
                nanos >= before && nanos <= after,
                "guest time %d is not in %d .. %d".formatted(nanos, before, after));
    }

    private static void unknownMsr(Testbed bed) {
        Asm a = new Asm(64, CODE);
        attempt(a, "read", () -> a.mov(RCX, 0xC0DE_0000L).rdmsr());
        attempt(a, "write", () -> a.wrmsr(0xC0DE0000, 0));
        a.exit(1);
        Check.same(bed.run64(a), 1, "exit");
        bed.guest.expect(0, 13, 0, "RDMSR");
        bed.guest.expect(1, 13, 0, "WRMSR");
    }

    private static void singleStep(Testbed bed) {
        Asm a = new Asm(64, CODE);
        // The recorder resumes at R15 with TF clear.
        a.mov(R15, "done").pushf().pop(RAX).aluImm(Alu.OR, 4, RAX, 0x100).push(RAX).popf();
        a.nop().label("next").nop();
        a.label("done").movFromDr(RAX, 6).exit();
        int dr6 = bed.run64(a);
        bed.guest.expect(0, 1, 0, "trap after the first instruction");
        Check.same(bed.guest.rip(0), a.address("next"), "RIP after the stepped NOP");
        Check.that((dr6 & 1 << 14) != 0, "DR6.BS");
    }

    private static void breakpoints(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.mov(R15, "bp1").mov(RAX, DATA + 4).movToDr(0, RAX);
        a.mov(RAX, "instruction").movToDr(1, RAX);
        a.mov(RAX, 0x000D0403L).movToDr(7, RAX); // DR0: write, 4 bytes
        a.storeImm(4, abs(DATA), 1);
        a.load(4, RAX, abs(DATA + 4));
        a.storeImm(1, abs(DATA + 7), 1);
        a.label("bp1");
        a.mov(R15, "bp2").mov(RAX, 0x0000040CL).movToDr(7, RAX); // DR1: execute
        a.nop();
        a.label("instruction").nop();
        a.label("bp2").mov(RAX, 0x400).movToDr(7, RAX).movFromDr(RAX, 6).exit();
        int dr6 = bed.run64(a);
        bed.guest.expect(0, 1, 0, "data breakpoint");
        Check.same(bed.guest.rip(0), a.address("bp1"), "it is a trap");
        bed.guest.expect(1, 1, 0, "instruction breakpoint");
        Check.same(bed.guest.rip(1), a.address("instruction"), "it is a fault");
        Check.same(bed.guest.exceptions(), 2, "no others");
        Check.that((dr6 & 2) != 0, "DR6.B1");
    }
}
