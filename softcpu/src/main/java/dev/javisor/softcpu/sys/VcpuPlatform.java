package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.apic.ApicFabric;
import dev.javisor.softcpu.apic.LocalApic;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestClock;
import dev.javisor.softcpu.core.Platform;
import dev.javisor.softcpu.core.Tsc;

/** Everything of one vCPU around its core: clock, identity, MSRs, local APIC. Attaches itself. */
public final class VcpuPlatform implements Platform {
    private final Cpu cpu;
    private final Cpuid cpuid;
    private final Tsc tsc;
    private final ApicFabric fabric;
    private final LocalApic apic;
    private final PvClock clock;
    private final Msrs msrs;
    private final long cr4Bits;
    private final long xcr0Bits;

    /**
     * @param cpuid shared by the vCPUs of the virtual machine, as are clock and fabric
     */
    public VcpuPlatform(Cpu cpu, Cpuid cpuid, GuestClock guestClock, ApicFabric fabric) {
        this.cpu = cpu;
        this.cpuid = cpuid;
        this.fabric = fabric;
        this.tsc = new Tsc(guestClock);
        this.apic = new LocalApic(cpu, fabric, tsc);
        this.clock = new PvClock(cpu, tsc);
        this.msrs = new Msrs(cpu, cpuid, tsc, apic, clock);
        this.cr4Bits = cpuid.cr4Bits();
        this.xcr0Bits = cpuid.xcr0Bits();
        cpu.platform = this;
    }

    public LocalApic apic() {
        return apic;
    }

    public Msrs msrs() {
        return msrs;
    }

    Tsc timeStampCounter() {
        return tsc;
    }

    /** After {@link GuestClock#set}: the paravirtual clock's page holds for the new time. */
    public void clockChanged() {
        clock.update();
        apic.clockMoved();
    }

    /** Stops the timer. */
    public void close() {
        apic.close();
    }

    @Override
    public long tsc() {
        return tsc.now();
    }

    @Override
    public long readMsr(int index) {
        return msrs.read(index);
    }

    @Override
    public void writeMsr(int index, long value) {
        msrs.write(index, value);
    }

    @Override
    public void cpuid(int leaf, int subleaf, long[] registers) {
        cpuid.query(cpu, apic.isEnabled(), leaf, subleaf, registers);
    }

    @Override
    public long cr4Bits() {
        return cr4Bits;
    }

    @Override
    public long xcr0Bits() {
        return xcr0Bits;
    }

    @Override
    public int taskPriorityClass() {
        return apic.taskPriorityClass();
    }

    @Override
    public void setTaskPriorityClass(int value) {
        apic.setTaskPriorityClass(value);
    }

    @Override
    public void wake(int apicId) {
        LocalApic target = fabric.apic(apicId);
        if (target != null) {
            target.kick();
        }
    }
}
