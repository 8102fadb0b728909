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

    /** Executes what KVM stopped at. */
    Outcome assist(VcpuBus machine) {
        if (factory == null) {
            return Outcome.DECLINED;
        }
        InstructionAssistant helper = assistant;
        if (helper == null) {
            helper = factory.create(vm.config(), vm.memory(), view);
            assistant = helper;
        }
        DoorbellBus withBells = bus;
        if (withBells == null || withBells.inner() != machine) {
            withBells = new DoorbellBus(vm.doorbells(), machine);
            bus = withBells;
        }
        view.load();
        Outcome outcome = helper.assist(withBells, MOST_INSTRUCTIONS);
        view.store();
        return outcome;
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
