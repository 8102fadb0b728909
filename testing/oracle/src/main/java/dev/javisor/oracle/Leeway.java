package dev.javisor.oracle;

import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;

/**
 * What the architecture leaves to the processor beyond undefined flags, so that a difference is not
 * an error. {@code docs/silicon.md} has the list in words.
 */
final class Leeway {
    private Leeway() {}

    /**
     * Faulting instructions that may leave part of their stores, or whose order of accesses and
     * checks is the processor's own: only that both sides fault counts.
     */
    static boolean faultOnly(Insn in) {
        return switch (in.op) {
            case ENTER, PUSHA, POPA, BOUND, CMPS, CALL, MASKMOVQ, MASKMOVDQU -> true;
            default -> CaseGenerator.isGather(in);
        };
    }

    /**
     * Whether silicon may fault where the software CPU does not: bytes that the mask leaves out
     * (SDM 2B, MASKMOVQ: as implemented); MOVSXD to 16 bits, which reads four bytes on AMD's.
     */
    static boolean mayReachFurther(Insn in) {
        return switch (in.op) {
            case MASKMOVQ, MASKMOVDQU -> true;
            case MOVSXD -> in.opSize == 2;
            default -> false;
        };
    }

    /**
     * Whether silicon may go on (or fault otherwise) where the software CPU raised {@code vector}.
     *
     * @param address CR2 of the software CPU for #PF
     */
    static boolean fault(Insn in, int vector, int trap, long address) {
        if (vector == GuestFault.PF) {
            // Beyond a limit of 4 GiB: a limit violation or not (SDM 3A §6.3).
            return in.mode == 32
                    && address >= 0xFFFF_FFF0L
                    && (trap == GuestFault.GP || trap == GuestFault.SS);
        }
        if (vector != GuestFault.GP) {
            return false;
        }
        return switch (in.op) {
            // AMD's take misaligned memory operands here.
            case SHA1RNDS4, SHA1NEXTE, SHA1MSG1, SHA1MSG2, SHA256RNDS2, SHA256MSG1, SHA256MSG2 ->
                    true;
            // MXCSR bit 17 exists on AMD's (misaligned SSE mode) and is reserved on Intel's.
            case LDMXCSR -> true;
            default -> false;
        };
    }

    /** Bits of the x87 status word that need not agree: C1, which AMD's FCOMI leaves. */
    static int statusWord(Insn in) {
        return switch (in.op) {
            case FCOMI, FCOMIP, FUCOMI, FUCOMIP -> 1 << 9;
            default -> 0;
        };
    }
}
