package dev.javisor.hypervisor;

import java.util.Collections;
import java.util.SortedMap;

/**
 * One virtual CPU with its local APIC. {@link #run}, {@link #save} and {@link #restore} belong to
 * the vCPU's own platform thread; {@link #kick} may come from any.
 */
public interface Vcpu extends AutoCloseable {
    /** 0 to {@code maxVcpus - 1}; also the initial APIC id. */
    int id();

    /**
     * Runs guest code until the machine must decide something. A halted vCPU, and one that waits
     * for SIPI, waits inside. Port and memory-mapped I/O is served through {@code bus} on this
     * thread. When it returns, no I/O is half done: {@link #save} is exact.
     *
     * <p>Does not allocate in the steady state.
     */
    ExitReason run(VcpuBus bus);

    /** One line about the last exit, for a person: for {@code FAULT} all registers. */
    String exitDetail();

    /**
     * Makes a current or the next {@link #run} return {@link ExitReason#KICKED} soon (within 1 ms
     * on the software CPU, 100 µs on KVM).
     */
    void kick();

    /** All architectural state. Only while not running. */
    CpuState save();

    /**
     * Replaces all architectural state.
     *
     * @throws IllegalArgumentException if the state is not one that a CPU of this model can be in
     */
    void restore(CpuState state);

    /**
     * What {@link #run} is to stop at from now on with {@link ExitReason#DEBUG}. Not part of the
     * state: {@link #save} and {@link #restore} do not touch it. Only while not running.
     *
     * <p>Execution breakpoints stop before their instruction; a run that begins where the last one
     * stopped executes it. While single stepping, interrupts and NMIs wait, unless the vCPU halts:
     * what ends the halt is then taken. An exception is a step of its own, up to its handler's
     * first instruction; an accelerator that cannot stop there runs the handler and stops after the
     * instruction that it returned to. While breakpoints are set those of the guest may not fire,
     * but its debug registers are as it wrote them.
     */
    void setDebug(GuestDebug debug);

    /** What the last {@link #run} that returned {@link ExitReason#DEBUG} met. */
    GuestDebug.Stop debugStop();

    /** Guest instructions retired so far, or -1 where the accelerator cannot count. */
    long instructions();

    /**
     * How often an {@link InstructionAssistant} helped, by mnemonic; empty where none is needed.
     * From any thread.
     */
    default SortedMap<String, Long> assists() {
        return Collections.emptySortedMap();
    }

    @Override
    void close();

    /** Why {@link #run} returned. */
    enum ExitReason {
        /** {@link #kick} was called. */
        KICKED,
        /** Triple fault (SDM 3A §7.15, interrupt 8): the machine decides, usually reset. */
        SHUTDOWN,
        /** What {@link #setDebug} asked for: see {@link #debugStop}. */
        DEBUG,
        /** The accelerator cannot go on; {@link #exitDetail} says why. */
        FAULT
    }
}
