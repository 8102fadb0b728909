package dev.javisor.softcpu.decode;

import java.util.Locale;

/** Instructions as text in Intel's syntax, in the manner of {@code objdump -M intel}. */
public final class Disassembly {
    private static final String[] WORD = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    private static final String[] BYTE = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
    private static final String[] HIGH = {"ah", "ch", "dh", "bh"};
    private static final String[] SEGMENT = {"es", "cs", "ss", "ds", "fs", "gs", "?", "?"};
    private static final String[] CONDITION = {
        "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"
    };

    private Disassembly() {}

    /** For example {@code lock add QWORD PTR fs:[rax+rcx*4+0x10],rdx}. */
    public static String format(Insn in) {
        StringBuilder text = new StringBuilder();
        if (in.lock) {
            text.append("lock ");
        }
        if (in.op.family() == Op.Family.STRING && in.rep != 0) {
            boolean compares = in.op == Op.CMPS || in.op == Op.SCAS;
            text.append(in.rep == 0xF2 ? "repnz " : compares ? "repz " : "rep ");
        }
        text.append(mnemonic(in));
        String separator = " ";
        for (int slot = 0; slot < 4; slot++) {
            int kind = kind(in, slot);
            if (kind == Insn.NONE) {
                break;
            }
            text.append(separator);
            operand(text, in, slot, kind, reg(in, slot));
            separator = ",";
        }
        switch (in.op) {
            case ENTER -> text.append(',').append(hex(in.imm2));
            case XLAT -> memory(text.append(' '), in, 1, in.seg, 3);
            case MOVS -> {
                destination(text, in);
                source(text.append(','), in);
            }
            case CMPS -> {
                source(text.append(' '), in);
                text.append(',');
                string(text, in, 0, 7);
            }
            case STOS -> {
                destination(text, in);
                text.append(',').append(accumulator(in));
            }
            case LODS -> source(text.append(' ').append(accumulator(in)).append(','), in);
            case SCAS -> {
                text.append(' ').append(accumulator(in)).append(',');
                string(text, in, 0, 7);
            }
            case INS -> {
                destination(text, in);
                text.append(",dx");
            }
            case OUTS -> source(text.append(" dx,"), in);
            default -> {}
        }
        return text.toString();
    }

    private static String accumulator(Insn in) {
        return register(0, in.opSize);
    }

    private static void destination(StringBuilder text, Insn in) {
        string(text.append(' '), in, 0, 7);
    }

    private static void source(StringBuilder text, Insn in) {
        string(text, in, in.seg, 6);
    }

    /** An operand of a string instruction, with its segment always. */
    private static void string(StringBuilder text, Insn in, int seg, int base) {
        memory(text, in, in.opSize, seg, base);
    }

    private static void memory(StringBuilder text, Insn in, int bytes, int seg, int base) {
        text.append(pointer(bytes)).append(SEGMENT[seg]).append(":[");
        text.append(register(base, in.addrSize)).append(']');
    }

    private static int kind(Insn in, int slot) {
        return switch (slot) {
            case 0 -> in.kind0;
            case 1 -> in.kind1;
            case 2 -> in.kind2;
            default -> in.kind3;
        };
    }

    private static int reg(Insn in, int slot) {
        return switch (slot) {
            case 0 -> in.reg0;
            case 1 -> in.reg1;
            case 2 -> in.reg2;
            default -> in.reg3;
        };
    }

    private static String mnemonic(Insn in) {
        String name =
                switch (in.op) {
                    case JCC -> "j" + CONDITION[in.cond];
                    case SETCC -> "set" + CONDITION[in.cond];
                    case CMOVCC -> "cmov" + CONDITION[in.cond];
                    case JCXZ -> in.addrSize == 8 ? "jrcxz" : in.addrSize == 4 ? "jecxz" : "jcxz";
                    case CBW -> in.opSize == 8 ? "cdqe" : in.opSize == 4 ? "cwde" : "cbw";
                    case CWD -> in.opSize == 8 ? "cqo" : in.opSize == 4 ? "cdq" : "cwd";
                    case MOV_SEG, MOV_CR, MOV_DR -> "mov";
                    case PUSH_SEG -> "push";
                    case POP_SEG -> "pop";
                    case MOVSD_XMM -> "movsd";
                    case CMPSD_XMM -> "cmpsd";
                    case JMP_FAR -> "jmp far";
                    case CALL_FAR -> "call far";
                    case RET_FAR -> "retf";
                    case MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS -> in.op.name();
                    case MOVD -> in.opSize == 8 ? "movq" : "movd";
                    case PINSRD -> in.opSize == 8 ? "pinsrq" : "pinsrd";
                    case PEXTRD -> in.opSize == 8 ? "pextrq" : "pextrd";
                    default -> in.op.name();
                };
        boolean vector = in.op.family() == Op.Family.SSE || in.op.family() == Op.Family.CRYPTO;
        boolean state = in.op == Op.LDMXCSR || in.op == Op.STMXCSR;
        String prefix = in.vexBytes != 0 && (vector || state) ? "v" : "";
        return (prefix + name).toLowerCase(Locale.ROOT);
    }

    private static void operand(StringBuilder text, Insn in, int slot, int kind, int reg) {
        switch (kind) {
            case Insn.GPR -> text.append(register(reg, registerBytes(in, slot)));
            case Insn.GPR_HIGH -> text.append(HIGH[reg & 3]);
            case Insn.MEM -> memory(text, in);
            case Insn.IMM -> text.append(hex(immediate(in)));
            case Insn.REL -> text.append(hex(in.imm));
            case Insn.FAR -> text.append(hex(in.imm2)).append(':').append(hex(in.imm));
            case Insn.SEG -> text.append(SEGMENT[reg & 7]);
            case Insn.CR -> text.append("cr").append(reg);
            case Insn.DR -> text.append("dr").append(reg);
            case Insn.XMM -> text.append(isWide(in, slot) ? "ymm" : "xmm").append(reg);
            case Insn.MMX -> text.append("mm").append(reg);
            case Insn.ST -> text.append("st");
            default -> text.append('?');
        }
        if (kind == Insn.ST && !(reg == 0 && isStackTop(in, slot))) {
            text.append('(').append(reg).append(')');
        }
    }

    /** ST(0) where it is implied is written "st". */
    private static boolean isStackTop(Insn in, int slot) {
        boolean two = in.kind1 == Insn.ST;
        return two && (slot == 0 ? in.reg1 != 0 || isDestinationTop(in) : !isDestinationTop(in));
    }

    /** With both operands ST(0) only the opcode tells which of them is implied. */
    private static boolean isDestinationTop(Insn in) {
        return in.reg0 == 0 && (in.imm2 >> 8 & 7) < 4 || (in.imm2 >> 8 & 7) == 7;
    }

    private static int registerBytes(Insn in, int slot) {
        return switch (in.op) {
            case MOVZX, MOVSX, MOVSXD, CRC32 -> slot == 1 ? in.memSize : in.opSize;
            case ROL, ROR, RCL, RCR, SHL, SHR, SAR -> slot == 1 ? 1 : in.opSize;
            case SHLD, SHRD -> slot == 2 ? 1 : in.opSize;
            case IN -> slot == 1 ? 2 : in.opSize;
            case OUT -> slot == 0 ? 2 : in.opSize;
            case PEXTRB, PEXTRW, PINSRB, PINSRW, EXTRACTPS -> 4;
            default -> in.opSize;
        };
    }

    /** Whether a vector operand is a YMM register. */
    private static boolean isWide(Insn in, int slot) {
        if (in.vexBytes != 32) {
            return false;
        }
        return switch (in.op) {
            case CVTPD2PS, CVTPD2DQ, CVTTPD2DQ -> slot != 0;
            case VINSERTF128, VINSERTI128 -> slot != 2;
            case PSRLW, PSRLD, PSRLQ, PSRAW, PSRAD, PSLLW, PSLLD, PSLLQ ->
                    slot != 2 || in.memSize == 32;
            case VGATHERQPS, VPGATHERQD -> false;
            case VGATHERDPS, VGATHERDPD, VGATHERQPD, VPGATHERDD, VPGATHERDQ, VPGATHERQQ -> true;
            case VEXTRACTF128, VEXTRACTI128, VCVTPS2PH -> slot != 0;
            default -> slot == 0 || in.memSize == 32 || slot != lastRegister(in);
        };
    }

    /** The slot of the r/m operand in the common forms, whose width is memSize. */
    private static int lastRegister(Insn in) {
        return in.kind2 == Insn.XMM || in.kind2 == Insn.MEM ? 2 : 1;
    }

    private static String register(int reg, int bytes) {
        if (reg >= 8) {
            String suffix =
                    switch (bytes) {
                        case 1 -> "b";
                        case 2 -> "w";
                        case 4 -> "d";
                        default -> "";
                    };
            return "r" + reg + suffix;
        }
        return switch (bytes) {
            case 1 -> BYTE[reg];
            case 2 -> WORD[reg];
            case 4 -> "e" + WORD[reg];
            default -> "r" + WORD[reg];
        };
    }

    private static void memory(StringBuilder text, Insn in) {
        text.append(pointer(in.memSize));
        int usual = in.base == 4 || in.base == 5 ? 2 : 3;
        if (in.seg != usual) {
            text.append(SEGMENT[in.seg]).append(':');
        }
        text.append('[');
        boolean vsib = isGather(in.op);
        boolean empty = true;
        if (in.base != Insn.ZERO) {
            text.append(register(in.base, in.addrSize));
            empty = false;
        }
        if (vsib || in.index != Insn.ZERO) {
            text.append(empty ? "" : "+");
            if (vsib) {
                text.append(isIndexWide(in) ? "ymm" : "xmm").append(in.index);
            } else {
                text.append(register(in.index, in.addrSize));
            }
            if (in.addrSize != 2) {
                text.append('*').append(1 << in.scale);
            }
            empty = false;
        }
        if (empty) {
            long mask = in.addrSize == 8 ? -1L : in.addrSize == 4 ? 0xFFFFFFFFL : 0xFFFFL;
            text.append(hex(in.disp & mask));
        } else if (in.disp != 0) {
            text.append(in.disp < 0 ? "-" : "+").append(hex(Math.abs(in.disp)));
        }
        text.append(']');
    }

    private static String pointer(int bytes) {
        return switch (bytes) {
            case 1 -> "BYTE PTR ";
            case 2 -> "WORD PTR ";
            case 4 -> "DWORD PTR ";
            case 6 -> "FWORD PTR ";
            case 8 -> "QWORD PTR ";
            case 10 -> "TBYTE PTR ";
            case 16 -> "XMMWORD PTR ";
            case 32 -> "YMMWORD PTR ";
            default -> "";
        };
    }

    private static boolean isGather(Op op) {
        return switch (op) {
            case VGATHERDPS,
                    VGATHERDPD,
                    VGATHERQPS,
                    VGATHERQPD,
                    VPGATHERDD,
                    VPGATHERDQ,
                    VPGATHERQD,
                    VPGATHERQQ ->
                    true;
            default -> false;
        };
    }

    private static boolean isIndexWide(Insn in) {
        return in.vexBytes == 32 && in.op != Op.VGATHERDPD && in.op != Op.VPGATHERDQ;
    }

    /** Truncated to what the instruction uses of it. */
    private static long immediate(Insn in) {
        return switch (in.opSize) {
            case 1 -> in.imm & 0xFF;
            case 2 -> in.imm & 0xFFFF;
            case 4 -> in.imm & 0xFFFFFFFFL;
            default -> in.imm;
        };
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }
}
