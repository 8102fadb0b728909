package dev.javisor.softcpu.block;

/**
 * Dispatch codes of tier one ({@code Insn.uop}): the frequent instructions of 64-bit mode in
 * specialised forms, everything else through {@link #GENERIC}. R is a 64-bit register, E a 32-bit
 * one, M memory, I an immediate. Dense, because the hot loop switches on them.
 *
 * <p>Memory forms of arithmetic are two or three dispatch codes: load into {@link Lowering#TMP},
 * operate, store.
 */
public final class Uop {
    /** Execute by family; the block goes on. */
    public static final int GENERIC = 0;

    /** Execute by family after setting RIP; the block ends. */
    public static final int GENERIC_END = 1;

    public static final int MOV_RR = 2;
    public static final int MOV_EE = 3;

    /** reg0 = imm, for both widths. */
    public static final int MOV_RI = 4;

    public static final int LOAD64 = 5;
    public static final int LOAD32 = 6;
    public static final int LOAD16 = 7;
    public static final int LOAD8 = 8;

    /** Sign-extending loads to 64 bits, and to 32 bits. */
    public static final int LOADS32_R = 9;

    public static final int LOADS16_R = 10;
    public static final int LOADS8_R = 11;
    public static final int LOADS16_E = 12;
    public static final int LOADS8_E = 13;
    public static final int STORE64 = 14;
    public static final int STORE32 = 15;
    public static final int STORE16 = 16;
    public static final int STORE8 = 17;
    public static final int STORE64_I = 18;
    public static final int STORE32_I = 19;
    public static final int STORE16_I = 20;
    public static final int STORE8_I = 21;

    /** Load with the right to write: first of a read-modify-write. */
    public static final int LOADW64 = 22;

    public static final int LOADW32 = 23;
    public static final int MOVZX8 = 24;
    public static final int MOVZX16 = 25;
    public static final int MOVSX32_R = 26;
    public static final int MOVSX16_R = 27;
    public static final int MOVSX8_R = 28;
    public static final int MOVSX16_E = 29;
    public static final int MOVSX8_E = 30;
    public static final int LEA_R = 31;
    public static final int LEA_E = 32;

    public static final int ADD_RR = 33;
    public static final int ADD_RI = 34;
    public static final int ADD_EE = 35;
    public static final int ADD_EI = 36;
    public static final int SUB_RR = 37;
    public static final int SUB_RI = 38;
    public static final int SUB_EE = 39;
    public static final int SUB_EI = 40;
    public static final int AND_RR = 41;
    public static final int AND_RI = 42;
    public static final int AND_EE = 43;
    public static final int AND_EI = 44;
    public static final int OR_RR = 45;
    public static final int OR_RI = 46;
    public static final int OR_EE = 47;
    public static final int OR_EI = 48;
    public static final int XOR_RR = 49;
    public static final int XOR_RI = 50;
    public static final int XOR_EE = 51;
    public static final int XOR_EI = 52;
    public static final int CMP_RR = 53;
    public static final int CMP_RI = 54;
    public static final int CMP_EE = 55;
    public static final int CMP_EI = 56;
    public static final int TEST_RR = 57;
    public static final int TEST_RI = 58;
    public static final int TEST_EE = 59;
    public static final int TEST_EI = 60;
    public static final int ADC_RR = 61;
    public static final int ADC_RI = 62;
    public static final int ADC_EE = 63;
    public static final int ADC_EI = 64;
    public static final int SBB_RR = 65;
    public static final int SBB_RI = 66;
    public static final int SBB_EE = 67;
    public static final int SBB_EI = 68;

    /** 8 and 16 bits: shift of the flags' sign position is in scale's place, {@code imm2}. */
    public static final int CMPN_RR = 69;

    public static final int CMPN_RI = 70;
    public static final int TESTN_RR = 71;
    public static final int TESTN_RI = 72;

    public static final int INC_R = 73;
    public static final int INC_E = 74;
    public static final int DEC_R = 75;
    public static final int DEC_E = 76;
    public static final int NEG_R = 77;
    public static final int NEG_E = 78;
    public static final int NOT_R = 79;
    public static final int NOT_E = 80;
    public static final int SHL_RI = 81;
    public static final int SHL_EI = 82;
    public static final int SHR_RI = 83;
    public static final int SHR_EI = 84;
    public static final int SAR_RI = 85;
    public static final int SAR_EI = 86;
    public static final int IMUL_RR = 87;
    public static final int IMUL_EE = 88;
    public static final int IMUL_RRI = 89;
    public static final int IMUL_EEI = 90;
    public static final int MUL_R = 91;

    public static final int PUSH_R = 92;
    public static final int PUSH_I = 93;
    public static final int POP_R = 94;
    public static final int LEAVE = 95;
    public static final int SETCC = 96;
    public static final int CMOV_RR = 97;
    public static final int CMOV_EE = 98;
    public static final int CDQE = 99;
    public static final int CQO = 100;
    public static final int CDQ = 101;
    public static final int NOP = 102;

    // Block ends.
    public static final int JMP_REL = 103;
    public static final int JMP_R = 104;
    public static final int CALL_REL = 105;
    public static final int CALL_R = 106;
    public static final int RET = 107;

    /** JCC with condition n is JCC + n. */
    public static final int JCC = 108;

    // 124: compare or test fused with the JZ or JNZ behind it; disp holds the immediate.
    public static final int CMP_RR_JZ = 124;
    public static final int CMP_RR_JNZ = 125;
    public static final int CMP_EE_JZ = 126;
    public static final int CMP_EE_JNZ = 127;
    public static final int CMP_RI_JZ = 128;
    public static final int CMP_RI_JNZ = 129;
    public static final int CMP_EI_JZ = 130;
    public static final int CMP_EI_JNZ = 131;
    public static final int TEST_RR_JZ = 132;
    public static final int TEST_RR_JNZ = 133;
    public static final int TEST_EE_JZ = 134;
    public static final int TEST_EE_JNZ = 135;

    /** Execute by family after setting RIP; an indirect jump or the like: only RIP may differ. */
    public static final int GENERIC_JUMP = 136;

    // Forms that leave the flags alone: where nothing reads them before the next operation sets
    // them.
    public static final int ADD_RR_N = 137;
    public static final int ADD_RI_N = 138;
    public static final int ADD_EE_N = 139;
    public static final int ADD_EI_N = 140;
    public static final int SUB_RR_N = 141;
    public static final int SUB_RI_N = 142;
    public static final int SUB_EE_N = 143;
    public static final int SUB_EI_N = 144;
    public static final int AND_RR_N = 145;
    public static final int AND_RI_N = 146;
    public static final int AND_EE_N = 147;
    public static final int AND_EI_N = 148;
    public static final int OR_RR_N = 149;
    public static final int OR_RI_N = 150;
    public static final int OR_EE_N = 151;
    public static final int OR_EI_N = 152;
    public static final int XOR_RR_N = 153;
    public static final int XOR_RI_N = 154;
    public static final int XOR_EE_N = 155;
    public static final int XOR_EI_N = 156;
    public static final int SHL_RI_N = 157;
    public static final int SHL_EI_N = 158;
    public static final int SHR_RI_N = 159;
    public static final int SHR_EI_N = 160;
    public static final int SAR_RI_N = 161;
    public static final int SAR_EI_N = 162;
    public static final int IMUL_RR_N = 163;
    public static final int IMUL_EE_N = 164;
    public static final int IMUL_RRI_N = 165;
    public static final int IMUL_EEI_N = 166;
    public static final int MUL_R_N = 167;
    public static final int INC_R_N = 168;
    public static final int INC_E_N = 169;
    public static final int DEC_R_N = 170;
    public static final int DEC_E_N = 171;
    public static final int NEG_R_N = 172;
    public static final int NEG_E_N = 173;

    /** Only in {@link Words}: the block ends without a branch. */
    public static final int END = 174;

    private Uop() {}
}
