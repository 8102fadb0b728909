package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Watchpoints;
import dev.javisor.softcpu.decode.Insn;

/**
 * Debug registers (SDM 3B §19.2). Costs nothing while {@link #armed} is false, which is the case
 * unless the low byte of DR7 is set.
 */
public final class DebugRegisters {
    /** DR6: debug register access detected. */
    public static final int DR6_BD = 1 << 13;

    /** DR6: single step. */
    public static final int DR6_BS = 1 << 14;

    /** DR6: task switch. */
    public static final int DR6_BT = 1 << 15;

    static final long DR7_GD = 1 << 13;

    /** In {@link Cpu#pendingDebug}: the instruction entered a handler, which is not stepped. */
    private static final int NO_STEP = 1 << 30;

    private static final long DR6_WRITABLE = 0xE00F;
    private static final long DR6_FIXED = 0xFFFF0FF0L;
    private static final long DR7_WRITABLE = 0xFFFF23FFL;
    private static final long DR7_FIXED = 0x400;

    // R/W fields of DR7.
    private static final int EXECUTE = 0;
    private static final int IO = 2;

    private DebugRegisters() {}

    static void mov(Cpu cpu, Insn in) {
        boolean store = in.kind0 == Insn.DR;
        int number = store ? in.reg0 : in.reg1;
        if (number > 7) {
            throw cpu.ud();
        }
        if (number == 4 || number == 5) {
            if ((cpu.cr4 & Cpu.CR4_DE) != 0) {
                throw cpu.ud();
            }
            number += 2;
        }
        ControlRegisters.requireRing0(cpu);
        if ((cpu.dr[7] & DR7_GD) != 0) {
            cpu.dr[6] |= DR6_BD;
            throw cpu.fault(GuestFault.DB);
        }
        int size = cpu.long64 ? 8 : 4;
        if (store) {
            write(cpu, number, cpu.reg(in.reg1, size));
        } else {
            cpu.setReg(in.reg0, size, cpu.dr[number]);
        }
    }

    private static void write(Cpu cpu, int number, long value) {
        if (number >= 6 && value >>> 32 != 0) {
            throw cpu.gp0();
        }
        cpu.dr[number] =
                switch (number) {
                    case 6 -> dr6(value);
                    case 7 -> dr7(value);
                    default -> value;
                };
        cpu.mmu.updateWatch();
    }

    static long dr6(long value) {
        return value & DR6_WRITABLE | DR6_FIXED;
    }

    static long dr7(long value) {
        return value & DR7_WRITABLE | DR7_FIXED;
    }

    /** Whether any breakpoint is enabled. */
    public static boolean armed(Cpu cpu) {
        return (cpu.dr[7] & 0xFF) != 0;
    }

    private static boolean enabled(long dr7, int n) {
        return (dr7 & (3L << (2 * n))) != 0;
    }

    private static int type(long dr7, int n) {
        return (int) (dr7 >>> (16 + 4 * n)) & 3;
    }

    /**
     * Before an instruction at {@code linear}: delivers #DB as a fault if a breakpoint stands there
     * and RF is clear.
     *
     * @throws GuestFault #DB, with DR6 set
     */
    public static void checkInstruction(Cpu cpu, long linear) {
        if ((cpu.flags.system & Flags.RF) != 0) {
            return;
        }
        long dr7 = cpu.dr[7];
        int hit = 0;
        for (int n = 0; n < 4; n++) {
            if (enabled(dr7, n) && type(dr7, n) == EXECUTE && cpu.dr[n] == linear) {
                hit |= 1 << n;
            }
        }
        if (hit != 0) {
            cpu.dr[6] = (cpu.dr[6] & ~0xFL) | hit;
            throw cpu.fault(GuestFault.DB);
        }
    }

    /** At a port access; needs CR4.DE. */
    static void checkPort(Cpu cpu, int port, int sizeBytes) {
        long dr7 = cpu.dr[7];
        if ((dr7 & 0xFF) == 0 || (cpu.cr4 & Cpu.CR4_DE) == 0) {
            return;
        }
        for (int n = 0; n < 4; n++) {
            if (enabled(dr7, n)
                    && type(dr7, n) == IO
                    && Watchpoints.overlaps(
                            cpu.dr[n], Watchpoints.length(dr7, n), port, sizeBytes)) {
                cpu.pendingDebug |= 1 << n;
            }
        }
    }

    /**
     * After an instruction: DR6 bits of the trap it owes, or 0; the caller passes them to {@link
     * Interrupts#deliverDebug}.
     *
     * @param stepped RFLAGS.TF was set before the instruction
     */
    public static int takePending(Cpu cpu, boolean stepped) {
        int pending = cpu.pendingDebug;
        cpu.pendingDebug = 0;
        boolean step = stepped && (pending & NO_STEP) == 0;
        return pending & ~NO_STEP | (step ? DR6_BS : 0);
    }

    /** Before INT n, SYSCALL and the like clear TF: no trap follows at the handler's start. */
    static void enteringHandler(Cpu cpu) {
        if ((cpu.flags.system & Flags.TF) != 0) {
            cpu.pendingDebug |= NO_STEP;
        }
    }
}
