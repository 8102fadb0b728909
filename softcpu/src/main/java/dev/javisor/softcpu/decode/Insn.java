package dev.javisor.softcpu.decode;

/**
 * One decoded instruction, bound to its address: RIP-relative operands and branch targets are
 * already absolute. Filled by the {@link Decoder}, read by both tiers; never changed afterwards
 * except for {@link #uop} and {@link #ordinal}. What the fields mean for particular operations is
 * in {@link Op}.
 */
public final class Insn {
    // Operand kinds.
    /** No operand. */
    public static final byte NONE = 0;

    /** General register {@code reg}, 0..15, of {@link #opSize} bytes (or as {@link Op} says). */
    public static final byte GPR = 1;

    /** AH, CH, DH or BH: bits 8..15 of register {@code reg}, 0..3. */
    public static final byte GPR_HIGH = 2;

    /** The memory operand: {@link #base}, {@link #index}, {@link #scale}, {@link #disp}. */
    public static final byte MEM = 3;

    /**
     * {@link #imm}: sign-extended to 64 bits, not truncated to the operand size, in MOV, PUSH, IMUL
     * and arithmetic; zero-extended where it is a count, bit number, port, vector, control byte, or
     * the operand of RET and ENTER.
     */
    public static final byte IMM = 4;

    /** Segment register {@code reg} in encoding order ES, CS, SS, DS, FS, GS. */
    public static final byte SEG = 5;

    /** Control register. */
    public static final byte CR = 6;

    /** Debug register. */
    public static final byte DR = 7;

    /** Vector register; its width is {@link #vectorBytes}. */
    public static final byte XMM = 8;

    /** MMX register 0..7. */
    public static final byte MMX = 9;

    /** x87 stack register ST(reg). */
    public static final byte ST = 10;

    /** Relative branch; {@link #imm} is the absolute target, truncated to the operand size. */
    public static final byte REL = 11;

    /** Far pointer: offset in {@link #imm}, selector in {@link #imm2}. */
    public static final byte FAR = 12;

    /** Value of {@link #base} and {@link #index} for "none": a register that always reads 0. */
    public static final byte ZERO = 16;

    public Op op = Op.INVALID;

    /** Dispatch code of tier one; 0 until the block builder has chosen it. */
    public int uop;

    /** Operands in Intel order, destination first; VEX.vvvv is an ordinary operand. */
    public byte kind0;

    public byte kind1;
    public byte kind2;
    public byte kind3;
    public byte reg0;
    public byte reg1;
    public byte reg2;
    public byte reg3;

    /**
     * Effective operand size, bytes: 1, 2, 4 or 8. Of vector instructions that of their general
     * registers: 4, or 8 with REX.W. Of near branches, calls and returns the width of RIP.
     */
    public byte opSize;

    /**
     * Width in bytes of the r/m (or only) memory operand, also in its register form: differs from
     * opSize in MOVZX, MOVSX, MOVSXD, CRC32, vector and x87 instructions. 0 where there is no such
     * operand or its size is not fixed (LEA, FXSAVE, XSAVE, FLDENV, FNSAVE). 1 for INVLPG, CLFLUSH
     * and prefetches, which do not read it.
     */
    public short memSize;

    /** Effective address size, bytes: 2, 4 or 8. */
    public byte addrSize;

    public byte base = ZERO;

    /** General register; of gathers the vector register with the indices. */
    public byte index = ZERO;

    /** Shift count 0..3. */
    public byte scale;

    /**
     * Segment of the memory operand after overrides, encoding order; DS by default, SS with a base
     * of rSP or rBP. Also that of the source of string instructions, XLAT, MASKMOV and MONITOR.
     */
    public byte seg;

    /** Sign-extended displacement, or the absolute offset for RIP-relative and moffs forms. */
    public long disp;

    public long imm;

    /**
     * Second immediate: ENTER's nesting level, the selector of a far pointer; of x87 instructions
     * the 11-bit opcode that FOP keeps (SDM 1 §8.1.9).
     */
    public int imm2;

    /** Condition code 0..15 of JCC, SETCC, CMOVCC (SDM 1 appendix B). */
    public byte cond;

    /** LOCK prefix, already checked to be legal here. */
    public boolean lock;

    /** 0, or 0xF2, or 0xF3 when the prefix is not part of the opcode (REP, REPE, REPNE). */
    public int rep;

    /** 0: legacy encoding; 16 or 32: VEX encoding of that many bytes (scalar and BMI: 16). */
    public byte vexBytes;

    /** Width of vector operands in bytes: 0 (there are none), 8 (only MMX), 16 or 32. */
    public byte vectorBytes;

    /** Length in bytes, 1..15. */
    public byte length;

    /** Instructions before it in its block: 0..63. */
    public byte ordinal;

    /** Code size in bits it was decoded for: 16, 32 or 64. */
    public byte mode;

    /** Address of the first byte (offset in CS). */
    public long ip;

    /** Address of the next instruction, truncated to 32 bits outside 64-bit mode. */
    public long nextIp;

    public Insn() {}
}
