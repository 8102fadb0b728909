package dev.javisor.hypervisor;

import java.util.SortedMap;

/**
 * Executes instructions for one vCPU of an accelerator that cannot: what other virtual machine
 * monitors report as "KVM internal error". Used by the vCPU's thread only, while the accelerator is
 * not running it; only {@link #counts} may be called from any thread.
 *
 * <p>Nothing of the guest is remembered between two calls: page tables, code and memory may have
 * been changed meanwhile by anyone. Guest memory written is reported through {@link
 * GuestMemory#written}, so dirty tracking that observes it sees the assistant's stores.
 *
 * <p><b>The local APIC stays where it is.</b> MSRs, those of the x2APIC among them, are read and
 * written through {@link AssistedVcpu}. An instruction that would touch the APIC's register page is
 * declined, before any effect of its own, and so is one that halts or calls the hypervisor: the
 * accelerator executes it.
 */
public interface InstructionAssistant extends AutoCloseable {
    /**
     * Executes the instruction at CS:RIP of {@link AssistedVcpu#registers}, then further ones while
     * they are worth it, and leaves the new state there. Exceptions are delivered through the
     * guest's IDT; an exception or interrupt that the registers say is owed is delivered first and
     * counts as the first instruction.
     *
     * @param bus serves ports and memory outside RAM, doorbells among them
     * @param mostInstructions at least 1; no more than these are executed
     */
    Outcome assist(VcpuBus bus, int mostInstructions);

    /**
     * Executes the one instruction at CS:RIP, for an accelerator that single-steps: the guest's
     * flags never show it. Declines as {@link #assist} does, and what an accelerator with shadow
     * paging must see: at level 0, stores that could be to page tables.
     */
    Outcome step(VcpuBus bus);

    /** Bit {@code n}: {@link AssistedVcpu#debug}'s data breakpoint {@code n} was met. */
    int breakpoints();

    /** Instructions that the last call executed. */
    int executed();

    /** For a person, about the last call: which instruction, and why it was declined. */
    String detail();

    /** Calls that executed something, by the mnemonic of their first instruction. */
    SortedMap<String, Long> counts();

    @Override
    void close();

    /** How a call ended. */
    enum Outcome {
        /** At least one instruction was executed, or its exception delivered. */
        EXECUTED,
        /** Nothing was: the accelerator must do it, or report that nobody can. */
        DECLINED,
        /** Delivering an exception met a triple fault. */
        SHUTDOWN
    }

    /** Makes assistants: what an accelerator is given. */
    @FunctionalInterface
    interface Factory {
        /** For one vCPU of a virtual machine, on the vCPU's thread. */
        InstructionAssistant create(
                VirtualMachineConfig config, GuestMemory memory, AssistedVcpu vcpu);
    }
}
