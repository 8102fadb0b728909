package dev.javisor.softcpu.decode;

import static dev.javisor.softcpu.decode.Form.INVALID;
import static dev.javisor.softcpu.decode.Form.of;
import static dev.javisor.softcpu.decode.Operand.*;

import java.util.Arrays;

/**
 * The x87 escapes D8..DF (SDM 2D table A-7 on), with the aliases that processors since the 387
 * execute although the SDM does not list them.
 */
final class X87Map {
    private static final Op[] ARITHMETIC = {
        Op.FADD, Op.FMUL, Op.FCOM, Op.FCOMP, Op.FSUB, Op.FSUBR, Op.FDIV, Op.FDIVR
    };
    private static final Op[] INTEGER = {
        Op.FIADD, Op.FIMUL, Op.FICOM, Op.FICOMP, Op.FISUB, Op.FISUBR, Op.FIDIV, Op.FIDIVR
    };

    private final Form[] memory = new Form[8];
    private final Form[] register = new Form[64];

    private X87Map() {
        Arrays.fill(memory, INVALID);
        Arrays.fill(register, INVALID);
    }

    static Form escape(int low) {
        X87Map map = new X87Map();
        switch (low) {
            case 0 -> map.d8();
            case 1 -> map.d9();
            case 2 -> map.da();
            case 3 -> map.db();
            case 4 -> map.dc();
            case 5 -> map.dd();
            case 6 -> map.de();
            default -> map.df();
        }
        return Form.byX87(map.memory, map.register);
    }

    private void m(int reg, Op op, int operand) {
        memory[reg] = of(0, op, operand);
    }

    /** A row of eight, ModRM.reg = {@code reg}. */
    private void r(int reg, Op op, int... operands) {
        Form form = of(Form.MODRM, op, operands);
        Arrays.fill(register, reg * 8, reg * 8 + 8, form);
    }

    private void one(int modrm, Op op) {
        register[modrm & 63] = of(Form.MODRM, op);
    }

    private void d8() {
        for (int i = 0; i < 8; i++) {
            m(i, ARITHMETIC[i], Md);
            if (i == 2 || i == 3) {
                r(i, ARITHMETIC[i], STi);
            } else {
                r(i, ARITHMETIC[i], ST0, STi);
            }
        }
    }

    private void d9() {
        m(0, Op.FLD, Md);
        m(2, Op.FST, Md);
        m(3, Op.FSTP, Md);
        m(4, Op.FLDENV, M);
        m(5, Op.FLDCW, Mw);
        m(6, Op.FNSTENV, M);
        m(7, Op.FNSTCW, Mw);
        r(0, Op.FLD, STi);
        r(1, Op.FXCH, STi);
        one(0xD0, Op.FNOP);
        r(3, Op.FSTP, STi); // undocumented
        one(0xE0, Op.FCHS);
        one(0xE1, Op.FABS);
        one(0xE4, Op.FTST);
        one(0xE5, Op.FXAM);
        one(0xE8, Op.FLD1);
        one(0xE9, Op.FLDL2T);
        one(0xEA, Op.FLDL2E);
        one(0xEB, Op.FLDPI);
        one(0xEC, Op.FLDLG2);
        one(0xED, Op.FLDLN2);
        one(0xEE, Op.FLDZ);
        one(0xF0, Op.F2XM1);
        one(0xF1, Op.FYL2X);
        one(0xF2, Op.FPTAN);
        one(0xF3, Op.FPATAN);
        one(0xF4, Op.FXTRACT);
        one(0xF5, Op.FPREM1);
        one(0xF6, Op.FDECSTP);
        one(0xF7, Op.FINCSTP);
        one(0xF8, Op.FPREM);
        one(0xF9, Op.FYL2XP1);
        one(0xFA, Op.FSQRT);
        one(0xFB, Op.FSINCOS);
        one(0xFC, Op.FRNDINT);
        one(0xFD, Op.FSCALE);
        one(0xFE, Op.FSIN);
        one(0xFF, Op.FCOS);
    }

    private void da() {
        for (int i = 0; i < 8; i++) {
            m(i, INTEGER[i], Md);
        }
        r(0, Op.FCMOVB, ST0, STi);
        r(1, Op.FCMOVE, ST0, STi);
        r(2, Op.FCMOVBE, ST0, STi);
        r(3, Op.FCMOVU, ST0, STi);
        one(0xE9, Op.FUCOMPP);
    }

    private void db() {
        m(0, Op.FILD, Md);
        m(1, Op.FISTTP, Md);
        m(2, Op.FIST, Md);
        m(3, Op.FISTP, Md);
        m(5, Op.FLD, Mt);
        m(7, Op.FSTP, Mt);
        r(0, Op.FCMOVNB, ST0, STi);
        r(1, Op.FCMOVNE, ST0, STi);
        r(2, Op.FCMOVNBE, ST0, STi);
        r(3, Op.FCMOVNU, ST0, STi);
        one(0xE0, Op.FNOP); // FNENI of the 8087
        one(0xE1, Op.FNOP); // FNDISI of the 8087
        one(0xE2, Op.FNCLEX);
        one(0xE3, Op.FNINIT);
        one(0xE4, Op.FNOP); // FNSETPM of the 287
        r(5, Op.FUCOMI, ST0, STi);
        r(6, Op.FCOMI, ST0, STi);
    }

    private void dc() {
        for (int i = 0; i < 8; i++) {
            m(i, ARITHMETIC[i], Mq);
        }
        r(0, Op.FADD, STi, ST0);
        r(1, Op.FMUL, STi, ST0);
        r(2, Op.FCOM, STi); // undocumented
        r(3, Op.FCOMP, STi); // undocumented
        r(4, Op.FSUBR, STi, ST0);
        r(5, Op.FSUB, STi, ST0);
        r(6, Op.FDIVR, STi, ST0);
        r(7, Op.FDIV, STi, ST0);
    }

    private void dd() {
        m(0, Op.FLD, Mq);
        m(1, Op.FISTTP, Mq);
        m(2, Op.FST, Mq);
        m(3, Op.FSTP, Mq);
        m(4, Op.FRSTOR, M);
        m(6, Op.FNSAVE, M);
        m(7, Op.FNSTSW, Mw);
        r(0, Op.FFREE, STi);
        r(1, Op.FXCH, STi); // undocumented
        r(2, Op.FST, STi);
        r(3, Op.FSTP, STi);
        r(4, Op.FUCOM, STi);
        r(5, Op.FUCOMP, STi);
    }

    private void de() {
        for (int i = 0; i < 8; i++) {
            m(i, INTEGER[i], Mw);
        }
        r(0, Op.FADDP, STi, ST0);
        r(1, Op.FMULP, STi, ST0);
        r(2, Op.FCOMP, STi); // undocumented
        one(0xD9, Op.FCOMPP);
        r(4, Op.FSUBRP, STi, ST0);
        r(5, Op.FSUBP, STi, ST0);
        r(6, Op.FDIVRP, STi, ST0);
        r(7, Op.FDIVP, STi, ST0);
    }

    private void df() {
        m(0, Op.FILD, Mw);
        m(1, Op.FISTTP, Mw);
        m(2, Op.FIST, Mw);
        m(3, Op.FISTP, Mw);
        m(4, Op.FBLD, Mt);
        m(5, Op.FILD, Mq);
        m(6, Op.FBSTP, Mt);
        m(7, Op.FISTP, Mq);
        r(0, Op.FFREEP, STi); // undocumented
        r(1, Op.FXCH, STi); // undocumented
        r(2, Op.FSTP, STi); // undocumented
        r(3, Op.FSTP, STi); // undocumented
        register[0xE0 & 63] = of(Form.MODRM | Form.OS_W, Op.FNSTSW, AX);
        r(5, Op.FUCOMIP, ST0, STi);
        r(6, Op.FCOMIP, ST0, STi);
    }
}
