package dev.javisor.softcpu.run;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.sys.Interrupts;
import org.jspecify.annotations.Nullable;

/** From an instruction's fault to the guest's handler. */
final class FaultDelivery {
    private FaultDelivery() {}

    /**
     * Delivers an exception at {@code cpu.rip}; false on triple fault.
     *
     * @param in the instruction, or null if fetching it faulted
     */
    static boolean deliver(Cpu cpu, GuestFault fault, @Nullable Insn in) {
        int vector = fault.vector();
        if (cpu.mmu.nonCanonical) {
            cpu.mmu.nonCanonical = false;
            if (vector == GuestFault.GP && in != null && usesStack(in)) {
                vector = GuestFault.SS;
            }
        }
        cpu.halted = false;
        return Interrupts.deliverFault(cpu, vector, fault.errorCode());
    }

    private static boolean usesStack(Insn in) {
        if (in.kind0 == Insn.MEM || in.kind1 == Insn.MEM || in.kind2 == Insn.MEM) {
            return in.seg == Seg.SS;
        }
        return switch (in.op) {
            case PUSH, POP, PUSHF, POPF, CALL, RET, ENTER, LEAVE, PUSH_SEG, POP_SEG -> true;
            default -> false;
        };
    }
}
