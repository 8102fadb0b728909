package dev.javisor.softcpu.decode;

import static dev.javisor.softcpu.decode.Form.D64;
import static dev.javisor.softcpu.decode.Form.F64;
import static dev.javisor.softcpu.decode.Form.I64;
import static dev.javisor.softcpu.decode.Form.LOCK;
import static dev.javisor.softcpu.decode.Form.OS_B;
import static dev.javisor.softcpu.decode.Form.OS_V;
import static dev.javisor.softcpu.decode.Form.OS_Z;
import static dev.javisor.softcpu.decode.Form.byMode;
import static dev.javisor.softcpu.decode.Form.byNop;
import static dev.javisor.softcpu.decode.Form.of;
import static dev.javisor.softcpu.decode.Operand.*;

import java.util.Arrays;

/**
 * One-byte opcodes (SDM 2D table A-2). Prefixes, 0F, VEX (C4, C5) and EVEX (62) are the decoder's.
 */
final class OneByteMap {
    private static final Op[] ALU = {Op.ADD, Op.OR, Op.ADC, Op.SBB, Op.AND, Op.SUB, Op.XOR, Op.CMP};

    private final Form[] map = new Form[256];

    private OneByteMap() {
        Arrays.fill(map, Form.INVALID);
    }

    static Form[] build() {
        OneByteMap table = new OneByteMap();
        table.arithmetic();
        table.stackAndMoves();
        table.branches();
        table.rest();
        return table.map;
    }

    private void at(int opcode, int flags, Op op, int... operands) {
        map[opcode] = of(flags, op, operands);
    }

    private void arithmetic() {
        for (int i = 0; i < 8; i++) {
            int lock = ALU[i] == Op.CMP ? 0 : LOCK;
            at(i * 8, lock, ALU[i], Eb, Gb);
            at(i * 8 + 1, lock, ALU[i], Ev, Gv);
            at(i * 8 + 2, 0, ALU[i], Gb, Eb);
            at(i * 8 + 3, 0, ALU[i], Gv, Ev);
            at(i * 8 + 4, 0, ALU[i], AL, Ib);
            at(i * 8 + 5, 0, ALU[i], rAX, Iz);
        }
        at(0x27, I64, Op.DAA);
        at(0x2F, I64, Op.DAS);
        at(0x37, I64, Op.AAA);
        at(0x3F, I64, Op.AAS);
        at(0xD4, I64, Op.AAM, Ub);
        at(0xD5, I64, Op.AAD, Ub);
        for (int r = 0; r < 8; r++) {
            at(0x40 + r, I64, Op.INC, Zv);
            at(0x48 + r, I64, Op.DEC, Zv);
        }
        at(0x69, 0, Op.IMUL, Gv, Ev, Iz);
        at(0x6B, 0, Op.IMUL, Gv, Ev, Ib);
        map[0x80] = Groups.group1(ALU, Eb, Ib);
        map[0x81] = Groups.group1(ALU, Ev, Iz);
        map[0x82] = byMode(Groups.group1(ALU, Eb, Ib), Form.INVALID);
        map[0x83] = Groups.group1(ALU, Ev, Ib);
        at(0x84, 0, Op.TEST, Eb, Gb);
        at(0x85, 0, Op.TEST, Ev, Gv);
        at(0xA8, 0, Op.TEST, AL, Ib);
        at(0xA9, 0, Op.TEST, rAX, Iz);
        map[0xC0] = Groups.group2(Eb, Ub);
        map[0xC1] = Groups.group2(Ev, Ub);
        map[0xD0] = Groups.group2(Eb, One);
        map[0xD1] = Groups.group2(Ev, One);
        map[0xD2] = Groups.group2(Eb, CL);
        map[0xD3] = Groups.group2(Ev, CL);
        map[0xF6] = Groups.group3(Eb, Ib);
        map[0xF7] = Groups.group3(Ev, Iz);
        map[0xFE] = Groups.group4();
        map[0xFF] = Groups.group5();
        at(0x98, 0, Op.CBW);
        at(0x99, 0, Op.CWD);
    }

    private void stackAndMoves() {
        at(0x06, I64, Op.PUSH_SEG, ES);
        at(0x07, I64, Op.POP_SEG, ES);
        at(0x0E, I64, Op.PUSH_SEG, CS);
        at(0x16, I64, Op.PUSH_SEG, SS);
        at(0x17, I64, Op.POP_SEG, SS);
        at(0x1E, I64, Op.PUSH_SEG, DS);
        at(0x1F, I64, Op.POP_SEG, DS);
        for (int r = 0; r < 8; r++) {
            at(0x50 + r, D64, Op.PUSH, Zv);
            at(0x58 + r, D64, Op.POP, Zv);
            at(0x90 + r, 0, Op.XCHG, Zv, rAX);
            at(0xB0 + r, 0, Op.MOV, Zb, Ib);
            at(0xB8 + r, 0, Op.MOV, Zv, Iv);
        }
        map[0x90] = byNop(of(0, Op.NOP), of(0, Op.PAUSE), of(0, Op.XCHG, Zv, rAX));
        at(0x60, I64, Op.PUSHA);
        at(0x61, I64, Op.POPA);
        at(0x62, I64, Op.BOUND, Gv, Ma);
        map[0x63] = byMode(of(Form.OS_W, Op.ARPL, Ew, Gw), of(0, Op.MOVSXD, Gv, Ed));
        at(0x68, D64, Op.PUSH, Iz);
        at(0x6A, D64, Op.PUSH, Ib);
        at(0x86, LOCK, Op.XCHG, Eb, Gb);
        at(0x87, LOCK, Op.XCHG, Ev, Gv);
        at(0x88, 0, Op.MOV, Eb, Gb);
        at(0x89, 0, Op.MOV, Ev, Gv);
        at(0x8A, 0, Op.MOV, Gb, Eb);
        at(0x8B, 0, Op.MOV, Gv, Ev);
        at(0x8C, 0, Op.MOV_SEG, RvMw, Sw);
        at(0x8D, 0, Op.LEA, Gv, M);
        at(0x8E, 0, Op.MOV_SEG, Sw, RvMw);
        map[0x8F] = Groups.group1a();
        at(0x9C, D64, Op.PUSHF);
        at(0x9D, D64, Op.POPF);
        at(0x9E, OS_B, Op.SAHF);
        at(0x9F, OS_B, Op.LAHF);
        at(0xA0, 0, Op.MOV, AL, Ob);
        at(0xA1, 0, Op.MOV, rAX, Ov);
        at(0xA2, 0, Op.MOV, Ob, AL);
        at(0xA3, 0, Op.MOV, Ov, rAX);
        at(0xC4, I64, Op.LES, Gv, Mp);
        at(0xC5, I64, Op.LDS, Gv, Mp);
        map[0xC6] = Groups.group11(Eb, Ib);
        map[0xC7] = Groups.group11(Ev, Iz);
        at(0xC8, D64, Op.ENTER, UwUb);
        at(0xC9, D64, Op.LEAVE);
    }

    private void branches() {
        for (int c = 0; c < 16; c++) {
            at(0x70 + c, F64, Op.JCC, Jb);
        }
        at(0x9A, I64, Op.CALL_FAR, Ap);
        at(0xC2, F64, Op.RET, Uw);
        at(0xC3, F64, Op.RET);
        at(0xCA, OS_V, Op.RET_FAR, Uw);
        at(0xCB, OS_V, Op.RET_FAR);
        at(0xCC, 0, Op.INT3);
        at(0xCD, 0, Op.INT, Ub);
        at(0xCE, I64, Op.INTO);
        at(0xCF, 0, Op.IRET);
        at(0xE0, F64, Op.LOOPNE, Jb);
        at(0xE1, F64, Op.LOOPE, Jb);
        at(0xE2, F64, Op.LOOP, Jb);
        at(0xE3, F64, Op.JCXZ, Jb);
        at(0xE8, F64, Op.CALL, Jz);
        at(0xE9, F64, Op.JMP, Jz);
        at(0xEA, I64, Op.JMP_FAR, Ap);
        at(0xEB, F64, Op.JMP, Jb);
    }

    private void rest() {
        at(0x6C, OS_B, Op.INS);
        at(0x6D, OS_Z, Op.INS);
        at(0x6E, OS_B, Op.OUTS);
        at(0x6F, OS_Z, Op.OUTS);
        at(0xA4, OS_B, Op.MOVS);
        at(0xA5, 0, Op.MOVS);
        at(0xA6, OS_B, Op.CMPS);
        at(0xA7, 0, Op.CMPS);
        at(0xAA, OS_B, Op.STOS);
        at(0xAB, 0, Op.STOS);
        at(0xAC, OS_B, Op.LODS);
        at(0xAD, 0, Op.LODS);
        at(0xAE, OS_B, Op.SCAS);
        at(0xAF, 0, Op.SCAS);
        at(0x9B, 0, Op.FWAIT);
        at(0xD6, I64 | OS_B, Op.SALC);
        at(0xD7, OS_B, Op.XLAT);
        for (int i = 0; i < 8; i++) {
            map[0xD8 + i] = X87Map.escape(i);
        }
        at(0xE4, OS_B, Op.IN, AL, Ub);
        at(0xE5, OS_Z, Op.IN, rAX, Ub);
        at(0xE6, OS_B, Op.OUT, Ub, AL);
        at(0xE7, OS_Z, Op.OUT, Ub, rAX);
        at(0xEC, OS_B, Op.IN, AL, DX);
        at(0xED, OS_Z, Op.IN, rAX, DX);
        at(0xEE, OS_B, Op.OUT, DX, AL);
        at(0xEF, OS_Z, Op.OUT, DX, rAX);
        at(0xF1, 0, Op.INT1);
        at(0xF4, 0, Op.HLT);
        at(0xF5, 0, Op.CMC);
        at(0xF8, 0, Op.CLC);
        at(0xF9, 0, Op.STC);
        at(0xFA, 0, Op.CLI);
        at(0xFB, 0, Op.STI);
        at(0xFC, 0, Op.CLD);
        at(0xFD, 0, Op.STD);
    }
}
