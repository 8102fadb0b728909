package dev.javisor.vmm;

import dev.javisor.base.HostTimeSource;
import dev.javisor.base.JavisorException;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.CpuState.Activity;
import dev.javisor.hypervisor.CpuState.DescriptorTable;
import dev.javisor.hypervisor.CpuState.Events;
import dev.javisor.hypervisor.CpuState.Segment;
import dev.javisor.hypervisor.CpuState.Segments;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Measures an accelerator through its contract: a guest in 32-bit protected mode (which any
 * processor with virtualization executes itself, unlike real mode) writes to one port many times,
 * then to another after each run of a short loop.
 */
final class SpeedProbe implements VcpuBus {
    private static final int EXIT_PORT = 0x10;
    private static final int LOOP_PORT = 0x11;
    private static final int EXITS = 32;
    private static final int LOOPS = 5;
    private static final int ITERATIONS = 2000;
    private static final long RAM_BYTES = 64 << 10;
    private static final int CODE = 0x1000;
    private static final long LIMIT_MS = 3000;

    /** Written for {@link #ITERATIONS}, little endian, as two more instructions. */
    private static final byte[] PROGRAM =
            HexFormat.of()
                    .parseHex(
                            "b920000000" // mov ecx, 32
                                    + "e610" // exit: out 0x10, al
                                    + "49" // dec ecx
                                    + "75fb" // jnz exit
                                    + "b9d0070000" // again: mov ecx, 2000
                                    + "49" // loop: dec ecx
                                    + "75fd" // jnz loop
                                    + "e611" // out 0x11, al
                                    + "ebf4"); // jmp again

    private final Vcpu vcpu;
    private int exits;
    private int loops;
    private long last;
    private long leastExit = Long.MAX_VALUE;
    private long leastLoop = Long.MAX_VALUE;

    private SpeedProbe(Vcpu vcpu) {
        this.vcpu = vcpu;
    }

    /** Empty where the guest does not come to its end: then nothing else would run well either. */
    static Optional<AcceleratorSpeed> measure(Hypervisor hypervisor) {
        try (GuestMemory memory = GuestRam.allocate(RAM_BYTES);
                HostTimeSource time = new HostTimeSource("speed timer");
                VirtualMachine vm =
                        hypervisor.createVirtualMachine(
                                new VirtualMachineConfig("speed", 1, CpuModel.X86_64_V1, 0),
                                memory,
                                time);
                Vcpu vcpu = vm.createVcpu(0)) {
            memory.write(CODE, PROGRAM);
            SpeedProbe probe = new SpeedProbe(vcpu);
            Thread thread =
                    Thread.ofPlatform().daemon().name("speed vcpu 0").start(() -> probe.run());
            await(thread, vcpu);
            return probe.result();
        } catch (JavisorException e) {
            return Optional.empty();
        }
    }

    /** The memory must outlive the thread, whatever happens to this one. */
    private static void await(Thread thread, Vcpu vcpu) {
        boolean interrupted = false;
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LIMIT_MS);
        while (thread.isAlive()) {
            try {
                if (!thread.join(Duration.ofMillis(interrupted ? 1 : LIMIT_MS))
                        && System.nanoTime() > deadline) {
                    vcpu.kick();
                }
            } catch (InterruptedException e) {
                interrupted = true;
                vcpu.kick();
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        vcpu.restore(flat(vcpu.save()));
        vcpu.run(this);
    }

    private Optional<AcceleratorSpeed> result() {
        if (exits < EXITS || loops < LOOPS) {
            return Optional.empty();
        }
        double loop = Math.max(0, leastLoop - leastExit);
        return Optional.of(new AcceleratorSpeed(leastExit, loop / ITERATIONS));
    }

    /** Protected mode, flat segments, no paging. */
    private static CpuState flat(CpuState s) {
        Segment code = new Segment(0x08, 0, 0xFFFFFFFF, 0xC09B);
        Segment data = new Segment(0x10, 0, 0xFFFFFFFF, 0xC093);
        Segment task = new Segment(0x18, 0, 0x67, 0x8B);
        Segment ldt = new Segment(0, 0, 0, 0x10000);
        return new CpuState(
                new long[16],
                CODE,
                2,
                new Segments(data, code, data, data, data, data, task, ldt),
                new DescriptorTable(0, 0xFFFF),
                new DescriptorTable(0, 0xFFFF),
                0x31, // PE, ET, NE
                0,
                0,
                0,
                0,
                0,
                s.xcr0(),
                s.debug(),
                s.msrs(),
                s.xsave(),
                s.lapic(),
                new Events(-1, -1, -1, false, false, false, -1),
                Activity.RUNNING,
                s.tscOffset());
    }

    @Override
    public void writePort(int port, int sizeBytes, int value) {
        long now = System.nanoTime();
        long took = now - last;
        if (port == EXIT_PORT) {
            if (exits++ > 0) {
                leastExit = Math.min(leastExit, took);
            }
        } else if (port == LOOP_PORT) {
            leastLoop = Math.min(leastLoop, took);
            if (++loops == LOOPS) {
                vcpu.kick();
            }
        }
        last = System.nanoTime();
    }

    @Override
    public int readPort(int port, int sizeBytes) {
        return -1;
    }

    @Override
    public long readMemory(long address, int sizeBytes) {
        return -1;
    }

    @Override
    public void writeMemory(long address, int sizeBytes, long value) {}

    @Override
    public int acknowledgeExternalInterrupt() {
        return -1;
    }

    @Override
    public void endOfInterrupt(int vector) {}
}
