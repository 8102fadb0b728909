package dev.javisor.softcpu.decode;

import static dev.javisor.softcpu.decode.Form.D64;
import static dev.javisor.softcpu.decode.Form.F64;
import static dev.javisor.softcpu.decode.Form.INVALID;
import static dev.javisor.softcpu.decode.Form.L0;
import static dev.javisor.softcpu.decode.Form.LOCK;
import static dev.javisor.softcpu.decode.Form.MANDATORY;
import static dev.javisor.softcpu.decode.Form.O64;
import static dev.javisor.softcpu.decode.Form.OS_W;
import static dev.javisor.softcpu.decode.Form.OS_Y;
import static dev.javisor.softcpu.decode.Form.byL;
import static dev.javisor.softcpu.decode.Form.byMod;
import static dev.javisor.softcpu.decode.Form.byPrefix;
import static dev.javisor.softcpu.decode.Form.byReg;
import static dev.javisor.softcpu.decode.Form.byRm;
import static dev.javisor.softcpu.decode.Form.byW;
import static dev.javisor.softcpu.decode.Form.of;
import static dev.javisor.softcpu.decode.Operand.*;

/** Opcodes extended by ModRM (SDM 2D table A-6), by the SDM's group numbers. */
final class Groups {
    private Groups() {}

    /** 80..83. */
    static Form group1(Op[] alu, int destination, int immediate) {
        Form[] forms = new Form[8];
        for (int i = 0; i < 8; i++) {
            forms[i] = of(alu[i] == Op.CMP ? 0 : LOCK, alu[i], destination, immediate);
        }
        return byReg(forms);
    }

    /** 8F; other values of ModRM.reg are AMD's XOP prefix. */
    static Form group1a() {
        return byReg(
                of(D64, Op.POP, Ev), INVALID, INVALID, INVALID, INVALID, INVALID, INVALID, INVALID);
    }

    /** C0, C1, D0..D3; /6 is an alias of SHL. */
    static Form group2(int destination, int count) {
        return byReg(
                of(0, Op.ROL, destination, count),
                of(0, Op.ROR, destination, count),
                of(0, Op.RCL, destination, count),
                of(0, Op.RCR, destination, count),
                of(0, Op.SHL, destination, count),
                of(0, Op.SHR, destination, count),
                of(0, Op.SHL, destination, count),
                of(0, Op.SAR, destination, count));
    }

    /** F6, F7; /1 is an alias of TEST. */
    static Form group3(int operand, int immediate) {
        return byReg(
                of(0, Op.TEST, operand, immediate),
                of(0, Op.TEST, operand, immediate),
                of(LOCK, Op.NOT, operand),
                of(LOCK, Op.NEG, operand),
                of(0, Op.MUL, operand),
                of(0, Op.IMUL, operand),
                of(0, Op.DIV, operand),
                of(0, Op.IDIV, operand));
    }

    /** FE. */
    static Form group4() {
        return byReg(
                of(LOCK, Op.INC, Eb),
                of(LOCK, Op.DEC, Eb),
                INVALID,
                INVALID,
                INVALID,
                INVALID,
                INVALID,
                INVALID);
    }

    /** FF. */
    static Form group5() {
        return byReg(
                of(LOCK, Op.INC, Ev),
                of(LOCK, Op.DEC, Ev),
                of(F64, Op.CALL, Ev),
                of(0, Op.CALL_FAR, Mp),
                of(F64, Op.JMP, Ev),
                of(0, Op.JMP_FAR, Mp),
                of(D64, Op.PUSH, Ev),
                INVALID);
    }

    /** 0F 00. */
    static Form group6() {
        return byReg(
                of(0, Op.SLDT, RvMw),
                of(0, Op.STR, RvMw),
                of(OS_W, Op.LLDT, Ew),
                of(OS_W, Op.LTR, Ew),
                of(OS_W, Op.VERR, Ew),
                of(OS_W, Op.VERW, Ew),
                INVALID,
                INVALID);
    }

    /** 0F 01. Of VMX and SVM only the hypercalls; no SGX, TSX, PKU. */
    static Form group7() {
        Form smsw = of(0, Op.SMSW, RvMw);
        Form lmsw = of(OS_W, Op.LMSW, Ew);
        return byMod(
                byReg(
                        of(F64, Op.SGDT, Ms),
                        of(F64, Op.SIDT, Ms),
                        of(F64, Op.LGDT, Ms),
                        of(F64, Op.LIDT, Ms),
                        smsw,
                        INVALID,
                        lmsw,
                        of(0, Op.INVLPG, Mb)),
                byReg(
                        byRm(
                                INVALID,
                                np(of(0, Op.VMCALL)),
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID),
                        byRm(
                                np(of(0, Op.MONITOR)),
                                np(of(0, Op.MWAIT)),
                                np(of(0, Op.CLAC)),
                                np(of(0, Op.STAC)),
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID),
                        byRm(
                                np(of(0, Op.XGETBV)),
                                np(of(0, Op.XSETBV)),
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID),
                        byRm(
                                INVALID,
                                np(of(0, Op.VMMCALL)),
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID),
                        smsw,
                        INVALID,
                        lmsw,
                        byRm(
                                of(O64, Op.SWAPGS),
                                of(0, Op.RDTSCP),
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID,
                                INVALID)));
    }

    /** 0F BA. */
    static Form group8() {
        return byReg(
                INVALID,
                INVALID,
                INVALID,
                INVALID,
                of(0, Op.BT, Ev, Ub),
                of(LOCK, Op.BTS, Ev, Ub),
                of(LOCK, Op.BTR, Ev, Ub),
                of(LOCK, Op.BTC, Ev, Ub));
    }

    /** 0F C7. */
    static Form group9() {
        Form random = npAnd66(of(0, Op.RDRAND, Rv));
        Form seed = of(0, Op.RDSEED, Rv);
        return byMod(
                byReg(
                        INVALID,
                        byW(of(LOCK | OS_Y, Op.CMPXCHG8B, Mq), of(LOCK | OS_Y, Op.CMPXCHG16B, Mdq)),
                        INVALID,
                        np(of(OS_Y, Op.XRSTORS, M)),
                        np(of(OS_Y, Op.XSAVEC, M)),
                        np(of(OS_Y, Op.XSAVES, M)),
                        INVALID,
                        INVALID),
                byReg(
                        INVALID,
                        INVALID,
                        INVALID,
                        INVALID,
                        INVALID,
                        INVALID,
                        random,
                        byPrefix(seed, seed, of(Form.OS_MODE | MANDATORY, Op.RDPID, Ry), INVALID)));
    }

    /** C6, C7; XABORT and XBEGIN are TSX. */
    static Form group11(int destination, int immediate) {
        return byReg(
                of(0, Op.MOV, destination, immediate),
                INVALID,
                INVALID,
                INVALID,
                INVALID,
                INVALID,
                INVALID,
                INVALID);
    }

    /** 0F 71: shifts of words by an immediate, in MMX ({@code Nq}) or vector registers. */
    static Form group12(boolean mmx, boolean vex) {
        return byReg(
                INVALID,
                INVALID,
                shift(Op.PSRLW, mmx, vex),
                INVALID,
                shift(Op.PSRAW, mmx, vex),
                INVALID,
                shift(Op.PSLLW, mmx, vex),
                INVALID);
    }

    /** 0F 72: doublewords. */
    static Form group13(boolean mmx, boolean vex) {
        return byReg(
                INVALID,
                INVALID,
                shift(Op.PSRLD, mmx, vex),
                INVALID,
                shift(Op.PSRAD, mmx, vex),
                INVALID,
                shift(Op.PSLLD, mmx, vex),
                INVALID);
    }

    /** 0F 73: quadwords, and whole registers by bytes. */
    static Form group14(boolean mmx, boolean vex) {
        return byReg(
                INVALID,
                INVALID,
                shift(Op.PSRLQ, mmx, vex),
                mmx ? INVALID : shift(Op.PSRLDQ, false, vex),
                INVALID,
                INVALID,
                shift(Op.PSLLQ, mmx, vex),
                mmx ? INVALID : shift(Op.PSLLDQ, false, vex));
    }

    private static Form shift(Op op, boolean mmx, boolean vex) {
        return mmx ? of(0, op, Nq, Ub) : vex ? of(0, op, Hx, Ux, Ub) : of(0, op, Ux, Ub);
    }

    /** 0F AE. The VEX encoding has only LDMXCSR and STMXCSR. */
    static Form group15() {
        return byMod(
                byReg(
                        np(of(OS_Y, Op.FXSAVE, M)),
                        np(of(OS_Y, Op.FXRSTOR, M)),
                        np(of(OS_Y, Op.LDMXCSR, Md)),
                        np(of(OS_Y, Op.STMXCSR, Md)),
                        np(of(OS_Y, Op.XSAVE, M)),
                        np(of(OS_Y, Op.XRSTOR, M)),
                        byPrefix(of(OS_Y, Op.XSAVEOPT, M), of(0, Op.CLWB, Mb), INVALID, INVALID),
                        byPrefix(
                                of(0, Op.CLFLUSH, Mb), of(0, Op.CLFLUSHOPT, Mb), INVALID, INVALID)),
                byReg(
                        f3(of(O64 | OS_Y | MANDATORY, Op.RDFSBASE, Ry)),
                        f3(of(O64 | OS_Y | MANDATORY, Op.RDGSBASE, Ry)),
                        f3(of(O64 | OS_Y | MANDATORY, Op.WRFSBASE, Ry)),
                        f3(of(O64 | OS_Y | MANDATORY, Op.WRGSBASE, Ry)),
                        INVALID,
                        np(of(0, Op.LFENCE)),
                        np(of(0, Op.MFENCE)),
                        np(of(0, Op.SFENCE))));
    }

    static Form group15Vex() {
        return byReg(
                INVALID,
                INVALID,
                of(L0, Op.LDMXCSR, Md),
                of(L0, Op.STMXCSR, Md),
                INVALID,
                INVALID,
                INVALID,
                INVALID);
    }

    /** 0F 18: prefetches; register forms and the upper half are hint NOPs. */
    static Form group16() {
        Form prefetch = of(0, Op.PREFETCH, Mb);
        Form nop = of(0, Op.NOP, Ev);
        return byMod(byReg(prefetch, prefetch, prefetch, prefetch, nop, nop, nop, nop), nop);
    }

    /** 0F 0D: PREFETCHW and its reserved relatives. */
    static Form groupP() {
        return byMod(of(0, Op.PREFETCH, Mb), of(0, Op.NOP, Ev));
    }

    /** VEX 0F 77; no ModRM. */
    static Form vzero() {
        return byL(of(Form.VECTOR_XMM, Op.VZEROUPPER), of(Form.VECTOR_XMM, Op.VZEROALL));
    }

    /** VEX 0F38 F3. */
    static Form group17() {
        return byReg(
                INVALID,
                of(L0 | OS_Y, Op.BLSR, By, Ey),
                of(L0 | OS_Y, Op.BLSMSK, By, Ey),
                of(L0 | OS_Y, Op.BLSI, By, Ey),
                INVALID,
                INVALID,
                INVALID,
                INVALID);
    }

    private static Form np(Form form) {
        return byPrefix(form, INVALID, INVALID, INVALID);
    }

    private static Form npAnd66(Form form) {
        return byPrefix(form, form, INVALID, INVALID);
    }

    private static Form f3(Form form) {
        return byPrefix(INVALID, INVALID, form, INVALID);
    }
}
