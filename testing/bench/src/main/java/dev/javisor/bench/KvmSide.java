package dev.javisor.bench;

import dev.javisor.base.HostTimeSource;
import dev.javisor.bench.BenchGuests.Scenario;
import dev.javisor.guests.LongMode;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachine.DoorbellAddress;
import dev.javisor.hypervisor.VirtualMachine.Space;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.kvm.KvmHypervisor;
import dev.javisor.linux.HostMemory;
import dev.javisor.linux.HostPages;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;

/**
 * Our side of the KVM benchmark, a process of its own with the launcher's options: reads lines
 * {@code SCENARIO IMAGE ROUNDS} as the peer does (the image is not needed: it is built anew), and
 * answers with nanoseconds per round and bytes allocated per round by the vCPU's thread.
 */
final class KvmSide {
    private static final long MSI_ADDRESS = 0xFEE00000L;

    /** Nanoseconds in the guest before a kick. */
    private static final long KICK_GAP = 50_000;

    private KvmSide() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        var commands =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line; (line = commands.readLine()) != null; ) {
            String[] fields = line.split(" ");
            Scenario scenario = Scenario.valueOf(fields[0].toUpperCase(Locale.ROOT));
            try (Bed bed = new Bed(scenario)) {
                Measured measured = bed.measure(Integer.parseInt(fields[2]));
                System.out.printf(
                        Locale.ROOT, "%.1f %.3f%n", measured.nanos(), measured.allocatedBytes());
                System.out.flush();
            }
        }
    }

    /** Each per round. */
    private record Measured(double nanos, double allocatedBytes) {
        static Measured median(long[] times, double allocatedBytes) {
            Arrays.sort(times);
            return new Measured(times[times.length / 2], allocatedBytes);
        }
    }

    /** A machine with one vCPU, and what the guest writes to. */
    private static final class Bed implements VcpuBus, AutoCloseable {
        private final Scenario scenario;
        private final HostTimeSource time = new HostTimeSource("bench timer");
        private final GuestMemory memory;
        private final VirtualMachine vm;
        private final Vcpu vcpu;
        private final LongMode guest;
        private long writes;
        private long limit = Long.MAX_VALUE;

        /** The write at which the measurement begins. */
        private long first = -1;

        private long beginNanos;
        private long endNanos;
        private long beginBytes;
        private long endBytes;

        Bed(Scenario scenario) {
            this.scenario = scenario;
            long bytes = scenario.memoryBytes();
            HostMemory mapped = HostMemory.map(HostMemory.Config.lazy(bytes, HostPages.SMALL));
            memory =
                    new GuestMemory(
                            mapped.segment(), List.of(new Region(0, 0, bytes)), mapped::close);
            guest = BenchGuests.build(scenario, memory);
            vm =
                    new KvmHypervisor()
                            .createVirtualMachine(
                                    new VirtualMachineConfig("bench", 1, CpuModel.X86_64_V2, 0),
                                    memory,
                                    time);
            vcpu = vm.createVcpu(0);
        }

        Measured measure(int rounds) throws InterruptedException {
            return switch (scenario) {
                case PIO, MMIO -> exits(rounds);
                case WAKE, DOORBELL -> doorbell(rounds);
                case KICK -> kicks(rounds);
                case DIRTY -> dirty(rounds);
            };
        }

        private void start() {
            vcpu.restore(guest.state(vcpu.save(), LongMode.CODE, LongMode.STACK));
        }

        /** Runs until the guest has made the next {@code count} writes. */
        private void runWrites(long count) {
            writes = 0;
            limit = count;
            vcpu.run(this);
            if (writes != count) {
                throw new IllegalStateException(vcpu.exitDetail());
            }
        }

        /**
         * The rounds before those that count are in the same run: a method that is called once and
         * loops is only compiled while it loops.
         */
        private Measured exits(int rounds) {
            start();
            first = rounds;
            runWrites(2L * rounds);
            return new Measured(
                    (double) (endNanos - beginNanos) / rounds,
                    (double) (endBytes - beginBytes) / rounds);
        }

        private static long allocated() {
            return ManagementFactory.getPlatformMXBean(com.sun.management.ThreadMXBean.class)
                    .getCurrentThreadAllocatedBytes();
        }

        /** The accelerator's thread answers each ring: by an interrupt, or in memory. */
        private Measured doorbell(int rounds) throws InterruptedException {
            long[] times = new long[rounds];
            CountDownLatch done = new CountDownLatch(1);
            var address = new DoorbellAddress(Space.PIO, BenchGuests.DOORBELL, 4, false, 0);
            var bell =
                    vm.bindDoorbell(
                            address,
                            new VirtualMachine.DoorbellHandler() {
                                private long last;
                                private int seen = -1;

                                @Override
                                public void ring() {
                                    long now = System.nanoTime();
                                    if (seen >= 0 && seen < times.length) {
                                        times[seen] = now - last;
                                    }
                                    last = now;
                                    seen++;
                                    if (seen == times.length) {
                                        done.countDown();
                                    } else if (scenario == Scenario.WAKE) {
                                        vm.signalMsi(MSI_ADDRESS, BenchGuests.VECTOR);
                                    } else {
                                        memory.writeInt(BenchGuests.ANSWER, seen + 1);
                                    }
                                }
                            });
            try (bell) {
                Thread thread =
                        Thread.ofPlatform()
                                .start(() -> {
                                    start();
                                    vcpu.run(this);
                                });
                done.await();
                vcpu.kick();
                thread.join();
            }
            return Measured.median(times, 0);
        }

        private volatile long returned;
        private volatile int generation;
        private volatile boolean stopped;

        @SuppressWarnings("NonAtomicVolatileUpdate") // Only this thread writes.
        private void runUntilStopped() {
            start();
            while (!stopped) {
                vcpu.run(this);
                returned = System.nanoTime();
                generation++;
            }
        }

        private Measured kicks(int rounds) throws InterruptedException {
            long[] times = new long[rounds];
            Thread thread = Thread.ofPlatform().start(this::runUntilStopped);
            Thread.sleep(20);
            for (int i = 0; i < rounds; i++) {
                long begin = System.nanoTime();
                while (System.nanoTime() - begin < KICK_GAP) {
                    Thread.onSpinWait();
                }
                int before = generation;
                begin = System.nanoTime();
                vcpu.kick();
                while (generation == before) {
                    Thread.onSpinWait();
                }
                times[i] = returned - begin;
            }
            stopped = true;
            vcpu.kick();
            thread.join();
            return Measured.median(times, 0);
        }

        private Measured dirty(int rounds) {
            long[] times = new long[rounds];
            Region region = memory.regions().getFirst();
            long[] bitmap = new long[(int) (region.sizeBytes() / 4096 / 64)];
            start();
            vm.setDirtyTracking(true);
            for (int i = 0; i < rounds; i++) {
                runWrites(1);
                long begin = System.nanoTime();
                vm.fetchDirty(region, bitmap);
                times[i] = System.nanoTime() - begin;
                int pages = Arrays.stream(bitmap).mapToInt(Long::bitCount).sum();
                if (pages < BenchGuests.DIRTY_PAGES) {
                    throw new IllegalStateException(pages + " dirty pages");
                }
            }
            return Measured.median(times, 0);
        }

        private void written() {
            long now = ++writes;
            if (now == first) {
                beginBytes = allocated();
                beginNanos = System.nanoTime();
            } else if (now == limit) {
                endNanos = System.nanoTime();
                endBytes = allocated();
                vcpu.kick();
            }
        }

        @Override
        public int readPort(int port, int sizeBytes) {
            return -1;
        }

        @Override
        public void writePort(int port, int sizeBytes, int value) {
            written();
        }

        @Override
        public long readMemory(long address, int sizeBytes) {
            return -1;
        }

        @Override
        public void writeMemory(long address, int sizeBytes, long value) {
            written();
        }

        @Override
        public int acknowledgeExternalInterrupt() {
            return -1;
        }

        @Override
        public void endOfInterrupt(int vector) {}

        @Override
        public void close() {
            vcpu.close();
            vm.close();
            time.close();
            memory.close();
        }
    }
}
