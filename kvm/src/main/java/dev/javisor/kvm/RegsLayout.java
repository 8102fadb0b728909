package dev.javisor.kvm;

/** struct kvm_regs: offsets in bytes. */
final class RegsLayout {
    static final int SIZE_BYTES = 144;
    static final int RIP = 128;
    static final int RFLAGS = 136;

    /** Where general registers are, in encoding order: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI. */
    private static final int[] GPR = {
        0, 16, 24, 8, 48, 56, 32, 40, 64, 72, 80, 88, 96, 104, 112, 120
    };

    private RegsLayout() {}

    static int gpr(int register) {
        return GPR[register];
    }
}
