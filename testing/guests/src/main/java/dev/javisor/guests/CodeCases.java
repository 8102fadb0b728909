package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.guests.Conformance.Case;
import java.util.List;

/** Code that changes while it runs (SDM 3A §9.1.3). */
final class CodeCases {
    static final List<Case> CASES =
            List.of(
                    new Case("self-modifying-next-instruction", 1, CodeCases::next),
                    new Case("self-modifying-loop", 1, CodeCases::loop),
                    new Case("code-page-remapped", 1, CodeCases::remapped),
                    new Case("code-written-by-a-device", 1, CodeCases::device),
                    new Case("cross-modifying-code", 2, CodeCases::cross));

    private CodeCases() {}

    /** The store changes the immediate of the very next instruction. */
    private static void next(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.mov(RBX, "target").mov(RCX, 0x77);
        a.store(1, at(RBX, 1), RCX);
        a.label("target").mov(RAX, 0x11).exit();
        Check.same(bed.run64(a), 0x77, "immediate");
    }

    private static void loop(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.mov(RBX, "target").mov(RCX, 0).mov(R8, 0);
        a.label("loop").store(4, at(RBX, 1), RCX);
        a.label("target").mov(RAX, 0xFFFFFF).alu(Alu.ADD, 8, R8, RAX);
        a.inc(4, RCX).aluImm(Alu.CMP, 4, RCX, 2000).jcc(Cond.B, "loop");
        a.movReg(RAX, R8).exit();
        Check.same(bed.run64(a), 1999 * 2000 / 2, "sum of the immediates");
    }

    private static void remapped(Testbed bed) {
        long page = 0x100000;
        bed.memory.writeLong(pte(page), DATA | 7);
        bed.memory.write(DATA, new Asm(64, page).mov(RAX, 1).ret().assemble());
        bed.memory.write(DATA + 0x1000, new Asm(64, page).mov(RAX, 2).ret().assemble());
        Asm a = new Asm(64, CODE);
        a.mov(RBX, page).mov(R8, 0).mov(R9, 100);
        a.label("loop").callReg(RBX).alu(Alu.ADD, 8, R8, RAX);
        a.load(8, RCX, abs(pte(page))).aluImm(Alu.XOR, 8, RCX, DATA ^ (DATA + 0x1000));
        a.store(8, abs(pte(page)), RCX).invlpg(abs(page));
        a.dec(4, R9).jcc(Cond.NE, "loop").movReg(RAX, R8).exit();
        Check.same(bed.run64(a), 150, "calls alternate");
    }

    private static void device(Testbed bed) {
        long page = 0x100000;
        byte[] one = new Asm(64, page).mov(RAX, 1).ret().assemble();
        byte[] two = new Asm(64, page).mov(RAX, 2).ret().assemble();
        bed.memory.write(page, one);
        bed.ports =
                new Testbed.Device() {
                    @Override
                    public long read(long address, int sizeBytes) {
                        return 0;
                    }

                    @Override
                    public void write(long address, int sizeBytes, long value) {
                        bed.memory.write(page, (value & 1) == 0 ? one : two);
                    }
                };
        Asm a = new Asm(64, CODE);
        a.mov(RBX, page).mov(R8, 0).mov(R9, 100);
        a.label("loop").callReg(RBX).alu(Alu.ADD, 8, R8, RAX);
        a.movReg(RAX, R9).outImm(0x80, 1).dec(4, R9).jcc(Cond.NE, "loop");
        a.movReg(RAX, R8).exit();
        // R9 counts 100 .. 1: even values write "one" for the next call.
        Check.same(bed.run64(a), 149, "each call sees the last write");
    }

    /** vCPU 0 patches a function that vCPU 1 calls; the flag is the synchronization. */
    private static void cross(Testbed bed) {
        long page = 0x100000;
        int rounds = 100;
        bed.memory.write(page, new Asm(64, page).mov(RAX, 0).ret().assemble());
        long flag = DATA;
        long done = DATA + 64;
        Asm writer = new Asm(64, CODE);
        writer.mov(RBX, page).mov(RCX, 1);
        writer.label("loop").store(4, at(RBX, 1), RCX).store(4, abs(flag), RCX);
        writer.label("wait").pause().aluMem(Alu.CMP, 4, abs(done), RCX).jcc(Cond.NE, "wait");
        writer.inc(4, RCX).aluImm(Alu.CMP, 4, RCX, rounds).jcc(Cond.BE, "loop").exit(1);
        Asm reader = new Asm(64, CODE + 0x1000);
        reader.mov(R9, page).mov(R8, 1);
        reader.label("wait").pause().aluMem(Alu.CMP, 4, abs(flag), R8).jcc(Cond.NE, "wait");
        reader.mov(RAX, 0).cpuid(); // serializes
        reader.callReg(R9).alu(Alu.CMP, 4, RAX, R8).jcc(Cond.NE, "stale");
        reader.store(4, abs(done), R8).inc(4, R8).aluImm(Alu.CMP, 4, R8, rounds);
        reader.jcc(Cond.BE, "wait").exit(1);
        reader.label("stale").store(4, abs(DATA + 128), RAX).movReg(RAX, R8).exit();
        bed.load(writer);
        bed.load(reader);
        bed.start64(0, CODE, STACK);
        bed.start64(1, CODE + 0x1000, STACK + 0x4000);
        Testbed.Run second = bed.start(1);
        Testbed.Run first = bed.start(0);
        Check.same(second.exit(), 1, "the reader sees each new version");
        Check.same(first.exit(), 1, "the writer ends");
    }
}
