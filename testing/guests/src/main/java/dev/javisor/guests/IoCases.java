package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.guests.Conformance.Case;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Port and memory-mapped I/O callbacks. */
final class IoCases {
    static final List<Case> CASES =
            List.of(
                    new Case("ports-of-all-sizes", 1, IoCases::ports),
                    new Case("string-ports", 1, IoCases::stringPorts),
                    new Case("mmio-of-all-sizes", 1, IoCases::mmio),
                    new Case("mmio-read-modify-write", 1, IoCases::mmioModify),
                    new Case("io-permission-bitmap", 1, IoCases::permission));

    private IoCases() {}

    /** Remembers accesses; reads answer with a pattern. */
    private static final class Recorder implements Testbed.Device {
        final List<String> log = Collections.synchronizedList(new ArrayList<>());
        private final long pattern;

        Recorder(long pattern) {
            this.pattern = pattern;
        }

        @Override
        public long read(long address, int sizeBytes) {
            log.add("r%d %x".formatted(sizeBytes, address));
            return sizeBytes == 8 ? pattern : pattern & ((1L << (8 * sizeBytes)) - 1);
        }

        @Override
        public void write(long address, int sizeBytes, long value) {
            log.add("w%d %x %x".formatted(sizeBytes, address, value));
        }
    }

    private static void ports(Testbed bed) {
        Recorder r = new Recorder(0x89ABCDEFL);
        bed.ports = r;
        Asm a = new Asm(64, CODE);
        a.mov(RDX, 0x1234);
        for (int size = 1; size <= 4; size *= 2) {
            a.mov(RAX, -1L).inDx(size).store(8, abs(DATA + 8 * size), RAX);
            a.mov(RAX, 0x11223344).outDx(size);
        }
        a.outImm(0x80, 1).exit(1);
        Check.same(bed.run64(a), 1, "exit");
        Check.same(
                r.log,
                List.of(
                        "r1 1234",
                        "w1 1234 44",
                        "r2 1234",
                        "w2 1234 3344",
                        "r4 1234",
                        "w4 1234 11223344",
                        "w1 80 44"),
                "accesses");
        Check.same(bed.memory.readLong(DATA + 8), 0xFFFFFFFFFFFFFFEFL, "IN AL keeps the rest");
        Check.same(bed.memory.readLong(DATA + 16), 0xFFFFFFFFFFFFCDEFL, "IN AX keeps the rest");
        Check.same(bed.memory.readLong(DATA + 32), 0x89ABCDEFL, "IN EAX clears the upper half");
    }

    private static void stringPorts(Testbed bed) {
        Recorder r = new Recorder(0x5A);
        bed.ports = r;
        Asm a = new Asm(64, CODE);
        a.mov(RDX, 0x60).mov(RCX, 3).mov(RSI, DATA).bytes(0xF3, 0x6E); // REP OUTSB
        a.mov(RCX, 2).mov(RDI, DATA + 0x100).bytes(0xF3, 0x6C); // REP INSB
        a.movReg(RAX, RSI).exit();
        bed.memory.writeInt(DATA, 0x00434241);
        Check.same(bed.run64(a), DATA + 3, "RSI after");
        Check.same(
                r.log, List.of("w1 60 41", "w1 60 42", "w1 60 43", "r1 60", "r1 60"), "accesses");
        Check.same(bed.memory.readInt(DATA + 0x100), 0x5A5A, "bytes read");
    }

    private static void mmio(Testbed bed) {
        Recorder r = new Recorder(0x8877665544332211L);
        bed.mmio = r;
        Asm a = new Asm(64, CODE);
        a.mov(RBX, Testbed.MMIO);
        for (int size = 1; size <= 8; size *= 2) {
            a.mov(RAX, 0).load(size, RAX, at(RBX, 8)).store(8, abs(DATA + 8 * size), RAX);
            a.mov(RAX, 0x1020304050607080L).store(size, at(RBX, 16), RAX);
        }
        a.exit(1);
        Check.same(bed.run64(a), 1, "exit");
        Check.same(
                r.log,
                List.of(
                        "r1 d0000008",
                        "w1 d0000010 80",
                        "r2 d0000008",
                        "w2 d0000010 7080",
                        "r4 d0000008",
                        "w4 d0000010 50607080",
                        "r8 d0000008",
                        "w8 d0000010 1020304050607080"),
                "accesses");
        Check.same(bed.memory.readLong(DATA + 8), 0x11, "1 byte");
        Check.same(bed.memory.readLong(DATA + 64), 0x8877665544332211L, "8 bytes");
    }

    private static void mmioModify(Testbed bed) {
        Recorder r = new Recorder(0x10);
        bed.mmio = r;
        Asm a = new Asm(64, CODE);
        a.mov(RBX, Testbed.MMIO).mov(RAX, 5).aluMem(Alu.ADD, 4, at(RBX, 0), RAX);
        a.aluMemImm(Alu.CMP, 4, at(RBX, 4), 0x10).jcc(Cond.NE, "bad").exit(1);
        a.label("bad").exit(2);
        Check.same(bed.run64(a), 1, "exit");
        Check.same(r.log, List.of("r4 d0000000", "w4 d0000000 15", "r4 d0000004"), "accesses");
    }

    private static void permission(Testbed bed) {
        Recorder r = new Recorder(0x77);
        bed.ports = r;
        Asm a = new Asm(64, CODE);
        // A TSS with a map: port 0x40 is allowed, others are not.
        a.pushImm(USER_DATA).mov(RAX, USER_STACK).push(RAX).pushImm(2).pushImm(USER_CODE);
        a.mov(RAX, "user").push(RAX).iretq();
        a.label("user").mov(RDX, 0x40).inDx(1).movReg(RBX, RAX);
        a.mov(R15, "denied").mov(RDX, 0x41).inDx(1);
        a.label("denied").movReg(RAX, RBX).interrupt(0x80);
        a.label("kernel").exit();
        bed.load(a);
        bed.memory.writeShort(TSS + 102, 0x68);
        for (int i = 0; i <= 0x20; i++) {
            bed.memory.writeByte(TSS + 0x68 + i, 0xFF);
        }
        bed.memory.writeByte(TSS + 0x68 + 8, 0xFE);
        bed.memory.writeShort(GDT + TSS_SELECTOR, 0x88);
        bed.guest.gate(0x80, a.address("kernel"), 0);
        bed.start64(0, CODE, STACK);
        bed.on(
                0,
                () -> {
                    var vcpu = bed.vcpu(0);
                    vcpu.restore(States.withTaskLimit(vcpu.save(), 0x88));
                    return true;
                });
        Check.same(bed.run(0) & 0xFF, 0x77, "allowed port");
        Check.same(r.log, List.of("r1 40"), "accesses");
        bed.guest.expect(0, 13, 0, "denied port");
    }
}
