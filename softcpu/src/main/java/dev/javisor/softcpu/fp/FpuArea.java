package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The XSAVE area in standard format (SDM 1 §13.4): legacy region of 512 bytes, header of 64, AVX
 * state of 256 at offset 576. Instructions work on it as little-endian 64-bit words.
 */
public final class FpuArea {
    /** Bytes of an area with every component known here. */
    public static final int SIZE_BYTES = 832;

    static final int WORDS = SIZE_BYTES / 8;

    // State components: bits of XCR0, XSTATE_BV, XCOMP_BV.
    static final long X87 = 1;
    static final long SSE = 2;
    static final long AVX = 4;

    // Offsets in words.
    static final int MXCSR_WORD = 3;
    static final int ST_WORD = 4;
    static final int XMM_WORD = 20;
    static final int XSTATE_BV_WORD = 64;
    static final int XCOMP_BV_WORD = 65;
    static final int AVX_WORD = 72;

    /** Bits of MXCSR that may be set; the others are reserved (SDM 1 §11.6.6). */
    static final int MXCSR_MASK = 0xFFFF;

    static final int MXCSR_INITIAL = 0x1F80;
    static final int CONTROL_INITIAL = 0x37F;

    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private FpuArea() {}

    /**
     * Writes all x87, SSE and AVX state, in standard format with a valid header.
     *
     * @param bytes at least 576; what does not fit (AVX) is left out and not named in the header
     */
    public static void save(Cpu cpu, byte[] bytes) {
        long[] area = cpu.fpu.area;
        Arrays.fill(area, 0);
        storeX87(cpu, area, true);
        storeSse(cpu, area, 16);
        storeMxcsr(cpu, area);
        storeAvx(cpu, area, 16);
        boolean avx = bytes.length >= SIZE_BYTES;
        area[XSTATE_BV_WORD] = X87 | SSE | (avx ? AVX : 0);
        Arrays.fill(bytes, (byte) 0);
        for (int i = 0; i < (avx ? WORDS : AVX_WORD); i++) {
            LONG.set(bytes, 8 * i, area[i]);
        }
    }

    /**
     * Loads what {@link #save} (or another accelerator) wrote. Components that the header does not
     * name, or that are missing, get their initial state; reserved bits of MXCSR are dropped.
     */
    public static void load(Cpu cpu, byte[] bytes) {
        long[] area = cpu.fpu.area;
        Arrays.fill(area, 0);
        for (int i = 0; i < WORDS && 8 * i + 8 <= bytes.length; i++) {
            area[i] = (long) LONG.get(bytes, 8 * i);
        }
        long present = area[XSTATE_BV_WORD];
        if ((present & X87) != 0) {
            loadX87(cpu, area, true);
        } else {
            initX87(cpu);
        }
        if ((present & SSE) != 0) {
            loadSse(cpu, area, 16);
        } else {
            initSse(cpu, 16);
        }
        int mxcsr = (int) area[MXCSR_WORD] & MXCSR_MASK;
        cpu.mxcsr = (present & (SSE | AVX)) != 0 ? mxcsr : MXCSR_INITIAL;
        if ((present & AVX) != 0) {
            loadAvx(cpu, area, 16);
        } else {
            initAvx(cpu, 16);
        }
    }

    // ------------------------------------------------------------------ x87

    /** The status word with TOP in bits 11..13. */
    static int statusWord(Cpu cpu) {
        return (cpu.fpStatus & ~0x3800) | cpu.fpTop << 11;
    }

    /** Sets status word and TOP; ES and B follow from flags and masks. */
    static void setStatusWord(Cpu cpu, int value) {
        cpu.fpTop = (value >> 11) & 7;
        int status = value & 0x477F;
        cpu.fpStatus = (status & ~cpu.fpControl & 0x3F) != 0 ? status | 0x8080 : status;
    }

    /** Bits 6 and 13..15 of the control word are reserved: 6 reads as one, the others as zero. */
    static void setControlWord(Cpu cpu, int value) {
        cpu.fpControl = (value & 0x1F3F) | 0x40;
    }

    /** Bytes 0..23 and 32..159 (SDM 1 §10.5.1). {@code wide}: 64-bit pointers, no selectors. */
    static void storeX87(Cpu cpu, long[] area, boolean wide) {
        area[0] =
                (cpu.fpControl & 0xFFFFL)
                        | (long) statusWord(cpu) << 16
                        | (~cpu.fpEmpty & 0xFFL) << 32
                        | (cpu.fpLastOpcode & 0x7FFL) << 48;
        if (wide) {
            area[1] = cpu.fpLastIp;
            area[2] = cpu.fpLastData;
        } else {
            area[1] = (cpu.fpLastIp & 0xFFFFFFFFL) | (cpu.fpLastCs & 0xFFFFL) << 32;
            area[2] = (cpu.fpLastData & 0xFFFFFFFFL) | (cpu.fpLastDs & 0xFFFFL) << 32;
        }
        for (int i = 0; i < 8; i++) {
            int n = (cpu.fpTop + i) & 7;
            area[ST_WORD + 2 * i] = cpu.fpSignificand[n];
            area[ST_WORD + 2 * i + 1] = cpu.fpSignExponent[n] & 0xFFFFL;
        }
    }

    static void loadX87(Cpu cpu, long[] area, boolean wide) {
        setControlWord(cpu, (int) area[0] & 0xFFFF);
        setStatusWord(cpu, (int) (area[0] >>> 16) & 0xFFFF);
        cpu.fpEmpty = (int) ~(area[0] >>> 32) & 0xFF;
        cpu.fpLastOpcode = (int) (area[0] >>> 48) & 0x7FF;
        if (wide) {
            cpu.fpLastIp = area[1];
            cpu.fpLastData = area[2];
            cpu.fpLastCs = 0;
            cpu.fpLastDs = 0;
        } else {
            cpu.fpLastIp = area[1] & 0xFFFFFFFFL;
            cpu.fpLastCs = (int) (area[1] >>> 32) & 0xFFFF;
            cpu.fpLastData = area[2] & 0xFFFFFFFFL;
            cpu.fpLastDs = (int) (area[2] >>> 32) & 0xFFFF;
        }
        for (int i = 0; i < 8; i++) {
            int n = (cpu.fpTop + i) & 7;
            cpu.fpSignificand[n] = area[ST_WORD + 2 * i];
            cpu.fpSignExponent[n] = (int) area[ST_WORD + 2 * i + 1] & 0xFFFF;
        }
    }

    /** FNINIT's effect, which leaves the data registers alone. */
    static void resetX87(Cpu cpu) {
        cpu.fpControl = CONTROL_INITIAL;
        cpu.fpStatus = 0;
        cpu.fpTop = 0;
        cpu.fpEmpty = 0xFF;
        cpu.fpLastIp = 0;
        cpu.fpLastData = 0;
        cpu.fpLastOpcode = 0;
        cpu.fpLastCs = 0;
        cpu.fpLastDs = 0;
    }

    static void initX87(Cpu cpu) {
        resetX87(cpu);
        Arrays.fill(cpu.fpSignificand, 0);
        Arrays.fill(cpu.fpSignExponent, 0);
    }

    static boolean x87InUse(Cpu cpu) {
        if (cpu.fpControl != CONTROL_INITIAL
                || (cpu.fpStatus | cpu.fpTop | cpu.fpLastOpcode | cpu.fpLastCs | cpu.fpLastDs) != 0
                || cpu.fpEmpty != 0xFF
                || (cpu.fpLastIp | cpu.fpLastData) != 0) {
            return true;
        }
        long any = 0;
        for (int i = 0; i < 8; i++) {
            any |= cpu.fpSignificand[i] | cpu.fpSignExponent[i];
        }
        return any != 0;
    }

    // ------------------------------------------------------------------ SSE, AVX

    static void storeMxcsr(Cpu cpu, long[] area) {
        area[MXCSR_WORD] = (cpu.mxcsr & 0xFFFFFFFFL) | (long) MXCSR_MASK << 32;
    }

    static void storeSse(Cpu cpu, long[] area, int registers) {
        for (int i = 0; i < registers; i++) {
            area[XMM_WORD + 2 * i] = cpu.vec[4 * i];
            area[XMM_WORD + 2 * i + 1] = cpu.vec[4 * i + 1];
        }
    }

    static void loadSse(Cpu cpu, long[] area, int registers) {
        for (int i = 0; i < registers; i++) {
            cpu.vec[4 * i] = area[XMM_WORD + 2 * i];
            cpu.vec[4 * i + 1] = area[XMM_WORD + 2 * i + 1];
        }
    }

    static void initSse(Cpu cpu, int registers) {
        for (int i = 0; i < registers; i++) {
            cpu.vec[4 * i] = 0;
            cpu.vec[4 * i + 1] = 0;
        }
    }

    static boolean sseInUse(Cpu cpu, int registers) {
        long any = 0;
        for (int i = 0; i < registers; i++) {
            any |= cpu.vec[4 * i] | cpu.vec[4 * i + 1];
        }
        return any != 0;
    }

    static void storeAvx(Cpu cpu, long[] area, int registers) {
        for (int i = 0; i < registers; i++) {
            area[AVX_WORD + 2 * i] = cpu.vec[4 * i + 2];
            area[AVX_WORD + 2 * i + 1] = cpu.vec[4 * i + 3];
        }
    }

    static void loadAvx(Cpu cpu, long[] area, int registers) {
        for (int i = 0; i < registers; i++) {
            cpu.vec[4 * i + 2] = area[AVX_WORD + 2 * i];
            cpu.vec[4 * i + 3] = area[AVX_WORD + 2 * i + 1];
        }
    }

    static void initAvx(Cpu cpu, int registers) {
        for (int i = 0; i < registers; i++) {
            cpu.vec[4 * i + 2] = 0;
            cpu.vec[4 * i + 3] = 0;
        }
    }

    static boolean avxInUse(Cpu cpu, int registers) {
        long any = 0;
        for (int i = 0; i < registers; i++) {
            any |= cpu.vec[4 * i + 2] | cpu.vec[4 * i + 3];
        }
        return any != 0;
    }
}
