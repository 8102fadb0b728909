package dev.javisor.softcpu.run;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestDebug;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.sys.Reset;
import dev.javisor.softcpu.sys.StateCodec;
import dev.javisor.softcpu.sys.VcpuPlatform;
import dev.javisor.softcpu.translate.Translator;
import org.jspecify.annotations.Nullable;

/** One vCPU of the software CPU. */
final class SoftVcpu implements Vcpu {
    private static final System.Logger LOG = System.getLogger("dev.javisor.cpu");

    private final SoftVirtualMachine vm;
    private final Cpu cpu;
    private final VcpuPlatform platform;
    private final VcpuLoop loop;
    private @Nullable DoorbellBus bus;
    private long returns;
    private String detail = "";
    private long ranNanos;
    private boolean closed;

    SoftVcpu(int id, SoftVirtualMachine vm) {
        this.vm = vm;
        this.cpu = new Cpu(id, vm.ram());
        this.platform = new VcpuPlatform(cpu, vm.cpuid(), vm.guestClock(), vm.fabric());
        this.loop = new VcpuLoop(cpu, platform, vm.crew(), vm.tierTwo());
        cpu.mmu.setExclusive(vm.crew()::runExclusiveFromInside);
        cpu.random = vm.random();
        Reset.powerOn(cpu, platform);
    }

    /** After the guest clock was set. */
    void clockChanged() {
        platform.clockChanged();
    }

    Cpu cpu() {
        return cpu;
    }

    @Override
    public int id() {
        return cpu.id;
    }

    @Override
    public ExitReason run(VcpuBus machine) {
        DoorbellBus wrapped = bus;
        if (wrapped == null || wrapped.inner() != machine) {
            wrapped = new DoorbellBus(vm.doorbells(), machine);
            bus = wrapped;
        }
        long start = System.nanoTime();
        try {
            ExitReason reason = loop.run(wrapped);
            if (reason == ExitReason.SHUTDOWN) {
                detail = "triple fault\n" + cpu.dump();
            } else if (reason == ExitReason.DEBUG) {
                detail = "%s at %#x".formatted(loop.debug().stop(), cpu.rip);
            }
            return reason;
        } catch (RuntimeException e) {
            // A defect of ours, not of the guest's: report it with all we know, end only this VM.
            LOG.log(System.Logger.Level.DEBUG, "vCPU " + cpu.id + " failed", e);
            detail = "internal error: " + e + "\n" + cpu.dump();
            return ExitReason.FAULT;
        } finally {
            ranNanos += System.nanoTime() - start;
            returns++;
        }
    }

    /** What it has done so far. */
    VcpuStatistics statistics() {
        VcpuStatistics event = new VcpuStatistics();
        loop.tell(event);
        event.returns = returns;
        DoorbellBus doors = bus;
        if (doors != null) {
            event.portAccesses = doors.portAccesses;
            event.mmioAccesses = doors.mmioAccesses;
            event.doorbells = doors.rung;
        }
        return event;
    }

    @Override
    public String exitDetail() {
        return detail;
    }

    @Override
    public void kick() {
        cpu.request(Cpu.REQUEST_KICK);
    }

    @Override
    public CpuState save() {
        loop.settle();
        return StateCodec.save(cpu, platform);
    }

    @Override
    public void restore(CpuState state) {
        loop.debug().forget();
        StateCodec.load(cpu, platform, state);
    }

    @Override
    public void setDebug(GuestDebug debug) {
        loop.debug().ask(debug);
    }

    @Override
    public GuestDebug.Stop debugStop() {
        return loop.debug().stop();
    }

    @Override
    public long instructions() {
        return loop.instructions();
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        System.getLogger("dev.javisor.translate")
                .log(System.Logger.Level.DEBUG, () -> statistics().line());
        platform.close();
        LOG.log(
                System.Logger.Level.DEBUG,
                () ->
                        "vcpu %d: %d instructions in %.3f s, %d blocks, %s"
                                .formatted(
                                        cpu.id,
                                        loop.instructions(),
                                        ranNanos / 1e9,
                                        loop.cache().blocksBuilt(),
                                        translated()));
        Lockstep lockstep = loop.lockstep();
        if (lockstep != null) {
            LOG.log(
                    System.Logger.Level.DEBUG,
                    "vcpu %d: lockstep compared %d instructions in %d runs of regions"
                            .formatted(cpu.id, lockstep.instructions(), lockstep.runs()));
        }
    }

    private String translated() {
        Translator translator = loop.translator();
        return translator == null
                ? "not translated"
                : "%d regions in %.3f s, %d evicted, executed %d of them"
                        .formatted(
                                translator.regions(),
                                translator.nanos() / 1e9,
                                translator.evicted(),
                                cpu.retired);
    }
}
