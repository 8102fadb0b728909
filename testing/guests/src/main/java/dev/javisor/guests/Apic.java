package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;

/** Guest code that works on its local APIC in x2APIC mode. */
public final class Apic {
    public static final int BASE_MSR = 0x1B;
    public static final int EOI = 0x80B;
    public static final int SPURIOUS = 0x80F;
    public static final int ICR = 0x830;
    public static final int LVT_TIMER = 0x832;
    public static final int LVT_LINT0 = 0x835;
    public static final int LVT_LINT1 = 0x836;
    public static final int INITIAL_COUNT = 0x838;
    public static final int CURRENT_COUNT = 0x839;
    public static final int DIVIDE = 0x83E;
    public static final int SELF_IPI = 0x83F;
    public static final int TSC_DEADLINE = 0x6E0;

    private Apic() {}

    /** x2APIC mode, software-enabled. Changes RAX, RCX, RDX. */
    public static void enable(Asm a) {
        a.mov(RCX, BASE_MSR).rdmsr().aluImm(Asm.Alu.OR, 4, RAX, 0xC00).wrmsr();
        a.wrmsr(SPURIOUS, 0x1FF);
    }

    /** Counts in {@code [counter]} and ends the interrupt; keeps all registers. */
    public static void countingHandler(Asm a, String label, long counter) {
        a.align(16).label(label).push(RAX).push(RCX).push(RDX);
        a.lock().incMem(4, abs(counter));
        a.wrmsr(EOI, 0);
        a.pop(RDX).pop(RCX).pop(RAX).iretq();
    }

    /** Address of a message to one APIC id, physical mode. */
    public static long message(int apicId) {
        return 0xFEE00000L | (long) apicId << 12;
    }
}
