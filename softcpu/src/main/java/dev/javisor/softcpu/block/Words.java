package dev.javisor.softcpu.block;

import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;

/**
 * What the hot loop executes: two longs for each dispatch code, in one array, because instructions
 * as objects are spread over too many cache lines.
 *
 * <pre>
 * first   bits 0..7 dispatch code    8..12 reg0    13..17 reg1    18..22 base    23..27 index
 *         28..29 scale    30..31 segment: 0 with base 0, 1 FS, 2 GS
 *         32..63 immediate of a store, condition, shift of narrow flags, or what a fused compare
 *                compares with
 * second  displacement if there is a memory operand (LEA too), else immediate or target
 * </pre>
 *
 * A block that ends without a branch ends with {@link Uop#END}.
 */
public final class Words {
    public static final int REG0_SHIFT = 8;
    public static final int REG1_SHIFT = 13;
    public static final int BASE_SHIFT = 18;
    public static final int INDEX_SHIFT = 23;
    public static final int SCALE_SHIFT = 28;
    public static final int SEGMENT_SHIFT = 30;
    public static final int REG_MASK = 31;

    private Words() {}

    static long[] of(Insn[] code) {
        boolean ends = code.length > 0 && isEnd(code[code.length - 1].uop);
        long[] words = new long[2 * (ends ? code.length : code.length + 1)];
        for (int i = 0; i < code.length; i++) {
            words[2 * i] = first(code[i]);
            words[2 * i + 1] = addresses(code[i].uop) ? code[i].disp : code[i].imm;
        }
        if (!ends) {
            words[words.length - 2] = Uop.END;
        }
        return words;
    }

    private static boolean isEnd(int uop) {
        return uop == Uop.GENERIC_END
                || uop == Uop.GENERIC_JUMP
                || (uop >= Uop.JMP_REL && uop <= Uop.TEST_EE_JNZ);
    }

    /** Loads, stores and LEA. */
    private static boolean addresses(int uop) {
        return (uop >= Uop.LOAD64 && uop <= Uop.LOADW32) || uop == Uop.LEA_R || uop == Uop.LEA_E;
    }

    private static long first(Insn in) {
        if (in.uop == Uop.GENERIC || in.uop == Uop.GENERIC_END || in.uop == Uop.GENERIC_JUMP) {
            return in.uop;
        }
        long segment = in.seg >= Seg.FS ? in.seg - Seg.DS : 0;
        return in.uop
                | in.reg0 << REG0_SHIFT
                | in.reg1 << REG1_SHIFT
                | in.base << BASE_SHIFT
                | in.index << INDEX_SHIFT
                | (long) in.scale << SCALE_SHIFT
                | segment << SEGMENT_SHIFT
                | high(in) << 32;
    }

    private static long high(Insn in) {
        int uop = in.uop;
        if (uop >= Uop.STORE64_I && uop <= Uop.STORE8_I) {
            return in.imm;
        }
        if (uop == Uop.SETCC || uop == Uop.CMOV_RR || uop == Uop.CMOV_EE) {
            return in.cond;
        }
        if (uop >= Uop.CMPN_RR && uop <= Uop.TESTN_RI) {
            return in.imm2;
        }
        return uop >= Uop.CMP_RR_JZ && uop <= Uop.TEST_EE_JNZ ? in.disp : 0;
    }
}
