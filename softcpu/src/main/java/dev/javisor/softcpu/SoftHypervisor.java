package dev.javisor.softcpu;

import dev.javisor.base.TimeSource;
import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.softcpu.run.SoftVirtualMachine;

/** The software CPU: runs anywhere a JVM does. */
public final class SoftHypervisor implements Hypervisor {
    private final Translation translation;

    /** Translates hot code. */
    public SoftHypervisor() {
        this(Translation.ON);
    }

    public SoftHypervisor(Translation translation) {
        this.translation = translation;
    }

    @Override
    public String name() {
        return "soft";
    }

    @Override
    public Availability probe() {
        return new Availability.Available("x86-64 software CPU");
    }

    @Override
    public VirtualMachine createVirtualMachine(
            VirtualMachineConfig config, GuestMemory memory, TimeSource time) {
        return new SoftVirtualMachine(config, memory, time, translation);
    }
}
