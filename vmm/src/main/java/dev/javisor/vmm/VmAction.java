package dev.javisor.vmm;

import java.util.EnumSet;
import java.util.Set;

/** Everything that can be done to a virtual machine, and in which states. */
public enum VmAction {
    START(VmState.CREATED),
    PAUSE(VmState.RUNNING),
    RESUME(VmState.PAUSED),
    RESET(VmState.RUNNING, VmState.PAUSED),
    POWER_BUTTON(VmState.RUNNING),
    SWITCH_TO(VmState.RUNNING, VmState.PAUSED),
    BALLOON(VmState.RUNNING, VmState.PAUSED),
    RESIZE_DISK(VmState.RUNNING, VmState.PAUSED),
    STOP(VmState.CREATED, VmState.RUNNING, VmState.PAUSED, VmState.ENDED),
    STATUS(VmState.CREATED, VmState.RUNNING, VmState.PAUSED, VmState.ENDED);

    private final Set<VmState> states;

    VmAction(VmState first, VmState... rest) {
        states = EnumSet.of(first, rest);
    }

    /** Whether it may be done in {@code state}. */
    public boolean isLegalIn(VmState state) {
        return states.contains(state);
    }

    /** As a person writes it. */
    public String id() {
        return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }

    /**
     * @throws VmException if it may not be done in {@code state}
     */
    void require(String vm, VmState state) {
        if (!isLegalIn(state)) {
            throw new VmException(
                    "cannot %s %s: it is %s"
                            .formatted(id(), vm, state.name().toLowerCase(java.util.Locale.ROOT)));
        }
    }
}
