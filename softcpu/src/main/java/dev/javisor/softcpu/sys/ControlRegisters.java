package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.PageWalker;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;

/** MOV to and from CR, LMSW, CLTS, XSETBV, EFER: the mode changes (SDM 3A §2.5, §11.8, §11.9). */
final class ControlRegisters {
    private static final long CR0_BITS =
            Cpu.CR0_PE
                    | Cpu.CR0_MP
                    | Cpu.CR0_EM
                    | Cpu.CR0_TS
                    | Cpu.CR0_ET
                    | Cpu.CR0_NE
                    | Cpu.CR0_WP
                    | Cpu.CR0_AM
                    | Cpu.CR0_NW
                    | Cpu.CR0_CD
                    | Cpu.CR0_PG;

    /** Automatic IBRS: accepted, as no guest branch is predicted across privilege levels. */
    static final long EFER_AUTOIBRS = 1 << 21;

    private static final long EFER_BITS =
            Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE | EFER_AUTOIBRS;

    private static final long CR4_FLUSH =
            Cpu.CR4_PSE
                    | Cpu.CR4_PAE
                    | Cpu.CR4_PGE
                    | Cpu.CR4_PCIDE
                    | Cpu.CR4_SMEP
                    | Cpu.CR4_SMAP
                    | Cpu.CR4_LA57;

    /** Bits that reload PAE's pointer registers when they change (SDM 3A §4.4.1). */
    private static final long CR4_PDPTE = Cpu.CR4_PSE | Cpu.CR4_PAE | Cpu.CR4_PGE | Cpu.CR4_SMEP;

    /** MOV to CR3 with PCIDs: keep the translations. */
    private static final long CR3_NO_FLUSH = 1L << 63;

    private ControlRegisters() {}

    static void mov(Cpu cpu, Insn in) {
        requireRing0(cpu);
        int size = cpu.long64 ? 8 : 4;
        if (in.kind0 == Insn.CR) {
            write(cpu, in.reg0, cpu.reg(in.reg1, size));
        } else {
            cpu.setReg(in.reg0, size, read(cpu, in.reg1));
        }
    }

    static void requireRing0(Cpu cpu) {
        if (cpu.cpl != 0) {
            throw cpu.gp0();
        }
    }

    private static long read(Cpu cpu, int number) {
        return switch (number) {
            case 0 -> cpu.cr0;
            case 2 -> cpu.cr2;
            case 3 -> cpu.cr3;
            case 4 -> cpu.cr4;
            case 8 -> cpu.platform.taskPriorityClass();
            default -> throw cpu.ud();
        };
    }

    private static void write(Cpu cpu, int number, long value) {
        switch (number) {
            case 0 -> writeCr0(cpu, value);
            case 2 -> cpu.cr2 = value;
            case 3 -> writeCr3(cpu, value);
            case 4 -> writeCr4(cpu, value);
            case 8 -> {
                if ((value & ~0xFL) != 0) {
                    throw cpu.gp0();
                }
                cpu.platform.setTaskPriorityClass((int) value);
            }
            default -> throw cpu.ud();
        }
    }

    static boolean usesPdptes(long cr0, long cr4, long efer) {
        return (cr0 & Cpu.CR0_PG) != 0 && (cr4 & Cpu.CR4_PAE) != 0 && (efer & Cpu.EFER_LME) == 0;
    }

    /** Whether these bits of CR0 can stand together. */
    static boolean isValidCr0(long cr0) {
        boolean pgWithoutPe = (cr0 & (Cpu.CR0_PG | Cpu.CR0_PE)) == Cpu.CR0_PG;
        boolean nwWithoutCd = (cr0 & (Cpu.CR0_NW | Cpu.CR0_CD)) == Cpu.CR0_NW;
        return cr0 >>> 32 == 0 && !pgWithoutPe && !nwWithoutCd;
    }

    static void writeCr0(Cpu cpu, long value) {
        if (!isValidCr0(value)) {
            throw cpu.gp0();
        }
        long next = value & CR0_BITS | Cpu.CR0_ET;
        long changed = next ^ cpu.cr0;
        boolean paging = (next & Cpu.CR0_PG) != 0;
        long efer = cpu.efer;
        if ((changed & Cpu.CR0_PG) != 0) {
            if (!paging && (cpu.long64 || (cpu.cr4 & Cpu.CR4_PCIDE) != 0)) {
                throw cpu.gp0();
            }
            if (paging && (efer & Cpu.EFER_LME) != 0) {
                boolean tss16 = (cpu.segAttributes[Seg.TR] & 0x1D) == Descriptor.TSS16_AVAILABLE;
                if ((cpu.cr4 & Cpu.CR4_PAE) == 0
                        || (cpu.segAttributes[Seg.CS] & Seg.L) != 0
                        || tss16) {
                    throw cpu.gp0();
                }
                efer |= Cpu.EFER_LMA;
            } else {
                efer &= ~Cpu.EFER_LMA;
            }
        }
        if ((changed & (Cpu.CR0_PG | Cpu.CR0_CD | Cpu.CR0_NW)) != 0
                && usesPdptes(next, cpu.cr4, efer)) {
            cpu.mmu.walker().loadPdptes(cpu.cr3);
        }
        boolean wasProtected = cpu.protectedMode;
        cpu.cr0 = next;
        cpu.efer = efer;
        if ((changed & (Cpu.CR0_PG | Cpu.CR0_WP | Cpu.CR0_PE)) != 0) {
            cpu.mmu.flushAll();
        }
        if (wasProtected != ((next & Cpu.CR0_PE) != 0)) {
            // Entered or left from level 0; SS keeps that level until it is loaded.
            cpu.segAttributes[Seg.SS] &= ~(3 << Seg.DPL_SHIFT);
        }
        cpu.updateMode();
    }

    private static void writeCr3(Cpu cpu, long value) {
        long next = value;
        boolean keep = false;
        if (cpu.longModeActive()) {
            if ((cpu.cr4 & Cpu.CR4_PCIDE) != 0) {
                keep = (next & CR3_NO_FLUSH) != 0;
                next &= ~CR3_NO_FLUSH;
            }
            if (next >>> PageWalker.PHYSICAL_BITS != 0) {
                throw cpu.gp0();
            }
        } else {
            next &= 0xFFFFFFFFL;
        }
        if (usesPdptes(cpu.cr0, cpu.cr4, cpu.efer)) {
            cpu.mmu.walker().loadPdptes(next);
        }
        boolean same = next == cpu.cr3;
        cpu.cr3 = next;
        // The soft TLB knows no PCIDs: dropping more than asked for is always allowed (SDM 3A
        // §4.10.4.1); only the same address space may keep its translations.
        if (!keep || !same) {
            cpu.mmu.flushNonGlobal();
        }
    }

    /** CR3 from a TSS. */
    static void loadCr3(Cpu cpu, long value) {
        writeCr3(cpu, value);
    }

    static void writeCr4(Cpu cpu, long value) {
        if ((value & ~cpu.platform.cr4Bits()) != 0) {
            throw cpu.gp0();
        }
        long changed = value ^ cpu.cr4;
        if (cpu.longModeActive()) {
            if ((value & Cpu.CR4_PAE) == 0 || (changed & Cpu.CR4_LA57) != 0) {
                throw cpu.gp0();
            }
        }
        if ((changed & value & Cpu.CR4_PCIDE) != 0
                && (!cpu.longModeActive() || (cpu.cr3 & 0xFFF) != 0)) {
            throw cpu.gp0();
        }
        if ((changed & CR4_PDPTE) != 0 && usesPdptes(cpu.cr0, value, cpu.efer)) {
            cpu.mmu.walker().loadPdptes(cpu.cr3);
        }
        cpu.cr4 = value;
        if ((changed & CR4_FLUSH) != 0) {
            cpu.mmu.flushAll();
        }
        cpu.updateMode();
    }

    static boolean isValidEfer(long value) {
        return (value & ~EFER_BITS) == 0;
    }

    static void writeEfer(Cpu cpu, long value) {
        if (!isValidEfer(value)) {
            throw cpu.gp0();
        }
        long changed = value ^ cpu.efer;
        if ((changed & Cpu.EFER_LME) != 0 && (cpu.cr0 & Cpu.CR0_PG) != 0) {
            throw cpu.gp0();
        }
        cpu.efer = (value & ~Cpu.EFER_LMA) | (cpu.efer & Cpu.EFER_LMA);
        if ((changed & Cpu.EFER_NXE) != 0) {
            cpu.mmu.flushAll();
        }
        cpu.updateMode();
    }

    /** Loads CR0 bits 3..0; PE can be set, not cleared. */
    static void lmsw(Cpu cpu, Insn in) {
        requireRing0(cpu);
        long value = cpu.read(in, in.kind0, in.reg0, 2);
        long keepPe = cpu.cr0 & Cpu.CR0_PE;
        writeCr0(cpu, (cpu.cr0 & ~0xFL) | (value & 0xF) | keepPe);
    }

    static void smsw(Cpu cpu, Insn in) {
        checkUmip(cpu);
        if (in.kind0 == Insn.MEM) {
            cpu.write(in, Insn.MEM, 0, 2, cpu.cr0);
        } else {
            cpu.setReg(in.reg0, in.opSize, cpu.cr0);
        }
    }

    static void clts(Cpu cpu) {
        requireRing0(cpu);
        cpu.cr0 &= ~Cpu.CR0_TS;
        cpu.updateMode();
    }

    /** User-mode instruction prevention: SGDT, SIDT, SLDT, STR, SMSW. */
    static void checkUmip(Cpu cpu) {
        if (cpu.cpl != 0 && (cpu.cr4 & Cpu.CR4_UMIP) != 0) {
            throw cpu.gp0();
        }
    }

    static void xgetbv(Cpu cpu) {
        if ((cpu.cr4 & Cpu.CR4_OSXSAVE) == 0) {
            throw cpu.ud();
        }
        if ((cpu.regs[1] & 0xFFFFFFFFL) != 0) {
            throw cpu.gp0();
        }
        cpu.regs[0] = cpu.xcr0 & 0xFFFFFFFFL;
        cpu.regs[2] = cpu.xcr0 >>> 32;
    }

    static void xsetbv(Cpu cpu) {
        if ((cpu.cr4 & Cpu.CR4_OSXSAVE) == 0) {
            throw cpu.ud();
        }
        requireRing0(cpu);
        long value = (cpu.regs[2] << 32) | (cpu.regs[0] & 0xFFFFFFFFL);
        if ((cpu.regs[1] & 0xFFFFFFFFL) != 0 || !isValidXcr0(value, cpu.platform.xcr0Bits())) {
            throw cpu.gp0();
        }
        cpu.xcr0 = value;
        cpu.updateMode();
    }

    /** x87 always; AVX only with SSE (SDM 1 §13.3). */
    static boolean isValidXcr0(long value, long supported) {
        return (value & ~supported) == 0 && (value & 1) != 0 && (value & 6) != 4;
    }
}
