package dev.javisor.softcpu.decode;

import java.util.Arrays;

/**
 * Decodes one instruction (SDM 2A chapter 2). Stateless, without allocation; any thread.
 *
 * <p>Where Intel's and AMD's processors differ, this is Intel's behaviour: in 64-bit mode near
 * branches ignore 66, far pointers take REX.W, SYSCALL and SYSRET exist only in 64-bit mode, LOCK
 * MOV CR0 is invalid. EVEX and XOP instructions, 3DNow!, VMX, SVM (but for the hypercalls), SGX,
 * TSX, MPX, protection keys and shadow stacks are not decoded; the hints among their opcodes are
 * NOPs.
 *
 * <p>Not known here and left to execution: real and virtual-8086 mode (no VEX, no ARPL, LLDT, ...),
 * privilege, and which extensions the CPU model has.
 */
public final class Decoder {
    /** The instruction goes on beyond the bytes given. */
    public static final int TRUNCATED = 0;

    /** More than 15 bytes: #GP(0). */
    public static final int TOO_LONG = -1;

    private static final int MAX_LENGTH = 15;

    // The prefixes as one word; REX bits inverted back where they come from VEX.
    private static final int REX_B = 1;
    private static final int REX_X = 2;
    private static final int REX_R = 4;
    private static final int REX_W = 8;
    private static final int REX_ANY = 1 << 4;
    private static final int OPERAND_SIZE = 1 << 5;
    private static final int ADDRESS_SIZE = 1 << 6;
    private static final int LOCKED = 1 << 7;
    private static final int VEX = 1 << 8;
    private static final int VEX_L = 1 << 9;

    /** VEX.W as encoded: outside 64-bit mode it does not widen operands. */
    private static final int VEX_W = 1 << 10;

    private static final int VVVV_SHIFT = 12;

    /** F2 or F3. */
    private static final int REP_SHIFT = 16;

    private static final int REP_MASK = 0xFF << REP_SHIFT;

    /** Segment number plus one. */
    private static final int SEG_SHIFT = 24;

    private static final int SEG_MASK = 7 << SEG_SHIFT;

    private static final int SS = 2;
    private static final int DS = 3;

    /** Marks a RIP-relative operand until the length is known. */
    private static final byte RIP = 17;

    // Classes of first bytes.
    private static final byte REX = 6;
    private static final byte[] PREFIX = prefixes();

    private static final Form[] ONE_BYTE = OneByteMap.build();
    private static final OpcodeMap MAP_0F = TwoByteMap.build();
    private static final OpcodeMap MAP_0F38 = ThreeByteMaps.build38();
    private static final OpcodeMap MAP_0F3A = ThreeByteMaps.build3A();

    // 16-bit addressing, by ModRM.rm (SDM 2A table 2-1).
    private static final byte[] BASE_16 = {3, 3, 5, 5, 6, 7, 5, 3};
    private static final byte[] INDEX_16 = {6, 7, 6, 7, Insn.ZERO, Insn.ZERO, Insn.ZERO, Insn.ZERO};

    private Decoder() {}

    private static byte[] prefixes() {
        byte[] classes = new byte[256];
        classes[0x66] = 1;
        classes[0x67] = 2;
        classes[0xF2] = 3;
        classes[0xF3] = 3;
        classes[0xF0] = 4;
        for (int segment : new int[] {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65}) {
            classes[segment] = 5;
        }
        Arrays.fill(classes, 0x40, 0x50, REX);
        return classes;
    }

    /**
     * Decodes {@code code[at..limit)} as code of {@code mode} bits (16, 32, 64) at offset {@code
     * ip} in CS. An undefined encoding is {@link Op#INVALID} with the length looked at so far.
     *
     * @return the length, 1..15, or {@link #TRUNCATED} or {@link #TOO_LONG}; {@code into} is then
     *     undefined
     */
    public static int decode(byte[] code, int at, int limit, int mode, long ip, Insn into) {
        int end = Math.min(limit, at + MAX_LENGTH);
        int p = at;
        int prefixes = 0;
        int opcode;
        while (true) {
            if (p >= end) {
                return more(at, end);
            }
            opcode = code[p++] & 0xFF;
            int kind = PREFIX[opcode];
            if (kind == 0 || (kind == REX && mode != 64)) {
                break;
            }
            if (kind == REX) {
                prefixes = (prefixes & ~0x1F) | REX_ANY | (opcode & 0xF);
                continue;
            }
            prefixes &= ~0x1F; // a REX prefix counts only immediately before the opcode
            switch (kind) {
                case 1 -> prefixes |= OPERAND_SIZE;
                case 2 -> prefixes |= ADDRESS_SIZE;
                case 3 -> prefixes = (prefixes & ~REP_MASK) | opcode << REP_SHIFT;
                case 4 -> prefixes |= LOCKED;
                default -> prefixes = segment(prefixes, opcode, mode);
            }
        }
        Form form;
        if (opcode == 0x0F) {
            if (p >= end) {
                return more(at, end);
            }
            opcode = code[p++] & 0xFF;
            OpcodeMap map = MAP_0F;
            if (opcode == 0x38 || opcode == 0x3A) {
                map = opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
                if (p >= end) {
                    return more(at, end);
                }
                opcode = code[p++] & 0xFF;
            }
            form = map.legacy[mandatoryPrefix(prefixes) << 8 | opcode];
        } else if (opcode == 0xC4 || opcode == 0xC5 || opcode == 0x62) {
            if (p >= end) {
                return more(at, end);
            }
            // Outside 64-bit mode LES, LDS and BOUND, unless ModRM would be a register form.
            if (mode == 64 || (code[p] & 0xC0) == 0xC0) {
                return opcode == 0x62
                        ? invalid(at, p + 1, mode, ip, into)
                        : vex(code, at, p, end, mode, ip, into, opcode == 0xC4, prefixes);
            }
            form = ONE_BYTE[opcode];
        } else {
            form = ONE_BYTE[opcode];
        }
        return complete(code, at, p, end, mode, ip, into, form, opcode, prefixes);
    }

    /** The bytes ran out: at the architectural limit or before it. */
    private static int more(int at, int end) {
        return end - at == MAX_LENGTH ? TOO_LONG : TRUNCATED;
    }

    private static int segment(int prefixes, int prefix, int mode) {
        int segment = prefix >= 0x64 ? prefix - 0x60 : (prefix >> 3) & 3;
        if (mode == 64 && segment <= DS) {
            return prefixes; // SDM 1 §3.3.7.1: null prefixes, FS and GS stay in force
        }
        return (prefixes & ~SEG_MASK) | (segment + 1) << SEG_SHIFT;
    }

    /** In VEX.pp's encoding. F2 and F3 come before 66. */
    private static int mandatoryPrefix(int prefixes) {
        return switch ((prefixes & REP_MASK) >>> REP_SHIFT) {
            case 0xF3 -> Form.PF3;
            case 0xF2 -> Form.PF2;
            default -> (prefixes & OPERAND_SIZE) != 0 ? Form.P66 : Form.NP;
        };
    }

    private static int vex(
            byte[] code,
            int at,
            int start,
            int end,
            int mode,
            long ip,
            Insn into,
            boolean threeBytes,
            int prefixes) {
        int p = start;
        // #UD with any of 66, F2, F3, LOCK, REX before it (SDM 2A §2.3.2)
        if ((prefixes & (REX_ANY | OPERAND_SIZE | LOCKED | REP_MASK)) != 0) {
            return invalid(at, p + 1, mode, ip, into);
        }
        if (p + (threeBytes ? 3 : 2) > end) {
            return more(at, end);
        }
        int first = code[p++] & 0xFF;
        int bits = prefixes | VEX | ((first & 0x80) == 0 ? REX_R : 0);
        int map = 1;
        int last = first;
        if (threeBytes) {
            bits |= ((first & 0x40) == 0 ? REX_X : 0) | ((first & 0x20) == 0 ? REX_B : 0);
            map = first & 0x1F;
            last = code[p++] & 0xFF;
            bits |= (last & 0x80) != 0 ? REX_W | VEX_W : 0;
        }
        bits |= (~(last >> 3) & 15) << VVVV_SHIFT;
        bits |= (last & 4) != 0 ? VEX_L : 0;
        if (mode != 64) {
            // SDM 2A §2.3.5: R and X are 1 here, B and W do not count
            bits &= ~(REX_B | REX_W);
        }
        int opcode = code[p++] & 0xFF;
        int row = (last & 3) << 8 | opcode;
        Form form =
                switch (map) {
                    case 1 -> MAP_0F.vex[row];
                    case 2 -> MAP_0F38.vex[row];
                    case 3 -> MAP_0F3A.vex[row];
                    default -> Form.INVALID;
                };
        return complete(code, at, p, end, mode, ip, into, form, opcode, bits);
    }

    /** Everything after the opcode. */
    private static int complete(
            byte[] code,
            int at,
            int start,
            int end,
            int mode,
            long ip,
            Insn in,
            Form entry,
            int opcode,
            int prefixes) {
        Form form = entry;
        int p = start;
        int modrm = 0xC0;
        if ((form.flags & Form.MODRM) != 0) {
            if (p >= end) {
                return more(at, end);
            }
            modrm = code[p++] & 0xFF;
        }
        while (form.choice != 0) {
            form = form.choices[choose(form.choice, modrm, mode, prefixes)];
        }
        int flags = form.flags;
        if ((flags & Form.IGNORE_MOD) != 0) {
            modrm |= 0xC0;
        }
        boolean memory = (flags & Form.MODRM) != 0 && modrm < 0xC0;
        if (form.op == Op.INVALID || isIllegal(form, modrm, memory, mode, prefixes)) {
            return invalid(at, p, mode, ip, in);
        }
        in.addrSize = addressSize(mode, (prefixes & ADDRESS_SIZE) != 0);
        in.base = Insn.ZERO;
        in.index = Insn.ZERO;
        in.scale = 0;
        in.disp = 0;
        in.seg = DS;
        if (memory) {
            p = memoryOperand(code, p, end, mode, modrm, prefixes, in);
            if (p < 0) {
                return more(at, end);
            }
            if ((flags & Form.VSIB) != 0 && !vectorIndex(in, mode, modrm, code, start, prefixes)) {
                return invalid(at, p, mode, ip, in);
            }
        }
        int segment = (prefixes & SEG_MASK) >>> SEG_SHIFT;
        if (segment != 0) {
            in.seg = (byte) (segment - 1);
        }

        int prefixed = prefixedSize(mode, prefixes);
        int opSize = operandSize(flags, mode, prefixes, prefixed);
        in.imm = 0;
        in.imm2 = 0;
        if (form.immediate != 0) {
            p = immediate(code, p, end, form.immediate, opSize, in);
            if (p < 0) {
                return more(at, end);
            }
        }

        int length = p - at;
        long next = ip + length;
        if (mode != 64) {
            next &= 0xFFFFFFFFL;
        }
        if (in.base == RIP) {
            in.base = Insn.ZERO;
            in.disp += next;
            if (in.addrSize == 4) {
                in.disp &= 0xFFFFFFFFL;
            }
        }
        if (form.immediate >= Form.REL_8) {
            long target = next + in.imm;
            in.imm = opSize == 8 ? target : opSize == 4 ? target & 0xFFFFFFFFL : target & 0xFFFF;
        }

        in.op = form.op;
        in.uop = 0;
        in.opSize = (byte) opSize;
        in.cond = (byte) ((flags & Form.CONDITION) != 0 ? opcode & 15 : 0);
        in.lock = (prefixes & LOCKED) != 0;
        boolean opcodePrefix = (flags & Form.MANDATORY) != 0 || (prefixes & VEX) != 0;
        in.rep = opcodePrefix ? 0 : (prefixes & REP_MASK) >>> REP_SHIFT;
        vectorWidth(in, flags, prefixes);
        in.memSize = (short) (form.memorySize == 0 ? 0 : memorySize(form, in, mode, prefixed));
        if ((flags & Form.X87) != 0) {
            // FOP (SDM 1 §8.1.9)
            in.imm2 = (opcode & 7) << 8 | modrm;
        }
        operands(form, in, modrm, opcode, mode, prefixes);
        in.length = (byte) length;
        in.mode = (byte) mode;
        in.ip = ip;
        in.nextIp = next;
        return length;
    }

    private static int choose(int choice, int modrm, int mode, int prefixes) {
        return switch (choice) {
            case Form.BY_REG -> (modrm >> 3) & 7;
            case Form.BY_MOD -> modrm >= 0xC0 ? 1 : 0;
            case Form.BY_RM -> modrm & 7;
            case Form.BY_PREFIX -> mandatoryPrefix(prefixes);
            case Form.BY_W -> (prefixes & ((prefixes & VEX) != 0 ? VEX_W : REX_W)) != 0 ? 1 : 0;
            case Form.BY_L -> (prefixes & VEX_L) != 0 ? 1 : 0;
            case Form.BY_MODE -> mode == 64 ? 1 : 0;
            case Form.BY_NOP -> {
                boolean pause = (prefixes & REP_MASK) == 0xF3 << REP_SHIFT;
                yield (prefixes & REX_B) != 0 ? 2 : pause ? 1 : 0;
            }
            default -> modrm >= 0xC0 ? 8 + (modrm & 63) : (modrm >> 3) & 7;
        };
    }

    private static boolean isIllegal(Form form, int modrm, boolean memory, int mode, int prefixes) {
        int flags = form.flags;
        if ((flags & (mode == 64 ? Form.I64 : Form.O64)) != 0
                || (flags & (memory ? Form.REGISTER_ONLY : Form.MEMORY_ONLY)) != 0) {
            return true;
        }
        if ((prefixes & LOCKED) != 0 && !(memory && (flags & Form.LOCK) != 0)) {
            return true;
        }
        if ((prefixes & VEX) != 0) {
            int unwanted = (prefixes & VEX_W) != 0 ? Form.W0 : Form.W1;
            unwanted |= (prefixes & VEX_L) != 0 ? Form.L0 : Form.L1;
            boolean vvvv = (prefixes >> VVVV_SHIFT & 15) != 0;
            if ((flags & unwanted) != 0 || (vvvv && (flags & Form.VVVV) == 0)) {
                return true;
            }
        }
        return (flags & Form.CHECK_REGISTER) != 0 && !isRegister(form, modrm, prefixes);
    }

    private static boolean isRegister(Form form, int modrm, int prefixes) {
        int reg = (modrm >> 3 & 7) | ((prefixes & REX_R) != 0 ? 8 : 0);
        return switch (form.op) {
            // REX.R is ignored; there are six; CS cannot be loaded
            case MOV_SEG -> (reg & 7) <= 5 && ((reg & 7) != 1 || form.operand0 != Operand.REG_SEG);
            case MOV_CR -> (0b1_0001_1101 >> reg & 1) != 0;
            default -> reg <= 7;
        };
    }

    private static byte addressSize(int mode, boolean prefix) {
        return switch (mode) {
            case 64 -> prefix ? (byte) 4 : 8;
            case 32 -> prefix ? (byte) 2 : 4;
            default -> prefix ? (byte) 4 : 2;
        };
    }

    /** 16, 32 or 64 bits by mode and prefixes (SDM 1 table 3-4). */
    private static int prefixedSize(int mode, int prefixes) {
        if ((prefixes & REX_W) != 0) {
            return 8;
        }
        return (mode == 16) ^ ((prefixes & OPERAND_SIZE) != 0) ? 2 : 4;
    }

    private static int operandSize(int flags, int mode, int prefixes, int prefixed) {
        return switch (flags & Form.SIZE_MASK) {
            case Form.OS_B -> 1;
            case Form.D64 -> mode == 64 && prefixed != 2 ? 8 : prefixed;
            case Form.F64 -> mode == 64 ? 8 : prefixed;
            case Form.OS_Y -> (prefixes & REX_W) != 0 ? 8 : 4;
            case Form.OS_W -> 2;
            case Form.OS_MODE -> mode == 64 ? 8 : 4;
            case Form.OS_Z -> Math.min(prefixed, 4);
            default -> prefixed;
        };
    }

    private static int memorySize(Form form, Insn in, int mode, int prefixed) {
        return switch (form.memorySize << 8) {
            case Operand.SIZE_1 -> 1;
            case Operand.SIZE_2 -> 2;
            case Operand.SIZE_4 -> 4;
            case Operand.SIZE_8 -> 8;
            case Operand.SIZE_10 -> 10;
            case Operand.SIZE_16 -> 16;
            case Operand.SIZE_32 -> 32;
            case Operand.SIZE_OP -> in.opSize;
            case Operand.SIZE_Z -> Math.min(in.opSize, 4);
            case Operand.SIZE_PREFIXED -> prefixed;
            case Operand.SIZE_FAR -> in.opSize + 2;
            case Operand.SIZE_PAIR -> 2 * in.opSize;
            case Operand.SIZE_TABLE -> mode == 64 ? 10 : 6;
            case Operand.SIZE_VECTOR -> in.vectorBytes;
            case Operand.SIZE_VECTOR_HALF -> in.vectorBytes / 2;
            case Operand.SIZE_VECTOR_QUARTER -> in.vectorBytes / 4;
            case Operand.SIZE_VECTOR_EIGHTH -> in.vectorBytes / 8;
            default -> 0;
        };
    }

    private static void vectorWidth(Insn in, int flags, int prefixes) {
        int width = 0;
        if ((prefixes & VEX) != 0) {
            width = (prefixes & VEX_L) != 0 && (flags & Form.LIG) == 0 ? 32 : 16;
        }
        in.vexBytes = (byte) width;
        if ((flags & Form.VECTOR_XMM) != 0) {
            in.vectorBytes = (byte) (width == 0 ? 16 : width);
        } else {
            in.vectorBytes = (byte) ((flags & Form.VECTOR_MMX) != 0 ? 8 : 0);
        }
    }

    // ------------------------------------------------------------------ memory operand

    /** ModRM, SIB and displacement (SDM 2A §2.1.5); the new position, or -1 if bytes run out. */
    private static int memoryOperand(
            byte[] code, int start, int end, int mode, int modrm, int prefixes, Insn in) {
        int p = start;
        int mod = modrm >> 6;
        int rm = modrm & 7;
        if (in.addrSize == 2) {
            return memoryOperand16(code, p, end, mod, rm, in);
        }
        int dispBytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
        int base;
        if (rm == 4) {
            if (p >= end) {
                return -1;
            }
            int sib = code[p++] & 0xFF;
            int index = (sib >> 3 & 7) | ((prefixes & REX_X) != 0 ? 8 : 0);
            in.scale = (byte) (sib >> 6);
            if (index != 4) {
                in.index = (byte) index;
            }
            base = sib & 7;
            if (base == 5 && mod == 0) {
                base = Insn.ZERO;
                dispBytes = 4;
            } else if ((prefixes & REX_B) != 0) {
                base |= 8;
            }
        } else if (rm == 5 && mod == 0) {
            base = mode == 64 ? RIP : Insn.ZERO;
            dispBytes = 4;
        } else {
            base = rm | ((prefixes & REX_B) != 0 ? 8 : 0);
        }
        in.base = (byte) base;
        if (base == 4 || base == 5) {
            in.seg = SS;
        }
        if (p + dispBytes > end) {
            return -1;
        }
        if (dispBytes == 1) {
            in.disp = code[p];
        } else if (dispBytes == 4) {
            in.disp = int32(code, p);
        }
        return p + dispBytes;
    }

    private static int memoryOperand16(byte[] code, int p, int end, int mod, int rm, Insn in) {
        boolean absolute = mod == 0 && rm == 6;
        int dispBytes = absolute ? 2 : mod;
        if (p + dispBytes > end) {
            return -1;
        }
        if (!absolute) {
            in.base = BASE_16[rm];
            in.index = INDEX_16[rm];
            if (in.base == 5) {
                in.seg = SS;
            }
        }
        if (dispBytes == 1) {
            in.disp = code[p];
        } else if (dispBytes == 2) {
            in.disp = (short) int16(code, p);
        }
        return p + dispBytes;
    }

    /**
     * Makes the index a vector register (SDM 2A §2.3.12).
     *
     * @return false where the encoding is #UD: no SIB, or registers that are not distinct
     */
    private static boolean vectorIndex(
            Insn in, int mode, int modrm, byte[] code, int modrmAt, int prefixes) {
        if ((modrm & 7) != 4 || in.addrSize == 2) {
            return false;
        }
        int sib = code[modrmAt + 1];
        int index = (sib >> 3 & 7) | ((prefixes & REX_X) != 0 ? 8 : 0);
        in.index = (byte) index;
        int destination = (modrm >> 3 & 7) | ((prefixes & REX_R) != 0 ? 8 : 0);
        int mask = prefixes >> VVVV_SHIFT & (mode == 64 ? 15 : 7);
        return index != destination && index != mask && destination != mask;
    }

    // ------------------------------------------------------------------ immediates

    /** Reads the bytes after the memory operand; the new position, or -1 if they run out. */
    private static int immediate(byte[] code, int p, int end, int kind, int opSize, Insn in) {
        int bytes;
        switch (kind << 8) {
            case Operand.IMM_ONE -> {
                in.imm = 1;
                return p;
            }
            case Operand.IMM_S8, Operand.IMM_U8, Form.IMM_IS4 << 8, Form.REL_8 << 8 -> bytes = 1;
            case Operand.IMM_U16 -> bytes = 2;
            case Operand.IMM_ENTER -> bytes = 3;
            case Operand.IMM_V -> bytes = opSize;
            case Form.IMM_MOFFS << 8 -> bytes = in.addrSize;
            case Form.IMM_FAR << 8 -> bytes = opSize + 2;
            default -> bytes = Math.min(opSize, 4);
        }
        if (p + bytes > end) {
            return -1;
        }
        switch (kind << 8) {
            case Operand.IMM_S8, Form.REL_8 << 8 -> in.imm = code[p];
            case Operand.IMM_U8, Form.IMM_IS4 << 8 -> in.imm = code[p] & 0xFF;
            case Operand.IMM_U16 -> in.imm = int16(code, p);
            case Operand.IMM_ENTER -> {
                in.imm = int16(code, p);
                in.imm2 = code[p + 2] & 0xFF;
            }
            case Form.IMM_MOFFS << 8 -> in.disp = unsigned(code, p, bytes);
            case Form.IMM_FAR << 8 -> {
                in.imm = unsigned(code, p, opSize);
                in.imm2 = int16(code, p + opSize);
            }
            default ->
                    in.imm =
                            switch (bytes) {
                                case 2 -> (short) int16(code, p);
                                case 4 -> int32(code, p);
                                default -> unsigned(code, p, 8);
                            };
        }
        return p + bytes;
    }

    private static int int16(byte[] code, int p) {
        return (code[p] & 0xFF) | (code[p + 1] & 0xFF) << 8;
    }

    private static int int32(byte[] code, int p) {
        return int16(code, p) | int16(code, p + 2) << 16;
    }

    private static long unsigned(byte[] code, int p, int bytes) {
        return switch (bytes) {
            case 2 -> int16(code, p);
            case 4 -> int32(code, p) & 0xFFFFFFFFL;
            default -> (int32(code, p) & 0xFFFFFFFFL) | (long) int32(code, p + 4) << 32;
        };
    }

    // ------------------------------------------------------------------ operands

    private static void operands(
            Form form, Insn in, int modrm, int opcode, int mode, int prefixes) {
        int o = operand(form.operand0, in, modrm, opcode, mode, prefixes);
        in.kind0 = (byte) o;
        in.reg0 = (byte) (o >> 8);
        o = form.operand1 == 0 ? 0 : operand(form.operand1, in, modrm, opcode, mode, prefixes);
        in.kind1 = (byte) o;
        in.reg1 = (byte) (o >> 8);
        o = form.operand2 == 0 ? 0 : operand(form.operand2, in, modrm, opcode, mode, prefixes);
        in.kind2 = (byte) o;
        in.reg2 = (byte) (o >> 8);
        o = form.operand3 == 0 ? 0 : operand(form.operand3, in, modrm, opcode, mode, prefixes);
        in.kind3 = (byte) o;
        in.reg3 = (byte) (o >> 8);
    }

    /** Kind in the low byte, register above it. */
    private static int operand(
            int operand, Insn in, int modrm, int opcode, int mode, int prefixes) {
        int reg = modrm >> 3 & 7;
        int rm = modrm & 7;
        int r = (prefixes & REX_R) != 0 ? 8 : 0;
        int b = (prefixes & REX_B) != 0 ? 8 : 0;
        int vvvv = prefixes >> VVVV_SHIFT & (mode == 64 ? 15 : 7);
        return switch (Operand.place(operand)) {
            case Operand.NONE -> Insn.NONE;
            case Operand.RM_GPR -> modrm < 0xC0 ? Insn.MEM : gpr(operand, rm | b, prefixes);
            case Operand.RM_GPR_WIDE -> modrm < 0xC0 ? Insn.MEM : Insn.GPR | (rm | b) << 8;
            case Operand.RM_GPR_ONLY -> Insn.GPR | (rm | b) << 8;
            case Operand.REG_GPR -> gpr(operand, reg | r, prefixes);
            case Operand.OPCODE_GPR -> gpr(operand, (opcode & 7) | b, prefixes);
            case Operand.VVVV_GPR -> Insn.GPR | vvvv << 8;
            case Operand.FIXED_AX -> Insn.GPR;
            case Operand.FIXED_CX -> Insn.GPR | 1 << 8;
            case Operand.FIXED_DX -> Insn.GPR | 2 << 8;
            case Operand.MEMORY, Operand.MEMORY_VSIB, Operand.MOFFS -> Insn.MEM;
            case Operand.IMMEDIATE -> Insn.IMM;
            case Operand.RELATIVE -> Insn.REL;
            case Operand.FAR_POINTER -> Insn.FAR;
            case Operand.REG_SEG -> Insn.SEG | reg << 8;
            case Operand.FIXED_SEG -> Insn.SEG | Operand.detail(operand);
            case Operand.REG_CR -> Insn.CR | (reg | r) << 8;
            case Operand.REG_DR -> Insn.DR | (reg | r) << 8;
            case Operand.REG_XMM -> Insn.XMM | (reg | r) << 8;
            case Operand.RM_XMM -> modrm < 0xC0 ? Insn.MEM : Insn.XMM | (rm | b) << 8;
            case Operand.RM_XMM_ONLY -> Insn.XMM | (rm | b) << 8;
            case Operand.VVVV_XMM -> Insn.XMM | vvvv << 8;
            case Operand.IS4_XMM -> Insn.XMM | ((int) in.imm >> 4 & (mode == 64 ? 15 : 7)) << 8;
            case Operand.FIXED_XMM0 -> Insn.XMM;
            case Operand.REG_MMX -> Insn.MMX | reg << 8;
            case Operand.RM_MMX -> modrm < 0xC0 ? Insn.MEM : Insn.MMX | rm << 8;
            case Operand.RM_MMX_ONLY -> Insn.MMX | rm << 8;
            case Operand.FIXED_ST0 -> Insn.ST;
            case Operand.RM_ST -> Insn.ST | rm << 8;
            default -> throw new IllegalStateException("operand code " + operand);
        };
    }

    /** Without REX, byte registers 4..7 are AH, CH, DH, BH. */
    private static int gpr(int operand, int number, int prefixes) {
        if (Operand.detail(operand) == Operand.SIZE_1
                && number >= 4
                && (prefixes & REX_ANY) == 0
                && number < 8) {
            return Insn.GPR_HIGH | (number - 4) << 8;
        }
        return Insn.GPR | number << 8;
    }

    private static int invalid(int at, int p, int mode, long ip, Insn in) {
        int length = p - at;
        in.op = Op.INVALID;
        in.uop = 0;
        in.kind0 = Insn.NONE;
        in.kind1 = Insn.NONE;
        in.kind2 = Insn.NONE;
        in.kind3 = Insn.NONE;
        in.reg0 = 0;
        in.reg1 = 0;
        in.reg2 = 0;
        in.reg3 = 0;
        in.opSize = 0;
        in.memSize = 0;
        in.addrSize = addressSize(mode, false);
        in.base = Insn.ZERO;
        in.index = Insn.ZERO;
        in.scale = 0;
        in.seg = DS;
        in.disp = 0;
        in.imm = 0;
        in.imm2 = 0;
        in.cond = 0;
        in.lock = false;
        in.rep = 0;
        in.vexBytes = 0;
        in.vectorBytes = 0;
        in.length = (byte) length;
        in.mode = (byte) mode;
        in.ip = ip;
        in.nextIp = mode == 64 ? ip + length : (ip + length) & 0xFFFFFFFFL;
        return length;
    }
}
