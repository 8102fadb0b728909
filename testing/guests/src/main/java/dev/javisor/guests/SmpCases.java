package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.guests.Conformance.Case;
import java.util.List;

/** Several processors: start-up, interrupts between them, memory order, atomicity. */
final class SmpCases {
    private static final int ROUNDS = 20_000;

    static final List<Case> CASES =
            List.of(
                    new Case("init-sipi-starts-a-processor", 2, SmpCases::startUp),
                    new Case("ipi-between-processors", 2, SmpCases::ipi),
                    new Case("paravirtual-kick-ends-a-halt", 2, SmpCases::kick),
                    new Case("litmus-message-passing", 2, SmpCases::messagePassing),
                    new Case("litmus-store-buffer-with-fence", 2, SmpCases::storeBuffer),
                    new Case("litmus-locked-instruction-is-a-fence", 2, SmpCases::lockedFence),
                    new Case("locked-increments", 2, a -> increments(a, 4, 0)),
                    new Case("locked-increments-split-across-lines", 2, a -> increments(a, 8, 60)),
                    new Case("locked-exchange-and-compare", 2, SmpCases::compareExchange),
                    new Case("locked-16-byte-compare", 2, SmpCases::compare16),
                    new Case("tlb-shootdown-by-ipi", 2, SmpCases::shootdown));

    private SmpCases() {}

    private static void both(Testbed bed, Asm first, Asm second) {
        bed.load(first);
        bed.load(second);
        bed.start64(0, first.origin(), STACK);
        bed.start64(1, second.origin(), STACK + 0x4000);
        Testbed.Run b = bed.start(1);
        Testbed.Run a = bed.start(0);
        Check.same(a.exit(), 1, "vCPU 0");
        Check.same(b.exit(), 1, "vCPU 1");
    }

    private static void startUp(Testbed bed) {
        ModeCases.gdtPointer(bed, 0x600);
        Asm ap = new Asm(16, 0x9000);
        // CS is 0900: absolute operands through DS 0, code labels are linear.
        ap.bytes(0xEA).bytes(0x05, 0x90, 0x00, 0x00); // JMP 0000:9005
        ModeCases.climb(ap, 0x600);
        ap.mov(RSP, STACK + 0x4000);
        Apic.enable(ap);
        ap.mov(RCX, 0x802).rdmsr().store(4, abs(DATA + 4), RAX);
        ap.storeImm(4, abs(DATA), 0x600D).exit(2);
        Asm bsp = new Asm(64, CODE);
        Apic.enable(bsp);
        bsp.wrmsr(Apic.ICR, 1L << 32 | 0xC500).wrmsr(Apic.ICR, 1L << 32 | 0x8500);
        bsp.wrmsr(Apic.ICR, 1L << 32 | 0x4609);
        bsp.label("wait").pause().aluMemImm(Alu.CMP, 4, abs(DATA), 0x600D);
        bsp.jcc(Cond.NE, "wait").exit(1);
        bed.load(ap);
        bed.load(bsp);
        bed.start64(0, CODE, STACK);
        Testbed.Run second = bed.start(1);
        Check.same(bed.run(0), 1, "bootstrap processor");
        Check.same(second.exit(), 2, "started processor");
        Check.same(bed.memory.readInt(DATA + 4), 1, "its APIC id");
    }

    private static void ipi(Testbed bed) {
        int vector = 0x61;
        Asm ping = new Asm(64, CODE);
        Apic.enable(ping);
        ping.mov(RBX, 1);
        ping.label("ready").pause().aluMemImm(Alu.CMP, 4, abs(DATA + 64), 1);
        ping.jcc(Cond.NE, "ready");
        ping.label("loop").wrmsr(Apic.ICR, 1L << 32 | vector);
        ping.label("wait").pause().aluMem(Alu.CMP, 4, abs(DATA), RBX).jcc(Cond.NE, "wait");
        ping.inc(4, RBX).aluImm(Alu.CMP, 4, RBX, 200).jcc(Cond.BE, "loop").exit(1);
        Asm pong = new Asm(64, CODE + 0x1000);
        Apic.enable(pong);
        pong.storeImm(4, abs(DATA + 64), 1);
        pong.label("loop").sti().hlt().cli().aluMemImm(Alu.CMP, 4, abs(DATA), 200);
        pong.jcc(Cond.B, "loop").exit(1);
        Apic.countingHandler(pong, "handler", DATA);
        bed.load(pong);
        bed.guest.gate(vector, pong.address("handler"), 0);
        both(bed, ping, pong);
    }

    /** KVM_HC_KICK_CPU reaches a processor that halts with interrupts off, also just before. */
    private static void kick(Testbed bed) {
        Asm kicker = new Asm(64, CODE);
        kicker.mov(R8, 1);
        kicker.label("loop").store(4, abs(DATA), R8);
        kicker.mov(RAX, 5).mov(RBX, 0).mov(RCX, 1).bytes(0x0F, 0x01, 0xD9);
        kicker.test(8, RAX, RAX).jcc(Cond.NE, "unknown");
        kicker.label("wait").pause().aluMem(Alu.CMP, 4, abs(DATA + 64), R8).jcc(Cond.NE, "wait");
        kicker.inc(4, R8).aluImm(Alu.CMP, 4, R8, 100).jcc(Cond.BE, "loop").exit(1);
        kicker.label("unknown").exit(2);
        Asm waiter = new Asm(64, CODE + 0x1000);
        waiter.mov(R8, 1).cli();
        waiter.label("loop").aluMem(Alu.CMP, 4, abs(DATA), R8).jcc(Cond.E, "next");
        waiter.hlt().jmp("loop");
        waiter.label("next").store(4, abs(DATA + 64), R8).inc(4, R8);
        waiter.aluImm(Alu.CMP, 4, R8, 100).jcc(Cond.BE, "loop").exit(1);
        both(bed, kicker, waiter);
    }

    private static void messagePassing(Testbed bed) {
        Asm writer = new Asm(64, CODE);
        writer.mov(RCX, 1);
        writer.label("loop").store(8, abs(DATA), RCX).store(8, abs(DATA + 0x1000), RCX);
        writer.inc(8, RCX).aluImm(Alu.CMP, 8, RCX, 10 * ROUNDS).jcc(Cond.BE, "loop").exit(1);
        Asm reader = new Asm(64, CODE + 0x1000);
        reader.label("loop").load(8, RAX, abs(DATA + 0x1000)).load(8, RBX, abs(DATA));
        reader.alu(Alu.CMP, 8, RBX, RAX).jcc(Cond.B, "bad");
        reader.aluImm(Alu.CMP, 8, RAX, 10 * ROUNDS).jcc(Cond.B, "loop").exit(1);
        reader.label("bad").exit(0xBAD);
        both(bed, writer, reader);
    }

    /** Emits a barrier of both processors: counts up [at] and waits for round R8 times two. */
    private static void meet(Asm a, long at, String label) {
        a.lock().incMem(4, abs(at)).movReg(R10, R8).alu(Alu.ADD, 8, R10, R10);
        a.label(label).pause().aluMem(Alu.CMP, 4, abs(at), R10).jcc(Cond.B, label);
    }

    /**
     * Each stores its own word, orders, reads the other's: never do both read the old value.
     *
     * @param order emits what orders a store before a later load
     */
    private static void dekker(Testbed bed, java.util.function.Consumer<Asm> order) {
        long x = DATA;
        long y = DATA + 0x1000;
        Asm[] sides = new Asm[2];
        for (int i = 0; i < 2; i++) {
            Asm a = new Asm(64, CODE + 0x1000 * i);
            long mine = i == 0 ? x : y;
            long other = i == 0 ? y : x;
            a.mov(R8, 1);
            a.label("loop");
            meet(a, DATA + 0x2000, "first");
            a.store(4, abs(mine), R8);
            order.accept(a);
            a.load(4, RBX, abs(other)).store(4, abs(DATA + 0x3000 + 64 * i), RBX);
            meet(a, DATA + 0x2040, "second");
            // Both results are there: at least one is this round's number.
            a.aluMem(Alu.CMP, 4, abs(DATA + 0x3000), R8).jcc(Cond.E, "fine");
            a.aluMem(Alu.CMP, 4, abs(DATA + 0x3040), R8).jcc(Cond.NE, "bad");
            a.label("fine");
            meet(a, DATA + 0x2080, "third");
            a.inc(8, R8).aluImm(Alu.CMP, 8, R8, 1000).jcc(Cond.BE, "loop").exit(1);
            a.label("bad").exit(0xBAD);
            sides[i] = a;
        }
        both(bed, sides[0], sides[1]);
    }

    private static void storeBuffer(Testbed bed) {
        dekker(bed, Asm::mfence);
    }

    private static void lockedFence(Testbed bed) {
        dekker(bed, a -> a.mov(RAX, 0).lock().xadd(4, at(RSP, -64), RAX));
    }

    private static void increments(Testbed bed, int size, long offset) {
        Asm[] sides = new Asm[2];
        for (int i = 0; i < 2; i++) {
            Asm a = new Asm(64, CODE + 0x1000 * i);
            a.mov(R8, ROUNDS);
            a.label("loop").lock().incMem(size, abs(DATA + offset));
            a.mov(RAX, 1).lock().xadd(size, abs(DATA + 0x1000 + offset), RAX);
            a.mov(RAX, 1).lock().aluMem(Alu.ADD, size, abs(DATA + 0x2000 + offset), RAX);
            a.dec(4, R8).jcc(Cond.NE, "loop").exit(1);
            sides[i] = a;
        }
        both(bed, sides[0], sides[1]);
        for (int i = 0; i < 3; i++) {
            int sum = bed.memory.readInt(DATA + 0x1000 * i + offset);
            Check.same(sum, 2 * ROUNDS, "counter " + i);
        }
    }

    /** A spin lock by XCHG, a counter by CMPXCHG. */
    private static void compareExchange(Testbed bed) {
        Asm[] sides = new Asm[2];
        for (int i = 0; i < 2; i++) {
            Asm a = new Asm(64, CODE + 0x1000 * i);
            a.mov(R8, ROUNDS);
            a.label("loop");
            a.label("spin").mov(RAX, 1).xchg(4, abs(DATA), RAX).test(4, RAX, RAX);
            a.jcc(Cond.E, "locked").pause().jmp("spin");
            a.label("locked").incMem(4, abs(DATA + 64)).storeImm(4, abs(DATA), 0);
            a.label("again").load(8, RAX, abs(DATA + 128)).lea(RBX, at(RAX, 1));
            a.lock().cmpxchg(8, abs(DATA + 128), RBX).jcc(Cond.NE, "again");
            a.dec(4, R8).jcc(Cond.NE, "loop").exit(1);
            sides[i] = a;
        }
        both(bed, sides[0], sides[1]);
        Check.same(bed.memory.readInt(DATA + 64), 2 * ROUNDS, "under the spin lock");
        Check.same(bed.memory.readLong(DATA + 128), 2 * ROUNDS, "by CMPXCHG");
    }

    /** Both halves always move together. */
    private static void compare16(Testbed bed) {
        Asm[] sides = new Asm[2];
        for (int i = 0; i < 2; i++) {
            Asm a = new Asm(64, CODE + 0x1000 * i);
            a.mov(R8, ROUNDS / 10);
            a.label("loop").load(8, RAX, abs(DATA)).load(8, RDX, abs(DATA + 8));
            a.label("again").lea(RBX, at(RAX, 1)).lea(RCX, at(RDX, 3));
            a.lock().cmpxchg16b(abs(DATA)).jcc(Cond.NE, "again");
            a.dec(4, R8).jcc(Cond.NE, "loop").exit(1);
            sides[i] = a;
        }
        both(bed, sides[0], sides[1]);
        Check.same(bed.memory.readLong(DATA), ROUNDS / 5, "low half");
        Check.same(bed.memory.readLong(DATA + 8), 3L * ROUNDS / 5, "high half");
    }

    /** vCPU 0 remaps a page and asks vCPU 1 by IPI to drop its translation. */
    private static void shootdown(Testbed bed) {
        int vector = 0x62;
        long page = 0x100000;
        bed.memory.writeLong(pte(page), DATA + 0x4000 | 7);
        bed.memory.writeLong(DATA + 0x4000, 0x11);
        bed.memory.writeLong(DATA + 0x5000, 0x22);
        Asm first = new Asm(64, CODE);
        Apic.enable(first);
        first.label("ready").pause().aluMemImm(Alu.CMP, 4, abs(DATA + 64), 1);
        first.jcc(Cond.NE, "ready");
        first.storeImm(8, abs(pte(page)), DATA + 0x5000 | 7);
        first.wrmsr(Apic.ICR, 1L << 32 | vector);
        first.label("wait").pause().aluMemImm(Alu.CMP, 4, abs(DATA), 1).jcc(Cond.NE, "wait");
        first.storeImm(4, abs(DATA + 128), 1).exit(1);
        Asm second = new Asm(64, CODE + 0x1000);
        Apic.enable(second);
        second.load(8, RBX, abs(page)).sti().storeImm(4, abs(DATA + 64), 1);
        second.label("wait").pause().aluMemImm(Alu.CMP, 4, abs(DATA + 128), 1);
        second.jcc(Cond.NE, "wait").load(8, RAX, abs(page));
        second.aluImm(Alu.CMP, 8, RAX, 0x22).jcc(Cond.NE, "stale").exit(1);
        second.label("stale").exit(0xBAD);
        second.align(16).label("handler").push(RAX).push(RCX).push(RDX);
        second.invlpg(abs(page)).incMem(4, abs(DATA)).wrmsr(Apic.EOI, 0);
        second.pop(RDX).pop(RCX).pop(RAX).iretq();
        bed.load(second);
        bed.guest.gate(vector, second.address("handler"), 0);
        both(bed, first, second);
    }
}
