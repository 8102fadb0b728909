package dev.javisor.softcpu.block;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.Ram;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Random 64-bit integer instructions with random state to run them on. */
public final class RandomInstructions {
    private static final int RAM_BYTES = 1 << 16;
    private static final long DATA = 0x8000;
    private static final Op[] TWO_OPERANDS = {
        Op.MOV, Op.ADD, Op.SUB, Op.AND, Op.OR, Op.XOR, Op.ADC, Op.SBB, Op.CMP, Op.TEST
    };
    private static final Op[] ONE_OPERAND = {Op.INC, Op.DEC, Op.NEG, Op.NOT, Op.MUL, Op.PUSH};
    private static final Op[] SHIFTS = {Op.SHL, Op.SHR, Op.SAR};
    private static final Op[] RARE = {
        Op.SHL, Op.SHR, Op.SAR, Op.ROL, Op.ROR, Op.ROL, Op.ROR, Op.BT, Op.BTS, Op.BTR, Op.BTC,
        Op.BSF, Op.BSR, Op.TZCNT, Op.LZCNT, Op.POPCNT, Op.XCHG, Op.MOV, Op.ADD, Op.SUB, Op.CMP,
        Op.AND, Op.OR, Op.XOR, Op.TEST, Op.CBW, Op.SETCC, Op.BSWAP, Op.DIV, Op.IDIV, Op.MUL, Op.ADC,
        Op.SBB
    };
    private static final Op[] VECTOR = {
        Op.MOVUPS,
        Op.MOVDQU,
        Op.MOVAPS,
        Op.MOVDQA,
        Op.MOVSS,
        Op.MOVSD_XMM,
        Op.MOVQ,
        Op.MOVD,
        Op.MOVLPD,
        Op.MOVHPD,
        Op.ANDPS,
        Op.POR,
        Op.PXOR,
        Op.XORPD,
        Op.PADDB,
        Op.PADDW,
        Op.PADDD,
        Op.PADDQ,
        Op.PSUBB,
        Op.PSUBW,
        Op.PSUBD,
        Op.PSUBQ,
        Op.PCMPEQB,
        Op.PCMPEQD,
        Op.PUNPCKLQDQ,
        Op.ADDSD,
        Op.SUBSD,
        Op.MULSD,
        Op.DIVSD,
        Op.ADDSD,
        Op.MULSD,
        Op.UCOMISD,
        Op.COMISD,
        Op.CVTSI2SD,
        Op.CVTTSD2SI,
        Op.PMULLW,
        Op.SQRTSD,
        Op.MAXSD,
        Op.MINSD,
        Op.ADDPD,
        Op.SUBPD,
        Op.MULPD,
        Op.DIVPD,
        Op.ADDSS,
        Op.SUBSS,
        Op.MULSS,
        Op.DIVSS,
        Op.ADDPS,
        Op.SUBPS,
        Op.MULPS,
        Op.PANDN,
        Op.PCMPEQW,
        Op.PCMPEQQ,
        Op.PCMPGTB,
        Op.PCMPGTW,
        Op.PCMPGTD,
        Op.PCMPGTQ,
        Op.PMINUB,
        Op.PMAXUB,
        Op.PMINSB,
        Op.PMAXSB,
        Op.PMINSW,
        Op.PMAXSW,
        Op.PMINUW,
        Op.PMAXUW,
        Op.PMINSD,
        Op.PMAXSD,
        Op.PMINUD,
        Op.PMAXUD,
        Op.PAVGB,
        Op.PAVGW,
        Op.PMULHW,
        Op.PMULHUW,
        Op.PMULLD,
        Op.PMULUDQ,
        Op.PMULDQ,
        Op.PMADDWD,
        Op.PSADBW,
        Op.PHADDW,
        Op.PSIGNW,
        Op.PACKSSWB,
        Op.PACKSSDW,
        Op.PHSUBD,
        Op.PMADDUBSW,
        Op.PADDUSB,
        Op.PSUBUSB,
        Op.PADDUSW,
        Op.PSUBUSW,
        Op.PSLLW,
        Op.PSLLD,
        Op.PSLLQ,
        Op.PSRLW,
        Op.PSRLD,
        Op.PSRLQ,
        Op.PSRAW,
        Op.PSRAD,
        Op.PSLLDQ,
        Op.PSRLDQ,
        Op.PSHUFD,
        Op.PSHUFLW,
        Op.PSHUFHW,
        Op.PSHUFB,
        Op.PALIGNR,
        Op.SHUFPS,
        Op.PUNPCKLBW,
        Op.PUNPCKLWD,
        Op.PUNPCKLDQ,
        Op.PUNPCKHBW,
        Op.PUNPCKHWD,
        Op.PUNPCKHDQ,
        Op.PUNPCKHQDQ,
        Op.PACKUSWB,
        Op.PMOVMSKB,
        Op.PTEST,
        Op.MOVHLPS,
        Op.MOVLHPS,
        Op.MOVDDUP
    };
    private static final Op[] VEX_ONLY = {
        Op.VPBROADCASTB,
        Op.VPBROADCASTW,
        Op.VPBROADCASTD,
        Op.VPBROADCASTQ,
        Op.VEXTRACTI128,
        Op.VINSERTI128,
        Op.VPERMQ,
        Op.VPERM2I128,
        Op.VZEROUPPER,
        Op.VFMADD132SD,
        Op.VFMADD213SD,
        Op.VFMADD231SD,
        Op.VFNMADD231SD,
        Op.VFMADD132PD,
        Op.VFMADD213PD,
        Op.VFMADD231PD,
        Op.VFNMADD213PD
    };
    private static final Op[] LOCKED = {
        Op.ADD, Op.SUB, Op.AND, Op.OR, Op.XOR, Op.INC, Op.DEC, Op.XADD, Op.CMPXCHG, Op.XCHG
    };
    private static final Op[] PLAIN = {Op.CBW, Op.CWD, Op.LEAVE, Op.NOP};

    private final Random random;

    public RandomInstructions(Random random) {
        this.random = random;
    }

    public static boolean readsFlags(Insn in) {
        return switch (in.op) {
            case ADC, SBB, CMOVCC, SETCC, INC, DEC, ROL, ROR, BT, BTS, BTR, BTC -> true;
            // A count of zero keeps the flags.
            case SHL, SHR, SAR ->
                    in.kind1 == Insn.GPR || (in.imm & (in.opSize == 8 ? 63 : 31)) == 0;
            default -> false;
        };
    }

    public static boolean setsFlags(Insn in) {
        boolean compares = in.op == Op.COMISD || in.op == Op.UCOMISD || in.op == Op.PTEST;
        if (in.vectorBytes != 0 && !compares) {
            return false;
        }
        return switch (in.op) {
            case MOV, MOVZX, MOVSX, MOVSXD, LEA, NOT, PUSH, LEAVE, NOP, CBW, CWD, CMOVCC, SETCC ->
                    false;
            case XCHG, BSWAP -> false;
            case COMISD, UCOMISD, PTEST -> true;
            case SHL, SHR, SAR ->
                    in.kind1 == Insn.GPR || (in.imm & (in.opSize == 8 ? 63 : 31)) != 0;
            default -> true;
        };
    }

    public static int definedFlags(Insn in) {
        return switch (in.op) {
            case AND, OR, XOR, TEST -> Flags.STATUS & ~Flags.AF;
            case SHL, SHR, SAR ->
                    (Flags.STATUS & ~Flags.AF)
                            & ~(in.kind1 == Insn.IMM && in.imm == 1 ? 0 : Flags.OF)
                            & ~((in.imm & (in.opSize == 8 ? 63 : 31)) >= 8L * in.opSize
                                    ? Flags.CF
                                    : 0);
            case MUL, IMUL -> Flags.CF | Flags.OF;
            case ROL, ROR -> Flags.STATUS & ~Flags.OF;
            case BT, BTS, BTR, BTC -> Flags.STATUS & ~Flags.OF;
            case BSF, BSR -> Flags.ZF;
            case TZCNT, LZCNT -> Flags.CF | Flags.ZF;
            case DIV, IDIV -> 0;
            default -> Flags.STATUS;
        };
    }

    public Insn next() {
        Insn in = new Insn();
        in.opSize = (byte) (1 << random.nextInt(4));
        in.memSize = in.opSize;
        in.addrSize = 8;
        in.mode = 64;
        in.length = 4;
        in.ip = 0x1000;
        in.nextIp = 0x1004;
        in.seg = Seg.DS;
        switch (random.nextInt(10)) {
            case 0, 1, 2 -> {
                in.op = TWO_OPERANDS[random.nextInt(TWO_OPERANDS.length)];
                twoOperands(in);
            }
            case 3 -> {
                in.op = ONE_OPERAND[random.nextInt(ONE_OPERAND.length)];
                if (in.op == Op.PUSH) {
                    in.opSize = 8;
                    in.memSize = 8;
                }
                registerOrMemory0(in);
            }
            case 4 -> {
                in.op = SHIFTS[random.nextInt(SHIFTS.length)];
                registerOrMemory0(in);
                in.kind1 = Insn.IMM;
                in.imm = random.nextInt(4) == 0 ? 1 : random.nextInt(256);
            }
            case 5 -> {
                in.op = random.nextBoolean() ? Op.MOVZX : Op.MOVSX;
                in.opSize = (byte) (random.nextBoolean() ? 8 : 4);
                in.memSize = (byte) (random.nextBoolean() ? 1 : 2);
                register0(in);
                registerOrMemory1(in);
            }
            case 6 -> {
                in.op = Op.IMUL;
                in.opSize = (byte) (2 << random.nextInt(3));
                in.memSize = in.opSize;
                register0(in);
                registerOrMemory1(in);
                if (random.nextBoolean()) {
                    in.kind2 = Insn.IMM;
                    in.imm = immediate(in.opSize);
                }
            }
            case 7 -> {
                in.op = random.nextBoolean() ? Op.CMOVCC : Op.SETCC;
                in.cond = (byte) random.nextInt(16);
                if (in.op == Op.SETCC) {
                    in.opSize = 1;
                    in.memSize = 1;
                    registerOrMemory0(in);
                } else {
                    in.opSize = (byte) (2 << random.nextInt(3));
                    in.memSize = in.opSize;
                    register0(in);
                    registerOrMemory1(in);
                }
            }
            case 8 -> {
                in.op = random.nextBoolean() ? Op.LEA : Op.MOVSXD;
                in.opSize = 8;
                register0(in);
                if (in.op == Op.LEA) {
                    memory(in);
                    in.kind1 = Insn.MEM;
                } else {
                    in.memSize = 4;
                    registerOrMemory1(in);
                }
            }
            default -> {
                in.op = PLAIN[random.nextInt(PLAIN.length)];
                in.opSize = (byte) (in.op == Op.LEAVE ? 8 : 4 << random.nextInt(2));
            }
        }
        return in;
    }

    /** Locked instructions, and exchanges with memory. */
    private Insn nextLocked() {
        Insn in = new Insn();
        in.op = LOCKED[random.nextInt(LOCKED.length)];
        in.opSize = (byte) (random.nextInt(5) == 0 ? 2 : 4 << random.nextInt(2));
        in.memSize = in.opSize;
        in.addrSize = 8;
        in.mode = 64;
        in.length = 4;
        in.seg = Seg.DS;
        in.lock = in.op != Op.XCHG || random.nextBoolean();
        memory(in);
        in.disp &= random.nextInt(4) == 0 ? -1 : -8;
        in.index = Insn.ZERO;
        in.kind0 = Insn.MEM;
        switch (in.op) {
            case INC, DEC -> {}
            case XADD, XCHG, CMPXCHG -> register1(in);
            default -> {
                if (random.nextBoolean()) {
                    register1(in);
                } else {
                    immediate1(in);
                }
            }
        }
        return in;
    }

    /** Forms that tier one leaves to the families, some of which fault. */
    public Insn nextRare() {
        if (random.nextInt(6) == 0) {
            return nextLocked();
        }
        Insn in = new Insn();
        in.opSize = (byte) (4 << random.nextInt(2));
        in.addrSize = 8;
        in.mode = 64;
        in.length = 4;
        in.seg = Seg.DS;
        in.op = RARE[random.nextInt(RARE.length)];
        switch (in.op) {
            case SHL, SHR, SAR, ROL, ROR -> {
                if (in.op == Op.ROL || in.op == Op.ROR) {
                    registerOrMemory0(in);
                } else {
                    register0(in);
                }
                if (random.nextBoolean()) {
                    in.kind1 = Insn.GPR;
                    in.reg1 = 1;
                } else {
                    in.kind1 = Insn.IMM;
                    in.imm = 1 + random.nextInt(31);
                }
            }
            case BT, BTS, BTR, BTC -> {
                register0(in);
                if (random.nextBoolean()) {
                    register1(in);
                } else {
                    in.kind1 = Insn.IMM;
                    in.imm = random.nextInt(256);
                }
            }
            case BSF, BSR, TZCNT, LZCNT, POPCNT -> {
                register0(in);
                registerOrMemory1(in);
            }
            case ADC, SBB -> {
                in.opSize = (byte) (1 << random.nextInt(2));
                twoOperands(in);
            }
            case XCHG -> {
                in.opSize = (byte) (1 << random.nextInt(4));
                registerOrHigh(in);
                register1(in);
            }
            case MOV, ADD, SUB, CMP, AND, OR, XOR, TEST -> {
                in.opSize = 1;
                registerOrHigh(in);
                if (random.nextBoolean()) {
                    immediate1(in);
                } else {
                    register1(in);
                }
            }
            case CBW -> in.opSize = (byte) (2 << random.nextInt(2));
            case SETCC -> {
                in.opSize = 1;
                in.cond = (byte) random.nextInt(16);
                registerOrHigh(in);
            }
            default -> registerOrMemory0(in);
        }
        in.memSize = in.opSize;
        return in;
    }

    /** SSE or AVX, 16 or 32 bytes. */
    public Insn nextVector() {
        Insn in = new Insn();
        boolean vexOnly = random.nextInt(6) == 0;
        Op[] ops = vexOnly ? VEX_ONLY : VECTOR;
        in.op = ops[random.nextInt(ops.length)];
        in.opSize = 4;
        in.addrSize = 8;
        in.mode = 64;
        in.length = 4;
        in.seg = Seg.DS;
        in.vectorBytes = 16;
        in.kind0 = Insn.XMM;
        in.kind1 = Insn.XMM;
        in.reg0 = (byte) random.nextInt(16);
        in.reg1 = (byte) random.nextInt(16);
        in.reg2 = (byte) random.nextInt(16);
        if (vexOnly) {
            vexOnly(in);
        } else if (!special(in)) {
            boolean memory = random.nextInt(3) == 0 && hasMemoryForm(in.op);
            if (memory) {
                memory(in);
            }
            byte second = memory ? Insn.MEM : Insn.XMM;
            in.kind1 = second;
            if (random.nextInt(3) == 0 && in.op != Op.PTEST && !isCompare(in.op)) {
                in.vexBytes = 2;
                in.vectorBytes = (byte) (isScalar(in.op) ? 16 : 16 << random.nextInt(2));
                switch (in.op) {
                    case PSHUFD, PSHUFLW, PSHUFHW -> {}
                    default -> {
                        in.kind1 = Insn.XMM;
                        in.kind2 = second;
                    }
                }
            }
            switch (in.op) {
                case PSHUFD, PSHUFLW, PSHUFHW, PALIGNR, SHUFPS ->
                        in.imm = random.nextInt(in.op == Op.PALIGNR ? 40 : 256);
                default -> {}
            }
        }
        in.memSize = 16;
        return in;
    }

    private static boolean hasMemoryForm(Op op) {
        return op != Op.MOVHLPS && op != Op.MOVLHPS;
    }

    private static boolean isCompare(Op op) {
        return op == Op.COMISD || op == Op.UCOMISD;
    }

    private static boolean isScalar(Op op) {
        String name = op.name();
        return name.endsWith("SD") && !name.startsWith("P")
                || name.endsWith("SS")
                || op == Op.MOVHLPS
                || op == Op.MOVLHPS;
    }

    /** Operations with other operands than a register and a register or memory. */
    private boolean special(Insn in) {
        switch (in.op) {
            case MOVUPS, MOVDQU, MOVAPS, MOVDQA, MOVSS, MOVSD_XMM, MOVQ -> {
                int form = random.nextInt(3);
                if (form > 0) {
                    memory(in);
                    if (form == 1) {
                        in.kind0 = Insn.MEM;
                    } else {
                        in.kind1 = Insn.MEM;
                    }
                    if (in.op != Op.MOVSS && in.op != Op.MOVSD_XMM && random.nextInt(3) == 0) {
                        in.vexBytes = 2;
                        in.vectorBytes = (byte) (in.op == Op.MOVQ ? 16 : 16 << random.nextInt(2));
                    }
                }
            }
            case MOVDDUP -> {
                if (random.nextBoolean()) {
                    memory(in);
                    in.kind1 = Insn.MEM;
                }
            }
            case MOVD -> {
                in.opSize = (byte) (4 << random.nextInt(2));
                if (random.nextBoolean()) {
                    in.kind0 = Insn.GPR;
                } else {
                    in.kind1 = Insn.GPR;
                }
            }
            case MOVLPD, MOVHPD -> {
                memory(in);
                if (random.nextBoolean()) {
                    in.kind0 = Insn.MEM;
                } else {
                    in.kind1 = Insn.MEM;
                }
            }
            case CVTSI2SD -> {
                in.opSize = (byte) (4 << random.nextInt(2));
                in.kind1 = Insn.GPR;
            }
            case CVTTSD2SI -> {
                in.opSize = (byte) (4 << random.nextInt(2));
                in.kind0 = Insn.GPR;
            }
            case PMOVMSKB -> {
                in.kind0 = Insn.GPR;
                in.vexBytes = (byte) (random.nextBoolean() ? 2 : 0);
                in.vectorBytes = (byte) (in.vexBytes == 0 ? 16 : 32);
            }
            case PSLLW, PSLLD, PSLLQ, PSRLW, PSRLD, PSRLQ, PSRAW, PSRAD, PSLLDQ, PSRLDQ -> {
                in.imm = random.nextInt(random.nextInt(4) == 0 ? 256 : 20);
                if (random.nextInt(3) == 0) {
                    in.vexBytes = 2;
                    in.kind2 = Insn.IMM;
                    in.vectorBytes = 32;
                } else {
                    in.kind1 = Insn.IMM;
                }
            }
            default -> {
                return false;
            }
        }
        return true;
    }

    private void vexOnly(Insn in) {
        in.vexBytes = 3;
        in.vectorBytes = 32;
        in.imm = random.nextInt(256);
        boolean memory = random.nextInt(3) == 0;
        if (memory && in.op != Op.VZEROUPPER) {
            memory(in);
        }
        byte other = memory ? Insn.MEM : Insn.XMM;
        switch (in.op) {
            case VPBROADCASTB, VPBROADCASTW, VPBROADCASTD, VPBROADCASTQ, VPERMQ -> in.kind1 = other;
            case VEXTRACTI128 -> in.kind0 = other;
            case VZEROUPPER -> {
                in.kind0 = Insn.NONE;
                in.kind1 = Insn.NONE;
            }
            default -> {
                in.kind2 = other;
                in.vectorBytes = (byte) (in.op.name().endsWith("SD") ? 16 : 32);
            }
        }
    }

    /** The same random vector registers and MXCSR for both. */
    public void fillVectors(Cpu a, Cpu b) {
        for (int i = 0; i < a.vec.length; i++) {
            double number = (random.nextInt(2001) - 1000) / 8.0 * (i % 4 == 0 ? 1 : 0.3);
            a.vec[i] =
                    random.nextInt(6) == 0 ? random.nextLong() : Double.doubleToRawLongBits(number);
        }
        System.arraycopy(a.vec, 0, b.vec, 0, a.vec.length);
        a.mxcsr =
                switch (random.nextInt(6)) {
                    case 0 -> 0x1F80;
                    case 1 -> 0x1F80 | random.nextInt(4) << 13 | random.nextInt(64);
                    case 2 -> 0x1FA0 | 0x8040;
                    default -> 0x1FA0;
                };
        b.mxcsr = a.mxcsr;
    }

    private void registerOrHigh(Insn in) {
        register0(in);
        if (in.opSize == 1 && random.nextInt(3) == 0) {
            in.kind0 = Insn.GPR_HIGH;
            in.reg0 = (byte) random.nextInt(4);
        }
    }

    private void twoOperands(Insn in) {
        int form = random.nextInt(5);
        if (form == 4 && in.op == Op.TEST) {
            form = 3;
        }
        switch (form) {
            case 0 -> {
                register0(in);
                register1(in);
            }
            case 1 -> {
                register0(in);
                immediate1(in);
            }
            case 2 -> {
                memory(in);
                in.kind0 = Insn.MEM;
                register1(in);
            }
            case 3 -> {
                memory(in);
                in.kind0 = Insn.MEM;
                immediate1(in);
            }
            default -> {
                register0(in);
                memory(in);
                in.kind1 = Insn.MEM;
            }
        }
    }

    private long immediate(int sizeBytes) {
        return switch (sizeBytes) {
            case 1 -> random.nextInt() & 0xFF;
            case 2 -> (short) random.nextInt();
            default -> random.nextBoolean() ? random.nextInt() : (byte) random.nextInt();
        };
    }

    private void immediate1(Insn in) {
        in.kind1 = Insn.IMM;
        in.imm = immediate(in.opSize);
    }

    private void register0(Insn in) {
        in.kind0 = Insn.GPR;
        in.reg0 = (byte) register();
    }

    private void register1(Insn in) {
        in.kind1 = Insn.GPR;
        in.reg1 = (byte) register();
    }

    private void registerOrMemory0(Insn in) {
        if (random.nextBoolean()) {
            register0(in);
        } else {
            memory(in);
            in.kind0 = Insn.MEM;
        }
    }

    private void registerOrMemory1(Insn in) {
        if (random.nextBoolean()) {
            register1(in);
        } else {
            memory(in);
            in.kind1 = Insn.MEM;
        }
    }

    private int register() {
        return random.nextInt(16);
    }

    /** RBX points into the middle of the data, RSI is a small index. */
    private void memory(Insn in) {
        in.base = 3;
        if (random.nextBoolean()) {
            in.index = 6;
            in.scale = (byte) random.nextInt(4);
        }
        in.disp = (byte) random.nextInt();
        in.seg = (byte) (random.nextInt(4) == 0 ? Seg.GS : Seg.DS);
    }

    public void fill(Cpu a, Cpu b) {
        for (int i = 0; i < 16; i++) {
            long value =
                    switch (random.nextInt(4)) {
                        case 0 -> random.nextLong();
                        case 1 -> random.nextInt(5) - 2;
                        case 2 -> Long.MIN_VALUE >>> random.nextInt(64);
                        default -> random.nextInt();
                    };
            a.regs[i] = value;
        }
        a.regs[3] = DATA + (random.nextBoolean() ? random.nextInt(4096) : 8L * random.nextInt(512));
        a.regs[6] = random.nextInt(64);
        a.regs[4] = 0x4000 + 8L * random.nextInt(64);
        a.regs[5] = 0x4800 + 8L * random.nextInt(64);
        System.arraycopy(a.regs, 0, b.regs, 0, 16);
        int status = random.nextInt() & Flags.STATUS;
        a.flags.setStatus(status);
        b.flags.setStatus(status);
        for (long at = 0x4000; at < 0xA000; at += 64) {
            long value = random.nextLong();
            a.mmu.backing().set(ValueLayout.JAVA_LONG, at, value);
            b.mmu.backing().set(ValueLayout.JAVA_LONG, at, value);
        }
    }

    /** 64-bit mode without paging: no such mode exists, but translation is not what is tested. */
    public static Cpu cpu() {
        MemorySegment backing = MemorySegment.ofArray(new long[RAM_BYTES / 8]);
        List<GuestMemory.Region> regions = new ArrayList<>();
        regions.add(new GuestMemory.Region(0, 0, RAM_BYTES));
        Cpu cpu = new Cpu(0, new Ram(new GuestMemory(backing, regions, () -> {})));
        cpu.cr0 |= Cpu.CR0_PE;
        cpu.cr4 |= Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT | Cpu.CR4_OSXSAVE;
        cpu.xcr0 = 7;
        cpu.efer = Cpu.EFER_LMA;
        cpu.segAttributes[Seg.CS] = Seg.L | Seg.PRESENT | Seg.S | Seg.CODE | Seg.RW;
        cpu.segBase[Seg.GS] = 0x800;
        cpu.updateMode();
        return cpu;
    }

    public static Insn copy(Insn in) {
        Insn out = new Insn();
        out.op = in.op;
        out.kind0 = in.kind0;
        out.kind1 = in.kind1;
        out.kind2 = in.kind2;
        out.reg0 = in.reg0;
        out.reg1 = in.reg1;
        out.reg2 = in.reg2;
        out.kind3 = in.kind3;
        out.reg3 = in.reg3;
        out.vexBytes = in.vexBytes;
        out.vectorBytes = in.vectorBytes;
        out.opSize = in.opSize;
        out.memSize = in.memSize;
        out.addrSize = in.addrSize;
        out.base = in.base;
        out.index = in.index;
        out.scale = in.scale;
        out.seg = in.seg;
        out.disp = in.disp;
        out.imm = in.imm;
        out.cond = in.cond;
        out.lock = in.lock;
        out.length = in.length;
        out.mode = in.mode;
        out.ip = in.ip;
        out.nextIp = in.nextIp;
        return out;
    }

    public static String describe(Insn in) {
        return "%s.%d/%d.%d kinds %d,%d,%d regs %d,%d,%d imm %x cond %d mem %d[%d+%d<<%d+%x]"
                .formatted(
                        in.op,
                        in.opSize,
                        in.vexBytes,
                        in.vectorBytes,
                        in.kind0,
                        in.kind1,
                        in.kind2,
                        in.reg0,
                        in.reg1,
                        in.reg2,
                        in.imm,
                        in.cond,
                        in.seg,
                        in.base,
                        in.index,
                        in.scale,
                        in.disp);
    }
}
