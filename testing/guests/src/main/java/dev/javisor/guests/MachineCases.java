package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.guests.Conformance.Case;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.hypervisor.VirtualMachine.DoorbellAddress;
import dev.javisor.hypervisor.VirtualMachine.DoorbellRegistration;
import dev.javisor.hypervisor.VirtualMachine.Space;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/** What the machine asks of an accelerator: kicks, doorbells, dirty log, state. */
final class MachineCases {
    /** Far above the contract's 1 ms: the suite also runs on busy hosts. */
    private static final long KICK_LIMIT_NANOS = 200_000_000;

    static final List<Case> CASES =
            List.of(
                    new Case("kick-ends-a-loop", 1, MachineCases::kickLoop),
                    new Case("kick-ends-a-halt", 1, MachineCases::kickHalt),
                    new Case("kick-before-run-counts", 1, MachineCases::kickBefore),
                    new Case("doorbells", 1, MachineCases::doorbells),
                    new Case("dirty-log", 1, MachineCases::dirtyLog),
                    new Case("device-writes-are-seen", 1, MachineCases::deviceWrites),
                    new Case("state-moves-to-another-vm", 1, MachineCases::stateMoves),
                    new Case("impossible-state-is-refused", 1, MachineCases::badState));

    private MachineCases() {}

    private static void kickLoop(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.label("loop").incMem(8, abs(DATA)).jmp("loop");
        bed.load(a);
        bed.start64(0, CODE, STACK);
        for (int i = 0; i < 20; i++) {
            Testbed.Run run = bed.start(0);
            long before = bed.memory.readLong(DATA);
            long limit = System.nanoTime() + 5_000_000_000L;
            while (bed.memory.readLong(DATA) == before && System.nanoTime() < limit) {
                Thread.onSpinWait();
            }
            long start = System.nanoTime();
            Check.same(bed.stop(0, run), ExitReason.KICKED, "exit reason");
            long nanos = System.nanoTime() - start;
            Check.that(nanos < KICK_LIMIT_NANOS, "kick took %d ns".formatted(nanos));
            Check.that(bed.memory.readLong(DATA) != before, "guest makes progress");
        }
        long stopped = bed.memory.readLong(DATA);
        CpuState s = bed.on(0, bed.vcpu(0)::save);
        Check.that(s.rip() >= CODE && s.rip() < a.here(), "RIP is in the loop");
        Check.same(bed.memory.readLong(DATA), stopped, "nothing runs after the return");
    }

    private static void kickHalt(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.storeImm(4, abs(DATA), 1).cli().hlt().exit(9);
        bed.load(a);
        bed.start64(0, CODE, STACK);
        Testbed.Run run = bed.start(0);
        bed.awaitMemory(DATA, 1);
        Check.same(bed.stop(0, run), ExitReason.KICKED, "exit reason");
        // The first kick may come between the store and the HLT.
        for (int i = 0; i < 100 && !isHalted(bed); i++) {
            run = bed.start(0);
            LockSupport.parkNanos(10_000_000);
            Check.same(bed.stop(0, run), ExitReason.KICKED, "exit reason");
        }
        Check.that(isHalted(bed), "activity is not HALTED");
        Testbed.Run again = bed.start(0);
        Check.that(!again.isDone(), "it halts again");
        Check.same(bed.stop(0, again), ExitReason.KICKED, "exit reason");
    }

    private static boolean isHalted(Testbed bed) {
        return bed.on(0, bed.vcpu(0)::save).activity() == CpuState.Activity.HALTED;
    }

    private static void kickBefore(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.label("loop").jmp("loop");
        bed.load(a);
        bed.start64(0, CODE, STACK);
        bed.vcpu(0).kick();
        Check.same(bed.start(0).reason(), ExitReason.KICKED, "exit reason");
    }

    private static void doorbells(Testbed bed) {
        AtomicInteger bus = new AtomicInteger();
        Testbed.Device counter =
                new Testbed.Device() {
                    @Override
                    public long read(long address, int sizeBytes) {
                        return 0x42;
                    }

                    @Override
                    public void write(long address, int sizeBytes, long value) {
                        bus.incrementAndGet();
                    }
                };
        bed.mmio = counter;
        bed.ports = counter;
        AtomicInteger any = new AtomicInteger();
        AtomicInteger exact = new AtomicInteger();
        AtomicInteger port = new AtomicInteger();
        long base = Testbed.MMIO;
        Asm a = new Asm(64, CODE);
        a.mov(RBX, base).mov(RAX, 7);
        a.store(4, at(RBX, 0), RAX); // rings
        a.store(4, at(RBX, 16), RAX); // rings: data matches
        a.mov(RAX, 8).store(4, at(RBX, 16), RAX); // bus: other data
        a.store(2, at(RBX, 16), RAX); // bus: other size
        a.store(4, at(RBX, 32), RAX); // bus: nobody
        a.load(4, RCX, at(RBX, 0)); // reads go to the bus
        a.mov(RDX, 0x500).outDx(2); // rings
        a.movReg(RAX, RCX).exit();
        DoorbellAddress anyData = new DoorbellAddress(Space.MMIO, base, 4, false, 0);
        DoorbellAddress seven = new DoorbellAddress(Space.MMIO, base + 16, 4, true, 7);
        DoorbellAddress onPort = new DoorbellAddress(Space.PIO, 0x500, 2, false, 0);
        try (DoorbellRegistration r1 = bed.vm.bindDoorbell(anyData, any::incrementAndGet);
                DoorbellRegistration r2 = bed.vm.bindDoorbell(seven, exact::incrementAndGet);
                DoorbellRegistration r3 = bed.vm.bindDoorbell(onPort, port::incrementAndGet)) {
            Check.that(r1 != r2 && r2 != r3, "registrations are distinct");
            Check.same(bed.run64(a), 0x42, "read at a doorbell's address");
            awaitRings(any, "any data");
            awaitRings(exact, "matching data");
            awaitRings(port, "port");
            Check.same(bus.get(), 3, "writes that reached the bus");
        }
        Check.same(bed.run64(a), 0x42, "second run");
        Check.same(bus.get(), 9, "unbound: all writes reach the bus");
    }

    private static void awaitRings(AtomicInteger rings, String what) {
        long limit = System.nanoTime() + 5_000_000_000L;
        while (rings.get() == 0 && System.nanoTime() < limit) {
            Thread.onSpinWait();
        }
        Check.same(rings.get(), 1, "rings, " + what);
    }

    private static void dirtyLog(Testbed bed) {
        long page = 0x300000;
        Asm a = new Asm(64, CODE);
        // A read may count: KVM marks what it maps writable, whatever the first access was.
        a.load(8, RAX, abs(page + 0x5000));
        a.storeImm(1, abs(page), 1);
        a.storeImm(8, abs(page + 0x2FFC), 1); // crosses into the next page
        a.lock().incMem(4, abs(page + 0x7000));
        a.exit(1);
        Region ram = bed.memory.regions().getFirst();
        long[] bitmap = new long[(int) (ram.sizeBytes() / 4096 / 64)];
        bed.load(a);
        bed.start64(0, CODE, STACK);
        bed.vm.setDirtyTracking(true);
        Check.same(bed.run(0), 1, "exit");
        bed.memory.writeInt(page + 0x9000, 1);
        bed.vm.fetchDirty(ram, bitmap);
        int first = (int) (page >>> 12);
        for (int i = 0; i < 12; i++) {
            boolean expected = i == 0 || i == 2 || i == 3 || i == 7 || i == 9;
            if (i == 5) {
                continue;
            }
            Check.same(isSet(bitmap, first + i), expected, "page " + i);
        }
        bed.vm.fetchDirty(ram, bitmap);
        Check.same(isSet(bitmap, first), false, "fetching clears");
        // The same store must be seen again, whatever is cached.
        bed.start64(0, CODE, STACK);
        Check.same(bed.run(0), 1, "exit");
        bed.vm.fetchDirty(ram, bitmap);
        Check.same(isSet(bitmap, first), true, "written again");
        Check.same(isSet(bitmap, first + 9), false, "not written again");
        bed.vm.setDirtyTracking(false);
    }

    private static boolean isSet(long[] bitmap, int bit) {
        return (bitmap[bit >>> 6] & 1L << bit) != 0;
    }

    private static void deviceWrites(Testbed bed) {
        Asm a = new Asm(64, CODE);
        a.storeImm(4, abs(DATA), 1);
        a.label("wait").load(4, RAX, abs(DATA + 64)).test(4, RAX, RAX).jcc(Cond.E, "wait");
        a.load(4, RAX, abs(DATA + 128)).exit();
        bed.load(a);
        bed.start64(0, CODE, STACK);
        Testbed.Run run = bed.start(0);
        bed.awaitMemory(DATA, 1);
        bed.memory.writeInt(DATA + 128, 0x1234);
        java.lang.invoke.VarHandle.releaseFence();
        bed.memory.writeInt(DATA + 64, 1);
        Check.same(run.exit(), 0x1234, "data written before the flag");
    }

    private static void stateMoves(Testbed bed) {
        Asm a = new Asm(64, CODE);
        Apic.enable(a);
        a.wrmsr(Apic.DIVIDE, 0xB).wrmsr(Apic.LVT_TIMER, 0x51);
        a.wrmsr(0xC0000102, 0x1122334455L);
        a.movdquLoad(3, abs(DATA + 256)).mov(RBX, 0).mov(R8, 0);
        a.storeImm(4, abs(DATA), 1);
        // Sum of 1 .. R8 in RBX, until told to end: in the other machine.
        a.label("loop").inc(8, R8).alu(Alu.ADD, 8, RBX, R8);
        a.aluMemImm(Alu.CMP, 4, abs(DATA + 32), 1).jcc(Cond.NE, "loop");
        a.store(8, abs(DATA + 8), RBX).store(8, abs(DATA + 40), R8);
        a.movdquStore(abs(DATA + 272), 3);
        a.mov(RCX, 0xC0000102L).rdmsr().store(4, abs(DATA + 16), RAX);
        a.wrmsr(Apic.INITIAL_COUNT, 100_000).sti().hlt().cli();
        a.load(4, RAX, abs(DATA + 24)).exit();
        Apic.countingHandler(a, "handler", DATA + 24);
        bed.load(a);
        bed.guest.gate(0x51, a.address("handler"), 0);
        bed.memory.writeLong(DATA + 256, 0x1111222233334444L);
        bed.memory.writeLong(DATA + 264, 0x5555666677778888L);
        bed.start64(0, CODE, STACK);
        Testbed.Run run = bed.start(0);
        bed.awaitMemory(DATA, 1);
        Check.same(bed.stop(0, run), ExitReason.KICKED, "exit reason");
        CpuState state = bed.on(0, bed.vcpu(0)::save);
        try (Testbed other = new Testbed(bed.hypervisor, 1)) {
            other.memory.write(0, bed.memory.read(0, 0x100000));
            Vcpu vcpu = other.vcpu(0);
            CpuState again =
                    other.on(
                            0,
                            () -> {
                                vcpu.restore(state);
                                return vcpu.save();
                            });
            compare(again, state);
            other.memory.writeInt(DATA + 32, 1);
            Check.same(other.run(0), 1, "timer interrupts after the move");
            long n = other.memory.readLong(DATA + 40);
            // Equal if it was stopped between the count and the look at the flag.
            Check.that(n >= state.gpr()[R8], "it went on");
            Check.same(other.memory.readLong(DATA + 8), n * (n + 1) / 2, "sum");
            Check.same(other.memory.readLong(DATA + 272), 0x1111222233334444L, "XMM3");
            Check.same(other.memory.readLong(DATA + 280), 0x5555666677778888L, "XMM3, high");
            Check.same(other.memory.readInt(DATA + 16), 0x22334455, "KERNEL_GS_BASE");
        }
    }

    private static void compare(CpuState a, CpuState b) {
        for (int i = 0; i < 16; i++) {
            Check.same(a.gpr()[i], b.gpr()[i], "register " + i);
        }
        Check.same(a.rip(), b.rip(), "RIP");
        Check.same(a.rflags(), b.rflags(), "RFLAGS");
        Check.same(a.segments(), b.segments(), "segments");
        Check.same(a.gdt(), b.gdt(), "GDTR");
        Check.same(a.idt(), b.idt(), "IDTR");
        Check.same(a.cr0(), b.cr0(), "CR0");
        Check.same(a.cr3(), b.cr3(), "CR3");
        Check.same(a.cr4(), b.cr4(), "CR4");
        Check.same(a.cr8(), b.cr8(), "CR8");
        Check.same(a.efer(), b.efer(), "EFER");
        Check.same(a.events(), b.events(), "events");
        Check.same(a.activity(), b.activity(), "activity");
        Check.that(java.util.Arrays.equals(a.lapic(), b.lapic()), "local APIC");
        for (int msr : new int[] {0x1B, 0x277, 0xC0000081, 0xC0000082, 0xC0000102}) {
            Check.same(a.msrs().get(msr), b.msrs().get(msr), "MSR %#x".formatted(msr));
        }
    }

    private static void badState(Testbed bed) {
        CpuState good = bed.on(0, bed.vcpu(0)::save);
        CpuState bad =
                new CpuState(
                        good.gpr(),
                        good.rip(),
                        good.rflags(),
                        good.segments(),
                        good.gdt(),
                        good.idt(),
                        1L << 31, // paging without protection
                        good.cr2(),
                        good.cr3(),
                        good.cr4(),
                        good.cr8(),
                        good.efer(),
                        good.xcr0(),
                        good.debug(),
                        good.msrs(),
                        good.xsave(),
                        good.lapic(),
                        good.events(),
                        good.activity(),
                        good.tscOffset());
        boolean refused =
                bed.on(
                        0,
                        () -> {
                            try {
                                bed.vcpu(0).restore(bad);
                                return false;
                            } catch (IllegalArgumentException e) {
                                return true;
                            }
                        });
        Check.that(refused, "CR0 with PG but without PE is refused");
    }
}
