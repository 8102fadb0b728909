package dev.javisor.softcpu.decode;

import static dev.javisor.softcpu.decode.Form.MANDATORY;
import static dev.javisor.softcpu.decode.Form.NP;
import static dev.javisor.softcpu.decode.Form.P66;

import java.util.Arrays;

/**
 * One escape's opcodes (0F, 0F 38 or 0F 3A) in their legacy and VEX encodings, each with four rows
 * by mandatory prefix: index {@code pp << 8 | opcode}.
 */
final class OpcodeMap {
    private static final int PP = 3;

    final Form[] legacy = new Form[1024];
    final Form[] vex = new Form[1024];

    OpcodeMap() {
        Arrays.fill(legacy, Form.INVALID);
        Arrays.fill(vex, Form.INVALID);
    }

    /** An opcode for which prefixes are only modifiers: 66 is operand size, F2 and F3 are REP. */
    void all(int opcode, Form form) {
        for (int row = 0; row < 4; row++) {
            legacy[row << 8 | opcode] = form;
        }
    }

    void all(int opcode, int flags, Op op, int... operands) {
        all(opcode, Form.of(flags, op, operands));
    }

    /** As {@link #all} but without F2 and F3: none and 66 as operand size. */
    void npAnd66(int opcode, int flags, Op op, int... operands) {
        Form form = Form.of(flags, op, operands);
        legacy[opcode] = form;
        legacy[P66 << 8 | opcode] = form;
    }

    /** Legacy only, one row; the flags' low bits are the mandatory prefix. */
    void sse(int opcode, int flags, Op op, int... operands) {
        legacy[(flags & PP) << 8 | opcode] = Form.legacy(mandatory(flags), op, operands);
    }

    void sse(int opcode, int pp, Form form) {
        legacy[pp << 8 | opcode] = form;
    }

    /** VEX only. */
    void vex(int opcode, int flags, Op op, int... operands) {
        vex[(flags & PP) << 8 | opcode] = Form.of(flags, op, operands);
    }

    void vex(int opcode, int pp, Form form) {
        vex[pp << 8 | opcode] = form;
    }

    /** Legacy SSE and, with VEX.vvvv where listed, AVX. */
    void both(int opcode, int flags, Op op, int... operands) {
        sse(opcode, flags, op, operands);
        vex(opcode, flags, op, operands);
    }

    /** MMX without prefix, SSE and AVX with 66: {@code Pq, Qq} and {@code Vx, Hx, Wx}. */
    void mmx(int opcode, Op op) {
        sse(opcode, NP, op, Operand.Pq, Operand.Qq);
        both(opcode, P66, op, Operand.Vx, Operand.Hx, Operand.Wx);
    }

    private static int mandatory(int flags) {
        return (flags & PP) > P66 ? flags | MANDATORY : flags;
    }
}
