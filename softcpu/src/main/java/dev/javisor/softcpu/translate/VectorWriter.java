package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import dev.javisor.softcpu.fp.PackedLanes;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;

/**
 * Bytecode for the frequent moves and integer operations of SSE and AVX. Vector registers are
 * locals of 64 bits, two for a legacy instruction's register and four for a VEX one's.
 */
final class VectorWriter {
    private static final ClassDesc LANES = PackedLanes.class.describeConstable().orElseThrow();
    private static final long ONES16 = 0x0001_0001_0001_0001L;

    private final Frame f;
    private final CodeBuilder code;
    private final MemoryWriter memory;
    private final FlagWriter flags;
    private final FloatWriter floats;

    VectorWriter(Frame frame, MemoryWriter memory, FlagWriter flags) {
        f = frame;
        code = frame.code;
        this.memory = memory;
        this.flags = flags;
        this.floats = new FloatWriter(frame, memory, flags);
    }

    /** Whether status flags are left alone. */
    static boolean keepsFlags(Insn in) {
        return switch (in.op.family()) {
            case SSE, AVX ->
                    switch (in.op) {
                        case COMISS,
                                COMISD,
                                UCOMISS,
                                UCOMISD,
                                PTEST,
                                VTESTPS,
                                VTESTPD,
                                PCMPESTRI,
                                PCMPESTRM,
                                PCMPISTRI,
                                PCMPISTRM ->
                                false;
                        default -> true;
                    };
            case X87 ->
                    switch (in.op) {
                        case FCOMI, FUCOMI, FCOMIP, FUCOMIP -> false;
                        default -> true;
                    };
            case CRYPTO -> true;
            default -> false;
        };
    }

    static boolean isVector(Insn in) {
        // CVTTSD2SI may have a general register and memory only, and needs the unit all the same.
        return words(in) != 0 || in.op == Op.VZEROUPPER || in.op == Op.CVTTSD2SI;
    }

    /** Words of vector registers that are operands, by bit. */
    static long words(Insn in) {
        return words(in, in.kind0, in.reg0)
                | words(in, in.kind1, in.reg1)
                | words(in, in.kind2, in.reg2)
                | words(in, in.kind3, in.reg3);
    }

    private static long words(Insn in, int kind, int reg) {
        if (kind != Insn.XMM) {
            return 0;
        }
        return (in.vexBytes != 0 ? 15L : 3L) << 4 * reg;
    }

    /** At the start of a block. */
    void forget() {
        floats.forget();
    }

    /**
     * @param miss where to leave before the instruction
     * @return false, with nothing written, if there is no translation of the form
     */
    boolean write(Insn in, Label miss) {
        boolean usesMemory = in.kind0 == Insn.MEM || in.kind1 == Insn.MEM || in.kind2 == Insn.MEM;
        if (in.mode != 64
                || in.kind0 == Insn.MMX
                || in.kind1 == Insn.MMX
                || (usesMemory && in.addrSize != 8)) {
            return false;
        }
        if (floats.write(in, miss)) {
            return true;
        }
        boolean written = integers(in, miss);
        if (in.kind0 == Insn.XMM || in.op == Op.VZEROUPPER) {
            floats.changed(in);
        }
        return written;
    }

    private boolean integers(Insn in, Label miss) {
        String lane = PackedLanes.method(in.op);
        if (!lane.isEmpty()) {
            lanes(in, miss, () -> code.invokestatic(LANES, lane, Frame.J_JJ));
            return true;
        }
        switch (in.op) {
            case MOVUPS, MOVUPD, MOVDQU, LDDQU -> move(in, false, miss);
            case MOVAPS, MOVAPD, MOVDQA, MOVNTDQ, MOVNTPS, MOVNTPD -> move(in, true, miss);
            case MOVSS -> scalarMove(in, 4, miss);
            case MOVSD_XMM -> scalarMove(in, 8, miss);
            case MOVD, MOVQ -> lowMove(in, miss);
            case MOVLPS, MOVLPD -> halfMove(in, 0, miss);
            case MOVHPS, MOVHPD -> halfMove(in, 1, miss);
            case MOVHLPS -> set(in, () -> push(second(in), 1), () -> push(first(in), 1));
            case MOVLHPS -> set(in, () -> push(first(in), 0), () -> push(second(in), 0));
            case MOVDDUP -> {
                return duplicate(in, miss);
            }
            case ANDPS, ANDPD, PAND -> lanes(in, miss, code::land);
            case ORPS, ORPD, POR -> lanes(in, miss, code::lor);
            case XORPS, XORPD, PXOR -> exclusiveOr(in, miss);
            case PANDN, ANDNPS, ANDNPD -> andNot(in, miss);
            case PADDQ -> lanes(in, miss, code::ladd);
            case PSUBQ -> lanes(in, miss, code::lsub);
            case PSLLW, PSLLD, PSLLQ, PSRLW, PSRLD, PSRLQ, PSRAW, PSRAD -> {
                return shift(in);
            }
            case PSLLDQ, PSRLDQ -> shiftBytes(in);
            case PSHUFD, PSHUFLW, PSHUFHW -> shuffle(in, miss);
            case PSHUFB -> shuffleBytes(in, miss);
            case PALIGNR -> align(in, miss);
            case SHUFPS -> shufflePairs(in, miss);
            case PUNPCKLBW -> unpack(in, "unpack8", 0, miss);
            case PUNPCKLWD -> unpack(in, "unpack16", 0, miss);
            case PUNPCKLDQ, UNPCKLPS -> unpack(in, "unpack32", 0, miss);
            case PUNPCKHBW -> unpack(in, "unpack8", 1, miss);
            case PUNPCKHWD -> unpack(in, "unpack16", 1, miss);
            case PUNPCKHDQ, UNPCKHPS -> unpack(in, "unpack32", 1, miss);
            case PUNPCKLQDQ, UNPCKLPD -> unpackWords(in, 0, miss);
            case PUNPCKHQDQ, UNPCKHPD -> unpackWords(in, 1, miss);
            case PACKUSWB -> pack(in, miss);
            case PMOVMSKB -> byteSigns(in);
            case PTEST -> test(in, miss);
            case VPBROADCASTB -> broadcast(in, 1, 0x0101_0101_0101_0101L, miss);
            case VPBROADCASTW -> broadcast(in, 2, ONES16, miss);
            case VPBROADCASTD, VBROADCASTSS -> broadcast(in, 4, 0x1_0000_0001L, miss);
            case VPBROADCASTQ, VBROADCASTSD -> broadcast(in, 8, 1, miss);
            case VEXTRACTI128, VEXTRACTF128 -> extract(in, miss);
            case VINSERTI128, VINSERTF128 -> insert(in, miss);
            case VPERMQ, VPERMPD -> permuteWords(in, miss);
            case VPERM2I128, VPERM2F128 -> permuteHalves(in, miss);
            case VZEROUPPER -> zeroUpper();
            default -> {
                return false;
            }
        }
        return true;
    }

    // ------------------------------------------------------------------ operands

    private static int first(Insn in) {
        return in.vexBytes == 0 ? in.reg0 : in.reg1;
    }

    private static int second(Insn in) {
        return in.vexBytes == 0 ? in.reg1 : in.reg2;
    }

    private static int secondKind(Insn in) {
        return in.vexBytes == 0 ? in.kind1 : in.kind2;
    }

    private static int bytes(Insn in) {
        return in.vectorBytes == 32 ? 32 : 16;
    }

    private void push(int reg, int word) {
        code.lload(f.vector(reg, word));
    }

    /** First local of an operand's words, loaded if it is memory. */
    private int operand(Insn in, int kind, int reg, Label miss) {
        if (kind != Insn.MEM) {
            return f.vector(reg, 0);
        }
        memory.loadVector(in, bytes(in), in.vexBytes == 0, miss, Frame.SOURCE);
        return Frame.SOURCE;
    }

    private int secondOperand(Insn in, Label miss) {
        return operand(in, secondKind(in), second(in), miss);
    }

    /** What VEX instructions clear above a 128-bit result. */
    private void clearUpper(Insn in) {
        if (in.vexBytes != 0) {
            code.lconst_0();
            f.setVector(in.reg0, 2);
            code.lconst_0();
            f.setVector(in.reg0, 3);
        }
    }

    /** Sets the low words to what the two push, both before either is set. */
    private void set(Insn in, Runnable low, Runnable high) {
        low.run();
        high.run();
        f.setVector(in.reg0, 1);
        f.setVector(in.reg0, 0);
        clearUpper(in);
    }

    /** Stores the pushed word as a result that {@link #finish} moves to the destination. */
    private void result(int word) {
        code.lstore(Frame.TARGET + 2 * word);
    }

    private void finish(Insn in) {
        for (int word = 0; word < bytes(in) / 8; word++) {
            code.lload(Frame.TARGET + 2 * word);
            f.setVector(in.reg0, word);
        }
        if (bytes(in) == 16) {
            clearUpper(in);
        }
    }

    // ------------------------------------------------------------------ moves

    private void move(Insn in, boolean aligned, Label miss) {
        if (in.kind0 == Insn.MEM) {
            memory.storeVector(in, bytes(in), aligned, miss, word -> push(in.reg1, word));
            return;
        }
        int from = f.vector(in.kind1 == Insn.MEM ? in.reg0 : in.reg1, 0);
        if (in.kind1 == Insn.MEM) {
            memory.loadVector(in, bytes(in), aligned, miss, Frame.SOURCE);
            from = Frame.SOURCE;
        }
        for (int word = 0; word < bytes(in) / 8; word++) {
            code.lload(from + 2 * word);
            f.setVector(in.reg0, word);
        }
        if (bytes(in) == 16) {
            clearUpper(in);
        }
    }

    /** A load clears the rest of the register, a register move keeps it. */
    private void scalarMove(Insn in, int sizeBytes, Label miss) {
        if (in.kind0 == Insn.MEM) {
            memory.checkStore(in, sizeBytes, miss);
            memory.storeChecked(sizeBytes, () -> push(in.reg1, 0));
        } else if (in.kind1 == Insn.MEM) {
            memory.load(in, sizeBytes, miss);
            code.lstore(Frame.VALUE);
            set(in, () -> code.lload(Frame.VALUE), code::lconst_0);
        } else {
            set(
                    in,
                    () -> {
                        push(second(in), 0);
                        if (sizeBytes == 4) {
                            f.zeroExtend32();
                            push(first(in), 0);
                            code.loadConstant(~0xFFFFFFFFL).land().lor();
                        }
                    },
                    () -> push(first(in), 1));
        }
    }

    private void lowMove(Insn in, Label miss) {
        int size = in.op == Op.MOVQ || in.opSize == 8 ? 8 : 4;
        if (in.kind0 == Insn.MEM) {
            memory.checkStore(in, size, miss);
            memory.storeChecked(size, () -> push(in.reg1, 0));
        } else if (in.kind0 == Insn.GPR) {
            push(in.reg1, 0);
            if (size == 4) {
                f.zeroExtend32();
            }
            f.set(in.reg0);
        } else {
            if (in.kind1 == Insn.MEM) {
                memory.load(in, size, miss);
            } else if (in.kind1 == Insn.XMM) {
                push(in.reg1, 0);
            } else {
                f.get(in.reg1);
                if (size == 4) {
                    f.zeroExtend32();
                }
            }
            code.lstore(Frame.VALUE);
            set(in, () -> code.lload(Frame.VALUE), code::lconst_0);
        }
    }

    /** One half to or from memory; the legacy register forms are MOVHLPS and MOVLHPS. */
    private void halfMove(Insn in, int half, Label miss) {
        if (in.kind0 == Insn.MEM) {
            memory.checkStore(in, 8, miss);
            memory.storeChecked(8, () -> push(in.reg1, half));
            return;
        }
        if (secondKind(in) == Insn.MEM) {
            memory.load(in, 8, miss);
        } else {
            push(second(in), 0);
        }
        code.lstore(Frame.VALUE);
        if (half == 0) {
            set(in, () -> code.lload(Frame.VALUE), () -> push(first(in), 1));
        } else {
            set(in, () -> push(first(in), 0), () -> code.lload(Frame.VALUE));
        }
    }

    private boolean duplicate(Insn in, Label miss) {
        if (bytes(in) == 32) {
            return false;
        }
        if (in.kind1 == Insn.MEM) {
            memory.load(in, 8, miss);
        } else {
            push(in.reg1, 0);
        }
        code.lstore(Frame.VALUE);
        set(in, () -> code.lload(Frame.VALUE), () -> code.lload(Frame.VALUE));
        return true;
    }

    // ------------------------------------------------------------------ word by word

    private void lanes(Insn in, Label miss, Runnable operation) {
        int b = secondOperand(in, miss);
        for (int word = 0; word < bytes(in) / 8; word++) {
            push(first(in), word);
            code.lload(b + 2 * word);
            operation.run();
            f.setVector(in.reg0, word);
        }
        if (bytes(in) == 16) {
            clearUpper(in);
        }
    }

    /** Of a register with itself: zero, whatever it holds. */
    private void exclusiveOr(Insn in, Label miss) {
        if (secondKind(in) != Insn.XMM || first(in) != second(in)) {
            lanes(in, miss, code::lxor);
            return;
        }
        for (int word = 0; word < bytes(in) / 8; word++) {
            code.lconst_0();
            f.setVector(in.reg0, word);
        }
        if (bytes(in) == 16) {
            clearUpper(in);
        }
    }

    private void andNot(Insn in, Label miss) {
        int b = secondOperand(in, miss);
        for (int word = 0; word < bytes(in) / 8; word++) {
            push(first(in), word);
            code.loadConstant(-1L).lxor().lload(b + 2 * word).land();
            f.setVector(in.reg0, word);
        }
        if (bytes(in) == 16) {
            clearUpper(in);
        }
    }

    /** By an immediate count. */
    private boolean shift(Insn in) {
        if ((in.vexBytes == 0 ? in.kind1 : in.kind2) != Insn.IMM) {
            return false;
        }
        int width =
                switch (in.op) {
                    case PSLLW, PSRLW, PSRAW -> 16;
                    case PSLLD, PSRLD, PSRAD -> 32;
                    default -> 64;
                };
        int count = (int) Math.min(in.imm & 0xFF, width);
        boolean arithmetic = in.op == Op.PSRAW || in.op == Op.PSRAD;
        boolean left = in.op == Op.PSLLW || in.op == Op.PSLLD || in.op == Op.PSLLQ;
        for (int word = 0; word < bytes(in) / 8; word++) {
            if (arithmetic) {
                push(first(in), word);
                code.loadConstant(Math.min(count, width - 1));
                code.invokestatic(LANES, in.op == Op.PSRAW ? "psraw" : "psrad", Frame.J_JI);
            } else if (count == width) {
                code.lconst_0();
            } else {
                push(first(in), word);
                code.loadConstant(count);
                if (left) {
                    code.lshl();
                } else {
                    code.lushr();
                }
                if (width < 64) {
                    long element = (1L << width) - 1;
                    long kept = left ? element << count & element : element >>> count;
                    code.loadConstant(kept * (width == 16 ? ONES16 : 0x1_0000_0001L)).land();
                }
            }
            f.setVector(in.reg0, word);
        }
        if (bytes(in) == 16) {
            clearUpper(in);
        }
        return true;
    }

    // ------------------------------------------------------------------ within 128 bits

    private void shiftBytes(Insn in) {
        int bits = 8 * (int) Math.min(in.imm & 0xFF, 16);
        boolean left = in.op == Op.PSLLDQ;
        for (int half = 0; half < bytes(in) / 16; half++) {
            int low = f.vector(first(in), 2 * half);
            int high = f.vector(first(in), 2 * half + 1);
            if (left) {
                funnel(-1, low, 64 - bits);
                result(2 * half);
                funnel(low, high, 64 - bits);
            } else {
                funnel(low, high, bits);
                result(2 * half);
                funnel(high, -1, bits);
            }
            result(2 * half + 1);
        }
        finish(in);
    }

    /**
     * Pushes the word that lies {@code bits} above the start of high:low, where a local of -1 is
     * zero, as is all around; -64 to 128.
     */
    private void funnel(int low, int high, int bits) {
        if (bits < 0) {
            shifted(low, -bits, true);
        } else if (bits == 0) {
            shifted(low, 0, true);
        } else if (bits < 64) {
            shifted(low, bits, false);
            shifted(high, 64 - bits, true);
            code.lor();
        } else {
            shifted(high, bits - 64, false);
        }
    }

    private void shifted(int local, int bits, boolean left) {
        if (local < 0 || bits >= 64) {
            code.lconst_0();
            return;
        }
        code.lload(local);
        if (bits != 0) {
            code.loadConstant(bits);
            if (left) {
                code.lshl();
            } else {
                code.lushr();
            }
        }
    }

    private void align(Insn in, Label miss) {
        int b = secondOperand(in, miss);
        int bits = 8 * (int) Math.min(in.imm & 0xFF, 32);
        for (int half = 0; half < bytes(in) / 16; half++) {
            int a = f.vector(first(in), 2 * half);
            int[] words = {b + 4 * half, b + 4 * half + 2, a, a + 2, -1, -1, -1};
            for (int word = 0; word < 2; word++) {
                int at = word + bits / 64;
                funnel(words[at], words[at + 1], bits % 64);
                result(2 * half + word);
            }
        }
        finish(in);
    }

    /** Pushes dword {@code n & 3} of the two words from {@code local} on. */
    private void pushDword(int local, int n) {
        code.lload(local + (n & 2));
        if ((n & 1) != 0) {
            code.bipush(32).lushr();
        } else {
            f.zeroExtend32();
        }
    }

    private void pushDwords(int low, int n, int high, int m) {
        pushDword(low, n);
        pushDword(high, m);
        code.bipush(32).lshl().lor();
    }

    private void shuffle(Insn in, Label miss) {
        int b = operand(in, in.kind1, in.reg1, miss);
        int imm = (int) in.imm & 0xFF;
        for (int half = 0; half < bytes(in) / 16; half++) {
            int from = b + 4 * half;
            if (in.op == Op.PSHUFD) {
                pushDwords(from, imm, from, imm >> 2);
                result(2 * half);
                pushDwords(from, imm >> 4, from, imm >> 6);
                result(2 * half + 1);
                continue;
            }
            int moved = in.op == Op.PSHUFLW ? 0 : 1;
            code.lload(from + 2 * (1 - moved));
            result(2 * half + 1 - moved);
            for (int n = 0; n < 4; n++) {
                code.lload(from + 2 * moved).loadConstant(16 * (imm >> 2 * n & 3)).lushr();
                code.loadConstant(0xFFFFL).land().loadConstant(16 * n).lshl();
                if (n > 0) {
                    code.lor();
                }
            }
            result(2 * half + moved);
        }
        finish(in);
    }

    private void shufflePairs(Insn in, Label miss) {
        int b = secondOperand(in, miss);
        int imm = (int) in.imm & 0xFF;
        for (int half = 0; half < bytes(in) / 16; half++) {
            int x = f.vector(first(in), 2 * half);
            int y = b + 4 * half;
            pushDwords(x, imm, x, imm >> 2);
            result(2 * half);
            pushDwords(y, imm >> 4, y, imm >> 6);
            result(2 * half + 1);
        }
        finish(in);
    }

    private void shuffleBytes(Insn in, Label miss) {
        int b = secondOperand(in, miss);
        for (int word = 0; word < bytes(in) / 8; word++) {
            code.lload(b + 2 * word);
            push(first(in), word & 2);
            push(first(in), (word & 2) + 1);
            code.invokestatic(LANES, "pshufb", Frame.J_JJJ);
            result(word);
        }
        finish(in);
    }

    private void unpack(Insn in, String name, int half, Label miss) {
        int b = secondOperand(in, miss);
        for (int at = 0; at < bytes(in) / 8; at += 2) {
            for (int n = 0; n < 2; n++) {
                push(first(in), at + half);
                code.loadConstant(32 * n).lushr().lload(b + 2 * (at + half));
                code.loadConstant(32 * n).lushr();
                code.invokestatic(LANES, name, Frame.J_JJ);
                result(at + n);
            }
        }
        finish(in);
    }

    private void unpackWords(Insn in, int half, Label miss) {
        int b = secondOperand(in, miss);
        for (int at = 0; at < bytes(in) / 8; at += 2) {
            push(first(in), at + half);
            result(at);
            code.lload(b + 2 * (at + half));
            result(at + 1);
        }
        finish(in);
    }

    private void pack(Insn in, Label miss) {
        int b = secondOperand(in, miss);
        for (int at = 0; at < bytes(in) / 8; at += 2) {
            push(first(in), at);
            push(first(in), at + 1);
            code.invokestatic(LANES, "packuswb", Frame.J_JJ);
            result(at);
            code.lload(b + 2 * at).lload(b + 2 * at + 2);
            code.invokestatic(LANES, "packuswb", Frame.J_JJ);
            result(at + 1);
        }
        finish(in);
    }

    private void byteSigns(Insn in) {
        for (int word = 0; word < bytes(in) / 8; word++) {
            push(in.reg1, word);
            code.invokestatic(LANES, "signs8", Frame.J_J);
            if (word > 0) {
                code.loadConstant(8 * word).lshl().lor();
            }
        }
        f.set(in.reg0);
    }

    /** ZF: no bit in common; CF: none in the second operand alone. The others are zero. */
    private void test(Insn in, Label miss) {
        int b = operand(in, in.kind1, in.reg1, miss);
        for (int negated = 0; negated < 2; negated++) {
            for (int word = 0; word < bytes(in) / 8; word++) {
                push(in.reg0, word);
                if (negated == 1) {
                    code.loadConstant(-1L).lxor();
                }
                code.lload(b + 2 * word).land();
                if (word > 0) {
                    code.lor();
                }
            }
            code.lstore(negated == 0 ? Frame.VALUE : Frame.VALUE2);
        }
        code.lload(Frame.VALUE).lload(Frame.VALUE2);
        f.runtime("testAux", Frame.J_JJ);
        code.lstore(Frame.AUX).lload(Frame.VALUE);
        f.runtime("testResult", Frame.J_J);
        code.lstore(Frame.RESULT);
        flags.kind = FlagKind.STORED;
    }

    // ------------------------------------------------------------------ across 128 bits

    private void broadcast(Insn in, int sizeBytes, long copies, Label miss) {
        if (in.kind1 == Insn.MEM) {
            memory.load(in, sizeBytes, miss);
        } else {
            push(in.reg1, 0);
            if (sizeBytes < 8) {
                code.loadConstant((1L << 8 * sizeBytes) - 1).land();
            }
        }
        code.loadConstant(copies).lmul().lstore(Frame.VALUE);
        for (int word = 0; word < bytes(in) / 8; word++) {
            code.lload(Frame.VALUE);
            result(word);
        }
        finish(in);
    }

    private void extract(Insn in, Label miss) {
        int from = 2 * ((int) in.imm & 1);
        if (in.kind0 == Insn.MEM) {
            memory.storeVector(in, 16, false, miss, word -> push(in.reg1, from + word));
        } else {
            set(in, () -> push(in.reg1, from), () -> push(in.reg1, from + 1));
        }
    }

    private void insert(Insn in, Label miss) {
        int b = Frame.SOURCE;
        if (in.kind2 == Insn.MEM) {
            memory.loadVector(in, 16, false, miss, b);
        } else {
            b = f.vector(in.reg2, 0);
        }
        int at = 2 * ((int) in.imm & 1);
        for (int word = 0; word < 4; word++) {
            if ((word & 2) == at) {
                code.lload(b + 2 * (word & 1));
            } else {
                push(in.reg1, word);
            }
            result(word);
        }
        finish(in);
    }

    private void permuteWords(Insn in, Label miss) {
        int b = operand(in, in.kind1, in.reg1, miss);
        for (int word = 0; word < 4; word++) {
            code.lload(b + 2 * ((int) in.imm >> 2 * word & 3));
            result(word);
        }
        finish(in);
    }

    private void permuteHalves(Insn in, Label miss) {
        int b = secondOperand(in, miss);
        for (int word = 0; word < 4; word++) {
            int choice = (int) in.imm >> 2 * (word & 2);
            int at = 2 * (choice & 1) + (word & 1);
            if ((choice & 8) != 0) {
                code.lconst_0();
            } else if ((choice & 2) != 0) {
                code.lload(b + 2 * at);
            } else {
                push(in.reg1, at);
            }
            result(word);
        }
        finish(in);
    }

    private void zeroUpper() {
        for (int reg = 0; reg < 16; reg++) {
            for (int word = 2; word < 4; word++) {
                if (f.isLocal(reg, word)) {
                    code.lconst_0();
                    f.setVector(reg, word);
                } else {
                    f.vectors();
                    code.loadConstant(4 * reg + word).lconst_0().lastore();
                }
            }
        }
    }
}
