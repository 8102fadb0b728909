package dev.javisor.hypervisor;

import dev.javisor.base.TimeSource;

/** An accelerator: something that can run a virtual machine's CPUs. */
public interface Hypervisor {
    /** Short name as typed on a command line: {@code soft}, {@code kvm}. */
    String name();

    /** Whether this accelerator can run here, and if not, a reason a person can act on. */
    Availability probe();

    /**
     * The only TSC frequency, in Hz, that guests can have here, or 0 if any can. A virtual machine
     * that is to move here must have it from the start.
     */
    default long fixedTscHz() {
        return 0;
    }

    /** The best named model that guests can have on this host; {@link CpuModel#BEST} if any can. */
    default CpuModel bestCpuModel() {
        return CpuModel.BEST;
    }

    /**
     * Creates a virtual machine without vCPUs.
     *
     * @param memory guest RAM; the machine keeps ownership and closes it after the virtual machine
     * @throws HypervisorException when the host refuses
     */
    VirtualMachine createVirtualMachine(
            VirtualMachineConfig config, GuestMemory memory, TimeSource time);
}
