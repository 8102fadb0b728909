package dev.javisor.softcpu.decode;

import static dev.javisor.softcpu.decode.Operand.detail;
import static dev.javisor.softcpu.decode.Operand.place;

import java.util.Arrays;

/** One entry of the opcode maps: an operation with its operands, or a choice between entries. */
final class Form {
    // Mandatory prefix, in VEX.pp's encoding: bits 0..1 of the flags given to the builders.
    static final int NP = 0;
    static final int P66 = 1;
    static final int PF3 = 2;
    static final int PF2 = 3;

    // Flags.
    static final int MODRM = 1 << 2;
    static final int MEMORY_ONLY = 1 << 3;
    static final int REGISTER_ONLY = 1 << 4;

    /** MOV CRn, DRn: ModRM.mod is ignored and taken as 3. */
    static final int IGNORE_MOD = 1 << 5;

    /** LOCK is legal if the first operand is memory. */
    static final int LOCK = 1 << 6;

    /** Invalid in 64-bit mode. */
    static final int I64 = 1 << 7;

    /** Only in 64-bit mode. */
    static final int O64 = 1 << 8;

    /** F2 or F3 is part of the opcode. */
    static final int MANDATORY = 1 << 9;

    // VEX conditions; without them W and L are free.
    static final int W0 = 1 << 10;
    static final int W1 = 1 << 11;
    static final int L0 = 1 << 12;
    static final int L1 = 1 << 13;

    /** Scalar: VEX.L is ignored. */
    static final int LIG = 1 << 14;

    // Derived from the operands.
    static final int VVVV = 1 << 15;
    static final int VECTOR_XMM = 1 << 16;
    static final int VECTOR_MMX = 1 << 17;
    static final int VSIB = 1 << 18;

    // Derived from the operation.
    /** ModRM.reg may name a register that does not exist. */
    static final int CHECK_REGISTER = 1 << 19;

    /** The condition is in the low bits of the opcode. */
    static final int CONDITION = 1 << 24;

    static final int X87 = 1 << 25;

    // Operand size, bits 20..23; 0 derives it from the operands.
    static final int SIZE_SHIFT = 20;

    /** 16, 32 or 64 bits by mode, 66 and REX.W. */
    static final int OS_V = 1 << SIZE_SHIFT;

    static final int OS_B = 2 << SIZE_SHIFT;

    /** Default 64 in 64-bit mode, 16 with 66. */
    static final int D64 = 3 << SIZE_SHIFT;

    /** Always 64 in 64-bit mode. */
    static final int F64 = 4 << SIZE_SHIFT;

    /** 32, or 64 with REX.W; 66 does not count. */
    static final int OS_Y = 5 << SIZE_SHIFT;

    static final int OS_W = 6 << SIZE_SHIFT;

    /** 64 in 64-bit mode, else 32. */
    static final int OS_MODE = 7 << SIZE_SHIFT;

    /** 16 or 32 bits: REX.W does not count. */
    static final int OS_Z = 8 << SIZE_SHIFT;

    static final int SIZE_MASK = 15 << SIZE_SHIFT;

    // How a choice is made.
    static final int BY_REG = 1;
    static final int BY_MOD = 2;
    static final int BY_RM = 3;
    static final int BY_PREFIX = 4;
    static final int BY_W = 5;
    static final int BY_L = 6;

    /** 64-bit mode or not. */
    static final int BY_MODE = 7;

    /** 0x90: NOP, PAUSE with F3, XCHG with REX.B. */
    static final int BY_NOP = 8;

    /** x87: memory forms by ModRM.reg, then register forms by the low six bits of ModRM. */
    static final int BY_X87 = 9;

    /** Immediate codes of {@link #immediate} beyond those of {@link Operand}. */
    static final int IMM_FAR = 8;

    static final int IMM_MOFFS = 9;
    static final int IMM_IS4 = 10;
    static final int REL_8 = 11;
    static final int REL_Z = 12;

    private static final Form[] NO_CHOICES = {};

    static final Form INVALID = new Form(0, Op.INVALID, new int[0]);

    final Op op;
    final int flags;
    final int operand0;
    final int operand1;
    final int operand2;
    final int operand3;

    /** Code of the immediate bytes, 0 for none. */
    final int immediate;

    /** Size code of the r/m or moffs operand ({@code Operand.SIZE_} shifted down), 0 for none. */
    final int memorySize;

    /** 0: this is an operation. */
    final int choice;

    final Form[] choices;

    Form(int flags, Op op, int... operands) {
        int derived = flags;
        int imm = 0;
        int memory = 0;
        for (int operand : operands) {
            int detail = detail(operand) >> 8;
            switch (place(operand)) {
                case Operand.RM_GPR, Operand.RM_GPR_WIDE -> {
                    derived |= MODRM;
                    memory = detail;
                }
                case Operand.REG_GPR, Operand.REG_SEG, Operand.REG_CR, Operand.REG_DR ->
                        derived |= MODRM;
                case Operand.RM_GPR_ONLY -> {
                    derived |= MODRM | REGISTER_ONLY;
                    memory = detail;
                }
                case Operand.VVVV_GPR -> derived |= VVVV;
                case Operand.MEMORY -> {
                    derived |= MODRM | MEMORY_ONLY;
                    memory = detail;
                }
                case Operand.MEMORY_VSIB -> {
                    derived |= MODRM | MEMORY_ONLY | VSIB;
                    memory = detail;
                }
                case Operand.MOFFS -> {
                    imm = IMM_MOFFS;
                    memory = detail;
                }
                case Operand.IMMEDIATE -> imm = detail;
                case Operand.RELATIVE -> imm = operand == Operand.Jb ? REL_8 : REL_Z;
                case Operand.FAR_POINTER -> imm = IMM_FAR;
                case Operand.REG_XMM -> derived |= MODRM | VECTOR_XMM;
                case Operand.RM_XMM -> {
                    derived |= MODRM | VECTOR_XMM;
                    memory = detail;
                }
                case Operand.RM_XMM_ONLY -> {
                    derived |= MODRM | REGISTER_ONLY | VECTOR_XMM;
                    memory = detail;
                }
                case Operand.VVVV_XMM -> derived |= VVVV | VECTOR_XMM;
                case Operand.IS4_XMM -> imm = IMM_IS4;
                case Operand.REG_MMX -> derived |= MODRM | VECTOR_MMX;
                case Operand.RM_MMX -> {
                    derived |= MODRM | VECTOR_MMX;
                    memory = detail;
                }
                case Operand.RM_MMX_ONLY -> {
                    derived |= MODRM | REGISTER_ONLY | VECTOR_MMX;
                    memory = detail;
                }
                case Operand.RM_ST -> derived |= MODRM;
                default -> {}
            }
        }
        if ((derived & IGNORE_MOD) != 0) {
            derived &= ~(REGISTER_ONLY | MEMORY_ONLY);
        }
        if ((derived & SIZE_MASK) == 0) {
            boolean vector = (derived & (VECTOR_XMM | VECTOR_MMX)) != 0;
            boolean bytes = operands.length > 0 && isByte(operands[0]);
            derived |= vector ? OS_Y : bytes ? OS_B : OS_V;
        }
        derived |=
                switch (op) {
                    case JCC, SETCC, CMOVCC -> CONDITION;
                    case MOV_SEG, MOV_CR, MOV_DR -> CHECK_REGISTER;
                    default -> op.family() == Op.Family.X87 ? X87 : 0;
                };
        this.op = op;
        this.flags = derived;
        this.operand0 = operands.length > 0 ? operands[0] : 0;
        this.operand1 = operands.length > 1 ? operands[1] : 0;
        this.operand2 = operands.length > 2 ? operands[2] : 0;
        this.operand3 = operands.length > 3 ? operands[3] : 0;
        this.immediate = imm;
        this.memorySize = memory;
        this.choice = 0;
        this.choices = NO_CHOICES;
    }

    private Form(int choice, Form[] choices) {
        this.op = Op.INVALID;
        this.flags = needsModRm(choice, choices) ? MODRM : 0;
        this.operand0 = 0;
        this.operand1 = 0;
        this.operand2 = 0;
        this.operand3 = 0;
        this.immediate = 0;
        this.memorySize = 0;
        this.choice = choice;
        this.choices = choices;
    }

    private static boolean needsModRm(int choice, Form[] choices) {
        boolean needed = choice <= BY_RM || choice == BY_X87;
        for (Form form : choices) {
            needed |= (form.flags & MODRM) != 0;
        }
        return needed;
    }

    private static boolean isByte(int operand) {
        return switch (place(operand)) {
            case Operand.RM_GPR,
                    Operand.REG_GPR,
                    Operand.OPCODE_GPR,
                    Operand.FIXED_AX,
                    Operand.MOFFS ->
                    detail(operand) == Operand.SIZE_1;
            default -> false;
        };
    }

    static Form of(int flags, Op op, int... operands) {
        return new Form(flags, op, operands);
    }

    /** The legacy form of a VEX-style operand list: without VEX.vvvv. */
    static Form legacy(int flags, Op op, int... operands) {
        // no stream: this runs some hundred times in a cold JVM
        int count = 0;
        int[] kept = new int[operands.length];
        for (int operand : operands) {
            if (place(operand) != Operand.VVVV_XMM) {
                kept[count++] = operand;
            }
        }
        return new Form(flags & ~(W0 | W1 | L0 | L1 | LIG), op, Arrays.copyOf(kept, count));
    }

    static Form byReg(Form... eight) {
        return new Form(BY_REG, full(eight, 8));
    }

    static Form byMod(Form memory, Form register) {
        return new Form(BY_MOD, new Form[] {memory, register});
    }

    static Form byRm(Form... eight) {
        return new Form(BY_RM, full(eight, 8));
    }

    /** In the order none, 66, F3, F2. */
    static Form byPrefix(Form np, Form p66, Form pF3, Form pF2) {
        return new Form(BY_PREFIX, new Form[] {np, p66, pF3, pF2});
    }

    static Form byW(Form w0, Form w1) {
        return new Form(BY_W, new Form[] {w0, w1});
    }

    static Form byL(Form l0, Form l1) {
        return new Form(BY_L, new Form[] {l0, l1});
    }

    static Form byMode(Form legacyModes, Form mode64) {
        return new Form(BY_MODE, new Form[] {legacyModes, mode64});
    }

    static Form byNop(Form nop, Form pause, Form xchg) {
        return new Form(BY_NOP, new Form[] {nop, pause, xchg});
    }

    static Form byX87(Form[] memory8, Form[] register64) {
        Form[] all = Arrays.copyOf(memory8, 72);
        System.arraycopy(register64, 0, all, 8, 64);
        return new Form(BY_X87, all);
    }

    private static Form[] full(Form[] some, int length) {
        if (some.length != length) {
            throw new IllegalArgumentException(some.length + " choices, not " + length);
        }
        return some;
    }
}
