package dev.javisor.kvm;

import dev.javisor.hypervisor.VcpuBus;

/**
 * Brings the 8259 pair's interrupts to one vCPU. With a split irqchip the kernel tells when the
 * vCPU would take one (interrupts on, LINT0 open, nothing else in the way); only then is the vector
 * fetched, and so the moment of the INTA cycle is right.
 *
 * <p>The vector is handed over as an event that is being injected, not by KVM_INTERRUPT: that keeps
 * it in a place that no ioctl reads, so that a state saved before the guest took it would lose it.
 */
final class ExternalInterrupts {
    private final RunPage run;
    private final VcpuState state;

    /** Whether {@code ready_for_interrupt_injection} is about the state that the vCPU has. */
    private boolean readyIsCurrent;

    private boolean windowRequested;

    ExternalInterrupts(RunPage run, VcpuState state) {
        this.run = run;
        this.state = state;
    }

    /** The vCPU's state was replaced. */
    void forget() {
        readyIsCurrent = false;
    }

    /**
     * Before an entry.
     *
     * @param level of the 8259 pair's output
     * @param incomplete whether an instruction is half done
     */
    void prepare(boolean level, VcpuBus bus, boolean incomplete) {
        if (!level && !state.events().isExternalPending()) {
            if (windowRequested) {
                requestWindow(0);
            }
            readyIsCurrent = true;
            return;
        }
        boolean ready =
                readyIsCurrent
                        && !incomplete
                        && run.unsignedByte(RunLayout.READY_FOR_INTERRUPT_INJECTION) != 0;
        readyIsCurrent = true;
        if (!ready) {
            requestWindow(1);
            return;
        }
        requestWindow(0);
        state.events().externalTaken();
        int vector = bus.acknowledgeExternalInterrupt();
        if (vector >= 0) {
            state.events().injectInterrupt(vector & 0xFF);
        }
    }

    private void requestWindow(int value) {
        run.setByte(RunLayout.REQUEST_INTERRUPT_WINDOW, value);
        windowRequested = value != 0;
    }
}
