package dev.javisor.kvm;

/** struct kvm_debugregs and struct kvm_guest_debug: offsets in bytes. */
final class DebugLayout {
    static final int SIZE_BYTES = 128;
    static final int DB = 0;
    static final int DR6 = 32;
    static final int DR7 = 40;

    // struct kvm_guest_debug
    static final int CONTROL_BYTES = 72;
    static final int CONTROL = 0;
    static final int CONTROL_DEBUGREG = 8;

    static final int ENABLE = 1;
    static final int SINGLE_STEP = 2;
    static final int USE_HARDWARE_BREAKPOINTS = 0x20000;

    /** No interrupts and NMIs meanwhile: where KVM_CAP_SET_GUEST_DEBUG2 has it. */
    static final int BLOCK_INTERRUPTS = 0x100000;

    // DR6 and DR7 (SDM 3B §19.2).
    static final long DR6_BREAKPOINTS = 0xF;
    static final long DR6_ACCESS_DETECTED = 1 << 13;
    static final long DR6_SINGLE_STEP = 1 << 14;

    private DebugLayout() {}
}
