package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.guests.Conformance.Case;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestDebug;
import dev.javisor.hypervisor.GuestDebug.Breakpoint;
import dev.javisor.hypervisor.GuestDebug.Kind;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import java.util.List;

/** Stops for the machine, which the guest must not see. */
final class DebugCases {
    static final List<Case> CASES =
            List.of(
                    new Case("machine-steps", 1, DebugCases::steps),
                    new Case("machine-steps-hold-interrupts", 1, DebugCases::stepsHoldInterrupts),
                    new Case("machine-steps-over-a-halt", 1, DebugCases::stepsOverHalt),
                    new Case("machine-breakpoint", 1, DebugCases::breakpoint),
                    new Case("machine-watchpoint", 1, DebugCases::watchpoint),
                    new Case("machine-debug-beside-the-guests", 1, DebugCases::besideTheGuests));

    /** What an accelerator that steps by RFLAGS.TF alone cannot do. */
    static final List<Case> ASSISTED =
            List.of(new Case("machine-steps-unseen", 1, DebugCases::stepsUnseen));

    private static final GuestDebug STEP = new GuestDebug(true, List.of());
    private static final long TF = 1 << 8;

    private DebugCases() {}

    private static void ask(Testbed bed, GuestDebug debug) {
        bed.on(
                0,
                () -> {
                    bed.vcpu(0).setDebug(debug);
                    return true;
                });
    }

    private static CpuState save(Testbed bed) {
        return bed.on(0, bed.vcpu(0)::save);
    }

    /** Runs to a stop; returns the breakpoints met. */
    private static int stop(Testbed bed, boolean stepped, String what) {
        ExitReason reason = bed.start(0).reason();
        if (reason != ExitReason.DEBUG) {
            throw new ConformanceException(
                    "%s: %s, expected a stop: %s"
                            .formatted(what, reason, bed.vcpu(0).exitDetail()));
        }
        GuestDebug.Stop stop = bed.vcpu(0).debugStop();
        Check.same(stop.stepped(), stepped, what + ": stepped");
        return stop.breakpoints();
    }

    private static void stepTo(Testbed bed, long rip, String what) {
        Check.same(stop(bed, true, what), 0, what + ": breakpoints");
        CpuState s = save(bed);
        Check.same(s.rip(), rip, what + ": RIP");
        Check.same(s.rflags() & TF, 0, what + ": RFLAGS.TF");
        Check.same(s.debug()[7], 0x400, what + ": DR7");
    }

    private static void steps(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.mov(RDI, DATA + 64).mov(RCX, 3).mov(RAX, 0x55);
        a.label("0").nop();
        a.label("1").push(RAX);
        a.label("2").pop(RBX);
        a.label("3").store(8, abs(DATA), RBX);
        a.label("4").call("sub");
        a.label("5").bytes(0xF3, 0xAA); // REP STOSB, 3 times
        a.label("6").mov(RDX, 0x500).label("7").inDx(1);
        a.label("8").cpuid();
        a.label("9").alu(Alu.XOR, 4, RAX, RAX).label("10").jcc(Cond.E, "11");
        a.nop();
        a.label("11").exit(7);
        a.label("sub").nop().label("ret").ret();
        bed.load(a);
        bed.start64(0, CODE, STACK);
        long dr6 = save(bed).debug()[6];
        ask(bed, STEP);
        for (int i = 0; i < 3; i++) {
            Check.same(stop(bed, true, "start"), 0, "breakpoints");
        }
        Check.same(save(bed).rip(), a.address("0"), "RIP after three instructions");
        for (int i = 1; i <= 4; i++) {
            stepTo(bed, a.address("" + i), "instruction " + i);
        }
        stepTo(bed, a.address("sub"), "call");
        stepTo(bed, a.address("ret"), "subroutine");
        stepTo(bed, a.address("5"), "return");
        for (int left = 2; left >= 0; left--) {
            stepTo(bed, a.address(left > 0 ? "5" : "6"), "element of a string instruction");
            Check.same(save(bed).gpr()[RCX], left, "RCX");
        }
        for (int i = 7; i <= 11; i++) {
            stepTo(bed, a.address("" + i), "instruction " + i);
        }
        Check.same(save(bed).debug()[6], dr6, "DR6");
        ask(bed, GuestDebug.NONE);
        Check.same(bed.run(0), 7, "exit");
        Check.same(bed.memory.readInt(DATA + 64), 0x555555, "stored");
        Check.same(bed.guest.exceptions(), 0, "exceptions");
    }

    /** The guest stores its flags, and so does an exception. */
    private static void stepsUnseen(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.mov(R15, "after").pushf().label("pop").pop(RBX);
        a.label("ud").ud2();
        a.label("after").movReg(RAX, RBX).exit();
        a.align(16).label("handler").load(8, RCX, at(RSP, 16)).store(8, at(RSP, 0), R15).iretq();
        bed.load(a);
        bed.guest.gate(6, a.address("handler"), 0);
        bed.start64(0, CODE, STACK);
        ask(bed, STEP);
        Check.same(stop(bed, true, "start"), 0, "breakpoints");
        stepTo(bed, a.address("pop"), "PUSHF");
        stepTo(bed, a.address("ud"), "POP");
        stepTo(bed, a.address("handler"), "#UD");
        ask(bed, GuestDebug.NONE);
        Check.same(bed.run(0) & TF, 0, "TF in the flags that it pushed");
        Check.same(save(bed).gpr()[RCX] & TF, 0, "TF in the exception's frame");
        Check.same(bed.guest.exceptions(), 0, "other exceptions");
    }

    private static void stepsHoldInterrupts(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.mov(RAX, 2).outImm(Testbed.EXIT_PORT, 4);
        a.sti().label("wait").nop();
        a.aluMemImm(Alu.CMP, 4, abs(DATA + 32), 0).jcc(Cond.E, "wait");
        a.cli().load(4, RAX, abs(DATA + 24)).exit();
        Apic.countingHandler(a, "handler", DATA + 24);
        bed.load(a);
        bed.guest.gate(0x51, a.address("handler"), 0);
        bed.start64(0, CODE, STACK);
        Check.same(bed.run(0), 2, "prepared");
        bed.vm.signalMsi(0xFEE00000L, 0x51);
        ask(bed, STEP);
        for (int i = 0; i < 10; i++) {
            Check.same(stop(bed, true, "step"), 0, "breakpoints");
            Check.same(bed.memory.readInt(DATA + 24), 0, "interrupts while stepping");
        }
        bed.memory.writeInt(DATA + 32, 1);
        ask(bed, GuestDebug.NONE);
        Check.same(bed.run(0), 1, "interrupts afterwards");
    }

    private static void stepsOverHalt(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.mov(RAX, 2).outImm(Testbed.EXIT_PORT, 4);
        a.sti().label("halt").hlt();
        a.label("woken").cli().load(4, RAX, abs(DATA + 24)).exit();
        Apic.countingHandler(a, "handler", DATA + 24);
        bed.load(a);
        bed.guest.gate(0x51, a.address("handler"), 0);
        bed.start64(0, CODE, STACK);
        Check.same(bed.run(0), 2, "prepared");
        ask(bed, STEP);
        // Processors differ in whether STI holds back the trap behind it, too.
        for (int i = 0; i < 2 && save(bed).rip() != a.address("woken"); i++) {
            Check.same(stop(bed, true, "step"), 0, "breakpoints");
        }
        Check.same(save(bed).rip(), a.address("woken"), "RIP behind HLT");
        Check.same(save(bed).activity(), CpuState.Activity.HALTED, "activity");
        Testbed.Run run = bed.start(0);
        bed.vm.signalMsi(0xFEE00000L, 0x51);
        Check.same(run.reason(), ExitReason.DEBUG, "exit reason");
        long rip = save(bed).rip();
        boolean inHandler = rip == a.address("handler");
        Check.that(
                inHandler || rip > a.address("woken"),
                "at the handler or behind it: %#x".formatted(rip));
        ask(bed, GuestDebug.NONE);
        Check.same(bed.run(0), 1, "interrupts");
    }

    private static void breakpoint(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.mov(RBX, 0).mov(RCX, 5);
        a.label("loop").inc(8, RBX);
        a.label("here").dec(8, RCX).jcc(Cond.NE, "loop");
        a.label("end").movReg(RAX, RBX).exit();
        bed.load(a);
        bed.start64(0, CODE, STACK);
        ask(
                bed,
                new GuestDebug(
                        false,
                        List.of(
                                new Breakpoint(Kind.EXECUTE, CODE + 0x800, 1),
                                new Breakpoint(Kind.EXECUTE, a.address("here"), 1),
                                new Breakpoint(Kind.EXECUTE, a.address("end"), 1))));
        for (int i = 1; i <= 5; i++) {
            Check.same(stop(bed, false, "round " + i), 2, "breakpoints");
            CpuState s = save(bed);
            Check.same(s.rip(), a.address("here"), "RIP");
            Check.same(s.gpr()[RBX], i, "rounds");
            Check.same(s.debug()[7], 0x400, "the guest's DR7");
        }
        Check.same(stop(bed, false, "end"), 4, "breakpoints");
        Check.same(save(bed).rip(), a.address("end"), "RIP");
        // A vCPU that is put there has not stopped there.
        bed.start64(0, a.address("end"), STACK);
        Check.same(stop(bed, false, "put there"), 4, "breakpoints");
        ask(bed, GuestDebug.NONE);
        Check.same(bed.run(0), 0, "exit");
        Check.same(bed.guest.exceptions(), 0, "exceptions");
    }

    /** At level 3: there KVMs that emulate level 0 have the processor's own breakpoints. */
    private static void watchpoint(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.pushImm(USER_DATA).mov(RAX, USER_STACK).push(RAX).pushImm(2).pushImm(USER_CODE);
        a.mov(RAX, "user").push(RAX).iretq();
        a.label("user").mov(RAX, 1).load(4, RCX, abs(DATA + 8));
        a.store(4, abs(DATA + 12), RAX).store(4, abs(DATA + 4), RAX);
        a.store(1, abs(DATA + 9), RAX);
        a.label("written").nop();
        a.load(1, RCX, abs(DATA + 0x1002));
        a.label("read").mov(RAX, 5);
        a.lock().xadd(8, abs(DATA + 8), RAX);
        a.label("exchanged").label("wait").jmp("wait");
        bed.load(a);
        bed.start64(0, CODE, STACK);
        ask(
                bed,
                new GuestDebug(
                        false,
                        List.of(
                                new Breakpoint(Kind.WRITE, DATA + 8, 4),
                                new Breakpoint(Kind.ACCESS, DATA + 0x1000, 4))));
        Check.same(stop(bed, false, "write"), 1, "breakpoints");
        Check.same(save(bed).rip(), a.address("written"), "RIP");
        Check.same(bed.memory.readInt(DATA + 8), 0x100, "stored");
        Check.same(stop(bed, false, "read"), 2, "breakpoints");
        Check.same(save(bed).rip(), a.address("read"), "RIP");
        Check.same(stop(bed, false, "exchange"), 1, "breakpoints");
        CpuState s = save(bed);
        Check.same(s.rip(), a.address("exchanged"), "RIP");
        Check.same(s.debug()[7], 0x400, "the guest's DR7");
        Check.same(s.debug()[6] & 0xF, 0, "the guest's DR6");
        Testbed.Run run = bed.start(0);
        Check.same(bed.stop(0, run), ExitReason.KICKED, "exit reason");
        Check.same(bed.guest.exceptions(), 0, "exceptions");
    }

    /** The guest has addresses in its debug registers and steps itself. */
    private static void besideTheGuests(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.mov(RAX, 0x123456).movToDr(0, RAX).mov(RAX, 0x23).movToDr(1, RAX);
        a.mov(R15, "after").pushf().aluMemImm(Alu.OR, 4, at(RSP, 0), TF).popf();
        a.label("trapped").nop();
        a.nop().nop();
        a.label("after").nop();
        a.label("here").movFromDr(RBX, 0).movFromDr(RCX, 1).movFromDr(RDX, 7).movFromDr(RSI, 6);
        a.store(8, abs(DATA), RBX).store(8, abs(DATA + 8), RCX);
        a.store(8, abs(DATA + 16), RDX).store(8, abs(DATA + 24), RSI);
        a.exit(4);
        bed.load(a);
        bed.start64(0, CODE, STACK);
        GuestDebug here =
                new GuestDebug(false, List.of(new Breakpoint(Kind.EXECUTE, a.address("here"), 1)));
        ask(bed, here);
        Check.same(stop(bed, false, "breakpoint"), 1, "breakpoints");
        bed.guest.expect(0, 1, 0, "the guest's own step");
        Check.same(bed.guest.exceptions(), 1, "no others");
        CpuState s = save(bed);
        Check.same(s.debug()[0], 0x123456, "DR0");
        Check.same(s.debug()[1], 0x23, "DR1");
        Check.same(bed.run(0), 4, "exit");
        Check.same(bed.memory.readLong(DATA), 0x123456, "DR0 as the guest reads it");
        Check.same(bed.memory.readLong(DATA + 8), 0x23, "DR1");
        Check.same(bed.memory.readLong(DATA + 16), 0x400, "DR7");
        Check.same(bed.memory.readLong(DATA + 24) & 0x400F, 0x4000, "DR6: its own step, no more");
    }
}
