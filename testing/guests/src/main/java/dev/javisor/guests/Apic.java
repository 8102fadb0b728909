package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;

/** Guest code that works on its local APIC in x2APIC mode. */
final class Apic {
    static final int BASE_MSR = 0x1B;
    static final int EOI = 0x80B;
    static final int SPURIOUS = 0x80F;
    static final int ICR = 0x830;
    static final int LVT_TIMER = 0x832;
    static final int LVT_LINT0 = 0x835;
    static final int LVT_LINT1 = 0x836;
    static final int INITIAL_COUNT = 0x838;
    static final int CURRENT_COUNT = 0x839;
    static final int DIVIDE = 0x83E;
    static final int SELF_IPI = 0x83F;
    static final int TSC_DEADLINE = 0x6E0;

    private Apic() {}

    /** x2APIC mode, software-enabled. Changes RAX, RCX, RDX. */
    static void enable(Asm a) {
        a.mov(RCX, BASE_MSR).rdmsr().aluImm(Asm.Alu.OR, 4, RAX, 0xC00).wrmsr();
        a.wrmsr(SPURIOUS, 0x1FF);
    }

    /** Counts in {@code [counter]} and ends the interrupt; keeps all registers. */
    static void countingHandler(Asm a, String label, long counter) {
        a.align(16).label(label).push(RAX).push(RCX).push(RDX);
        a.lock().incMem(4, abs(counter));
        a.wrmsr(EOI, 0);
        a.pop(RDX).pop(RCX).pop(RAX).iretq();
    }

    /** Address of a message to one APIC id, physical mode. */
    static long message(int apicId) {
        return 0xFEE00000L | (long) apicId << 12;
    }
}
