package dev.javisor.kvm;

import java.util.Arrays;

/** The model-specific registers that a saved vCPU carries, from the list that KVM gives. */
final class MsrList {
    static final int TSC = 0x10;
    static final int APIC_BASE = 0x1B;
    static final int TSC_DEADLINE = 0x6E0;
    static final int EFER = 0xC0000080;

    /** Of KVM's own: no guest of ours is offered it, and it is 1 all the same. */
    private static final int POLL_CONTROL = 0x4B564D05;

    /** Of AMD's nested virtualization, which no guest of ours is offered: it reads as 1.0. */
    private static final int TSC_RATIO = 0xC0000104;

    static final int FS_BASE = 0xC0000100;
    static final int GS_BASE = 0xC0000101;

    /**
     * Held elsewhere in the state, or a description of the processor, which belongs to the CPU
     * model and not to the state: PLATFORM_INFO, ARCH_CAPABILITIES, PERF_CAPABILITIES, microcode.
     * SMBASE and SMI_COUNT are of system management mode, which no guest of ours has: KVM lists
     * them, with a value, all the same.
     */
    private static final int[] NOT_STATE = {
        TSC,
        APIC_BASE,
        EFER,
        FS_BASE,
        GS_BASE,
        0x17,
        0x34,
        0x8B,
        0x9E,
        0xCE,
        0x10A,
        0x345,
        POLL_CONTROL,
        TSC_RATIO
    };

    private final int[] indices;

    MsrList(int[] kvms) {
        indices = Arrays.stream(kvms).filter(MsrList::isState).toArray();
    }

    private static boolean isState(int index) {
        boolean vmx = index >= 0x480 && index <= 0x4FF;
        // Hyper-V's interface, which no guest of ours is offered: VP_RUNTIME counts all the same.
        boolean hyperV = index >>> 16 == 0x4000;
        return !vmx && !hyperV && Arrays.stream(NOT_STATE).noneMatch(i -> i == index);
    }

    int[] indices() {
        return indices;
    }
}
