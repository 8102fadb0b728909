package dev.javisor.hypervisor;

import java.util.SortedMap;

/**
 * All architectural state of one vCPU in neutral form: what any accelerator writes, another reads.
 * Arrays are not copied on construction; treat a state as immutable.
 *
 * @param gpr RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15 (encoding order)
 * @param rflags all bits, bit 1 set
 * @param xcr0 extended control register 0
 * @param msrs MSR index to value, everything that is not a field here
 * @param xsave standard-format XSAVE area (SDM 1 §13.4), at least 576 bytes; holds x87, SSE, AVX
 * @param lapic register page of the local APIC, 1024 bytes, a 32-bit register at each 16-byte
 *     offset (SDM 3A table 12-1; in x2APIC mode the same offsets, ID holds all 32 bits)
 */
public record CpuState(
        long[] gpr,
        long rip,
        long rflags,
        Segments segments,
        DescriptorTable gdt,
        DescriptorTable idt,
        long cr0,
        long cr2,
        long cr3,
        long cr4,
        long cr8,
        long efer,
        long xcr0,
        long[] debug,
        SortedMap<Integer, Long> msrs,
        byte[] xsave,
        byte[] lapic,
        Events events,
        Activity activity,
        long tscOffset) {

    /** The segment registers with their hidden parts. */
    public record Segments(
            Segment es,
            Segment cs,
            Segment ss,
            Segment ds,
            Segment fs,
            Segment gs,
            Segment tr,
            Segment ldtr) {}

    /**
     * One segment register.
     *
     * @param limit in bytes, inclusive, already scaled by G
     * @param attributes access rights as in bits 8..23 of a descriptor's second dword shifted right
     *     by 8 (type, S, DPL, P at 0..7; AVL, L, D/B, G at 12..15); bit 16 set means unusable
     */
    public record Segment(int selector, long base, int limit, int attributes) {}

    /** GDTR or IDTR. */
    public record DescriptorTable(long base, int limit) {}

    /**
     * Events that the next instruction boundary owes.
     *
     * @param exceptionVector pending exception to inject, or -1
     * @param exceptionErrorCode its error code, or -1 for none
     * @param interruptVector interrupt taken from the APIC or PIC but not delivered, or -1
     * @param nmiPending an NMI waits
     * @param nmiMasked NMIs are blocked until IRET
     * @param interruptShadow blocked for one instruction by STI or MOV SS
     * @param sipiVector start-up vector received, or -1
     * @param externalPending an ExtINT message has arrived, whose vector the 8259 pair still holds
     */
    public record Events(
            int exceptionVector,
            long exceptionErrorCode,
            int interruptVector,
            boolean nmiPending,
            boolean nmiMasked,
            boolean interruptShadow,
            int sipiVector,
            boolean externalPending) {
        /** Without an ExtINT message. */
        public Events(
                int exceptionVector,
                long exceptionErrorCode,
                int interruptVector,
                boolean nmiPending,
                boolean nmiMasked,
                boolean interruptShadow,
                int sipiVector) {
            this(
                    exceptionVector,
                    exceptionErrorCode,
                    interruptVector,
                    nmiPending,
                    nmiMasked,
                    interruptShadow,
                    sipiVector,
                    false);
        }
    }

    /** What the vCPU is doing (SDM 3C §26.4.2 uses the same words). */
    public enum Activity {
        RUNNING,
        HALTED,
        WAIT_FOR_INIT,
        WAIT_FOR_SIPI
    }
}
