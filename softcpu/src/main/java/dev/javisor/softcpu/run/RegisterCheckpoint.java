package dev.javisor.softcpu.run;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Seg;
import java.util.Arrays;

/**
 * The registers that instructions inside a block can change: all but those of system instructions,
 * which end one.
 */
final class RegisterCheckpoint {
    private static final int REGISTERS = 16;

    private final long[] regs = new long[18];
    private final long[] vec = new long[64];
    private final long[] significands = new long[8];
    private final int[] signExponents = new int[8];
    private long rip;
    private long flagResult;
    private long flagAux;
    private int flagSystem;
    private int status;
    private int mxcsr;
    private int fpControl;
    private int fpStatus;
    private int fpTop;
    private int fpEmpty;
    private long fpLastIp;
    private long fpLastData;
    private int fpLastOpcode;
    private int fpLastCs;
    private int fpLastDs;
    private long cr2;
    private boolean nonCanonical;

    /** What SWAPGS exchanges. */
    private long gsBase;

    private long kernelGsBase;

    void capture(Cpu c) {
        System.arraycopy(c.regs, 0, regs, 0, regs.length);
        System.arraycopy(c.vec, 0, vec, 0, vec.length);
        System.arraycopy(c.fpSignificand, 0, significands, 0, 8);
        System.arraycopy(c.fpSignExponent, 0, signExponents, 0, 8);
        rip = c.rip;
        flagResult = c.flags.result;
        flagAux = c.flags.aux;
        flagSystem = c.flags.system;
        status = c.flags.status();
        mxcsr = c.mxcsr;
        fpControl = c.fpControl;
        fpStatus = c.fpStatus;
        fpTop = c.fpTop;
        fpEmpty = c.fpEmpty;
        fpLastIp = c.fpLastIp;
        fpLastData = c.fpLastData;
        fpLastOpcode = c.fpLastOpcode;
        fpLastCs = c.fpLastCs;
        fpLastDs = c.fpLastDs;
        cr2 = c.cr2;
        nonCanonical = c.mmu.nonCanonical;
        gsBase = c.segBase[Seg.GS];
        kernelGsBase = c.kernelGsBase;
    }

    void restore(Cpu c) {
        System.arraycopy(regs, 0, c.regs, 0, regs.length);
        System.arraycopy(vec, 0, c.vec, 0, vec.length);
        System.arraycopy(significands, 0, c.fpSignificand, 0, 8);
        System.arraycopy(signExponents, 0, c.fpSignExponent, 0, 8);
        c.rip = rip;
        c.flags.result = flagResult;
        c.flags.aux = flagAux;
        c.flags.system = flagSystem;
        c.mxcsr = mxcsr;
        c.fpControl = fpControl;
        c.fpStatus = fpStatus;
        c.fpTop = fpTop;
        c.fpEmpty = fpEmpty;
        c.fpLastIp = fpLastIp;
        c.fpLastData = fpLastData;
        c.fpLastOpcode = fpLastOpcode;
        c.fpLastCs = fpLastCs;
        c.fpLastDs = fpLastDs;
        c.cr2 = cr2;
        c.mmu.nonCanonical = nonCanonical;
        c.segBase[Seg.GS] = gsBase;
        c.updateSegment(Seg.GS);
        c.kernelGsBase = kernelGsBase;
    }

    /** Status flags that differ from {@code other}'s, if nothing else does; else 0. */
    int onlyFlags(RegisterCheckpoint other) {
        int mine = status;
        int theirs = other.status;
        status = theirs;
        boolean equal = difference(other).isEmpty();
        status = mine;
        return equal ? mine ^ theirs : 0;
    }

    /** Names what differs from {@code other}, this one's values first; empty if nothing does. */
    String difference(RegisterCheckpoint other) {
        StringBuilder text = new StringBuilder();
        tell(text, "rip", rip, other.rip);
        for (int i = 0; i < REGISTERS; i++) {
            tell(text, "general register " + i, regs[i], other.regs[i]);
        }
        tell(text, "status flags", status, other.status);
        tell(text, "system flags", flagSystem, other.flagSystem);
        if (!Arrays.equals(vec, other.vec)) {
            for (int i = 0; i < vec.length; i++) {
                tell(
                        text,
                        "vector register %d, quarter %d".formatted(i / 4, i % 4),
                        vec[i],
                        other.vec[i]);
            }
        }
        tell(text, "MXCSR", mxcsr, other.mxcsr);
        for (int i = 0; i < 8; i++) {
            tell(text, "x87 significand " + i, significands[i], other.significands[i]);
            tell(text, "x87 exponent " + i, signExponents[i], other.signExponents[i]);
        }
        tell(text, "x87 control", fpControl, other.fpControl);
        tell(text, "x87 status", fpStatus, other.fpStatus);
        tell(text, "x87 top", fpTop, other.fpTop);
        tell(text, "x87 tags", fpEmpty, other.fpEmpty);
        tell(text, "x87 instruction pointer", fpLastIp, other.fpLastIp);
        tell(text, "x87 data pointer", fpLastData, other.fpLastData);
        tell(text, "x87 opcode", fpLastOpcode, other.fpLastOpcode);
        tell(text, "CR2", cr2, other.cr2);
        tell(text, "GS base", gsBase, other.gsBase);
        tell(text, "kernel GS base", kernelGsBase, other.kernelGsBase);
        tell(text, "non-canonical", nonCanonical ? 1 : 0, other.nonCanonical ? 1 : 0);
        return text.toString();
    }

    private static void tell(StringBuilder text, String what, long mine, long theirs) {
        if (mine != theirs) {
            text.append("%s: %x and %x%n".formatted(what, mine, theirs));
        }
    }
}
