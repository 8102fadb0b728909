package dev.javisor.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import dev.javisor.guests.Asm;
import dev.javisor.guests.LongMode;
import dev.javisor.guests.Testbed;
import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachine.DoorbellAddress;
import dev.javisor.hypervisor.VirtualMachine.Space;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.linux.HostMemory;
import dev.javisor.linux.HostPages;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** On this host's KVM: what the conformance suite does not ask. */
class KvmIT {
    @BeforeAll
    static void assumeKvm() {
        if (new KvmHypervisor().probe() instanceof Availability.Unavailable no) {
            assumeTrue(false, "no KVM here: " + no.message());
        }
    }

    private static long count(String directory) throws IOException {
        try (Stream<Path> entries = Files.list(Path.of(directory))) {
            return entries.count();
        }
    }

    private static long vcpuMappings() throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("kvm-vcpu")).count();
        }
    }

    @Test
    void thousandLives_leakNoDescriptorMappingOrThread() throws IOException {
        VirtualMachineConfig config = new VirtualMachineConfig("leak", 2, CpuModel.X86_64_V2, 0);
        try (HostMemory ram = HostMemory.map(HostMemory.Config.lazy(1 << 20, HostPages.SMALL))) {
            GuestMemory memory =
                    new GuestMemory(ram.segment(), List.of(new Region(0, 0, 1 << 20)), () -> {});
            life(config, memory);
            long descriptors = count("/proc/self/fd");
            long threads = count("/proc/self/task");
            for (int i = 0; i < 1000; i++) {
                life(config, memory);
            }
            assertThat(count("/proc/self/fd")).isEqualTo(descriptors);
            assertThat(vcpuMappings()).isZero();
            assertThat(count("/proc/self/task")).isLessThan(threads + 10);
        }
    }

    private static void life(VirtualMachineConfig config, GuestMemory memory) {
        KvmHypervisor kvm = new KvmHypervisor();
        DoorbellAddress address = new DoorbellAddress(Space.PIO, 0x500, 2, false, 0);
        try (VirtualMachine vm = kvm.createVirtualMachine(config, memory, new NoTime());
                Vcpu first = vm.createVcpu(0);
                Vcpu second = vm.createVcpu(1);
                var bell = vm.bindDoorbell(address, () -> {})) {
            assertThat(first.id() + second.id()).isEqualTo(1);
            assertThat(bell).isNotNull();
        }
    }

    /** Every part of the state that a CPU of the model can have at will, with random values. */
    @Test
    void anyState_comesBackAsItWent() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        // A KVM that emulates level 0 takes an offset of the TSC and does not apply it.
        String[] ignored = EmulatingHost.isHere() ? new String[] {"tscOffset"} : new String[0];
        for (int round = 0; round < 20; round++) {
            try (Testbed bed = new Testbed(new KvmHypervisor(), 1)) {
                Vcpu vcpu = bed.vcpu(0);
                CpuState given =
                        bed.on(
                                0,
                                () ->
                                        scatter(
                                                bed.guest.state(vcpu.save(), 0x1234, 0x8000),
                                                random));
                CpuState got =
                        bed.on(
                                0,
                                () -> {
                                    vcpu.restore(given);
                                    return vcpu.save();
                                });
                assertThat(got)
                        .as("seed %d round %d", seed, round)
                        .usingRecursiveComparison()
                        .ignoringFields(ignored)
                        .isEqualTo(given);
            }
        }
    }

    private static CpuState scatter(CpuState s, Random random) {
        long[] gpr = random.longs(16).toArray();
        long[] debug = {
            random.nextInt() & 0xFFFFFFFFL,
            random.nextInt() & 0xFFFFFFFFL,
            0x1000,
            0x2000,
            0,
            0,
            0xFFFF0FF0L | random.nextInt(16),
            0x400 | random.nextInt(256)
        };
        SortedMap<Integer, Long> msrs = new TreeMap<>(s.msrs());
        for (int index : new int[] {0xC0000082, 0xC0000083, 0xC0000102, 0x175, 0x176}) {
            msrs.put(index, random.nextLong() >> 17); // canonical
        }
        msrs.put(0xC0000081, random.nextLong());
        msrs.put(0xC0010010, random.nextLong());
        SortedMap<Integer, Long> sorted = new TreeMap<>(Integer::compareUnsigned);
        sorted.putAll(msrs);
        byte[] xsave = s.xsave().clone();
        for (int i = 160; i < 416; i++) {
            xsave[i] = (byte) random.nextInt(); // XMM0 to XMM15
        }
        xsave[512] = 3; // x87 and SSE are not in their initial state
        byte[] lapic = s.lapic().clone();
        lapic[0x80] = 0;
        lapic[0x350] = (byte) random.nextInt();
        boolean exception = random.nextBoolean();
        CpuState.Events events =
                new CpuState.Events(
                        exception ? 14 : -1,
                        exception ? random.nextInt(32) : -1,
                        exception ? -1 : 32 + random.nextInt(200),
                        random.nextBoolean(),
                        random.nextBoolean(),
                        false,
                        -1);
        return new CpuState(
                gpr,
                random.nextLong() >> 17,
                2 | random.nextInt() & 0x8D5,
                s.segments(),
                s.gdt(),
                s.idt(),
                s.cr0(),
                random.nextLong(),
                s.cr3(),
                s.cr4(),
                0,
                s.efer(),
                s.xcr0(),
                debug,
                sorted,
                xsave,
                lapic,
                events,
                random.nextBoolean() ? CpuState.Activity.HALTED : CpuState.Activity.RUNNING,
                random.nextLong() >> 20);
    }

    @Test
    void exits_allocateNothing() {
        try (Testbed bed = new Testbed(new KvmHypervisor(), 1)) {
            Asm a = new Asm(64, LongMode.CODE);
            a.mov(Asm.RDX, 0x500).mov(Asm.RBX, Testbed.MMIO).label("loop");
            a.outDx(4).load(4, Asm.RCX, Asm.at(Asm.RBX, 8)).jmp("loop");
            bed.load(a);
            bed.start64(0, LongMode.CODE, LongMode.STACK);
            long least = bed.on(0, () -> leastAllocated(bed.vcpu(0)));
            // What one run costs, whatever its length: the counter's own answer among it.
            assertThat(least).isLessThan(4096);
        }
    }

    private static long leastAllocated(Vcpu vcpu) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().threadId();
        Kicking bus = new Kicking(vcpu);
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 10; round++) {
            bus.left = 4000;
            long before = threads.getThreadAllocatedBytes(self);
            ExitReason reason = vcpu.run(bus);
            least = Math.min(least, threads.getThreadAllocatedBytes(self) - before);
            assertThat(reason).isEqualTo(ExitReason.KICKED);
            assertThat(bus.left).isLessThanOrEqualTo(0);
        }
        return least;
    }

    /** Ends the run after so many accesses. */
    private static final class Kicking implements VcpuBus {
        private final Vcpu vcpu;
        int left;

        Kicking(Vcpu vcpu) {
            this.vcpu = vcpu;
        }

        private int access() {
            if (--left == 0) {
                vcpu.kick();
            }
            return left;
        }

        @Override
        public int readPort(int port, int sizeBytes) {
            return access();
        }

        @Override
        public void writePort(int port, int sizeBytes, int value) {
            access();
        }

        @Override
        public long readMemory(long address, int sizeBytes) {
            return access() & 0xFFFFFFFFL;
        }

        @Override
        public void writeMemory(long address, int sizeBytes, long value) {
            access();
        }

        @Override
        public int acknowledgeExternalInterrupt() {
            return -1;
        }

        @Override
        public void endOfInterrupt(int vector) {}
    }
}
