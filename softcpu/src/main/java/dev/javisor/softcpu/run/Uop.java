package dev.javisor.softcpu.run;

/**
 * Dispatch codes of tier one ({@code Insn.uop}): the frequent instructions of 64-bit mode in
 * specialised forms, everything else through {@link #GENERIC}. R is a 64-bit register, E a 32-bit
 * one, M memory, I an immediate. Dense, because the hot loop switches on them.
 *
 * <p>Memory forms of arithmetic are two or three dispatch codes: load into {@link Lowering#TMP},
 * operate, store.
 */
final class Uop {
    /** Execute by family; the block goes on. */
    static final int GENERIC = 0;

    /** Execute by family after setting RIP; the block ends. */
    static final int GENERIC_END = 1;

    static final int MOV_RR = 2;
    static final int MOV_EE = 3;

    /** reg0 = imm, for both widths. */
    static final int MOV_RI = 4;

    static final int LOAD64 = 5;
    static final int LOAD32 = 6;
    static final int LOAD16 = 7;
    static final int LOAD8 = 8;

    /** Sign-extending loads to 64 bits, and to 32 bits. */
    static final int LOADS32_R = 9;

    static final int LOADS16_R = 10;
    static final int LOADS8_R = 11;
    static final int LOADS16_E = 12;
    static final int LOADS8_E = 13;
    static final int STORE64 = 14;
    static final int STORE32 = 15;
    static final int STORE16 = 16;
    static final int STORE8 = 17;
    static final int STORE64_I = 18;
    static final int STORE32_I = 19;
    static final int STORE16_I = 20;
    static final int STORE8_I = 21;

    /** Load with the right to write: first of a read-modify-write. */
    static final int LOADW64 = 22;

    static final int LOADW32 = 23;
    static final int MOVZX8 = 24;
    static final int MOVZX16 = 25;
    static final int MOVSX32_R = 26;
    static final int MOVSX16_R = 27;
    static final int MOVSX8_R = 28;
    static final int MOVSX16_E = 29;
    static final int MOVSX8_E = 30;
    static final int LEA_R = 31;
    static final int LEA_E = 32;

    static final int ADD_RR = 33;
    static final int ADD_RI = 34;
    static final int ADD_EE = 35;
    static final int ADD_EI = 36;
    static final int SUB_RR = 37;
    static final int SUB_RI = 38;
    static final int SUB_EE = 39;
    static final int SUB_EI = 40;
    static final int AND_RR = 41;
    static final int AND_RI = 42;
    static final int AND_EE = 43;
    static final int AND_EI = 44;
    static final int OR_RR = 45;
    static final int OR_RI = 46;
    static final int OR_EE = 47;
    static final int OR_EI = 48;
    static final int XOR_RR = 49;
    static final int XOR_RI = 50;
    static final int XOR_EE = 51;
    static final int XOR_EI = 52;
    static final int CMP_RR = 53;
    static final int CMP_RI = 54;
    static final int CMP_EE = 55;
    static final int CMP_EI = 56;
    static final int TEST_RR = 57;
    static final int TEST_RI = 58;
    static final int TEST_EE = 59;
    static final int TEST_EI = 60;
    static final int ADC_RR = 61;
    static final int ADC_RI = 62;
    static final int ADC_EE = 63;
    static final int ADC_EI = 64;
    static final int SBB_RR = 65;
    static final int SBB_RI = 66;
    static final int SBB_EE = 67;
    static final int SBB_EI = 68;

    /** 8 and 16 bits: shift of the flags' sign position is in scale's place, {@code imm2}. */
    static final int CMPN_RR = 69;

    static final int CMPN_RI = 70;
    static final int TESTN_RR = 71;
    static final int TESTN_RI = 72;

    static final int INC_R = 73;
    static final int INC_E = 74;
    static final int DEC_R = 75;
    static final int DEC_E = 76;
    static final int NEG_R = 77;
    static final int NEG_E = 78;
    static final int NOT_R = 79;
    static final int NOT_E = 80;
    static final int SHL_RI = 81;
    static final int SHL_EI = 82;
    static final int SHR_RI = 83;
    static final int SHR_EI = 84;
    static final int SAR_RI = 85;
    static final int SAR_EI = 86;
    static final int IMUL_RR = 87;
    static final int IMUL_EE = 88;
    static final int IMUL_RRI = 89;
    static final int IMUL_EEI = 90;
    static final int MUL_R = 91;

    static final int PUSH_R = 92;
    static final int PUSH_I = 93;
    static final int POP_R = 94;
    static final int LEAVE = 95;
    static final int SETCC = 96;
    static final int CMOV_RR = 97;
    static final int CMOV_EE = 98;
    static final int CDQE = 99;
    static final int CQO = 100;
    static final int CDQ = 101;
    static final int NOP = 102;

    // Block ends.
    static final int JMP_REL = 103;
    static final int JMP_R = 104;
    static final int CALL_REL = 105;
    static final int CALL_R = 106;
    static final int RET = 107;

    /** JCC with condition n is JCC + n. */
    static final int JCC = 108;

    // 124: compare or test fused with the JZ or JNZ behind it; disp holds the immediate.
    static final int CMP_RR_JZ = 124;
    static final int CMP_RR_JNZ = 125;
    static final int CMP_EE_JZ = 126;
    static final int CMP_EE_JNZ = 127;
    static final int CMP_RI_JZ = 128;
    static final int CMP_RI_JNZ = 129;
    static final int CMP_EI_JZ = 130;
    static final int CMP_EI_JNZ = 131;
    static final int TEST_RR_JZ = 132;
    static final int TEST_RR_JNZ = 133;
    static final int TEST_EE_JZ = 134;
    static final int TEST_EE_JNZ = 135;

    /** Execute by family after setting RIP; an indirect jump or the like: only RIP may differ. */
    static final int GENERIC_JUMP = 136;

    // Forms that leave the flags alone: where nothing reads them before the next operation sets
    // them.
    static final int ADD_RR_N = 137;
    static final int ADD_RI_N = 138;
    static final int ADD_EE_N = 139;
    static final int ADD_EI_N = 140;
    static final int SUB_RR_N = 141;
    static final int SUB_RI_N = 142;
    static final int SUB_EE_N = 143;
    static final int SUB_EI_N = 144;
    static final int AND_RR_N = 145;
    static final int AND_RI_N = 146;
    static final int AND_EE_N = 147;
    static final int AND_EI_N = 148;
    static final int OR_RR_N = 149;
    static final int OR_RI_N = 150;
    static final int OR_EE_N = 151;
    static final int OR_EI_N = 152;
    static final int XOR_RR_N = 153;
    static final int XOR_RI_N = 154;
    static final int XOR_EE_N = 155;
    static final int XOR_EI_N = 156;
    static final int SHL_RI_N = 157;
    static final int SHL_EI_N = 158;
    static final int SHR_RI_N = 159;
    static final int SHR_EI_N = 160;
    static final int SAR_RI_N = 161;
    static final int SAR_EI_N = 162;
    static final int IMUL_RR_N = 163;
    static final int IMUL_EE_N = 164;
    static final int IMUL_RRI_N = 165;
    static final int IMUL_EEI_N = 166;
    static final int MUL_R_N = 167;
    static final int INC_R_N = 168;
    static final int INC_E_N = 169;
    static final int DEC_R_N = 170;
    static final int DEC_E_N = 171;
    static final int NEG_R_N = 172;
    static final int NEG_E_N = 173;

    private Uop() {}
}
