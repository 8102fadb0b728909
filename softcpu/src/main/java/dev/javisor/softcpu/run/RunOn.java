package dev.javisor.softcpu.run;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/**
 * Which instructions an assistant goes on with after the first, if it was asked to. Not those that
 * the accelerator runs better or must see: level 3, which is native everywhere; ports, MSRs,
 * control registers, halts. And no stores that could change page tables: an accelerator with shadow
 * paging learns of those by write protection, which our stores go past. Stores beside the stack
 * pointer and from vector registers are none.
 */
final class RunOn {
    /** How far from RSP a store still counts as one to the stack, bytes. */
    private static final long STACK_REACH_BYTES = 4096;

    private static final int RSP = 4;
    private static final int RBP = 5;

    private RunOn() {}

    static boolean continuesWith(Cpu cpu, Insn in) {
        if (cpu.cpl == 3) {
            return false;
        }
        return switch (in.op.family()) {
            case X87, STATE, SSE, CRYPTO, AVX -> true;
            case BRANCH, DECIMAL -> true;
            case STRING -> false;
            case INTEGER -> !storesElsewhere(cpu, in);
            case SYSTEM ->
                    switch (in.op) {
                        case INT3, INT, LAR, LSL, VERR, VERW, RDTSCP, RDPID, STAC, CLAC -> true;
                        case CLI, XGETBV -> true;
                        default -> false;
                    };
        };
    }

    /** Whether the instruction stores anywhere but beside the stack pointer. */
    static boolean mayStoreToTables(Cpu cpu, Insn in) {
        return switch (in.op.family()) {
            case STRING -> true;
            case INTEGER -> storesElsewhere(cpu, in);
            default -> false;
        };
    }

    private static boolean storesElsewhere(Cpu cpu, Insn in) {
        if (in.kind0 != Insn.MEM && in.kind1 != Insn.MEM) {
            return false;
        }
        boolean reads =
                switch (in.op) {
                    case CMP, TEST, BT, LEA, PREFETCH, NOP, PUSH, BOUND -> true;
                    default -> in.kind0 != Insn.MEM && in.op != Op.XCHG;
                };
        if (reads) {
            return false;
        }
        if (in.base != RSP && in.base != RBP) {
            return true;
        }
        long distance = cpu.effectiveAddress(in) - cpu.regs[RSP];
        return distance < -STACK_REACH_BYTES || distance > STACK_REACH_BYTES;
    }
}
