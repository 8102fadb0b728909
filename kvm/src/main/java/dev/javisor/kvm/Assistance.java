package dev.javisor.kvm;

import dev.javisor.hypervisor.InstructionAssistant;
import dev.javisor.hypervisor.InstructionAssistant.Outcome;
import dev.javisor.hypervisor.VcpuBus;
import java.util.Collections;
import java.util.SortedMap;
import org.jspecify.annotations.Nullable;

/**
 * Has instructions executed that KVM cannot emulate, for one vCPU: what would otherwise end it with
 * an internal error. The assistant is made when it is first needed.
 */
final class Assistance implements AutoCloseable {
    /**
     * Instructions at a time, of which interrupts wait; the assistant itself stops earlier where
     * KVM is likely to do as well.
     */
    private static final int MOST_INSTRUCTIONS = 256;

    private final KvmVirtualMachine vm;
    private final InstructionAssistant.@Nullable Factory factory;
    private final AssistView view;
    private volatile @Nullable InstructionAssistant assistant;
    private @Nullable DoorbellBus bus;

    Assistance(
            KvmVirtualMachine vm, InstructionAssistant.@Nullable Factory factory, AssistView view) {
        this.vm = vm;
        this.factory = factory;
        this.view = view;
    }

    /** Executes what KVM stopped at, and while nobody debugs what is behind it. */
    Outcome assist(VcpuBus machine) {
        InstructionAssistant helper = helper();
        if (helper == null) {
            return Outcome.DECLINED;
        }
        DoorbellBus withBells = withBells(machine);
        int most = view.debug().isOn() ? 1 : MOST_INSTRUCTIONS;
        view.load();
        Outcome outcome = helper.assist(withBells, most);
        view.store();
        return outcome;
    }

    /** Executes one instruction whose flags a step by KVM would show to the guest. */
    Outcome step(VcpuBus machine) {
        InstructionAssistant helper = helper();
        if (helper == null) {
            return Outcome.DECLINED;
        }
        DoorbellBus withBells = withBells(machine);
        view.load();
        Outcome outcome = helper.step(withBells);
        view.store();
        return outcome;
    }

    private @Nullable InstructionAssistant helper() {
        InstructionAssistant helper = assistant;
        if (helper == null && factory != null) {
            helper = factory.create(vm.config(), vm.memory(), view);
            assistant = helper;
        }
        return helper;
    }

    private DoorbellBus withBells(VcpuBus machine) {
        DoorbellBus withBells = bus;
        if (withBells == null || withBells.inner() != machine) {
            withBells = new DoorbellBus(vm.doorbells(), machine);
            bus = withBells;
        }
        return withBells;
    }

    /** The machine's data breakpoints that the last call met. */
    int breakpoints() {
        InstructionAssistant helper = assistant;
        return helper == null ? 0 : helper.breakpoints();
    }

    /** About the last call. */
    String detail() {
        InstructionAssistant helper = assistant;
        return helper == null ? "no assistant" : helper.detail();
    }

    SortedMap<String, Long> counts() {
        InstructionAssistant helper = assistant;
        return helper == null ? Collections.emptySortedMap() : helper.counts();
    }

    @Override
    public void close() {
        InstructionAssistant helper = assistant;
        if (helper != null) {
            helper.close();
        }
    }
}
