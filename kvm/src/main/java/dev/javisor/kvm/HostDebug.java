package dev.javisor.kvm;

import dev.javisor.hypervisor.GuestDebug;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What the machine wants one vCPU to stop at, and what KVM has been told of it (struct
 * kvm_guest_debug). Belongs to the vCPU's thread.
 */
final class HostDebug implements AutoCloseable {
    private final KvmCalls vcpu;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment control = arena.allocate(DebugLayout.CONTROL_BYTES, 8);

    /** Flags that KVM knows, of those used here. */
    private final int known;

    private GuestDebug asked = GuestDebug.NONE;
    private GuestDebug.Stop stop = GuestDebug.Stop.NONE;

    /** The last run ended with a stop, and nothing has changed since. */
    private boolean stopped;

    /** KVM executes one instruction. */
    private boolean stepping;

    private boolean holdsInterrupts;

    /** Bit n: KVM watches for breakpoint n. */
    private int enabled;

    /**
     * @param known the value of KVM_CAP_SET_GUEST_DEBUG2
     */
    HostDebug(KvmCalls vcpu, int known) {
        this.vcpu = vcpu;
        this.known = known;
    }

    void ask(GuestDebug debug) {
        asked = debug;
        tell(0);
    }

    GuestDebug asked() {
        return asked;
    }

    boolean isOn() {
        return asked.isOn();
    }

    GuestDebug.Stop stop() {
        return stop;
    }

    /** The vCPU's state was replaced. */
    void forget() {
        stopped = false;
    }

    /** Whether the run that begins is where the last one stopped. */
    boolean begin() {
        boolean resumes = stopped;
        stopped = false;
        return resumes;
    }

    /** Whether the 8259's interrupts wait; KVM holds back its own. */
    boolean holdsInterrupts() {
        return holdsInterrupts;
    }

    boolean isStepping() {
        return stepping;
    }

    /**
     * KVM is to execute one instruction, the one before which the vCPU is now.
     *
     * @param holdInterrupts as far as KVM can
     */
    void beginStep(boolean holdInterrupts) {
        stepping = true;
        holdsInterrupts = holdInterrupts;
        int hold = holdInterrupts ? DebugLayout.BLOCK_INTERRUPTS & known : 0;
        // No execution breakpoints: they would stop before the instruction for ever.
        tell(DebugLayout.SINGLE_STEP | hold);
    }

    void endStep() {
        stepping = false;
        holdsInterrupts = false;
        tell(0);
    }

    private void tell(int step) {
        long dr7 = asked.controlRegister();
        int flags = step;
        enabled = 0;
        for (int n = 0; n < GuestDebug.MOST_BREAKPOINTS; n++) {
            long address = 0;
            if (n < asked.breakpoints().size()) {
                GuestDebug.Breakpoint breakpoint = asked.breakpoints().get(n);
                address = breakpoint.address();
                flags |= DebugLayout.USE_HARDWARE_BREAKPOINTS;
                if (step != 0 && breakpoint.kind() == GuestDebug.Kind.EXECUTE) {
                    dr7 &= ~(2L << 2 * n);
                } else {
                    enabled |= 1 << n;
                }
            }
            control.set(ValueLayout.JAVA_LONG, DebugLayout.CONTROL_DEBUGREG + 8L * n, address);
        }
        control.set(ValueLayout.JAVA_LONG, DebugLayout.CONTROL_DEBUGREG + 56L, dr7);
        control.set(
                ValueLayout.JAVA_INT,
                DebugLayout.CONTROL,
                flags == 0 ? 0 : flags | DebugLayout.ENABLE);
        vcpu.call("set what it is to stop at", KvmAbi.SET_GUEST_DEBUG, control);
    }

    /**
     * KVM stopped for a debug exception.
     *
     * @return whether it was for the machine; if not, it is the guest's
     */
    boolean met(long dr6) {
        // DR6 may also tell of breakpoints that are not enabled (SDM 3B §19.2.3).
        int hits = (int) (dr6 & DebugLayout.DR6_BREAKPOINTS) & enabled;
        boolean stepped = stepping && (dr6 & DebugLayout.DR6_SINGLE_STEP) != 0;
        return (hits != 0 || stepped) && stop(stepped, hits);
    }

    /** The run ends for the machine. */
    boolean stop(boolean stepped, int hits) {
        stop = new GuestDebug.Stop(stepped && asked.singleStep(), hits);
        stopped = true;
        return true;
    }

    @Override
    public void close() {
        arena.close();
    }
}
