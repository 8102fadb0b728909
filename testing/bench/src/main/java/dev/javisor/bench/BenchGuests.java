package dev.javisor.bench;

import static dev.javisor.guests.Asm.*;

import dev.javisor.guests.Apic;
import dev.javisor.guests.Asm;
import dev.javisor.guests.LongMode;
import dev.javisor.hypervisor.GuestMemory;

/**
 * The tiny guests of the KVM benchmark. The same bytes run on both sides: ours builds them in its
 * guest memory, the peer (testing/bench/kvm/peer.c) reads them as a file.
 */
final class BenchGuests {
    /** Not claimed by anything: a write is an exit. */
    static final int PORT = 0x300;

    /** Written with 4 bytes to ring. */
    static final int DOORBELL = 0x310;

    /** Written when a round is over. */
    static final int EXIT = 0xF4;

    /** No RAM is here. */
    static final long MMIO = 0xD0000000L;

    static final int VECTOR = 0x40;

    /** Where the host counts the rings that it has seen, 32 bits. */
    static final long ANSWER = LongMode.DATA;

    static final long SMALL_BYTES = 8 << 20;
    static final long LARGE_BYTES = 1 << 30;

    /** What the guest of the dirty log writes to in each round: pages, and where they begin. */
    static final int DIRTY_PAGES = 4096;

    private static final long DIRTY_START = 16 << 20;

    /** Where an image says at which RIP and RSP it starts. */
    private static final long ENTRY = 0;

    private BenchGuests() {}

    /** What is measured, each with a guest of its own. */
    enum Scenario {
        PIO("port write, exit and back", 15_000),
        MMIO("memory-mapped write, exit and back", 10_000),
        WAKE("interrupt wakes HLT, guest rings back", 3_000),
        DOORBELL("doorbell to thread, answer by memory", 3_000),
        KICK("kick to return of a spinning vCPU", 1_500),
        DIRTY("dirty log of 1 GiB, 4096 pages", 20);

        final String text;
        final int rounds;

        Scenario(String text, int rounds) {
            this.text = text;
            this.rounds = rounds;
        }

        String id() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }

        long memoryBytes() {
            return this == DIRTY ? LARGE_BYTES : SMALL_BYTES;
        }
    }

    /** Puts the guest of a scenario into memory. */
    static LongMode build(Scenario scenario, GuestMemory memory) {
        LongMode guest = new LongMode(memory);
        Asm a = new Asm(64, LongMode.CODE);
        switch (scenario) {
            case PIO -> a.mov(RDX, PORT).label("loop").outDx(4).jmp("loop");
            case MMIO -> a.mov(RBX, MMIO).label("loop").store(4, at(RBX, 0), RAX).jmp("loop");
            case WAKE -> wake(a);
            case DOORBELL -> doorbell(a);
            case KICK -> a.label("loop").jmp("loop");
            case DIRTY -> dirty(a);
        }
        memory.write(LongMode.CODE, a.assemble());
        if (scenario == Scenario.WAKE) {
            guest.gate(VECTOR, a.address("handler"), 0);
        }
        memory.writeLong(ENTRY, LongMode.CODE);
        memory.writeLong(ENTRY + 8, LongMode.STACK);
        return guest;
    }

    private static void wake(Asm a) {
        Apic.enable(a);
        a.mov(RDX, DOORBELL).outDx(4);
        a.label("loop").sti().hlt().jmp("loop");
        a.align(16).label("handler").wrmsr(Apic.EOI, 0).mov(RDX, DOORBELL).outDx(4).iretq();
    }

    private static void doorbell(Asm a) {
        a.mov(RAX, 0).mov(RDX, DOORBELL).label("loop").outDx(4).inc(4, RAX);
        a.label("wait").pause().aluMem(Alu.CMP, 4, abs(ANSWER), RAX).jcc(Cond.NE, "wait");
        a.jmp("loop");
    }

    private static void dirty(Asm a) {
        a.label("round").mov(RBX, DIRTY_START).mov(RCX, DIRTY_PAGES);
        a.label("loop").incMem(8, at(RBX, 0)).aluImm(Alu.ADD, 8, RBX, 4096);
        a.dec(4, RCX).jcc(Cond.NE, "loop");
        a.mov(RDX, EXIT).outDx(4).jmp("round");
    }
}
