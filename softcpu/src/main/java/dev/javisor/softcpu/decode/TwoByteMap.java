package dev.javisor.softcpu.decode;

import static dev.javisor.softcpu.decode.Form.D64;
import static dev.javisor.softcpu.decode.Form.F64;
import static dev.javisor.softcpu.decode.Form.IGNORE_MOD;
import static dev.javisor.softcpu.decode.Form.L0;
import static dev.javisor.softcpu.decode.Form.LIG;
import static dev.javisor.softcpu.decode.Form.LOCK;
import static dev.javisor.softcpu.decode.Form.NP;
import static dev.javisor.softcpu.decode.Form.OS_MODE;
import static dev.javisor.softcpu.decode.Form.OS_Y;
import static dev.javisor.softcpu.decode.Form.P66;
import static dev.javisor.softcpu.decode.Form.PF2;
import static dev.javisor.softcpu.decode.Form.PF3;
import static dev.javisor.softcpu.decode.Form.byL;
import static dev.javisor.softcpu.decode.Form.byMod;
import static dev.javisor.softcpu.decode.Form.of;
import static dev.javisor.softcpu.decode.Operand.*;

/** Opcodes 0F xx (SDM 2D table A-3) with the VEX forms of map 1. */
final class TwoByteMap {
    private TwoByteMap() {}

    static OpcodeMap build() {
        OpcodeMap map = new OpcodeMap();
        system(map);
        integer(map);
        moves(map);
        floatingPoint(map);
        conversions(map);
        packedMoves(map);
        packedIntegers(map);
        packedArithmetic(map);
        return map;
    }

    private static void system(OpcodeMap t) {
        t.all(0x00, Groups.group6());
        t.all(0x01, Groups.group7());
        t.all(0x02, 0, Op.LAR, Gv, RvMw);
        t.all(0x03, 0, Op.LSL, Gv, RvMw);
        t.all(0x05, Form.O64, Op.SYSCALL);
        t.all(0x06, 0, Op.CLTS);
        t.all(0x07, Form.O64 | OS_Y, Op.SYSRET);
        t.all(0x08, 0, Op.INVD);
        t.all(0x09, 0, Op.WBINVD);
        t.all(0x0B, 0, Op.UD);
        t.all(0x0D, Groups.groupP());
        t.all(0x18, Groups.group16());
        for (int opcode = 0x19; opcode <= 0x1F; opcode++) {
            t.all(opcode, 0, Op.NOP, Ev);
        }
        t.all(0x20, OS_MODE | IGNORE_MOD, Op.MOV_CR, Ry, Cy);
        t.all(0x21, OS_MODE | IGNORE_MOD, Op.MOV_DR, Ry, Dy);
        t.all(0x22, OS_MODE | IGNORE_MOD, Op.MOV_CR, Cy, Ry);
        t.all(0x23, OS_MODE | IGNORE_MOD, Op.MOV_DR, Dy, Ry);
        t.all(0x30, 0, Op.WRMSR);
        t.all(0x31, 0, Op.RDTSC);
        t.all(0x32, 0, Op.RDMSR);
        t.all(0x33, 0, Op.RDPMC);
        t.all(0x34, 0, Op.SYSENTER);
        t.all(0x35, OS_Y, Op.SYSEXIT);
        t.all(0xA2, 0, Op.CPUID);
        t.all(0xAA, 0, Op.RSM);
        t.all(0xAE, Groups.group15());
        t.vex(0xAE, NP, Groups.group15Vex());
        t.all(0xB9, 0, Op.UD, Gv, Ev);
        t.all(0xFF, 0, Op.UD, Gv, Ev);
    }

    private static void integer(OpcodeMap t) {
        for (int c = 0; c < 16; c++) {
            t.all(0x40 + c, 0, Op.CMOVCC, Gv, Ev);
            t.all(0x80 + c, F64, Op.JCC, Jz);
            t.all(0x90 + c, 0, Op.SETCC, Eb);
        }
        t.all(0xA0, D64, Op.PUSH_SEG, FS);
        t.all(0xA1, D64, Op.POP_SEG, FS);
        t.all(0xA8, D64, Op.PUSH_SEG, GS);
        t.all(0xA9, D64, Op.POP_SEG, GS);
        t.all(0xA3, 0, Op.BT, Ev, Gv);
        t.all(0xAB, LOCK, Op.BTS, Ev, Gv);
        t.all(0xB3, LOCK, Op.BTR, Ev, Gv);
        t.all(0xBB, LOCK, Op.BTC, Ev, Gv);
        t.all(0xBA, Groups.group8());
        t.all(0xA4, 0, Op.SHLD, Ev, Gv, Ub);
        t.all(0xA5, 0, Op.SHLD, Ev, Gv, CL);
        t.all(0xAC, 0, Op.SHRD, Ev, Gv, Ub);
        t.all(0xAD, 0, Op.SHRD, Ev, Gv, CL);
        t.all(0xAF, 0, Op.IMUL, Gv, Ev);
        t.all(0xB0, LOCK, Op.CMPXCHG, Eb, Gb);
        t.all(0xB1, LOCK, Op.CMPXCHG, Ev, Gv);
        t.all(0xB2, 0, Op.LSS, Gv, Mp);
        t.all(0xB4, 0, Op.LFS, Gv, Mp);
        t.all(0xB5, 0, Op.LGS, Gv, Mp);
        t.all(0xB6, 0, Op.MOVZX, Gv, Eb);
        t.all(0xB7, 0, Op.MOVZX, Gv, Ew);
        t.all(0xBE, 0, Op.MOVSX, Gv, Eb);
        t.all(0xBF, 0, Op.MOVSX, Gv, Ew);
        t.sse(0xB8, PF3 | Form.OS_V, Op.POPCNT, Gv, Ev);
        t.all(0xBC, 0, Op.BSF, Gv, Ev);
        t.all(0xBD, 0, Op.BSR, Gv, Ev);
        t.sse(0xBC, PF3 | Form.OS_V, Op.TZCNT, Gv, Ev);
        t.sse(0xBD, PF3 | Form.OS_V, Op.LZCNT, Gv, Ev);
        t.all(0xC0, LOCK, Op.XADD, Eb, Gb);
        t.all(0xC1, LOCK, Op.XADD, Ev, Gv);
        t.sse(0xC3, NP | OS_Y, Op.MOVNTI, My, Gy);
        t.all(0xC7, Groups.group9());
        for (int r = 0; r < 8; r++) {
            t.all(0xC8 + r, 0, Op.BSWAP, Zv);
        }
    }

    private static void moves(OpcodeMap t) {
        t.both(0x10, NP, Op.MOVUPS, Vx, Wx);
        t.both(0x10, P66, Op.MOVUPD, Vx, Wx);
        t.sse(0x10, PF3, Op.MOVSS, Vx, Wd);
        t.sse(0x10, PF2, Op.MOVSD_XMM, Vx, Wq);
        t.vex(0x10, PF3, byMod(of(LIG, Op.MOVSS, Vx, Md), of(LIG, Op.MOVSS, Vx, Hx, Ud)));
        t.vex(0x10, PF2, byMod(of(LIG, Op.MOVSD_XMM, Vx, Mq), of(LIG, Op.MOVSD_XMM, Vx, Hx, Uq)));
        t.both(0x11, NP, Op.MOVUPS, Wx, Vx);
        t.both(0x11, P66, Op.MOVUPD, Wx, Vx);
        t.sse(0x11, PF3, Op.MOVSS, Wd, Vx);
        t.sse(0x11, PF2, Op.MOVSD_XMM, Wq, Vx);
        t.vex(0x11, PF3, byMod(of(LIG, Op.MOVSS, Md, Vx), of(LIG, Op.MOVSS, Ud, Hx, Vx)));
        t.vex(0x11, PF2, byMod(of(LIG, Op.MOVSD_XMM, Mq, Vx), of(LIG, Op.MOVSD_XMM, Uq, Hx, Vx)));
        t.sse(0x12, NP, byMod(of(0, Op.MOVLPS, Vx, Mq), of(0, Op.MOVHLPS, Vx, Uq)));
        t.vex(0x12, NP, byMod(of(L0, Op.MOVLPS, Vx, Hx, Mq), of(L0, Op.MOVHLPS, Vx, Hx, Uq)));
        t.both(0x12, P66 | L0, Op.MOVLPD, Vx, Hx, Mq);
        t.both(0x12, PF3, Op.MOVSLDUP, Vx, Wx);
        t.sse(0x12, PF2, Op.MOVDDUP, Vx, Wq);
        t.vex(0x12, PF2, byL(of(0, Op.MOVDDUP, Vx, Wq), of(0, Op.MOVDDUP, Vx, Wx)));
        t.both(0x13, NP | L0, Op.MOVLPS, Mq, Vx);
        t.both(0x13, P66 | L0, Op.MOVLPD, Mq, Vx);
        t.both(0x14, NP, Op.UNPCKLPS, Vx, Hx, Wx);
        t.both(0x14, P66, Op.UNPCKLPD, Vx, Hx, Wx);
        t.both(0x15, NP, Op.UNPCKHPS, Vx, Hx, Wx);
        t.both(0x15, P66, Op.UNPCKHPD, Vx, Hx, Wx);
        t.sse(0x16, NP, byMod(of(0, Op.MOVHPS, Vx, Mq), of(0, Op.MOVLHPS, Vx, Uq)));
        t.vex(0x16, NP, byMod(of(L0, Op.MOVHPS, Vx, Hx, Mq), of(L0, Op.MOVLHPS, Vx, Hx, Uq)));
        t.both(0x16, P66 | L0, Op.MOVHPD, Vx, Hx, Mq);
        t.both(0x16, PF3, Op.MOVSHDUP, Vx, Wx);
        t.both(0x17, NP | L0, Op.MOVHPS, Mq, Vx);
        t.both(0x17, P66 | L0, Op.MOVHPD, Mq, Vx);
        t.both(0x28, NP, Op.MOVAPS, Vx, Wx);
        t.both(0x28, P66, Op.MOVAPD, Vx, Wx);
        t.both(0x29, NP, Op.MOVAPS, Wx, Vx);
        t.both(0x29, P66, Op.MOVAPD, Wx, Vx);
        t.both(0x2B, NP, Op.MOVNTPS, Mx, Vx);
        t.both(0x2B, P66, Op.MOVNTPD, Mx, Vx);
        t.both(0x50, NP, Op.MOVMSKPS, Gy, Ux);
        t.both(0x50, P66, Op.MOVMSKPD, Gy, Ux);
    }

    private static void floatingPoint(OpcodeMap t) {
        t.both(0x2E, NP | LIG, Op.UCOMISS, Vx, Wd);
        t.both(0x2E, P66 | LIG, Op.UCOMISD, Vx, Wq);
        t.both(0x2F, NP | LIG, Op.COMISS, Vx, Wd);
        t.both(0x2F, P66 | LIG, Op.COMISD, Vx, Wq);
        t.both(0x51, NP, Op.SQRTPS, Vx, Wx);
        t.both(0x51, P66, Op.SQRTPD, Vx, Wx);
        t.both(0x51, PF3 | LIG, Op.SQRTSS, Vx, Hx, Wd);
        t.both(0x51, PF2 | LIG, Op.SQRTSD, Vx, Hx, Wq);
        t.both(0x52, NP, Op.RSQRTPS, Vx, Wx);
        t.both(0x52, PF3 | LIG, Op.RSQRTSS, Vx, Hx, Wd);
        t.both(0x53, NP, Op.RCPPS, Vx, Wx);
        t.both(0x53, PF3 | LIG, Op.RCPSS, Vx, Hx, Wd);
        t.both(0x54, NP, Op.ANDPS, Vx, Hx, Wx);
        t.both(0x54, P66, Op.ANDPD, Vx, Hx, Wx);
        t.both(0x55, NP, Op.ANDNPS, Vx, Hx, Wx);
        t.both(0x55, P66, Op.ANDNPD, Vx, Hx, Wx);
        t.both(0x56, NP, Op.ORPS, Vx, Hx, Wx);
        t.both(0x56, P66, Op.ORPD, Vx, Hx, Wx);
        t.both(0x57, NP, Op.XORPS, Vx, Hx, Wx);
        t.both(0x57, P66, Op.XORPD, Vx, Hx, Wx);
        four(t, 0x58, Op.ADDPS, Op.ADDPD, Op.ADDSS, Op.ADDSD);
        four(t, 0x59, Op.MULPS, Op.MULPD, Op.MULSS, Op.MULSD);
        four(t, 0x5C, Op.SUBPS, Op.SUBPD, Op.SUBSS, Op.SUBSD);
        four(t, 0x5D, Op.MINPS, Op.MINPD, Op.MINSS, Op.MINSD);
        four(t, 0x5E, Op.DIVPS, Op.DIVPD, Op.DIVSS, Op.DIVSD);
        four(t, 0x5F, Op.MAXPS, Op.MAXPD, Op.MAXSS, Op.MAXSD);
        t.both(0x7C, P66, Op.HADDPD, Vx, Hx, Wx);
        t.both(0x7C, PF2, Op.HADDPS, Vx, Hx, Wx);
        t.both(0x7D, P66, Op.HSUBPD, Vx, Hx, Wx);
        t.both(0x7D, PF2, Op.HSUBPS, Vx, Hx, Wx);
        t.both(0xC2, NP, Op.CMPPS, Vx, Hx, Wx, Ub);
        t.both(0xC2, P66, Op.CMPPD, Vx, Hx, Wx, Ub);
        t.both(0xC2, PF3 | LIG, Op.CMPSS, Vx, Hx, Wd, Ub);
        t.both(0xC2, PF2 | LIG, Op.CMPSD_XMM, Vx, Hx, Wq, Ub);
        t.both(0xC6, NP, Op.SHUFPS, Vx, Hx, Wx, Ub);
        t.both(0xC6, P66, Op.SHUFPD, Vx, Hx, Wx, Ub);
        t.both(0xD0, P66, Op.ADDSUBPD, Vx, Hx, Wx);
        t.both(0xD0, PF2, Op.ADDSUBPS, Vx, Hx, Wx);
    }

    private static void four(OpcodeMap t, int opcode, Op ps, Op pd, Op ss, Op sd) {
        t.both(opcode, NP, ps, Vx, Hx, Wx);
        t.both(opcode, P66, pd, Vx, Hx, Wx);
        t.both(opcode, PF3 | LIG, ss, Vx, Hx, Wd);
        t.both(opcode, PF2 | LIG, sd, Vx, Hx, Wq);
    }

    private static void conversions(OpcodeMap t) {
        t.sse(0x2A, NP, Op.CVTPI2PS, Vx, Qq);
        t.sse(0x2A, P66, Op.CVTPI2PD, Vx, Qq);
        t.both(0x2A, PF3 | LIG, Op.CVTSI2SS, Vx, Hx, Ey);
        t.both(0x2A, PF2 | LIG, Op.CVTSI2SD, Vx, Hx, Ey);
        t.sse(0x2C, NP, Op.CVTTPS2PI, Pq, Wq);
        t.sse(0x2C, P66, Op.CVTTPD2PI, Pq, Wdq);
        t.both(0x2C, PF3 | LIG, Op.CVTTSS2SI, Gy, Wd);
        t.both(0x2C, PF2 | LIG, Op.CVTTSD2SI, Gy, Wq);
        t.sse(0x2D, NP, Op.CVTPS2PI, Pq, Wq);
        t.sse(0x2D, P66, Op.CVTPD2PI, Pq, Wdq);
        t.both(0x2D, PF3 | LIG, Op.CVTSS2SI, Gy, Wd);
        t.both(0x2D, PF2 | LIG, Op.CVTSD2SI, Gy, Wq);
        t.both(0x5A, NP, Op.CVTPS2PD, Vx, WxHalf);
        t.both(0x5A, P66, Op.CVTPD2PS, Vx, Wx);
        t.both(0x5A, PF3 | LIG, Op.CVTSS2SD, Vx, Hx, Wd);
        t.both(0x5A, PF2 | LIG, Op.CVTSD2SS, Vx, Hx, Wq);
        t.both(0x5B, NP, Op.CVTDQ2PS, Vx, Wx);
        t.both(0x5B, P66, Op.CVTPS2DQ, Vx, Wx);
        t.both(0x5B, PF3, Op.CVTTPS2DQ, Vx, Wx);
        t.both(0xE6, P66, Op.CVTTPD2DQ, Vx, Wx);
        t.both(0xE6, PF3, Op.CVTDQ2PD, Vx, WxHalf);
        t.both(0xE6, PF2, Op.CVTPD2DQ, Vx, Wx);
    }

    private static void packedMoves(OpcodeMap t) {
        t.sse(0x6E, NP, Op.MOVD, Pq, Ey);
        t.both(0x6E, P66 | L0, Op.MOVD, Vx, Ey);
        t.sse(0x7E, NP, Op.MOVD, Ey, Pq);
        t.both(0x7E, P66 | L0, Op.MOVD, Ey, Vx);
        t.both(0x7E, PF3 | L0, Op.MOVQ, Vx, Wq);
        t.both(0xD6, P66 | L0, Op.MOVQ, Wq, Vx);
        t.sse(0xD6, PF3, Op.MOVQ2DQ, Vx, Nq);
        t.sse(0xD6, PF2, Op.MOVDQ2Q, Pq, Uq);
        t.sse(0x6F, NP, Op.MOVQ, Pq, Qq);
        t.both(0x6F, P66, Op.MOVDQA, Vx, Wx);
        t.both(0x6F, PF3, Op.MOVDQU, Vx, Wx);
        t.sse(0x7F, NP, Op.MOVQ, Qq, Pq);
        t.both(0x7F, P66, Op.MOVDQA, Wx, Vx);
        t.both(0x7F, PF3, Op.MOVDQU, Wx, Vx);
        t.sse(0x77, NP, Op.EMMS);
        t.vex(0x77, NP, Groups.vzero());
        t.sse(0xC4, NP, Op.PINSRW, Pq, RyMw, Ub);
        t.both(0xC4, P66 | L0, Op.PINSRW, Vx, Hx, RyMw, Ub);
        t.sse(0xC5, NP, Op.PEXTRW, Gy, Nq, Ub);
        t.both(0xC5, P66 | L0, Op.PEXTRW, Gy, Ux, Ub);
        t.sse(0xD7, NP, Op.PMOVMSKB, Gy, Nq);
        t.both(0xD7, P66, Op.PMOVMSKB, Gy, Ux);
        t.sse(0xE7, NP, Op.MOVNTQ, Mq, Pq);
        t.both(0xE7, P66, Op.MOVNTDQ, Mx, Vx);
        t.both(0xF0, PF2, Op.LDDQU, Vx, Mx);
        t.sse(0xF7, NP, Op.MASKMOVQ, Pq, Nq);
        t.both(0xF7, P66 | L0, Op.MASKMOVDQU, Vx, Ux);
    }

    private static void packedIntegers(OpcodeMap t) {
        unpackLow(t, 0x60, Op.PUNPCKLBW);
        unpackLow(t, 0x61, Op.PUNPCKLWD);
        unpackLow(t, 0x62, Op.PUNPCKLDQ);
        t.mmx(0x63, Op.PACKSSWB);
        t.mmx(0x64, Op.PCMPGTB);
        t.mmx(0x65, Op.PCMPGTW);
        t.mmx(0x66, Op.PCMPGTD);
        t.mmx(0x67, Op.PACKUSWB);
        t.mmx(0x68, Op.PUNPCKHBW);
        t.mmx(0x69, Op.PUNPCKHWD);
        t.mmx(0x6A, Op.PUNPCKHDQ);
        t.mmx(0x6B, Op.PACKSSDW);
        t.both(0x6C, P66, Op.PUNPCKLQDQ, Vx, Hx, Wx);
        t.both(0x6D, P66, Op.PUNPCKHQDQ, Vx, Hx, Wx);
        t.sse(0x70, NP, Op.PSHUFW, Pq, Qq, Ub);
        t.both(0x70, P66, Op.PSHUFD, Vx, Wx, Ub);
        t.both(0x70, PF3, Op.PSHUFHW, Vx, Wx, Ub);
        t.both(0x70, PF2, Op.PSHUFLW, Vx, Wx, Ub);
        t.sse(0x71, NP, Groups.group12(true, false));
        t.sse(0x71, P66, Groups.group12(false, false));
        t.vex(0x71, P66, Groups.group12(false, true));
        t.sse(0x72, NP, Groups.group13(true, false));
        t.sse(0x72, P66, Groups.group13(false, false));
        t.vex(0x72, P66, Groups.group13(false, true));
        t.sse(0x73, NP, Groups.group14(true, false));
        t.sse(0x73, P66, Groups.group14(false, false));
        t.vex(0x73, P66, Groups.group14(false, true));
        t.mmx(0x74, Op.PCMPEQB);
        t.mmx(0x75, Op.PCMPEQW);
        t.mmx(0x76, Op.PCMPEQD);
    }

    private static void unpackLow(OpcodeMap t, int opcode, Op op) {
        t.sse(opcode, NP, op, Pq, Qd);
        t.both(opcode, P66, op, Vx, Hx, Wx);
    }

    private static void packedArithmetic(OpcodeMap t) {
        shift(t, 0xD1, Op.PSRLW);
        shift(t, 0xD2, Op.PSRLD);
        shift(t, 0xD3, Op.PSRLQ);
        t.mmx(0xD4, Op.PADDQ);
        t.mmx(0xD5, Op.PMULLW);
        t.mmx(0xD8, Op.PSUBUSB);
        t.mmx(0xD9, Op.PSUBUSW);
        t.mmx(0xDA, Op.PMINUB);
        t.mmx(0xDB, Op.PAND);
        t.mmx(0xDC, Op.PADDUSB);
        t.mmx(0xDD, Op.PADDUSW);
        t.mmx(0xDE, Op.PMAXUB);
        t.mmx(0xDF, Op.PANDN);
        t.mmx(0xE0, Op.PAVGB);
        shift(t, 0xE1, Op.PSRAW);
        shift(t, 0xE2, Op.PSRAD);
        t.mmx(0xE3, Op.PAVGW);
        t.mmx(0xE4, Op.PMULHUW);
        t.mmx(0xE5, Op.PMULHW);
        t.mmx(0xE8, Op.PSUBSB);
        t.mmx(0xE9, Op.PSUBSW);
        t.mmx(0xEA, Op.PMINSW);
        t.mmx(0xEB, Op.POR);
        t.mmx(0xEC, Op.PADDSB);
        t.mmx(0xED, Op.PADDSW);
        t.mmx(0xEE, Op.PMAXSW);
        t.mmx(0xEF, Op.PXOR);
        shift(t, 0xF1, Op.PSLLW);
        shift(t, 0xF2, Op.PSLLD);
        shift(t, 0xF3, Op.PSLLQ);
        t.mmx(0xF4, Op.PMULUDQ);
        t.mmx(0xF5, Op.PMADDWD);
        t.mmx(0xF6, Op.PSADBW);
        t.mmx(0xF8, Op.PSUBB);
        t.mmx(0xF9, Op.PSUBW);
        t.mmx(0xFA, Op.PSUBD);
        t.mmx(0xFB, Op.PSUBQ);
        t.mmx(0xFC, Op.PADDB);
        t.mmx(0xFD, Op.PADDW);
        t.mmx(0xFE, Op.PADDD);
    }

    /** The count is 128 bits wide in every vector form. */
    private static void shift(OpcodeMap t, int opcode, Op op) {
        t.sse(opcode, NP, op, Pq, Qq);
        t.both(opcode, P66, op, Vx, Hx, Wdq);
    }
}
