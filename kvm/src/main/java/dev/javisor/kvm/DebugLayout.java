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

    private DebugLayout() {}
}
