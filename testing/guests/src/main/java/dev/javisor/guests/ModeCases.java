package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.guests.Conformance.Case;
import dev.javisor.hypervisor.CpuState;
import java.util.List;

/** Operating modes and the ways between privilege levels. */
final class ModeCases {
    static final List<Case> CASES =
            List.of(
                    new Case("real-to-protected-to-long-mode", 1, ModeCases::climb),
                    new Case("real-mode-interrupts", 1, ModeCases::realInterrupts),
                    new Case("user-mode-syscall", 1, ModeCases::syscall),
                    new Case("compatibility-mode", 1, ModeCases::compatibility));

    private ModeCases() {}

    private static void startReal(Testbed bed, int segment) {
        bed.on(
                0,
                () -> {
                    CpuState state = States.real(bed.vcpu(0).save(), segment);
                    bed.vcpu(0).restore(state);
                    return true;
                });
    }

    /** Emits the way from real mode (code at its linear address) to 64-bit mode. */
    static void climb(Asm a, long gdtPointer) {
        a.bits(16).cli().mov(RAX, 0).movSeg(3, RAX);
        a.lgdt(abs(gdtPointer));
        a.movFromCr(RAX, 0).bytes(0x66).bytes(0x83, 0xC8, 0x01).movToCr(0, RAX);
        a.jmpFar(CODE32, "protected@" + a.origin());
        a.bits(32).label("protected@" + a.origin());
        a.mov(RAX, DATA0).movSeg(3, RAX).movSeg(0, RAX).movSeg(2, RAX);
        a.mov(RAX, 0x6A0).movToCr(4, RAX).mov(RAX, PML4).movToCr(3, RAX);
        a.wrmsr(0xC0000080, 0x901);
        a.mov(RAX, 0x80010033L).movToCr(0, RAX);
        a.jmpFar(CODE0, "long@" + a.origin());
        a.bits(64).label("long@" + a.origin());
    }

    /** Writes the operand of {@link #climb}'s LGDT. */
    static void gdtPointer(Testbed bed, long at) {
        bed.memory.writeShort(at, 0x4F);
        bed.memory.writeInt(at + 2, (int) GDT);
    }

    private static void climb(Testbed bed) {
        gdtPointer(bed, 0x600);
        Asm a = new Asm(16, 0x8000);
        a.jmp("start").label("start");
        climb(a, 0x600);
        a.mov(RAX, 0x1234_5678_9ABCL).shr(8, RAX, 16).exit();
        bed.load(a);
        // Code is at its linear address: CS is 0 and IP the origin.
        startReal(bed, 0);
        bed.on(
                0,
                () -> {
                    CpuState s = bed.vcpu(0).save();
                    bed.vcpu(0).restore(States.withRip(s, 0x8000));
                    return true;
                });
        Check.same(bed.run(0), 0x12345678, "exit from 64-bit code");
        CpuState after = bed.on(0, bed.vcpu(0)::save);
        Check.same(after.efer() & 0x500, 0x500, "LME and LMA");
    }

    private static void realInterrupts(Testbed bed) {
        Asm a = new Asm(16, 0x8000);
        a.sti().mov(RBX, 0).interrupt(0x21).aluImm(Alu.ADD, 2, RBX, 0x100);
        a.bytes(0x66).movReg(RAX, RBX).outImm(Testbed.EXIT_PORT, 4).cli().hlt();
        a.label("handler").pushf().pop(RAX).aluImm(Alu.AND, 2, RAX, 0x200);
        a.jcc(Cond.NE, "on").aluImm(Alu.ADD, 2, RBX, 1).bytes(0xCF);
        a.label("on").aluImm(Alu.ADD, 2, RBX, 2).bytes(0xCF);
        bed.load(a);
        // Vector 0x21 at segment 0800.
        bed.memory.writeInt(0x21 * 4, 0x0800 << 16 | (int) (a.address("handler") - 0x8000));
        startReal(bed, 0x800);
        Check.same(bed.run(0) & 0xFFFF, 0x101, "handler ran once with IF clear");
    }

    private static void syscall(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.wrmsr(0xC0000081, (long) (USER_CODE32 & ~3) << 48 | (long) CODE0 << 32);
        a.mov(RAX, "entry").mov(RCX, 0xC0000082L).mov(RDX, 0).wrmsr();
        a.wrmsr(0xC0000084, 0x200);
        a.mov(RCX, "user").mov(R11, 0x202).mov(RSP, USER_STACK).sysretq();
        a.label("user").mov(RBX, 5).syscall();
        a.label("back").aluImm(Alu.ADD, 8, RBX, 100).syscall();
        a.label("entry").aluImm(Alu.ADD, 8, RBX, 1);
        a.pushf().pop(RAX).test(4, RAX, RAX); // masked IF is in EAX bit 9
        a.aluImm(Alu.AND, 4, RAX, 0x200).jcc(Cond.NE, "bad");
        a.aluImm(Alu.CMP, 8, RBX, 100).jcc(Cond.A, "done").sysretq();
        a.label("done").movReg(RAX, RBX).exit();
        a.label("bad").exit(0xBAD);
        Check.same(bed.run64(a), 107, "two system calls");
    }

    private static void compatibility(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.pushImm(USER_DATA).mov(RAX, USER_STACK).push(RAX).pushImm(2).pushImm(USER_CODE32);
        a.mov(RAX, "user32").push(RAX).iretq();
        a.bits(32).label("user32").mov(RAX, 0xFFFFFFFFL).inc(4, RAX);
        a.mov(RBX, 0x12345678).push(RBX).pop(RCX).interrupt(0x80);
        a.bits(64).label("kernel").movReg(RAX, RCX).exit();
        bed.load(a);
        bed.guest.gate(0x80, a.address("kernel"), 0);
        bed.start64(0, CODE, STACK);
        Check.same(bed.run(0), 0x12345678, "value through the 32-bit stack");
        Check.same(bed.memory.readInt(USER_STACK - 4), 0x12345678, "4-byte push");
    }
}
