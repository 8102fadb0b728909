package dev.javisor.guests;

import dev.javisor.base.HostTimeSource;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One virtual machine for one case: 8 MiB of RAM at 0, vCPUs each with its own platform thread, a
 * bus with hooks. A guest ends by writing 32 bits to {@link #EXIT_PORT}, which kicks its vCPU.
 */
public final class Testbed implements AutoCloseable {
    public static final int EXIT_PORT = 0xF4;
    public static final long RAM_BYTES = 8 << 20;

    /** An address without RAM or APIC. */
    public static final long MMIO = 0xD0000000L;

    /** {@code -Djavisor.guests.seconds=N}: for hosts that are slow because they are emulated. */
    private static final long TIMEOUT_SECONDS = Long.getLong("javisor.guests.seconds", 20);

    /** The other side of ports or memory-mapped I/O. Called on vCPU threads. */
    public interface Device {
        long read(long address, int sizeBytes);

        void write(long address, int sizeBytes, long value);
    }

    /** Reads as all ones, ignores writes. */
    private static final Device NOTHING =
            new Device() {
                @Override
                public long read(long address, int sizeBytes) {
                    return -1;
                }

                @Override
                public void write(long address, int sizeBytes, long value) {}
            };

    public final HostTimeSource time = new HostTimeSource("conformance-timer");
    public final GuestMemory memory;
    public final VirtualMachine vm;
    public final LongMode guest;
    final Hypervisor hypervisor;
    private final Arena arena = Arena.ofShared();
    private final Processor[] processors;
    public volatile Device ports = NOTHING;
    public volatile Device mmio = NOTHING;

    /** What the 8259 pair would answer; -1 for spurious. */
    public volatile int externalVector = -1;

    /** A port whose writes end {@link #runToStop}, or -1. */
    volatile int stopPort = -1;

    /** Vectors whose EOI was broadcast, one bit each (vectors 0 to 63 only). */
    public volatile long endedVectors;

    /** One vCPU, its thread and what it last said. */
    private final class Processor implements VcpuBus {
        private final Vcpu vcpu;
        private final ExecutorService thread;
        private volatile boolean exited;
        private volatile int exitCode;
        private volatile int exitPort;

        Processor(int id) {
            vcpu = vm.createVcpu(id);
            thread =
                    Executors.newSingleThreadExecutor(
                            Thread.ofPlatform().daemon().name("conformance-vcpu-" + id).factory());
        }

        @Override
        public int readPort(int port, int sizeBytes) {
            return (int) ports.read(port, sizeBytes);
        }

        @Override
        public void writePort(int port, int sizeBytes, int value) {
            if (port == EXIT_PORT || port == stopPort) {
                exitPort = port;
                exitCode = value;
                exited = true;
                vcpu.kick();
            } else {
                ports.write(port, sizeBytes, value & 0xFFFFFFFFL);
            }
        }

        @Override
        public long readMemory(long address, int sizeBytes) {
            return mmio.read(address, sizeBytes);
        }

        @Override
        public void writeMemory(long address, int sizeBytes, long value) {
            mmio.write(address, sizeBytes, value);
        }

        @Override
        public int acknowledgeExternalInterrupt() {
            int vector = externalVector;
            externalVector = -1;
            vm.setExternalInterrupt(false);
            return vector;
        }

        @Override
        public void endOfInterrupt(int vector) {
            endedVectors |= 1L << vector;
        }
    }

    public Testbed(Hypervisor hypervisor, int vcpus) {
        this(hypervisor, vcpus, 0, CpuModel.X86_64_V2);
    }

    /**
     * @param tscHz 0 for the accelerator's choice
     */
    public Testbed(Hypervisor hypervisor, int vcpus, long tscHz, CpuModel model) {
        this.hypervisor = hypervisor;
        memory =
                new GuestMemory(
                        arena.allocate(RAM_BYTES + 4096, 4096),
                        List.of(new Region(0, 0, RAM_BYTES)),
                        () -> {});
        VirtualMachineConfig config = new VirtualMachineConfig("conformance", vcpus, model, tscHz);
        vm = hypervisor.createVirtualMachine(config, memory, time);
        processors = new Processor[vcpus];
        for (int i = 0; i < vcpus; i++) {
            processors[i] = new Processor(i);
        }
        guest = new LongMode(memory);
    }

    public Vcpu vcpu(int id) {
        return processors[id].vcpu;
    }

    /** Puts code where it was assembled for. */
    public void load(Asm code) {
        memory.write(code.origin(), code.assemble());
    }

    /** Runs {@code action} on the vCPU's own thread and waits for it. */
    public <T> T on(int id, Supplier<T> action) {
        return await(processors[id].thread.submit(action::get));
    }

    private static <T> T await(Future<T> future) {
        try {
            return future.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ConformanceException("interrupted", e);
        } catch (TimeoutException e) {
            throw new ConformanceException("no answer in " + TIMEOUT_SECONDS + " s", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof ConformanceException ours) {
                throw ours;
            }
            throw new ConformanceException("failed: " + e.getCause(), e);
        }
    }

    /** Puts a vCPU into 64-bit mode at level 0, interrupts off. */
    public void start64(int id, long rip, long rsp) {
        Vcpu vcpu = vcpu(id);
        on(
                id,
                () -> {
                    vcpu.restore(guest.state(vcpu.save(), rip, rsp));
                    return true;
                });
    }

    /** A run under way. */
    public final class Run {
        private final Processor processor;
        private final Future<ExitReason> future;

        private Run(Processor processor, Future<ExitReason> future) {
            this.processor = processor;
            this.future = future;
        }

        public boolean isDone() {
            return future.isDone();
        }

        /** Waits for the guest's exit; returns its code. */
        public int exit() {
            ExitReason reason = reason();
            if (!processor.exited) {
                throw new ConformanceException(
                        "returned %s without exit: %s"
                                .formatted(reason, processor.vcpu.exitDetail()));
            }
            return processor.exitCode;
        }

        /** Waits until {@link Vcpu#run} returns; kicks and complains if it does not. */
        public ExitReason reason() {
            try {
                return future.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
            } catch (TimeoutException e) {
                processor.vcpu.kick();
                String where = "";
                try {
                    ExitReason unusedReason = future.get(2, TimeUnit.SECONDS);
                    where = " at %#x".formatted(processor.vcpu.save().rip());
                } catch (InterruptedException | ExecutionException | TimeoutException ignored) {
                    where = " and a kick does not end it";
                }
                throw new ConformanceException("guest did not end" + where, e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ConformanceException("interrupted", e);
            } catch (ExecutionException e) {
                throw new ConformanceException("run failed: " + e.getCause(), e);
            }
        }
    }

    /** Starts running on the vCPU's thread. */
    public Run start(int id) {
        Processor p = processors[id];
        p.exited = false;
        return new Run(p, p.thread.submit(() -> p.vcpu.run(p)));
    }

    /** Runs to the guest's exit. */
    public int run(int id) {
        return start(id).exit();
    }

    /** Loads code, runs it in 64-bit mode on vCPU 0 to its exit. */
    public int run64(Asm code) {
        load(code);
        start64(0, code.origin(), LongMode.STACK);
        return run(0);
    }

    /**
     * Where a run stopped.
     *
     * @param port that was written, or -1
     * @param value written
     */
    record Stop(ExitReason reason, int port, int value) {}

    /** Runs to a write to the exit port or to {@link #stopPort}, or to what ends it otherwise. */
    Stop runToStop(int id) {
        Run run = start(id);
        ExitReason reason = run.reason();
        Processor p = processors[id];
        return p.exited ? new Stop(reason, p.exitPort, p.exitCode) : new Stop(reason, -1, 0);
    }

    /** Kicks a run and waits for it. */
    public ExitReason stop(int id, Run run) {
        vcpu(id).kick();
        return run.reason();
    }

    /** Busy-waits until memory holds a value: what a guest on another vCPU writes. */
    public void awaitMemory(long address, int expected) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
        while (memory.readIntAcquire(address) != expected) {
            if (System.nanoTime() > deadline) {
                throw new ConformanceException(
                        "memory at %#x stays %#x".formatted(address, memory.readInt(address)));
            }
            Thread.onSpinWait();
        }
    }

    @Override
    public void close() {
        @Nullable ConformanceException stuck = null;
        for (Processor p : processors) {
            p.vcpu.kick();
            p.thread.shutdown();
            try {
                if (!p.thread.awaitTermination(5, TimeUnit.SECONDS)) {
                    stuck = new ConformanceException("a vCPU thread does not end");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        if (stuck != null) {
            // Its memory must outlive it.
            throw stuck;
        }
        for (Processor p : processors) {
            p.vcpu.close();
        }
        vm.close();
        time.close();
        memory.close();
        arena.close();
    }
}
