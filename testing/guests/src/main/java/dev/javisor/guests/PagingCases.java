package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.guests.Conformance.Case;
import java.util.List;

/** Page faults with their error codes, accessed and dirty bits, invalidation. */
final class PagingCases {
    private static final long NX = 1L << 63;
    private static final long PAGE = 0x100000;

    static final List<Case> CASES =
            List.of(
                    new Case("page-fault-error-codes", 1, PagingCases::errorCodes),
                    new Case("page-fault-from-user", 1, PagingCases::userFaults),
                    new Case("accessed-and-dirty-bits", 1, PagingCases::accessedDirty),
                    new Case("invlpg-drops-a-translation", 1, PagingCases::invlpg),
                    new Case("cr3-write-drops-translations", 1, PagingCases::cr3),
                    new Case("smep-and-smap", 1, PagingCases::smepSmap),
                    new Case("page-crossing-access", 1, PagingCases::crossing));

    private PagingCases() {}

    private static void map(Testbed bed, long linear, long entry) {
        bed.memory.writeLong(pte(linear), entry);
    }

    private static void attempt(Asm a, String name, Runnable instruction) {
        a.mov(R15, "after-" + name);
        instruction.run();
        a.label("after-" + name);
    }

    private static void errorCodes(Testbed bed) {
        map(bed, PAGE, 0);
        map(bed, PAGE + 0x1000, PAGE | 1); // read-only
        map(bed, PAGE + 0x2000, PAGE | 3 | NX);
        map(bed, PAGE + 0x3000, 1L << 51 | 3); // reserved bit
        Asm a = new Asm(64, CODE);
        attempt(a, "read", () -> a.load(8, RAX, abs(PAGE + 8)));
        attempt(a, "write", () -> a.store(8, abs(PAGE + 16), RAX));
        attempt(a, "ro", () -> a.store(1, abs(PAGE + 0x1123), RAX));
        attempt(a, "rmw", () -> a.incMem(4, abs(PAGE + 0x1128)));
        attempt(a, "nx", () -> a.mov(RAX, PAGE + 0x2000).jmpReg(RAX));
        attempt(a, "rsvd", () -> a.load(4, RAX, abs(PAGE + 0x3000)));
        a.exit(1);
        Check.same(bed.run64(a), 1, "exit");
        LongMode g = bed.guest;
        g.expect(0, 14, 0, "read of a page not present");
        Check.same(g.cr2(0), PAGE + 8, "CR2");
        g.expect(1, 14, 2, "write to a page not present");
        Check.same(g.cr2(1), PAGE + 16, "CR2");
        g.expect(2, 14, 3, "write to a read-only page");
        Check.same(g.cr2(2), PAGE + 0x1123, "CR2");
        g.expect(3, 14, 3, "read-modify-write of a read-only page");
        g.expect(4, 14, 0x11, "fetch from a no-execute page");
        Check.same(g.rip(4), PAGE + 0x2000, "RIP");
        g.expect(5, 14, 9, "reserved bit");
        Check.same(g.exceptions(), 6, "number");
    }

    private static void userFaults(Testbed bed) {
        map(bed, PAGE, PAGE | 3); // supervisor
        map(bed, PAGE + 0x1000, 0);
        Asm a = new Asm(64, CODE);
        a.pushImm(USER_DATA).mov(RAX, USER_STACK).push(RAX).pushImm(2).pushImm(USER_CODE);
        a.mov(RAX, "user").push(RAX).iretq();
        a.label("user");
        attempt(a, "read", () -> a.load(8, RAX, abs(PAGE)));
        attempt(a, "write", () -> a.store(8, abs(PAGE), RAX));
        attempt(a, "missing", () -> a.store(8, abs(PAGE + 0x1000), RAX));
        attempt(a, "hlt", a::hlt);
        a.interrupt(0x80).label("kernel").exit(1);
        bed.guest.gate(0x80, CODE, 0);
        bed.load(a);
        bed.guest.gate(0x80, a.address("kernel"), 0);
        bed.start64(0, CODE, STACK);
        Check.same(bed.run(0), 1, "exit");
        bed.guest.expect(0, 14, 5, "user read of a supervisor page");
        bed.guest.expect(1, 14, 7, "user write to a supervisor page");
        bed.guest.expect(2, 14, 6, "user write to a missing page");
        bed.guest.expect(3, 13, 0, "HLT at level 3");
    }

    private static void accessedDirty(Testbed bed) {
        map(bed, PAGE, PAGE | 7);
        map(bed, PAGE + 0x1000, PAGE | 7);
        map(bed, PAGE + 0x2000, PAGE | 7);
        Asm a = new Asm(64, CODE);
        a.load(8, RAX, abs(PAGE)).store(8, abs(PAGE + 0x1000), RAX).exit(1);
        Check.same(bed.run64(a), 1, "exit");
        Check.same(bed.memory.readLong(pte(PAGE)), PAGE | 0x27, "read: accessed");
        Check.same(bed.memory.readLong(pte(PAGE + 0x1000)), PAGE | 0x67, "written: dirty");
        Check.same(bed.memory.readLong(pte(PAGE + 0x2000)), PAGE | 7, "untouched");
    }

    /** Reads a page, points it elsewhere, invalidates by {@code drop}, reads again. */
    private static void remap(Testbed bed, java.util.function.Consumer<Asm> drop) {
        map(bed, PAGE, DATA | 7);
        bed.memory.writeLong(DATA, 0x11);
        bed.memory.writeLong(DATA + 0x1000, 0x22);
        Asm a = new Asm(64, CODE);
        a.load(8, RBX, abs(PAGE)).store(8, abs(PAGE + 8), RBX);
        a.storeImm(8, abs(pte(PAGE)), DATA + 0x1000 | 7);
        drop.accept(a);
        a.load(8, RAX, abs(PAGE)).store(8, abs(PAGE + 8), RAX);
        a.alu(Alu.CMP, 8, RBX, RAX).jcc(Cond.E, "stale").exit();
        a.label("stale").exit(0xBAD);
        Check.same(bed.run64(a), 0x22, "value after the change");
        Check.same(bed.memory.readLong(DATA + 8), 0x11, "first store");
        Check.same(bed.memory.readLong(DATA + 0x1008), 0x22, "second store");
    }

    private static void invlpg(Testbed bed) {
        remap(bed, a -> a.invlpg(abs(PAGE)));
    }

    private static void cr3(Testbed bed) {
        remap(bed, a -> a.movFromCr(RAX, 3).movToCr(3, RAX));
    }

    private static void smepSmap(Testbed bed) {
        map(bed, PAGE, PAGE | 7);
        // Everything else that the guest uses becomes supervisor only.
        for (long page = 0; page < PAGE; page += 4096) {
            map(bed, page, page | 3);
        }
        bed.memory.writeByte(PAGE, 0xC3);
        Asm a = new Asm(64, CODE);
        a.movFromCr(RAX, 4).aluImm(Alu.OR, 4, RAX, 0x300000).movToCr(4, RAX);
        attempt(a, "data", () -> a.load(1, RBX, abs(PAGE)));
        attempt(a, "fetch", () -> a.mov(RAX, PAGE).jmpReg(RAX));
        a.bytes(0x0F, 0x01, 0xCB); // STAC
        a.load(1, RBX, abs(PAGE));
        a.bytes(0x0F, 0x01, 0xCA); // CLAC
        a.movReg(RAX, RBX).exit();
        Check.same(bed.run64(a) & 0xFF, 0xC3, "read with AC set");
        bed.guest.expect(0, 14, 1, "SMAP");
        bed.guest.expect(1, 14, 0x11, "SMEP");
        Check.same(bed.guest.exceptions(), 2, "number");
    }

    private static void crossing(Testbed bed) {
        map(bed, PAGE, DATA | 7);
        map(bed, PAGE + 0x1000, DATA + 0x5000 | 7);
        map(bed, PAGE + 0x2000, 0);
        Asm a = new Asm(64, CODE);
        a.mov(RAX, 0x1122334455667788L).store(8, abs(PAGE + 0xFFD), RAX);
        a.load(8, RBX, abs(PAGE + 0xFFD));
        attempt(a, "half", () -> a.store(8, abs(PAGE + 0x1FFC), RAX));
        a.alu(Alu.CMP, 8, RAX, RBX).jcc(Cond.NE, "bad").exit(1);
        a.label("bad").exit(2);
        Check.same(bed.run64(a), 1, "exit");
        Check.same(bed.memory.readByte(DATA + 0xFFF), 0x66, "last byte of the first page");
        Check.same(bed.memory.readByte(DATA + 0x5000), 0x55, "first byte of the second page");
        bed.guest.expect(0, 14, 2, "second half missing");
        Check.same(bed.guest.cr2(0), PAGE + 0x2000, "CR2 is the missing page");
        Check.same(bed.memory.readInt(DATA + 0x5FFC), 0, "nothing was stored");
    }
}
