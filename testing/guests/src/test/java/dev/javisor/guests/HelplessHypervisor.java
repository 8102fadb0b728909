package dev.javisor.guests;

import dev.javisor.base.TimeSource;
import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.hypervisor.InstructionAssistant;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.softcpu.SoftHypervisor;
import org.jspecify.annotations.Nullable;

/**
 * An accelerator that cannot execute a single instruction: an assistant does all of them, on state
 * that this holds the way a kernel would. It has no interrupts and one vCPU; where a vCPU begins it
 * asks the software CPU.
 */
final class HelplessHypervisor implements Hypervisor {
    private final InstructionAssistant.Factory assistants;
    private final int burst;

    /**
     * @param burst instructions that the assistant may go on for
     */
    HelplessHypervisor(InstructionAssistant.Factory assistants, int burst) {
        this.assistants = assistants;
        this.burst = burst;
    }

    @Override
    public String name() {
        return "helpless";
    }

    @Override
    public Availability probe() {
        return new Availability.Available("does nothing itself");
    }

    @Override
    public VirtualMachine createVirtualMachine(
            VirtualMachineConfig config, GuestMemory memory, TimeSource time) {
        return new Machine(config, memory, time);
    }

    private final class Machine implements VirtualMachine {
        private final VirtualMachineConfig config;
        private final GuestMemory memory;

        /** Lends its power-on state, its clock and its dirty log of what is not a vCPU's. */
        private final VirtualMachine other;

        Machine(VirtualMachineConfig config, GuestMemory memory, TimeSource time) {
            this.config = config;
            this.memory = memory;
            this.other = new SoftHypervisor().createVirtualMachine(config, memory, time);
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
        public Vcpu createVcpu(int id) {
            if (id != 0) {
                throw new HypervisorException("one vCPU only");
            }
            try (Vcpu soft = other.createVcpu(id)) {
                return new HelplessVcpu(config, memory, soft.save(), assistants, burst);
            }
        }

        @Override
        public void signalMsi(long address, int data) {}

        @Override
        public void routeGsi(int gsi, @Nullable MsiMessage message) {}

        @Override
        public void setExternalInterrupt(boolean level) {}

        @Override
        public void signalNmi() {}

        @Override
        public DoorbellRegistration bindDoorbell(DoorbellAddress address, DoorbellHandler handler) {
            return () -> {};
        }

        @Override
        public void setDirtyTracking(boolean enabled) {
            other.setDirtyTracking(enabled);
        }

        @Override
        public void fetchDirty(GuestMemory.Region region, long[] into) {
            other.fetchDirty(region, into);
        }

        @Override
        public ClockState clock() {
            return other.clock();
        }

        @Override
        public void setClock(ClockState state) {
            other.setClock(state);
        }

        @Override
        public void close() {
            other.close();
        }
    }
}
