package dev.javisor.vmm;

import dev.javisor.base.TimeSource;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;

/**
 * Moves a machine whose vCPUs are held and whose time stands still from one accelerator to another:
 * vCPUs with their local APICs, clock, routes, doorbells, levels, dirty log. Guest RAM and devices
 * stay where they are.
 */
final class Handover {
    private Handover() {}

    /**
     * @throws VmException if that cannot be; everything is as before
     */
    static void to(
            Hypervisor target,
            Hypervisor from,
            VirtualMachineConfig config,
            SwitchableMachine machine,
            VcpuThreads vcpus,
            TimeSource time) {
        if (config.model() == CpuModel.HOST && !target.name().equals(from.name())) {
            throw new VmException(
                    "cannot move %s to %s: CPU model host is another CPU on each accelerator: start"
                                    .formatted(config.name(), target.name())
                            + " it with a named one");
        }
        VirtualMachine old = machine.hold();
        VirtualMachine next = null;
        try {
            CpuState[] states = vcpus.save();
            long tscHz = old.tscHz();
            next =
                    target.createVirtualMachine(
                            new VirtualMachineConfig(
                                    config.name(), config.maxVcpus(), config.model(), tscHz),
                            machine.memory(),
                            time);
            if (tscHz != 0 && next.tscHz() != 0 && next.tscHz() != tscHz) {
                throw new VmException(
                        "the guest's TSC runs at %d Hz, there at %d Hz"
                                .formatted(tscHz, next.tscHz()));
            }
            next.setClock(old.clock());
            machine.prepare(next);
            vcpus.replace(next::createVcpu, states);
        } catch (RuntimeException e) {
            undo(machine, next, e);
            throw new VmException(
                    "cannot move %s to %s: %s: it goes on on %s"
                            .formatted(config.name(), target.name(), e.getMessage(), from.name()),
                    e);
        }
        machine.install(next);
        old.close();
    }

    private static void undo(
            SwitchableMachine machine,
            @org.jspecify.annotations.Nullable VirtualMachine next,
            RuntimeException cause) {
        try {
            machine.abandon();
            if (next != null) {
                next.close();
            }
        } catch (RuntimeException e) {
            cause.addSuppressed(e);
        } finally {
            machine.goOn();
        }
    }
}
