package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;

/**
 * Delivery of exceptions and interrupts (SDM 3A chapter 7). The caller has set {@code cpu.rip}: the
 * faulting instruction for faults, the next one for traps and interrupts. A method that returns
 * false has met a triple fault: the vCPU shuts down.
 */
public final class Interrupts {
    /** Non-maskable interrupt. */
    public static final int NMI = 2;

    private Interrupts() {}

    /** What is delivered: decides EXT, DPL checks and RF. */
    enum Source {
        /** An exception the processor found. */
        EXCEPTION,
        /** A maskable interrupt or NMI. */
        EXTERNAL,
        /** INT n. */
        SOFTWARE,
        /** INT3, INTO: DPL is checked, but not IOPL. */
        SOFTWARE_EXCEPTION,
        /** INT1: as an external event. */
        PRIVILEGED_SOFTWARE
    }

    /**
     * Delivers an exception at {@code cpu.rip}.
     *
     * @param errorCode or -1
     * @return false on a triple fault
     */
    public static boolean deliverFault(Cpu cpu, int vector, int errorCode) {
        // An instruction that faults has met no data breakpoints.
        cpu.pendingDebug = 0;
        cpu.hostHits = 0;
        return deliver(cpu, vector, errorCode, Source.EXCEPTION);
    }

    /** Delivers an interrupt from the local APIC or the 8259 pair; ends a halt. */
    public static boolean deliverExternal(Cpu cpu, int vector) {
        cpu.halted = false;
        return deliver(cpu, vector, -1, Source.EXTERNAL);
    }

    /** Delivers an NMI and masks NMIs until IRET; ends a halt. */
    public static boolean deliverNmi(Cpu cpu) {
        cpu.halted = false;
        cpu.nmiMasked = true;
        return deliver(cpu, NMI, -1, Source.EXTERNAL);
    }

    /** Delivers a debug trap, after {@code dr6Bits} were added to DR6. */
    public static boolean deliverDebug(Cpu cpu, long dr6Bits) {
        cpu.halted = false;
        cpu.dr[6] |= dr6Bits;
        return deliver(cpu, GuestFault.DB, -1, Source.EXCEPTION);
    }

    /** Delivers what a restored state still owed. */
    public static boolean deliverOwed(Cpu cpu) {
        int vector = cpu.owedVector;
        if (vector < 0) {
            return true;
        }
        cpu.owedVector = -1;
        if (cpu.owedInterrupt) {
            return deliverExternal(cpu, vector);
        }
        return deliver(cpu, vector, cpu.owedErrorCode, Source.EXCEPTION);
    }

    /** INT n, INT3, INTO (condition already met), INT1. */
    static void software(Cpu cpu, Insn in, int vector, Source source) {
        boolean alone = cpu.mmu.alone;
        DebugRegisters.enteringHandler(cpu);
        try {
            cpu.mmu.alone = true;
            if (source == Source.SOFTWARE && cpu.virtual8086) {
                if (!RealDelivery.redirected(cpu, vector)) {
                    once(cpu, vector, -1, source);
                }
            } else {
                once(cpu, vector, -1, source);
            }
        } catch (GuestFault fault) {
            cpu.rip = in.ip;
            throw fault;
        } finally {
            cpu.mmu.alone = alone;
        }
    }

    private static boolean deliver(Cpu cpu, int first, int firstError, Source firstSource) {
        int vector = first;
        int errorCode = firstError;
        Source source = firstSource;
        boolean alone = cpu.mmu.alone;
        cpu.mmu.alone = true;
        try {
            while (true) {
                try {
                    once(cpu, vector, errorCode, source);
                    return true;
                } catch (GuestFault fault) {
                    if (source == Source.EXCEPTION && vector == GuestFault.DF) {
                        return false;
                    }
                    int second = fault.vector();
                    if (source == Source.EXCEPTION && doubles(vector, second)) {
                        vector = GuestFault.DF;
                        errorCode = 0;
                    } else {
                        vector = second;
                        errorCode = fault.errorCode();
                    }
                    source = Source.EXCEPTION;
                }
            }
        } finally {
            cpu.mmu.alone = alone;
        }
    }

    /**
     * SDM 3A table 7-5: whether {@code second} while delivering {@code first} is a double fault.
     */
    static boolean doubles(int first, int second) {
        if (isContributory(first)) {
            return isContributory(second);
        }
        return first == GuestFault.PF && (second == GuestFault.PF || isContributory(second));
    }

    private static boolean isContributory(int vector) {
        return vector == GuestFault.DE || (vector >= GuestFault.TS && vector <= GuestFault.GP);
    }

    /** Delivers one event, or throws the fault that delivery met, before any change. */
    private static void once(Cpu cpu, int vector, int errorCode, Source source) {
        if (!cpu.protectedMode) {
            RealDelivery.deliver(cpu, vector);
        } else if (cpu.longModeActive()) {
            LongDelivery.deliver(cpu, vector, errorCode, source);
        } else {
            ProtectedDelivery.deliver(cpu, vector, errorCode, source);
        }
        if (vector == GuestFault.DB) {
            cpu.dr[7] &= ~DebugRegisters.DR7_GD;
        }
        cpu.interruptShadow = false;
    }

    /** EXT: the event did not come from the program itself. */
    static int ext(Source source) {
        return switch (source) {
            case EXCEPTION, EXTERNAL, PRIVILEGED_SOFTWARE -> 1;
            case SOFTWARE, SOFTWARE_EXCEPTION -> 0;
        };
    }

    static boolean checksGatePrivilege(Source source) {
        return source == Source.SOFTWARE || source == Source.SOFTWARE_EXCEPTION;
    }

    /** RFLAGS as pushed: RF set for faults, so that an instruction breakpoint is not met again. */
    static long pushedFlags(Cpu cpu, int vector, Source source) {
        long flags = cpu.flags.rflags();
        boolean fault =
                source == Source.EXCEPTION
                        && vector != GuestFault.DB
                        && vector != GuestFault.BP
                        && vector != GuestFault.OF
                        && vector != GuestFault.DF;
        return fault ? flags | Flags.RF : flags;
    }

    /** Error code of faults about an IDT entry. */
    static int idtError(int vector, int ext) {
        return vector << 3 | 2 | ext;
    }
}
