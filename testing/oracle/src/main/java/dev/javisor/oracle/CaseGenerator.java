package dev.javisor.oracle;

import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.SplittableRandom;

/** Writes random cases: an instruction, and a state in which most of its accesses succeed. */
final class CaseGenerator {
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** DF and the status flags: what a return from a signal loads, without TF and AC. */
    private static final int FLAGS = 0xCD5;

    private static final int RAX = 0;
    private static final int RCX = 1;
    private static final int RDX = 2;
    private static final int RBX = 3;
    private static final int RSP = 4;
    private static final int RBP = 5;
    private static final int RSI = 6;
    private static final int RDI = 7;

    private final MemorySegment shared;
    private final InstructionGenerator generator;
    private final HostReturns returns;
    private final long[] gpr = new long[16];
    private final SoftwareSide preview = new SoftwareSide();
    private int poolOffset;
    private SplittableRandom random = new SplittableRandom();

    CaseGenerator(MemorySegment shared, Selection selection, HostReturns returns) {
        this.shared = shared;
        this.returns = returns;
        this.generator = new InstructionGenerator(selection);
    }

    /** Fills the pool from which data pages come. */
    void fillPool(SplittableRandom source) {
        random = source;
        for (int at = 0; at < OracleLayout.POOL_BYTES + OracleLayout.PAGE; at += 8) {
            shared.set(LONG, OracleLayout.POOL + at, value());
        }
    }

    /** Writes case {@code index} of a batch. */
    void write(int index, SplittableRandom source) {
        random = source;
        long at = OracleLayout.CASES + (long) index * OracleLayout.CASE_BYTES;
        int mode = random.nextInt(4) == 0 && returns.code32() ? 32 : 64;
        long ip = OracleLayout.CODE + 0x800 + random.nextInt(16);
        do {
            generator.next(random, mode, ip);
            settle(mode, ip);
            writeState(at, mode, ip);
        } while (!returns.to(mode, gpr[RSP]) || runsElsewhere(at, ip));
    }

    private void writeState(long at, int mode, long ip) {
        for (int i = 0; i < 16; i++) {
            long value = mode == 64 ? gpr[i] : gpr[i] & 0xFFFFFFFFL;
            shared.set(LONG, at + OracleLayout.GPR[i], i >= 8 && mode == 32 ? 0 : value);
        }
        shared.set(LONG, at + OracleLayout.RIP, ip);
        shared.set(LONG, at + OracleLayout.RFLAGS, (random.nextInt() & FLAGS) | 0x202);
        long cs = mode == 64 ? OracleLayout.CS_64 : OracleLayout.CS_32;
        shared.set(LONG, at + OracleLayout.SELECTORS, cs | (long) OracleLayout.SS_USER << 48);
        shared.set(LONG, at + OracleLayout.POOL_OFFSET, poolOffset);
        long codeInFile = OracleLayout.SHARED + OracleLayout.CODE_IN_FILE;
        shared.set(LONG, at + OracleLayout.CODE_ADDRESS, codeInFile + (ip & 0xFFF));
        MemorySegment.copy(
                generator.code, 0, shared, ValueLayout.JAVA_BYTE, at + OracleLayout.CODE_BYTES, 16);
        FloatingState.write(shared, at + OracleLayout.FX, random);
        if (isGather(generator.insn)) {
            writeIndices(at);
        }
    }

    /**
     * Whether the case would touch the runner's own pages, or a branch leads into them or into the
     * instruction itself, where something else than an INT3 or a fault would follow: software
     * tells.
     */
    private boolean runsElsewhere(long at, long ip) {
        preview.load(shared, at);
        int vector = preview.execute();
        if (vector >= 0) {
            return vector == GuestFault.PF && OracleLayout.isRunner(preview.cpu.cr2);
        }
        long target = preview.cpu.rip;
        boolean own = target >= ip - 1 && target < ip + 16 && target != generator.insn.nextIp;
        return own || OracleLayout.isRunner(target);
    }

    /** Sets the registers. */
    private void settle(int mode, long ip) {
        for (int i = 0; i < 16; i++) {
            gpr[i] = value();
        }
        int pool = random.nextInt(OracleLayout.POOL_BYTES / 16) * 16;
        long poolAt = OracleLayout.POOL + pool;
        gpr[RSP] = OracleLayout.DATA + random.nextInt(512) * 8;
        if (random.nextInt(8) == 0) {
            gpr[RSP] = target();
        }
        Insn in = generator.insn;
        boolean frame = in.op == Op.ENTER || in.op == Op.LEAVE;
        gpr[RBP] = frame || random.nextBoolean() ? target() : gpr[RBP];
        if (hasMemory(in)) {
            aim(in, mode, ip);
        }
        if (in.op == Op.ENTER && random.nextInt(8) != 0) {
            generator.shrinkFrame();
            generator.decodeAgain(mode, ip);
        }
        prepare(in, poolAt);
        poolOffset = pool;
    }

    static boolean hasMemory(Insn in) {
        return in.kind0 == Insn.MEM
                || in.kind1 == Insn.MEM
                || in.kind2 == Insn.MEM
                || in.kind3 == Insn.MEM;
    }

    /** Its indices are in a vector register. */
    static boolean isGather(Insn in) {
        return in.op.compareTo(Op.VGATHERDPS) >= 0 && in.op.compareTo(Op.VPGATHERQQ) <= 0;
    }

    /** Indices of a gather that keep most of its elements in the data page. */
    private void writeIndices(long at) {
        Insn in = generator.insn;
        boolean dwords =
                switch (in.op) {
                    case VGATHERDPS, VGATHERDPD, VPGATHERDD, VPGATHERDQ -> true;
                    default -> false;
                };
        for (int i = 0; i < 4; i++) {
            long word = random.nextInt(-2040, 2040) >> in.scale;
            if (dwords) {
                long high = random.nextInt(-2040, 2040) >> in.scale;
                word = high << 32 | word & 0xFFFFFFFFL;
            }
            int place = i < 2 ? OracleLayout.FX + 160 : OracleLayout.YMM_HIGH;
            shared.set(LONG, at + place + 16 * in.index + 8 * (i & 1), word);
        }
    }

    /** Makes the effective address a good target by changing a register or the displacement. */
    private void aim(Insn in, int mode, long ip) {
        long target = target();
        if (isGather(in)) {
            target = OracleLayout.DATA + OracleLayout.PAGE / 2;
            if (in.base != Insn.ZERO) {
                gpr[in.base] = target - in.disp;
            } else {
                patchDisplacement(in, mode, ip, target);
            }
        } else if (in.base != Insn.ZERO && in.base == in.index) {
            gpr[in.base] = (target - in.disp) / (1 + (1 << in.scale));
        } else if (in.base != Insn.ZERO) {
            long index = in.index == Insn.ZERO ? 0 : gpr[in.index] << in.scale;
            gpr[in.base] = target - in.disp - index;
        } else if (in.index != Insn.ZERO) {
            gpr[in.index] = (target - in.disp) >> in.scale;
        } else if (generator.displacementAt >= 0) {
            patchDisplacement(in, mode, ip, target);
        }
    }

    private void patchDisplacement(Insn in, int mode, long ip, long target) {
        int at = generator.displacementAt;
        int size = generator.displacementBytes;
        long value = generator.ripRelative ? target - in.nextIp : target;
        for (int i = 0; i < size; i++) {
            generator.code[at + i] = (byte) (value >> (8 * i));
        }
        generator.decodeAgain(mode, ip);
    }

    /** An address, mostly in the data page. */
    private long target() {
        int n = random.nextInt(64);
        if (n == 0) {
            return OracleLayout.DATA + OracleLayout.PAGE - random.nextInt(40);
        }
        if (n == 1) {
            return OracleLayout.DATA - random.nextInt(40);
        }
        if (n == 2) {
            return switch (random.nextInt(4)) {
                case 0 -> random.nextInt(4096);
                case 1 -> 0x8000_0000_0000L - random.nextInt(2) * 4;
                case 2 -> Long.MIN_VALUE | random.nextLong() | 0xC000_0000L;
                default -> 0x1234_5678_DABC_DEF0L;
            };
        }
        int offset = random.nextInt(OracleLayout.PAGE - 64);
        return OracleLayout.DATA + (n < 40 ? offset & ~15 : offset);
    }

    /** What particular instructions need to be worth a test. */
    private void prepare(Insn in, long poolAt) {
        switch (in.op) {
            case MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS -> {
                gpr[RSI] = target();
                gpr[RDI] = random.nextBoolean() ? target() : gpr[RSI] + random.nextInt(-20, 20);
                gpr[RCX] = random.nextInt(10) == 0 ? random.nextInt(600) : random.nextInt(20);
                if (in.addrSize == 4 && random.nextInt(4) == 0) {
                    gpr[RCX] |= 0x5_0000_0000L;
                }
                // AMD checks the ports of INS and OUTS even where nothing is repeated.
                if ((in.op == Op.INS || in.op == Op.OUTS) && (int) gpr[RCX] == 0) {
                    gpr[RCX] = 1;
                }
                if (random.nextBoolean()) {
                    gpr[RAX] = shared.get(LONG, poolAt + ((gpr[RDI] + 8) & 0xFF8));
                }
            }
            case XLAT -> gpr[RBX] = target();
            case MASKMOVDQU, MASKMOVQ -> gpr[RDI] = target();
            case BT, BTS, BTR, BTC -> {
                if (in.kind1 == Insn.GPR && random.nextInt(8) != 0) {
                    if (in.kind0 == Insn.MEM && in.reg1 != in.base && in.reg1 != in.index) {
                        gpr[in.reg1] = random.nextInt(-2000, 2000);
                    }
                }
            }
            case DIV, IDIV -> {
                if (random.nextBoolean()) {
                    gpr[RDX] = random.nextBoolean() ? 0 : gpr[RAX] >> 63;
                }
                if (in.opSize == 1) {
                    gpr[RAX] &= random.nextBoolean() ? 0xFF : 0xFFF;
                }
            }
            case CMPXCHG -> {
                if (random.nextBoolean()) {
                    gpr[RAX] = in.kind0 == Insn.MEM ? atTarget(in, poolAt, 0) : gpr[in.reg0];
                }
            }
            case CMPXCHG8B, CMPXCHG16B -> {
                if (random.nextBoolean()) {
                    long low = atTarget(in, poolAt, 0);
                    long high = atTarget(in, poolAt, 8);
                    boolean wide = in.op == Op.CMPXCHG16B;
                    gpr[RAX] = wide ? low : low & 0xFFFFFFFFL;
                    gpr[RDX] = wide ? high : low >>> 32;
                }
            }
            case LOOP, LOOPE, LOOPNE, JCXZ -> gpr[RCX] = random.nextInt(3);
            case RET -> {}
            case JMP, CALL -> {
                if (in.kind0 == Insn.GPR && in.reg0 != RSP && random.nextInt(4) != 0) {
                    gpr[in.reg0] = OracleLayout.CODE + random.nextInt(0x700);
                }
            }
            default -> {}
        }
    }

    /** What the data page holds at the memory operand, as far as the registers are settled. */
    private long atTarget(Insn in, long poolAt, int offset) {
        long base = in.base == Insn.ZERO ? 0 : gpr[in.base];
        long index = in.index == Insn.ZERO ? 0 : gpr[in.index];
        long in64 = base + (index << in.scale) + in.disp + offset;
        long page = (in64 - OracleLayout.DATA) & 0xFFF;
        return page > 4088 ? 0 : shared.get(LONG, poolAt + page);
    }

    /** Random bits, often with long runs of equal bits or near a power of two. */
    private long value() {
        long value = random.nextLong();
        return switch (random.nextInt(6)) {
            case 0 -> value >> random.nextInt(64);
            case 1 -> value >>> random.nextInt(64);
            case 2 -> (1L << random.nextInt(64)) + random.nextInt(-2, 3);
            case 3 -> random.nextInt(-2, 3);
            default -> value;
        };
    }
}
