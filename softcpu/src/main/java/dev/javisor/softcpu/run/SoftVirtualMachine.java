package dev.javisor.softcpu.run;

import dev.javisor.base.TimeSource;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.softcpu.Translation;
import dev.javisor.softcpu.apic.ApicFabric;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestClock;
import dev.javisor.softcpu.core.Ram;
import dev.javisor.softcpu.sys.Cpuid;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/** One virtual machine on the software CPU. */
public final class SoftVirtualMachine implements VirtualMachine {
    private final VirtualMachineConfig config;
    private final GuestMemory memory;
    private final GuestClock clock;
    private final Cpuid cpuid;
    private final Ram ram;
    private final ApicFabric fabric = new ApicFabric();

    /** What RDRAND and RDSEED read: the guest's kernel seeds itself from it. Thread-safe. */
    private final SecureRandom random = new SecureRandom();

    private final Crew crew = new Crew();
    private final TierTwo tierTwo;
    private final Doorbells doorbells = new Doorbells();
    private final List<SoftVcpu> vcpus = new ArrayList<>();

    /** Called by JDK Flight Recorder, if it records. */
    private final Runnable statistics = this::recordStatistics;

    public SoftVirtualMachine(
            VirtualMachineConfig config,
            GuestMemory memory,
            TimeSource time,
            Translation translation) {
        this.tierTwo = new TierTwo(translation);
        this.config = config;
        this.memory = memory;
        this.clock = new GuestClock(time, config.tscHz());
        this.cpuid = new Cpuid(config.model(), config.maxVcpus(), clock.tscHz());
        this.ram = new Ram(memory);
        ram.codePages.setRevoker(this::revokeWrites);
        FlightRecorder.addPeriodicEvent(VcpuStatistics.class, statistics);
    }

    @Override
    public VirtualMachineConfig config() {
        return config;
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    @Override
    public synchronized Vcpu createVcpu(int id) {
        if (id < 0 || id >= config.maxVcpus()) {
            throw new HypervisorException(
                    "vCPU id %d out of range 0..%d".formatted(id, config.maxVcpus() - 1));
        }
        for (SoftVcpu vcpu : vcpus) {
            if (vcpu.id() == id) {
                throw new HypervisorException("vCPU " + id + " exists already");
            }
        }
        SoftVcpu vcpu = new SoftVcpu(id, this);
        vcpus.add(vcpu);
        crew.add(vcpu.cpu());
        return vcpu;
    }

    TierTwo tierTwo() {
        return tierTwo;
    }

    @Override
    public void signalMsi(long address, int data) {
        fabric.signalMsi(address, data);
    }

    /** The local APICs report every level-triggered EOI, so routes need not be known. */
    @Override
    public void routeGsi(int gsi, @Nullable MsiMessage message) {}

    @Override
    public void setExternalInterrupt(boolean level) {
        fabric.setExternalInterrupt(level);
    }

    @Override
    public void signalNmi() {
        fabric.signalNmi();
    }

    @Override
    public DoorbellRegistration bindDoorbell(DoorbellAddress address, DoorbellHandler handler) {
        return doorbells.bind(address, handler);
    }

    @Override
    public void setDirtyTracking(boolean enabled) {
        crew.runExclusive(() -> {
            ram.dirty.setEnabled(enabled);
            for (Cpu cpu : crew.cpus()) {
                cpu.mmu.revokeWrites();
            }
        });
    }

    @Override
    public void fetchDirty(GuestMemory.Region region, long[] into) {
        crew.runExclusive(() -> takeDirty(region, into));
    }

    private void takeDirty(GuestMemory.Region region, long[] into) {
        int first = (int) (region.backingOffset() >>> 12);
        int pages = (int) (region.sizeBytes() >>> 12);
        for (int i = 0; i < pages; i++) {
            long bit = 1L << i;
            if (ram.dirty.take(first + i)) {
                into[i >>> 6] |= bit;
            } else {
                into[i >>> 6] &= ~bit;
            }
        }
        for (Cpu cpu : crew.cpus()) {
            cpu.mmu.revokeWrites();
        }
    }

    @Override
    public long tscHz() {
        return clock.tscHz();
    }

    @Override
    public ClockState clock() {
        return new ClockState(clock.nanos());
    }

    @Override
    public void setClock(ClockState state) {
        clock.set(state.guestNanos());
        synchronized (this) {
            for (SoftVcpu vcpu : vcpus) {
                vcpu.clockChanged();
            }
        }
    }

    @Override
    public synchronized void close() {
        FlightRecorder.removePeriodicEvent(statistics);
        recordStatistics();
        for (SoftVcpu vcpu : vcpus) {
            vcpu.close();
        }
        tierTwo.close();
        ram.release();
    }

    private synchronized void recordStatistics() {
        for (SoftVcpu vcpu : vcpus) {
            vcpu.statistics().commit();
        }
    }

    private void revokeWrites(long page, Runnable mark) {
        crew.runExclusiveFromInside(() -> {
            mark.run();
            for (Cpu cpu : crew.cpus()) {
                cpu.mmu.revokeWrites(page);
            }
        });
    }

    SecureRandom random() {
        return random;
    }

    Cpuid cpuid() {
        return cpuid;
    }

    Ram ram() {
        return ram;
    }

    GuestClock guestClock() {
        return clock;
    }

    ApicFabric fabric() {
        return fabric;
    }

    Crew crew() {
        return crew;
    }

    Doorbells doorbells() {
        return doorbells;
    }
}
