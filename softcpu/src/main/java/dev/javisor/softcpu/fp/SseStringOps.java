package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/** SSE4.2 string comparison: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM 2B §4.1). */
final class SseStringOps {
    private SseStringOps() {}

    static void execute(Cpu cpu, Insn in) {
        int imm = (int) in.imm & 0xFF;
        boolean words = (imm & 1) != 0;
        boolean signed = (imm & 2) != 0;
        int n = words ? 8 : 16;
        FpUnit u = cpu.fpu;
        if (in.kind1 == Insn.MEM) {
            Vectors.loadMemory(cpu, in, false);
        } else {
            Vectors.load(cpu, in, in.kind1, in.reg1);
        }
        long a0 = cpu.vec[4 * in.reg0];
        long a1 = cpu.vec[4 * in.reg0 + 1];
        long b0 = u.b0;
        long b1 = u.b1;
        boolean explicit = in.op == Op.PCMPESTRI || in.op == Op.PCMPESTRM;
        int lengthA;
        int lengthB;
        if (explicit) {
            lengthA = explicitLength(cpu, in, 0, n);
            lengthB = explicitLength(cpu, in, 2, n);
        } else {
            lengthA = implicitLength(a0, a1, words, n);
            lengthB = implicitLength(b0, b1, words, n);
        }
        int result =
                switch (imm >> 2 & 3) {
                    case 0 -> equalAny(a0, a1, lengthA, b0, b1, lengthB, words);
                    case 1 -> ranges(a0, a1, lengthA, b0, b1, lengthB, words, signed);
                    case 2 -> equalEach(a0, a1, lengthA, b0, b1, lengthB, words, n);
                    default -> equalOrdered(a0, a1, lengthA, b0, b1, lengthB, words, n);
                };
        if ((imm & 0x10) != 0) {
            // Negative polarity; masked: only the valid elements of the second string.
            int invert = (imm & 0x20) != 0 ? (1 << lengthB) - 1 : (1 << n) - 1;
            result ^= invert;
        }
        if (in.op == Op.PCMPESTRI || in.op == Op.PCMPISTRI) {
            int index;
            if (result == 0) {
                index = n;
            } else if ((imm & 0x40) != 0) {
                index = 31 - Integer.numberOfLeadingZeros(result);
            } else {
                index = Integer.numberOfTrailingZeros(result);
            }
            cpu.regs[1] = index;
        } else {
            setMask(cpu, in, result, words, (imm & 0x40) != 0);
        }
        cpu.flags.setStatus(
                (result != 0 ? Flags.CF : 0)
                        | (lengthB < n ? Flags.ZF : 0)
                        | (lengthA < n ? Flags.SF : 0)
                        | ((result & 1) != 0 ? Flags.OF : 0));
    }

    /** The mask goes to XMM0: as bits, or expanded to elements. */
    private static void setMask(Cpu cpu, Insn in, int result, boolean words, boolean expand) {
        long low = result;
        long high = 0;
        if (expand) {
            low = 0;
            for (int i = 0; i < (words ? 4 : 8); i++) {
                int bits = words ? 16 : 8;
                long element = (-1L >>> (64 - bits)) << (bits * i);
                low |= (result >>> i & 1) != 0 ? element : 0;
                high |= (result >>> (i + 64 / bits) & 1) != 0 ? element : 0;
            }
        }
        cpu.vec[0] = low;
        cpu.vec[1] = high;
        if (in.vexBytes != 0) {
            cpu.vec[2] = 0;
            cpu.vec[3] = 0;
        }
    }

    /** |EAX| or |EDX| (RAX, RDX with REX.W), saturated to the number of elements. */
    private static int explicitLength(Cpu cpu, Insn in, int reg, int n) {
        long value = in.opSize == 8 ? cpu.regs[reg] : (int) cpu.regs[reg];
        return value <= -n || value >= n ? n : (int) Math.abs(value);
    }

    private static int implicitLength(long low, long high, boolean words, int n) {
        for (int i = 0; i < n; i++) {
            if (element(low, high, i, words, false) == 0) {
                return i;
            }
        }
        return n;
    }

    private static int element(long low, long high, int i, boolean words, boolean signed) {
        if (words) {
            int x = (int) ((i < 4 ? low : high) >>> (16 * (i & 3)));
            return signed ? (short) x : x & 0xFFFF;
        }
        int x = (int) ((i < 8 ? low : high) >>> (8 * (i & 7)));
        return signed ? (byte) x : x & 0xFF;
    }

    private static int equalAny(
            long a0, long a1, int lengthA, long b0, long b1, int lengthB, boolean words) {
        int result = 0;
        for (int j = 0; j < lengthB; j++) {
            int y = element(b0, b1, j, words, false);
            for (int i = 0; i < lengthA; i++) {
                if (element(a0, a1, i, words, false) == y) {
                    result |= 1 << j;
                    break;
                }
            }
        }
        return result;
    }

    /** Pairs of elements in a are bounds; an odd last bound is not complete and matches nothing. */
    private static int ranges(
            long a0,
            long a1,
            int lengthA,
            long b0,
            long b1,
            int lengthB,
            boolean words,
            boolean signed) {
        int result = 0;
        for (int j = 0; j < lengthB; j++) {
            int y = element(b0, b1, j, words, signed);
            for (int i = 0; i + 1 < lengthA; i += 2) {
                if (y >= element(a0, a1, i, words, signed)
                        && y <= element(a0, a1, i + 1, words, signed)) {
                    result |= 1 << j;
                    break;
                }
            }
        }
        return result;
    }

    /** Both invalid counts as equal, one invalid as different. */
    private static int equalEach(
            long a0, long a1, int lengthA, long b0, long b1, int lengthB, boolean words, int n) {
        int result = 0;
        for (int i = 0; i < n; i++) {
            boolean validA = i < lengthA;
            boolean validB = i < lengthB;
            boolean equal =
                    validA && validB
                            ? element(a0, a1, i, words, false) == element(b0, b1, i, words, false)
                            : validA == validB;
            result |= equal ? 1 << i : 0;
        }
        return result;
    }

    /** Where a as a whole begins in b; running out of the register's end counts as equal. */
    private static int equalOrdered(
            long a0, long a1, int lengthA, long b0, long b1, int lengthB, boolean words, int n) {
        int result = 0;
        for (int j = 0; j < n; j++) {
            boolean equal = true;
            for (int i = 0; i < lengthA && i + j < n && equal; i++) {
                equal =
                        i + j < lengthB
                                && element(a0, a1, i, words, false)
                                        == element(b0, b1, i + j, words, false);
            }
            result |= equal ? 1 << j : 0;
        }
        return result;
    }
}
