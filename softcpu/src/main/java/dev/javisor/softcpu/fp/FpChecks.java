package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;

/**
 * Whether the x87, MMX, SSE or AVX state may be used at all: CR0.EM, CR0.TS, CR4.OSFXSR, XCR0, and
 * x87 exceptions still pending (SDM 3A tables 2-1, 2-2, 2-3; SDM 2A §2.4).
 */
final class FpChecks {
    /** Summary bit of the x87 status word: an unmasked exception is pending. */
    static final int ES = 0x80;

    private FpChecks() {}

    /** Before any SSE instruction (legacy or VEX encoded) on XMM or YMM registers. */
    static void sse(Cpu cpu, Insn in) {
        if (in.vexBytes != 0) {
            avx(cpu);
        } else if ((cpu.cr0 & (Cpu.CR0_EM | Cpu.CR0_TS)) != 0 || (cpu.cr4 & Cpu.CR4_OSFXSR) == 0) {
            throw (cpu.cr0 & Cpu.CR0_EM) != 0 || (cpu.cr4 & Cpu.CR4_OSFXSR) == 0
                    ? cpu.ud()
                    : cpu.fault(GuestFault.NM);
        }
    }

    private static void avx(Cpu cpu) {
        if (!cpu.protectedMode
                || cpu.virtual8086
                || (cpu.cr4 & Cpu.CR4_OSXSAVE) == 0
                || (cpu.xcr0 & 6) != 6) {
            throw cpu.ud();
        }
        if ((cpu.cr0 & Cpu.CR0_TS) != 0) {
            throw cpu.fault(GuestFault.NM);
        }
    }

    /** Before an MMX instruction. */
    static void mmx(Cpu cpu) {
        if ((cpu.cr0 & (Cpu.CR0_EM | Cpu.CR0_TS)) != 0) {
            throw (cpu.cr0 & Cpu.CR0_EM) != 0 ? cpu.ud() : cpu.fault(GuestFault.NM);
        }
        if ((cpu.fpStatus & ES) != 0) {
            throw cpu.fault(GuestFault.MF);
        }
    }

    /** Before an x87 instruction that does not wait (FNINIT, FNSAVE, ...), FXSAVE and FXRSTOR. */
    static void x87NoWait(Cpu cpu) {
        if ((cpu.cr0 & (Cpu.CR0_EM | Cpu.CR0_TS)) != 0) {
            throw cpu.fault(GuestFault.NM);
        }
    }

    /**
     * Before an x87 instruction that reports pending exceptions.
     *
     * <p>DEVIATION: always as with CR0.NE set; the FERR#/IRQ13 way of reporting is not there.
     */
    static void x87(Cpu cpu) {
        x87NoWait(cpu);
        if ((cpu.fpStatus & ES) != 0) {
            throw cpu.fault(GuestFault.MF);
        }
    }

    /** Before FWAIT, which looks at TS only together with MP (SDM 2A, FWAIT). */
    static void fwait(Cpu cpu) {
        if ((cpu.cr0 & (Cpu.CR0_MP | Cpu.CR0_TS)) == (Cpu.CR0_MP | Cpu.CR0_TS)) {
            throw cpu.fault(GuestFault.NM);
        }
        if ((cpu.fpStatus & ES) != 0) {
            throw cpu.fault(GuestFault.MF);
        }
    }

    /** Before the XSAVE family. */
    static void xsave(Cpu cpu) {
        if ((cpu.cr4 & Cpu.CR4_OSXSAVE) == 0) {
            throw cpu.ud();
        }
        if ((cpu.cr0 & Cpu.CR0_TS) != 0) {
            throw cpu.fault(GuestFault.NM);
        }
    }
}
