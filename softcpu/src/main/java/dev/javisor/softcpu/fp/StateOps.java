package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.decode.Insn;

/** Saving and restoring x87, SSE and AVX state (SDM 1 chapters 10.5 and 13; SDM 2). */
public final class StateOps {
    private static final long COMPACTED = 1L << 63;

    private StateOps() {}

    public static void execute(Cpu cpu, Insn in) {
        switch (in.op) {
            case FXSAVE -> fxsave(cpu, in);
            case FXRSTOR -> fxrstor(cpu, in);
            case XSAVE -> xsave(cpu, in, false);
            case XSAVEOPT -> xsave(cpu, in, true);
            case XSAVEC -> xsavec(cpu, in);
            case XSAVES -> {
                privileged(cpu);
                xsavec(cpu, in);
            }
            case XRSTOR -> xrstor(cpu, in, false);
            case XRSTORS -> {
                privileged(cpu);
                xrstor(cpu, in, true);
            }
            case LDMXCSR -> {
                FpChecks.sse(cpu, in);
                long value = cpu.mmu.read32(cpu.linear(in, 4, false));
                if ((value & ~FpuArea.MXCSR_MASK) != 0) {
                    throw cpu.gp0();
                }
                cpu.mxcsr = (int) value;
            }
            case STMXCSR -> {
                FpChecks.sse(cpu, in);
                cpu.mmu.write32(cpu.linear(in, 4, true), cpu.mxcsr);
            }
            case EMMS -> {
                FpChecks.mmx(cpu);
                cpu.fpTop = 0;
                cpu.fpEmpty = 0xFF;
            }
            default -> throw cpu.ud();
        }
    }

    /** XSAVES and XRSTORS: #UD and #NM come before the privilege check. */
    private static void privileged(Cpu cpu) {
        FpChecks.xsave(cpu);
        if (cpu.cpl != 0) {
            throw cpu.gp0();
        }
    }

    /** XMM and YMM registers that exist in the current mode. */
    private static int registers(Cpu cpu) {
        return cpu.long64 ? 16 : 8;
    }

    private static long area(Cpu cpu, Insn in, int sizeBytes, int alignBytes, boolean write) {
        long linear = cpu.linear(in, sizeBytes, write);
        if ((linear & (alignBytes - 1)) != 0) {
            throw cpu.gp0();
        }
        return linear;
    }

    private static void fxsave(Cpu cpu, Insn in) {
        FpChecks.x87NoWait(cpu);
        long linear = area(cpu, in, 512, 16, true);
        Mmu mmu = cpu.mmu;
        mmu.probeWrite(linear, 512);
        long[] area = cpu.fpu.area;
        FpuArea.storeX87(cpu, area, in.opSize == 8);
        FpuArea.storeMxcsr(cpu, area);
        writeX87(mmu, linear, area);
        mmu.write64(linear + 8 * FpuArea.MXCSR_WORD, area[FpuArea.MXCSR_WORD]);
        // Without OSFXSR the XMM registers need not be saved (SDM 2A, FXSAVE).
        if ((cpu.cr4 & Cpu.CR4_OSFXSR) != 0) {
            int n = registers(cpu);
            FpuArea.storeSse(cpu, area, n);
            writeWords(mmu, linear, area, FpuArea.XMM_WORD, 2 * n);
        }
    }

    private static void fxrstor(Cpu cpu, Insn in) {
        FpChecks.x87NoWait(cpu);
        long linear = area(cpu, in, 512, 16, false);
        Mmu mmu = cpu.mmu;
        long[] area = cpu.fpu.area;
        mmu.read8(linear + 511);
        int n = registers(cpu);
        readWords(mmu, linear, area, 0, FpuArea.XMM_WORD + 2 * n);
        boolean sse = (cpu.cr4 & Cpu.CR4_OSFXSR) != 0;
        int mxcsr = (int) area[FpuArea.MXCSR_WORD];
        if (sse && (mxcsr & ~FpuArea.MXCSR_MASK) != 0) {
            throw cpu.gp0();
        }
        FpuArea.loadX87(cpu, area, in.opSize == 8);
        if (sse) {
            cpu.mxcsr = mxcsr;
            FpuArea.loadSse(cpu, area, n);
        }
    }

    /** EDX:EAX limited to what is enabled. */
    private static long requested(Cpu cpu) {
        return ((cpu.regs[2] & 0xFFFFFFFFL) << 32 | (cpu.regs[0] & 0xFFFFFFFFL)) & cpu.xcr0;
    }

    /** XINUSE (SDM 1 §13.6). */
    private static long inUse(Cpu cpu) {
        int n = registers(cpu);
        return (FpuArea.x87InUse(cpu) ? FpuArea.X87 : 0)
                | (FpuArea.sseInUse(cpu, n) ? FpuArea.SSE : 0)
                | (FpuArea.avxInUse(cpu, n) ? FpuArea.AVX : 0);
    }

    private static int areaBytes(long components) {
        return (components & FpuArea.AVX) != 0 ? FpuArea.SIZE_BYTES : 8 * FpuArea.AVX_WORD;
    }

    /** Standard format; {@code optimized}: components in initial state are not written. */
    private static void xsave(Cpu cpu, Insn in, boolean optimized) {
        FpChecks.xsave(cpu);
        long request = requested(cpu);
        int size = areaBytes(request);
        long linear = area(cpu, in, size, 64, true);
        Mmu mmu = cpu.mmu;
        mmu.probeWrite(linear, size);
        long used = inUse(cpu);
        long old = mmu.read64(linear + 8 * FpuArea.XSTATE_BV_WORD);
        writeComponents(cpu, in, linear, optimized ? request & used : request);
        if ((request & (FpuArea.SSE | FpuArea.AVX)) != 0) {
            writeMxcsr(cpu, linear);
        }
        mmu.write64(linear + 8 * FpuArea.XSTATE_BV_WORD, (old & ~request) | (request & used));
    }

    /** Compacted format (XSAVEC, XSAVES); MXCSR belongs to the SSE component. */
    private static void xsavec(Cpu cpu, Insn in) {
        FpChecks.xsave(cpu);
        long request = requested(cpu);
        int size = areaBytes(request);
        long linear = area(cpu, in, size, 64, true);
        Mmu mmu = cpu.mmu;
        mmu.probeWrite(linear, size);
        long used = inUse(cpu);
        if (cpu.mxcsr != FpuArea.MXCSR_INITIAL) {
            used |= FpuArea.SSE;
        }
        long saved = request & used;
        writeComponents(cpu, in, linear, saved);
        if ((saved & FpuArea.SSE) != 0) {
            writeMxcsr(cpu, linear);
        }
        mmu.write64(linear + 8 * FpuArea.XSTATE_BV_WORD, saved);
        mmu.write64(linear + 8 * FpuArea.XCOMP_BV_WORD, request | COMPACTED);
    }

    private static void writeMxcsr(Cpu cpu, long linear) {
        FpuArea.storeMxcsr(cpu, cpu.fpu.area);
        cpu.mmu.write64(linear + 8 * FpuArea.MXCSR_WORD, cpu.fpu.area[FpuArea.MXCSR_WORD]);
    }

    /** AVX is the only extended component, so its place is 576 in both formats. */
    private static void writeComponents(Cpu cpu, Insn in, long linear, long components) {
        long[] area = cpu.fpu.area;
        int n = registers(cpu);
        if ((components & FpuArea.X87) != 0) {
            FpuArea.storeX87(cpu, area, in.opSize == 8);
            writeX87(cpu.mmu, linear, area);
        }
        if ((components & FpuArea.SSE) != 0) {
            FpuArea.storeSse(cpu, area, n);
            writeWords(cpu.mmu, linear, area, FpuArea.XMM_WORD, 2 * n);
        }
        if ((components & FpuArea.AVX) != 0) {
            FpuArea.storeAvx(cpu, area, n);
            writeWords(cpu.mmu, linear, area, FpuArea.AVX_WORD, 2 * n);
        }
    }

    private static void xrstor(Cpu cpu, Insn in, boolean supervisor) {
        FpChecks.xsave(cpu);
        long request = requested(cpu);
        int size = areaBytes(request);
        long linear = area(cpu, in, size, 64, false);
        Mmu mmu = cpu.mmu;
        long[] area = cpu.fpu.area;
        mmu.read8(linear + size - 1);
        readWords(mmu, linear, area, 0, size / 8);
        long present = area[FpuArea.XSTATE_BV_WORD];
        boolean compacted = area[FpuArea.XCOMP_BV_WORD] < 0;
        checkHeader(cpu, area, supervisor);
        int mxcsr = (int) area[FpuArea.MXCSR_WORD];
        // Compacted: MXCSR is part of SSE. Standard: loaded for SSE or AVX, whatever XSTATE_BV
        // says.
        boolean loadMxcsr =
                compacted
                        ? (request & present & FpuArea.SSE) != 0
                        : (request & (FpuArea.SSE | FpuArea.AVX)) != 0;
        if (loadMxcsr && (mxcsr & ~FpuArea.MXCSR_MASK) != 0) {
            throw cpu.gp0();
        }
        int n = registers(cpu);
        if ((request & FpuArea.X87) != 0) {
            if ((present & FpuArea.X87) != 0) {
                FpuArea.loadX87(cpu, area, in.opSize == 8);
            } else {
                FpuArea.initX87(cpu);
            }
        }
        if ((request & FpuArea.SSE) != 0) {
            if ((present & FpuArea.SSE) != 0) {
                FpuArea.loadSse(cpu, area, n);
            } else {
                FpuArea.initSse(cpu, n);
            }
        }
        if (loadMxcsr) {
            cpu.mxcsr = mxcsr;
        } else if ((request & FpuArea.SSE) != 0) {
            cpu.mxcsr = FpuArea.MXCSR_INITIAL;
        }
        if ((request & FpuArea.AVX) != 0) {
            if ((present & FpuArea.AVX) != 0) {
                FpuArea.loadAvx(cpu, area, n);
            } else {
                FpuArea.initAvx(cpu, n);
            }
        }
    }

    /** SDM 1 §13.8, §13.12: what the header may hold. */
    private static void checkHeader(Cpu cpu, long[] area, boolean supervisor) {
        long present = area[FpuArea.XSTATE_BV_WORD];
        long layout = area[FpuArea.XCOMP_BV_WORD];
        boolean bad;
        if (layout < 0) {
            long components = layout & ~COMPACTED;
            bad = (components & ~cpu.xcr0) != 0 || (present & ~components) != 0;
            for (int i = FpuArea.XCOMP_BV_WORD + 1; i < FpuArea.AVX_WORD; i++) {
                bad |= area[i] != 0;
            }
        } else {
            bad = supervisor || (present & ~cpu.xcr0) != 0;
            bad |= layout != 0 || area[FpuArea.XCOMP_BV_WORD + 1] != 0;
        }
        if (bad) {
            throw cpu.gp0();
        }
    }

    // ------------------------------------------------------------------ memory

    /** Words 0..2 and the data registers; bytes 10..15 of each of these become zero. */
    private static void writeX87(Mmu mmu, long linear, long[] area) {
        writeWords(mmu, linear, area, 0, 3);
        writeWords(mmu, linear, area, FpuArea.ST_WORD, 16);
    }

    private static void writeWords(Mmu mmu, long linear, long[] area, int first, int count) {
        for (int i = first; i < first + count; i++) {
            mmu.write64(linear + 8L * i, area[i]);
        }
    }

    private static void readWords(Mmu mmu, long linear, long[] area, int first, int count) {
        for (int i = first; i < first + count; i++) {
            area[i] = mmu.read64(linear + 8L * i);
        }
    }
}
