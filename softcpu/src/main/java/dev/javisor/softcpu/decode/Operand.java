package dev.javisor.softcpu.decode;

/**
 * Operand codes in the notation of the SDM's opcode maps (SDM 2D appendix A.2): where the operand
 * is encoded (low byte) and how wide it is in memory (second byte).
 */
final class Operand {
    // Where: the SDM's first letter.
    static final int NONE = 0;

    /** E: ModRM.rm, general register or memory. */
    static final int RM_GPR = 1;

    /** ModRM.rm; the register form is of the full operand size although the memory form is not. */
    static final int RM_GPR_WIDE = 2;

    /** G: ModRM.reg. */
    static final int REG_GPR = 3;

    /** Z: low three bits of the opcode. */
    static final int OPCODE_GPR = 4;

    /** R: ModRM.rm, a register only. */
    static final int RM_GPR_ONLY = 5;

    /** B: VEX.vvvv. */
    static final int VVVV_GPR = 6;

    static final int FIXED_AX = 7;
    static final int FIXED_CX = 8;
    static final int FIXED_DX = 9;

    /** M: ModRM.rm, memory only. */
    static final int MEMORY = 10;

    /** M with a vector index (VSIB). */
    static final int MEMORY_VSIB = 11;

    /** O: absolute offset without ModRM. */
    static final int MOFFS = 12;

    static final int IMMEDIATE = 13;
    static final int RELATIVE = 14;
    static final int FAR_POINTER = 15;

    /** S: ModRM.reg. */
    static final int REG_SEG = 16;

    /** A segment register named by the opcode; its number is in the second byte. */
    static final int FIXED_SEG = 17;

    static final int REG_CR = 18;
    static final int REG_DR = 19;

    /** V: ModRM.reg. */
    static final int REG_XMM = 20;

    /** W: ModRM.rm, vector register or memory. */
    static final int RM_XMM = 21;

    /** U: ModRM.rm, a vector register only. */
    static final int RM_XMM_ONLY = 22;

    /** H: VEX.vvvv; absent from the legacy form. */
    static final int VVVV_XMM = 23;

    /** L: bits 7..4 of an immediate byte. */
    static final int IS4_XMM = 24;

    static final int FIXED_XMM0 = 25;

    /** P: ModRM.reg. */
    static final int REG_MMX = 26;

    /** Q: ModRM.rm, MMX register or memory. */
    static final int RM_MMX = 27;

    /** N: ModRM.rm, an MMX register only. */
    static final int RM_MMX_ONLY = 28;

    static final int FIXED_ST0 = 29;

    /** ST(i), i = ModRM.rm. */
    static final int RM_ST = 30;

    // How wide: codes 1..8 are fixed sizes.
    static final int SIZE_1 = 1 << 8;
    static final int SIZE_2 = 2 << 8;
    static final int SIZE_4 = 3 << 8;
    static final int SIZE_8 = 4 << 8;
    static final int SIZE_10 = 5 << 8;
    static final int SIZE_16 = 6 << 8;
    static final int SIZE_32 = 7 << 8;

    /** The instruction's operand size. */
    static final int SIZE_OP = 8 << 8;

    /** As SIZE_OP, at most 4. */
    static final int SIZE_Z = 9 << 8;

    /** 16, 32 or 64 bits by prefixes, where the operand size itself is something else. */
    static final int SIZE_PREFIXED = 10 << 8;

    /** Far pointer: operand size + 2. */
    static final int SIZE_FAR = 11 << 8;

    /** A pair: twice the operand size. */
    static final int SIZE_PAIR = 12 << 8;

    /** Pseudo-descriptor: 6 bytes, 10 in 64-bit mode. */
    static final int SIZE_TABLE = 13 << 8;

    /** The vector width. */
    static final int SIZE_VECTOR = 14 << 8;

    static final int SIZE_VECTOR_HALF = 15 << 8;
    static final int SIZE_VECTOR_QUARTER = 16 << 8;
    static final int SIZE_VECTOR_EIGHTH = 17 << 8;

    // What the immediate bytes are.
    /** imm8, sign-extended. */
    static final int IMM_S8 = 1 << 8;

    /** imm8, zero-extended. */
    static final int IMM_U8 = 2 << 8;

    /** imm16, zero-extended. */
    static final int IMM_U16 = 3 << 8;

    /** imm16 or imm32 by operand size, sign-extended. */
    static final int IMM_Z = 4 << 8;

    /** imm16, imm32 or imm64 by operand size, sign-extended. */
    static final int IMM_V = 5 << 8;

    /** The constant 1, not encoded. */
    static final int IMM_ONE = 6 << 8;

    /** ENTER: imm16 then imm8. */
    static final int IMM_ENTER = 7 << 8;

    // The notation itself.
    static final int Eb = RM_GPR | SIZE_1;
    static final int Ew = RM_GPR | SIZE_2;
    static final int Ed = RM_GPR | SIZE_Z;
    static final int Ev = RM_GPR | SIZE_OP;

    /** 32 or 64 bits: the operand size of instructions that ignore 66. */
    static final int Ey = RM_GPR | SIZE_OP;

    static final int EvPrefixed = RM_GPR | SIZE_PREFIXED;
    static final int RvMw = RM_GPR_WIDE | SIZE_2;
    static final int RyMb = RM_GPR_WIDE | SIZE_1;
    static final int RyMw = RM_GPR_WIDE | SIZE_2;
    static final int RyMd = RM_GPR_WIDE | SIZE_4;
    static final int Gb = REG_GPR | SIZE_1;
    static final int Gv = REG_GPR | SIZE_OP;
    static final int Gw = REG_GPR | SIZE_2;
    static final int Gy = REG_GPR | SIZE_OP;
    static final int Zb = OPCODE_GPR | SIZE_1;
    static final int Zv = OPCODE_GPR | SIZE_OP;
    static final int Rv = RM_GPR_ONLY | SIZE_OP;
    static final int Ry = RM_GPR_ONLY | SIZE_OP;
    static final int By = VVVV_GPR | SIZE_OP;
    static final int AL = FIXED_AX | SIZE_1;
    static final int AX = FIXED_AX | SIZE_2;
    static final int rAX = FIXED_AX | SIZE_OP;
    static final int CL = FIXED_CX | SIZE_1;
    static final int DX = FIXED_DX | SIZE_2;
    static final int M = MEMORY;
    static final int Mb = MEMORY | SIZE_1;
    static final int Mw = MEMORY | SIZE_2;
    static final int Md = MEMORY | SIZE_4;
    static final int Mq = MEMORY | SIZE_8;
    static final int Mt = MEMORY | SIZE_10;
    static final int Mdq = MEMORY | SIZE_16;
    static final int Mv = MEMORY | SIZE_OP;
    static final int My = MEMORY | SIZE_OP;
    static final int Mp = MEMORY | SIZE_FAR;
    static final int Ma = MEMORY | SIZE_PAIR;
    static final int Ms = MEMORY | SIZE_TABLE;
    static final int Mx = MEMORY | SIZE_VECTOR;
    static final int MdVsib = MEMORY_VSIB | SIZE_4;
    static final int MqVsib = MEMORY_VSIB | SIZE_8;
    static final int Ob = MOFFS | SIZE_1;
    static final int Ov = MOFFS | SIZE_OP;
    static final int Sw = REG_SEG;
    static final int Cy = REG_CR;
    static final int Dy = REG_DR;
    static final int ES = FIXED_SEG;
    static final int CS = FIXED_SEG | 1 << 8;
    static final int SS = FIXED_SEG | 2 << 8;
    static final int DS = FIXED_SEG | 3 << 8;
    static final int FS = FIXED_SEG | 4 << 8;
    static final int GS = FIXED_SEG | 5 << 8;

    /** Sign-extended imm8. */
    static final int Ib = IMMEDIATE | IMM_S8;

    /** Zero-extended imm8: counts, ports, vectors, control bytes. */
    static final int Ub = IMMEDIATE | IMM_U8;

    static final int Uw = IMMEDIATE | IMM_U16;
    static final int Iz = IMMEDIATE | IMM_Z;
    static final int Iv = IMMEDIATE | IMM_V;
    static final int One = IMMEDIATE | IMM_ONE;
    static final int UwUb = IMMEDIATE | IMM_ENTER;
    static final int Jb = RELATIVE | IMM_S8;
    static final int Jz = RELATIVE | IMM_Z;
    static final int Ap = FAR_POINTER;
    static final int Vx = REG_XMM;
    static final int Hx = VVVV_XMM;
    static final int Lx = IS4_XMM;
    static final int Ux = RM_XMM_ONLY | SIZE_VECTOR;
    static final int Uq = RM_XMM_ONLY | SIZE_8;
    static final int Ud = RM_XMM_ONLY | SIZE_4;
    static final int Wb = RM_XMM | SIZE_1;
    static final int Ww = RM_XMM | SIZE_2;
    static final int Wd = RM_XMM | SIZE_4;
    static final int Wq = RM_XMM | SIZE_8;
    static final int Wdq = RM_XMM | SIZE_16;
    static final int Wx = RM_XMM | SIZE_VECTOR;
    static final int WxHalf = RM_XMM | SIZE_VECTOR_HALF;
    static final int WxQuarter = RM_XMM | SIZE_VECTOR_QUARTER;
    static final int WxEighth = RM_XMM | SIZE_VECTOR_EIGHTH;
    static final int XMM0 = FIXED_XMM0;
    static final int Pq = REG_MMX;
    static final int Qq = RM_MMX | SIZE_8;
    static final int Qd = RM_MMX | SIZE_4;
    static final int Nq = RM_MMX_ONLY | SIZE_8;
    static final int ST0 = FIXED_ST0;
    static final int STi = RM_ST;

    private Operand() {}

    static int place(int operand) {
        return operand & 0xFF;
    }

    /** Size, immediate form or fixed number. */
    static int detail(int operand) {
        return operand & 0xFF00;
    }
}
