package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.guests.Conformance.Case;
import java.util.List;

/** Interrupts: messages, the local APIC and its timer, halting, the 8259's wire, NMI. */
final class InterruptCases {
    private static final long COUNT = DATA;
    private static final int VECTOR = 0x51;

    static final List<Case> CASES =
            List.of(
                    new Case("msi-wakes-a-halted-cpu", 1, InterruptCases::halted),
                    new Case("msi-interrupts-a-loop", 1, InterruptCases::looping),
                    new Case("msi-waits-for-sti", 1, InterruptCases::masked),
                    new Case("sti-shadow", 1, InterruptCases::shadow),
                    new Case("self-ipi-x2apic", 1, InterruptCases::selfIpi),
                    new Case("self-ipi-xapic", 1, InterruptCases::selfIpiXapic),
                    new Case("priority-and-tpr", 1, InterruptCases::priority),
                    new Case("level-triggered-eoi", 1, InterruptCases::levelEoi),
                    new Case("apic-timer-one-shot", 1, InterruptCases::oneShot),
                    new Case("apic-timer-periodic", 1, InterruptCases::periodic),
                    new Case("apic-timer-tsc-deadline", 1, InterruptCases::deadline),
                    new Case("external-interrupt", 1, InterruptCases::external),
                    new Case("nmi", 1, InterruptCases::nmi));

    private InterruptCases() {}

    /** Loads and starts code with a handler for {@link #VECTOR} at label "handler". */
    private static void prepare(Testbed bed, Asm a) {
        bed.load(a);
        bed.guest.gate(VECTOR, a.address("handler"), 0);
        bed.start64(0, CODE, STACK);
    }

    private static void awaitCount(Testbed bed, int count) {
        bed.awaitMemory(COUNT, count);
    }

    private static void halted(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.storeImm(4, abs(DATA + 64), 1);
        a.label("loop").sti().hlt().cli();
        a.aluMemImm(Alu.CMP, 4, abs(COUNT), 10).jcc(Cond.B, "loop").exit(1);
        Apic.countingHandler(a, "handler", COUNT);
        prepare(bed, a);
        Testbed.Run run = bed.start(0);
        bed.awaitMemory(DATA + 64, 1);
        for (int i = 1; i <= 10; i++) {
            bed.vm.signalMsi(Apic.message(0), VECTOR);
            awaitCount(bed, i);
        }
        Check.same(run.exit(), 1, "exit");
    }

    private static void looping(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.sti().storeImm(4, abs(DATA + 64), 1);
        a.label("loop").inc(8, RBX).aluMemImm(Alu.CMP, 4, abs(COUNT), 10);
        a.jcc(Cond.B, "loop").exit(1);
        Apic.countingHandler(a, "handler", COUNT);
        prepare(bed, a);
        Testbed.Run run = bed.start(0);
        bed.awaitMemory(DATA + 64, 1);
        for (int i = 1; i <= 10; i++) {
            bed.vm.signalMsi(Apic.message(0), VECTOR);
            awaitCount(bed, i);
        }
        Check.same(run.exit(), 1, "exit");
    }

    private static void masked(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.wrmsr(Apic.SELF_IPI, VECTOR);
        a.mov(RBX, 1000).label("wait").dec(4, RBX).jcc(Cond.NE, "wait");
        a.load(4, RBX, abs(COUNT)); // still 0
        a.sti().nop().nop().cli();
        a.load(4, RAX, abs(COUNT)).shl(4, RAX, 8).alu(Alu.OR, 4, RAX, RBX).exit();
        Apic.countingHandler(a, "handler", COUNT);
        prepare(bed, a);
        Check.same(bed.run(0), 0x100, "taken after STI, not before");
    }

    private static void shadow(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        // STI; CLI: the shadow covers the CLI, so nothing is taken.
        a.wrmsr(Apic.SELF_IPI, VECTOR).sti().cli().load(4, RBX, abs(COUNT));
        a.sti().nop().cli().load(4, RAX, abs(COUNT));
        a.shl(4, RAX, 8).alu(Alu.OR, 4, RAX, RBX).exit();
        Apic.countingHandler(a, "handler", COUNT);
        prepare(bed, a);
        Check.same(bed.run(0), 0x100, "STI's shadow covers one instruction");
    }

    private static void selfIpi(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.sti().wrmsr(Apic.SELF_IPI, VECTOR).nop();
        a.wrmsr(Apic.ICR, 1 << 18 | VECTOR).nop(); // shorthand self
        a.wrmsr(Apic.ICR, VECTOR).nop(); // APIC id 0
        a.wrmsr(Apic.ICR, 0xFFFFFFFF00000000L | VECTOR).nop(); // everyone
        a.load(4, RAX, abs(COUNT)).exit();
        Apic.countingHandler(a, "handler", COUNT);
        prepare(bed, a);
        Check.same(bed.run(0), 4, "interrupts");
    }

    private static void selfIpiXapic(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.mov(RBX, 0xFEE00000L).mov(RAX, 0x1FF).store(4, at(RBX, 0xF0), RAX);
        a.sti().mov(RAX, 1 << 18 | VECTOR).store(4, at(RBX, 0x300), RAX);
        a.label("one").aluMemImm(Alu.CMP, 4, abs(COUNT), 1).jcc(Cond.B, "one");
        a.mov(RAX, 0).store(4, at(RBX, 0x310), RAX);
        a.mov(RAX, VECTOR).store(4, at(RBX, 0x300), RAX);
        a.label("two").aluMemImm(Alu.CMP, 4, abs(COUNT), 2).jcc(Cond.B, "two");
        a.load(4, RAX, abs(COUNT)).exit();
        a.align(16).label("handler").push(RAX).incMem(4, abs(COUNT));
        a.mov(RAX, 0).store(4, at(RBX, 0xB0), RAX).pop(RAX).iretq();
        prepare(bed, a);
        Check.same(bed.run(0), 2, "interrupts");
    }

    private static void priority(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.mov(RAX, 5).movToCr(8, RAX).sti();
        a.wrmsr(Apic.SELF_IPI, VECTOR).nop();
        a.load(4, RBX, abs(COUNT)); // class 5 is masked by TPR 5
        a.mov(RAX, 4).movToCr(8, RAX).nop();
        a.load(4, RAX, abs(COUNT)).shl(4, RAX, 8).alu(Alu.OR, 4, RAX, RBX).exit();
        Apic.countingHandler(a, "handler", COUNT);
        prepare(bed, a);
        Check.same(bed.run(0), 0x100, "taken when the priority falls");
    }

    private static void levelEoi(Testbed bed) {
        int vector = 0x31;
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.sti().label("loop").aluMemImm(Alu.CMP, 4, abs(COUNT), 2).jcc(Cond.B, "loop").exit(1);
        Apic.countingHandler(a, "handler", COUNT);
        bed.load(a);
        bed.guest.gate(vector, a.address("handler"), 0);
        bed.guest.gate(0x32, a.address("handler"), 0);
        bed.start64(0, CODE, STACK);
        bed.vm.routeGsi(
                9,
                new dev.javisor.hypervisor.VirtualMachine.MsiMessage(
                        Apic.message(0), 0xC000 | vector));
        Testbed.Run run = bed.start(0);
        long deadline = System.nanoTime() + 10_000_000_000L;
        // Until the guest has switched its APIC on.
        while (bed.memory.readIntAcquire(COUNT) == 0 && System.nanoTime() < deadline) {
            bed.vm.signalMsi(Apic.message(0), 0xC000 | vector);
            Thread.onSpinWait();
        }
        bed.vm.signalMsi(Apic.message(0), 0x32);
        Check.same(run.exit(), 1, "exit");
        Check.that((bed.endedVectors & 1L << vector) != 0, "EOI of the level-triggered vector");
        Check.that((bed.endedVectors & 1L << 0x32) == 0, "no EOI of the edge-triggered one");
    }

    private static void oneShot(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.wrmsr(Apic.DIVIDE, 0xB).wrmsr(Apic.LVT_TIMER, VECTOR);
        a.rdtsc().shl(8, RDX, 32).alu(Alu.OR, 8, RAX, RDX).movReg(R8, RAX);
        a.wrmsr(Apic.INITIAL_COUNT, 3_000_000);
        a.sti().hlt();
        a.rdtsc().shl(8, RDX, 32).alu(Alu.OR, 8, RAX, RDX).alu(Alu.SUB, 8, RAX, R8);
        a.store(8, abs(DATA + 8), RAX);
        a.mov(RCX, Apic.CURRENT_COUNT).rdmsr().store(4, abs(DATA + 16), RAX);
        a.mov(RBX, 1_000_000).label("more").dec(4, RBX).jcc(Cond.NE, "more");
        a.load(4, RAX, abs(COUNT)).exit();
        Apic.countingHandler(a, "handler", COUNT);
        prepare(bed, a);
        Check.same(bed.run(0), 1, "fires once");
        Check.same(bed.memory.readInt(DATA + 16), 0, "current count after expiry");
        Check.that(bed.memory.readLong(DATA + 8) > 0, "time passed");
    }

    private static void periodic(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.wrmsr(Apic.DIVIDE, 0xB).wrmsr(Apic.LVT_TIMER, 0x20000 | VECTOR);
        a.wrmsr(Apic.INITIAL_COUNT, 1_000_000);
        a.label("loop").sti().hlt().cli().aluMemImm(Alu.CMP, 4, abs(COUNT), 5);
        a.jcc(Cond.B, "loop").wrmsr(Apic.INITIAL_COUNT, 0).exit(1);
        Apic.countingHandler(a, "handler", COUNT);
        prepare(bed, a);
        long start = bed.time.nanos();
        Check.same(bed.run(0), 1, "exit");
        long nanos = bed.time.nanos() - start;
        Check.that(nanos >= 5_000_000, "five periods of 1 ms took %d ns".formatted(nanos));
    }

    private static void deadline(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.wrmsr(Apic.LVT_TIMER, 0x40000 | VECTOR);
        a.rdtsc().shl(8, RDX, 32).alu(Alu.OR, 8, RAX, RDX);
        a.aluImm(Alu.ADD, 8, RAX, 2_000_000).movReg(R8, RAX);
        a.movReg(RDX, RAX).shr(8, RDX, 32).mov(RCX, Apic.TSC_DEADLINE).wrmsr();
        a.sti().hlt().cli();
        a.rdtsc().shl(8, RDX, 32).alu(Alu.OR, 8, RAX, RDX);
        a.alu(Alu.CMP, 8, RAX, R8).jcc(Cond.B, "early");
        a.mov(RCX, Apic.TSC_DEADLINE).rdmsr().test(4, RAX, RAX).jcc(Cond.NE, "armed");
        // A deadline in the past fires at once.
        a.mov(RAX, 1).mov(RDX, 0).mov(RCX, Apic.TSC_DEADLINE).wrmsr().sti().nop().cli();
        a.load(4, RAX, abs(COUNT)).exit();
        a.label("early").exit(0xE1);
        a.label("armed").exit(0xA1);
        Apic.countingHandler(a, "handler", COUNT);
        prepare(bed, a);
        Check.same(bed.run(0), 2, "interrupts");
    }

    private static void external(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.wrmsr(Apic.LVT_LINT0, 0x700).storeImm(4, abs(DATA + 64), 1);
        a.label("loop").sti().hlt().cli().aluMemImm(Alu.CMP, 4, abs(COUNT), 1);
        a.jcc(Cond.B, "loop").exit(1);
        // No EOI: the interrupt is the 8259's, not the APIC's.
        a.align(16).label("handler").incMem(4, abs(COUNT)).iretq();
        prepare(bed, a);
        Testbed.Run run = bed.start(0);
        bed.awaitMemory(DATA + 64, 1);
        bed.externalVector = VECTOR;
        bed.vm.setExternalInterrupt(true);
        Check.same(run.exit(), 1, "exit");
        Check.same(bed.externalVector, -1, "the vector was fetched");
    }

    private static void nmi(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.wrmsr(Apic.LVT_LINT1, 0x400).storeImm(4, abs(DATA + 64), 1);
        // With interrupts off.
        a.label("loop").aluMemImm(Alu.CMP, 4, abs(COUNT), 1).jcc(Cond.B, "loop").exit(1);
        a.align(16).label("handler").incMem(4, abs(COUNT)).iretq();
        bed.load(a);
        bed.guest.gate(2, a.address("handler"), 1);
        bed.start64(0, CODE, STACK);
        Testbed.Run run = bed.start(0);
        bed.awaitMemory(DATA + 64, 1);
        bed.vm.signalNmi();
        Check.same(run.exit(), 1, "exit");
    }
}
