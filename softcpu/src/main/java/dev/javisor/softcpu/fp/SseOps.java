package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/**
 * Entry point of the SSE family, MMX forms included: checks that the state may be used, then hands
 * on to the file that has the instruction.
 */
public final class SseOps {
    private static final byte MOVE = 0;
    private static final byte INTEGER = 1;
    private static final byte SHUFFLE = 2;
    private static final byte FLOAT = 3;
    private static final byte CONVERT = 4;
    private static final byte STRING = 5;

    /** Which file, by {@link Op#ordinal()}. */
    private static final byte[] GROUP = new byte[Op.values().length];

    static {
        range(MOVE, Op.MOVUPS, Op.MOVNTPD);
        range(SHUFFLE, Op.UNPCKLPS, Op.SHUFPD);
        range(FLOAT, Op.ADDPS, Op.RCPSS);
        range(INTEGER, Op.ANDPS, Op.XORPD);
        range(FLOAT, Op.CMPPS, Op.HSUBPD);
        range(CONVERT, Op.CVTPI2PS, Op.CVTTPD2DQ);
        range(MOVE, Op.MOVD, Op.MASKMOVDQU);
        range(INTEGER, Op.PUNPCKLBW, Op.PCMPEQQ);
        range(SHUFFLE, Op.PSHUFW, Op.PSHUFLW);
        range(INTEGER, Op.PSRLW, Op.PXOR);
        range(MOVE, Op.PMOVMSKB, Op.PMOVMSKB);
        range(SHUFFLE, Op.PINSRB, Op.INSERTPS);
        range(INTEGER, Op.PABSB, Op.PSIGND);
        range(SHUFFLE, Op.PALIGNR, Op.PSHUFB);
        range(INTEGER, Op.PHADDW, Op.PHSUBSW);
        range(SHUFFLE, Op.PBLENDVB, Op.PTEST);
        range(FLOAT, Op.ROUNDPS, Op.DPPD);
        range(SHUFFLE, Op.MPSADBW, Op.PMOVZXDQ);
        range(STRING, Op.PCMPESTRM, Op.PCMPISTRI);
    }

    private SseOps() {}

    private static void range(byte group, Op first, Op last) {
        for (int i = first.ordinal(); i <= last.ordinal(); i++) {
            GROUP[i] = group;
        }
    }

    public static void execute(Cpu cpu, Insn in) {
        boolean mmx = in.kind0 == Insn.MMX || in.kind1 == Insn.MMX;
        if (!mmx) {
            FpChecks.sse(cpu, in);
        }
        switch (GROUP[in.op.ordinal()]) {
            case MOVE -> {
                if (mmx) {
                    MmxOps.execute(cpu, in);
                } else {
                    SseMoveOps.execute(cpu, in);
                }
            }
            case INTEGER -> {
                if (mmx) {
                    MmxOps.execute(cpu, in);
                } else {
                    SseIntegerOps.execute(cpu, in);
                }
            }
            case SHUFFLE -> {
                if (mmx) {
                    MmxOps.execute(cpu, in);
                } else {
                    SseShuffleOps.execute(cpu, in);
                }
            }
            case FLOAT -> SseFloatOps.execute(cpu, in);
            case CONVERT -> SseConvertOps.execute(cpu, in);
            default -> SseStringOps.execute(cpu, in);
        }
    }
}
