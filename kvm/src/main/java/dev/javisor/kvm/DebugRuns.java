package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuState.Activity;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.hypervisor.VcpuBus;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

/** The runs of one vCPU while the machine wants to stop at something: see docs/adr/0012. */
final class DebugRuns {
    private final HostDebug debug;
    private final VcpuState state;
    private final Assistance assistance;
    private final Function<VcpuBus, ExitReason> loop;
    private final BooleanSupplier takesKick;
    private String detail = "";

    /**
     * @param loop runs until the machine must decide something
     * @param takesKick serves requests; whether to return at once
     */
    DebugRuns(
            HostDebug debug,
            VcpuState state,
            Assistance assistance,
            Function<VcpuBus, ExitReason> loop,
            BooleanSupplier takesKick) {
        this.debug = debug;
        this.state = state;
        this.assistance = assistance;
        this.loop = loop;
        this.takesKick = takesKick;
    }

    /** About how the last run ended, if this knows more than {@code loop}; else empty. */
    String detail() {
        return detail;
    }

    ExitReason run(VcpuBus bus) {
        detail = "";
        boolean resumes = debug.begin();
        boolean single = debug.asked().singleStep();
        int here = debug.asked().at(state.linearRip());
        if (here != 0 && !resumes) {
            debug.stop(false, here);
            return stopped();
        }
        if (single || here != 0) {
            // KVM would stop before an instruction with a breakpoint again and again.
            ExitReason reason = step(bus);
            if (reason != ExitReason.DEBUG) {
                return reason;
            }
            if (single || debug.stop().breakpoints() != 0) {
                return stopped();
            }
            debug.forget();
        }
        ExitReason reason = loop.apply(bus);
        return reason == ExitReason.DEBUG ? stopped() : reason;
    }

    /** A stop also tells what stands before the next instruction: a run begins behind that. */
    private ExitReason stopped() {
        long linear = state.linearRip();
        debug.stop(debug.stop().stepped(), debug.stop().breakpoints() | debug.asked().at(linear));
        detail = "%s at %#x".formatted(debug.stop(), linear);
        return ExitReason.DEBUG;
    }

    /** Executes one instruction. */
    private ExitReason step(VcpuBus bus) {
        if (takesKick.getAsBoolean()) {
            return ExitReason.KICKED;
        }
        Activity activity = state.activity();
        if (activity == Activity.RUNNING) {
            switch (assistance.step(bus)) {
                case EXECUTED -> {
                    debug.stop(true, assistance.breakpoints());
                    return ExitReason.DEBUG;
                }
                case SHUTDOWN -> {
                    detail = "triple fault\n" + state.dump();
                    return ExitReason.SHUTDOWN;
                }
                case DECLINED -> {
                    // What KVM executes itself; none of it changes the guest's own trap flag.
                }
            }
        }
        boolean trap = state.hasTrapFlag();
        state.buffers().flush();
        debug.beginStep(activity == Activity.RUNNING);
        ExitReason reason;
        try {
            reason = loop.apply(bus);
        } finally {
            debug.endStep();
        }
        if (trap) {
            state.setTrapFlag();
            if (reason == ExitReason.DEBUG) {
                state.raiseDebug(DebugLayout.DR6_SINGLE_STEP);
            }
        }
        return reason;
    }
}
