package dev.javisor.softcpu.run;

import dev.javisor.softcpu.block.Alu;
import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.Families;
import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.block.Uop;
import dev.javisor.softcpu.block.Words;
import dev.javisor.softcpu.core.CodePages;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.translate.Translator;
import java.lang.invoke.VarHandle;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Tier one: executes blocks, following links from one to the next, until someone asks for
 * attention, a block is missing, or an instruction faults. One big method on purpose: the JIT keeps
 * the register file's addresses in registers across instructions. Belongs to the vCPU's thread.
 */
final class HotLoop {
    /** A request is pending, or a family has run that may have changed what the run loop checks. */
    static final int ATTENTION = 0;

    /** RIP has no linked block; {@link #from} is where a link should go, if anywhere. */
    static final int LOOKUP = 1;

    /** An instruction faulted; RIP is its address. */
    static final int FAULT = 2;

    /** Extra heat for loop heads and called functions: they make the best regions. */
    private static final int ENTRY_HEAT = 7;

    /** Blocks and regions after which {@link #run} returns. */
    private static final int BLOCKS = 256;

    /**
     * The same for the first runs: so few that HotSpot's counter of calls reaches its limits before
     * that of loops does. Code for entering in the middle of the loop would take the JIT as long
     * again, and serve once.
     */
    private static final int FIRST_BLOCKS = 8;

    private static final int FIRST_RUNS = 100_000;
    private int runs;

    private final Cpu cpu;
    private final Mmu mmu;
    private final BlockCache cache;
    private final CodePages codePages;

    /** Guest instructions retired; an instruction split by a fault is not counted. */
    long instructions;

    /** Regions left before an instruction that tier one must execute. */
    long exitsAside;

    /** Regions after which someone asked for attention. */
    long exitsRequested;

    /** Regions entered. */
    long entries;

    /** After LOOKUP: the block to link from, or null after an indirect branch. */
    @Nullable Block from;

    /** After LOOKUP: whether {@link #from} ended by its taken branch. */
    boolean fromTaken;

    /** After FAULT. */
    GuestFault fault;

    /** After FAULT: the instruction. */
    @Nullable Insn faulting;

    /** In no block: not canonical. */
    private static final long NOWHERE = Long.MIN_VALUE;

    /** Where the last region stopped, before an instruction that only tier one executes. */
    private long asideIp = NOWHERE;

    /** {@link Block#heat} at which a translation is asked for. */
    private final int heatLimit;

    /** Null: everything is interpreted. */
    private final @Nullable Translator translator;

    /** Null but in lockstep mode. */
    private @Nullable Lockstep lockstep;

    HotLoop(Cpu cpu, BlockCache cache, @Nullable Translator translator) {
        this.translator = translator;
        this.heatLimit = translator == null ? Integer.MAX_VALUE : translator.heatLimit();
        this.cpu = cpu;
        this.mmu = cpu.mmu;
        this.cache = cache;
        this.codePages = cpu.mmu.ram().codePages;
        this.fault = cpu.fault(GuestFault.UD);
    }

    /** From now on regions run beside the interpreter. */
    void setLockstep(Lockstep checker) {
        lockstep = checker;
    }

    /**
     * Base, index and displacement of the word at {@code pc}: see {@link Words}. The fence, which
     * costs no instruction, keeps the JIT from taking these fields out of the word before the
     * switch, for every instruction that has no memory operand, too.
     */
    private static long offset(long[] r, long[] code, int pc) {
        VarHandle.acquireFence();
        long w = code[pc];
        return r[(int) (w >>> Words.BASE_SHIFT) & Words.REG_MASK]
                + (r[(int) (w >>> Words.INDEX_SHIFT) & Words.REG_MASK]
                        << (int) (w >>> Words.SCALE_SHIFT & 3))
                + code[pc + 1];
    }

    private static long ea(long[] r, long[] segBase, long[] code, int pc) {
        VarHandle.acquireFence();
        long w = code[pc];
        return r[(int) (w >>> Words.BASE_SHIFT) & Words.REG_MASK]
                + (r[(int) (w >>> Words.INDEX_SHIFT) & Words.REG_MASK]
                        << (int) (w >>> Words.SCALE_SHIFT & 3))
                + code[pc + 1]
                + segBase[Seg.DS + (int) (w >>> Words.SEGMENT_SHIFT & 3)];
    }

    /** Asks for a translation, once in two thousand million executions. */
    private void heated(Block b) {
        b.heat = Integer.MIN_VALUE;
        if (translator != null && Translator.handles(b)) {
            translator.request(b);
        }
    }

    /** Whether the block's region may run; forgets it if its code has changed. */
    private boolean usable(Block b, Region region) {
        if (region.isUsable(cpu)) {
            return true;
        }
        if (region.isVoid(cpu)) {
            b.region = null;
            b.heat = 0;
        }
        return false;
    }

    /** Whether to go on in the block's region. Not if that has just been left for its sake. */
    private boolean mayEnter(Block b, Region region) {
        if (b.ip == asideIp) {
            asideIp = NOWHERE;
            return false;
        }
        return usable(b, region);
    }

    private int enter(Region region) {
        return lockstep == null ? region.enter(cpu, region.budget()) : lockstep.run(region);
    }

    /** Runs from {@code block}, which must be current and at CS:RIP. */
    @SuppressWarnings("MethodLength") // one flat dispatch
    int run(Block block) {
        final Cpu c = cpu;
        final Mmu m = mmu;
        final long[] r = c.regs;
        final long[] sb = c.linearBase;
        final Flags f = c.flags;
        final Block[] jump = cache.jump;
        final int[] versions = codePages.versions();
        Block b = block;
        int pc = 0;
        boolean inRegion = false;
        int left = runs < FIRST_RUNS ? FIRST_BLOCKS : BLOCKS;
        runs = Math.min(runs + 1, FIRST_RUNS);
        m.execPage2 = b.page2;
        try {
            while (true) {
                if (--left < 0) {
                    c.rip = b.ip;
                    from = null;
                    return LOOKUP;
                }
                Region region = b.region;
                if (region != null && mayEnter(b, region)) {
                    c.rip = b.ip;
                    inRegion = true;
                    entries++;
                    boolean aside = enter(region) == Region.SIDE_EXIT;
                    inRegion = false;
                    asideIp = aside ? c.rip : NOWHERE;
                    if (region.wantsMore()) {
                        Objects.requireNonNull(translator).requestLarge(b);
                    }
                    if (aside) {
                        exitsAside++;
                    }
                    if (c.requests() != 0) {
                        exitsRequested++;
                        return ATTENTION;
                    }
                    Block after = cache.ready(c.rip, b.key);
                    if (after == null) {
                        from = null;
                        return LOOKUP;
                    }
                    b = after;
                    continue;
                }
                b.heat += b.weight;
                if (b.heat >= heatLimit) {
                    heated(b);
                }
                m.execPage = b.page;
                instructions += b.instructions;
                final long[] code = b.words;
                pc = 0;
                boolean taken = false;
                boolean indirect = false;
                long target = 0;
                dispatch:
                while (true) {
                    final long w = code[pc];
                    final int d = (int) (w >>> Words.REG0_SHIFT) & Words.REG_MASK;
                    final int s = (int) (w >>> Words.REG1_SHIFT) & Words.REG_MASK;
                    switch ((int) w & 0xFF) {
                        case Uop.GENERIC -> Families.execute(c, b.code[pc >> 1]);
                        case Uop.GENERIC_END -> {
                            c.rip = b.nextIp;
                            Families.execute(c, b.code[pc >> 1]);
                            return ATTENTION;
                        }
                        case Uop.GENERIC_JUMP -> {
                            c.rip = b.nextIp;
                            Families.execute(c, b.code[pc >> 1]);
                            target = c.rip;
                            indirect = true;
                            break dispatch;
                        }
                        case Uop.END -> {
                            break dispatch;
                        }
                        case Uop.MOV_RR -> {
                            r[d] = r[s];
                        }
                        case Uop.MOV_EE -> {
                            r[d] = r[s] & 0xFFFFFFFFL;
                        }
                        case Uop.MOV_RI -> {
                            r[d] = code[pc + 1];
                        }
                        case Uop.LOAD64 -> {
                            r[d] = m.read64(ea(r, sb, code, pc));
                        }
                        case Uop.LOAD32 -> {
                            r[d] = m.read32(ea(r, sb, code, pc));
                        }
                        case Uop.LOAD16 -> {
                            r[d] = m.read16(ea(r, sb, code, pc));
                        }
                        case Uop.LOAD8 -> {
                            r[d] = m.read8(ea(r, sb, code, pc));
                        }
                        case Uop.LOADS32_R -> {
                            r[d] = (int) m.read32(ea(r, sb, code, pc));
                        }
                        case Uop.STORE64 -> {
                            m.write64(ea(r, sb, code, pc), r[s]);
                        }
                        case Uop.STORE32 -> {
                            m.write32(ea(r, sb, code, pc), r[s]);
                        }
                        case Uop.STORE16 -> {
                            m.write16(ea(r, sb, code, pc), r[s]);
                        }
                        case Uop.STORE8 -> {
                            m.write8(ea(r, sb, code, pc), r[s]);
                        }
                        case Uop.STORE64_I -> {
                            m.write64(ea(r, sb, code, pc), w >> 32);
                        }
                        case Uop.STORE32_I -> {
                            m.write32(ea(r, sb, code, pc), w >> 32);
                        }
                        case Uop.STORE8_I -> {
                            m.write8(ea(r, sb, code, pc), w >> 32);
                        }
                        case Uop.LOADW64 -> {
                            r[d] = m.readForWrite(ea(r, sb, code, pc), 8);
                        }
                        case Uop.LOADW32 -> {
                            r[d] = m.readForWrite(ea(r, sb, code, pc), 4);
                        }
                        case Uop.MOVZX8 -> {
                            r[d] = r[s] & 0xFF;
                        }
                        case Uop.MOVSX32_R -> {
                            r[d] = (int) r[s];
                        }
                        case Uop.MOVSX8_E -> {
                            r[d] = (byte) r[s] & 0xFFFFFFFFL;
                        }
                        case Uop.LEA_R -> {
                            r[d] = offset(r, code, pc);
                        }
                        case Uop.LEA_E -> {
                            r[d] = (offset(r, code, pc)) & 0xFFFFFFFFL;
                        }
                        case Uop.ADD_RR -> {
                            r[d] = Alu.add64(f, r[d], r[s]);
                        }
                        case Uop.ADD_RI -> {
                            r[d] = Alu.add64(f, r[d], code[pc + 1]);
                        }
                        case Uop.ADD_EE -> {
                            r[d] = Alu.add32(f, r[d], r[s]);
                        }
                        case Uop.ADD_EI -> {
                            r[d] = Alu.add32(f, r[d], code[pc + 1]);
                        }
                        case Uop.SUB_RR -> {
                            r[d] = Alu.sub64(f, r[d], r[s]);
                        }
                        case Uop.SUB_RI -> {
                            r[d] = Alu.sub64(f, r[d], code[pc + 1]);
                        }
                        case Uop.SUB_EE -> {
                            r[d] = Alu.sub32(f, r[d], r[s]);
                        }
                        case Uop.SUB_EI -> {
                            r[d] = Alu.sub32(f, r[d], code[pc + 1]);
                        }
                        case Uop.AND_RR -> {
                            r[d] = Alu.logic64(f, r[d] & r[s]);
                        }
                        case Uop.AND_RI -> {
                            r[d] = Alu.logic64(f, r[d] & code[pc + 1]);
                        }
                        case Uop.AND_EI -> {
                            r[d] = Alu.logic32(f, r[d] & code[pc + 1]);
                        }
                        case Uop.OR_RR -> {
                            r[d] = Alu.logic64(f, r[d] | r[s]);
                        }
                        case Uop.OR_EI -> {
                            r[d] = Alu.logic32(f, r[d] | code[pc + 1]);
                        }
                        case Uop.XOR_RR -> {
                            r[d] = Alu.logic64(f, r[d] ^ r[s]);
                        }
                        case Uop.XOR_EE -> {
                            r[d] = Alu.logic32(f, r[d] ^ r[s]);
                        }
                        case Uop.CMP_RR -> {
                            Alu.sub64(f, r[d], r[s]);
                        }
                        case Uop.CMP_RI -> {
                            Alu.sub64(f, r[d], code[pc + 1]);
                        }
                        case Uop.CMP_EE -> {
                            Alu.sub32(f, r[d], r[s]);
                        }
                        case Uop.CMP_EI -> {
                            Alu.sub32(f, r[d], code[pc + 1]);
                        }
                        case Uop.TEST_RR -> {
                            Alu.logic64(f, r[d] & r[s]);
                        }
                        case Uop.TEST_RI -> {
                            Alu.logic64(f, r[d] & code[pc + 1]);
                        }
                        case Uop.TEST_EE -> {
                            Alu.logic32(f, r[d] & r[s]);
                        }
                        case Uop.TEST_EI -> {
                            Alu.logic32(f, r[d] & code[pc + 1]);
                        }
                        case Uop.ADC_RR -> {
                            r[d] = Alu.adc64(f, r[d], r[s]);
                        }
                        case Uop.ADC_RI -> {
                            r[d] = Alu.adc64(f, r[d], code[pc + 1]);
                        }
                        case Uop.SBB_EE -> {
                            r[d] = Alu.sbb32(f, r[d], r[s]);
                        }
                        case Uop.CMPN_RR -> {
                            Alu.cmpNarrow(f, r[d], r[s], (int) (w >>> 32));
                        }
                        case Uop.CMPN_RI -> {
                            Alu.cmpNarrow(f, r[d], code[pc + 1], (int) (w >>> 32));
                        }
                        case Uop.TESTN_RR -> {
                            Alu.testNarrow(f, r[d] & r[s], (int) (w >>> 32));
                        }
                        case Uop.TESTN_RI -> {
                            Alu.testNarrow(f, r[d] & code[pc + 1], (int) (w >>> 32));
                        }
                        case Uop.INC_R -> {
                            r[d] = Alu.inc64(f, r[d]);
                        }
                        case Uop.INC_E -> {
                            r[d] = Alu.inc32(f, r[d]);
                        }
                        case Uop.DEC_E -> {
                            r[d] = Alu.dec32(f, r[d]);
                        }
                        case Uop.NOT_R -> {
                            r[d] = ~r[d];
                        }
                        case Uop.SHL_RI -> {
                            r[d] = Alu.shl64(f, r[d], (int) code[pc + 1]);
                        }
                        case Uop.SHR_RI -> {
                            r[d] = Alu.shr64(f, r[d], (int) code[pc + 1]);
                        }
                        case Uop.SHR_EI -> {
                            r[d] = Alu.shr32(f, r[d] & 0xFFFFFFFFL, (int) code[pc + 1]);
                        }
                        case Uop.SAR_RI -> {
                            r[d] = Alu.sar64(f, r[d], (int) code[pc + 1]);
                        }
                        case Uop.PUSH_R -> {
                            long sp = r[4] - 8;
                            m.write64(sp, r[d]);
                            r[4] = sp;
                        }
                        case Uop.PUSH_I -> {
                            long sp = r[4] - 8;
                            m.write64(sp, code[pc + 1]);
                            r[4] = sp;
                        }
                        case Uop.POP_R -> {
                            long v = m.read64(r[4]);
                            r[4] += 8;
                            r[d] = v;
                        }
                        case Uop.SETCC -> {
                            r[d] = (r[d] & ~0xFFL) | (f.condition((int) (w >>> 32)) ? 1 : 0);
                        }
                        case Uop.CMOV_RR -> {
                            if (f.condition((int) (w >>> 32))) {
                                r[d] = r[s];
                            }
                        }
                        case Uop.CMOV_EE -> {
                            r[d] = (f.condition((int) (w >>> 32)) ? r[s] : r[d]) & 0xFFFFFFFFL;
                        }
                        case Uop.JMP_REL -> {
                            taken = true;
                            break dispatch;
                        }
                        case Uop.JMP_R -> {
                            target = r[d];
                            if (target << 16 >> 16 != target && !c.isCanonical(target)) {
                                throw c.gp0();
                            }

                            indirect = true;
                            break dispatch;
                        }
                        case Uop.CALL_REL -> {
                            long sp = r[4] - 8;
                            m.write64(sp, b.nextIp);
                            r[4] = sp;
                            taken = true;
                            break dispatch;
                        }
                        case Uop.CALL_R -> {
                            target = r[d];
                            if (target << 16 >> 16 != target && !c.isCanonical(target)) {
                                throw c.gp0();
                            }
                            long sp = r[4] - 8;
                            m.write64(sp, b.nextIp);
                            r[4] = sp;

                            indirect = true;
                            break dispatch;
                        }
                        case Uop.RET -> {
                            target = m.read64(r[4]);
                            if (target << 16 >> 16 != target && !c.isCanonical(target)) {
                                throw c.gp0();
                            }
                            r[4] += 8 + code[pc + 1];

                            indirect = true;
                            break dispatch;
                        }
                        case Uop.JCC -> {
                            taken = f.of();
                            break dispatch;
                        }
                        case Uop.JCC + 1 -> {
                            taken = !f.of();
                            break dispatch;
                        }
                        case Uop.JCC + 2 -> {
                            taken = f.cf();
                            break dispatch;
                        }
                        case Uop.JCC + 3 -> {
                            taken = !f.cf();
                            break dispatch;
                        }
                        case Uop.JCC + 4 -> {
                            taken = f.zf();
                            break dispatch;
                        }
                        case Uop.JCC + 5 -> {
                            taken = !f.zf();
                            break dispatch;
                        }
                        case Uop.JCC + 6 -> {
                            taken = f.cf() || f.zf();
                            break dispatch;
                        }
                        case Uop.JCC + 7 -> {
                            taken = !(f.cf() || f.zf());
                            break dispatch;
                        }
                        case Uop.JCC + 8 -> {
                            taken = f.sf();
                            break dispatch;
                        }
                        case Uop.JCC + 9 -> {
                            taken = !f.sf();
                            break dispatch;
                        }
                        case Uop.JCC + 10 -> {
                            taken = f.pf();
                            break dispatch;
                        }
                        case Uop.JCC + 11 -> {
                            taken = !f.pf();
                            break dispatch;
                        }
                        case Uop.JCC + 12 -> {
                            taken = f.sf() != f.of();
                            break dispatch;
                        }
                        case Uop.JCC + 13 -> {
                            taken = f.sf() == f.of();
                            break dispatch;
                        }
                        case Uop.JCC + 14 -> {
                            taken = f.zf() || f.sf() != f.of();
                            break dispatch;
                        }
                        case Uop.JCC + 15 -> {
                            taken = !f.zf() && f.sf() == f.of();
                            break dispatch;
                        }
                        case Uop.CMP_RR_JZ -> {
                            taken = Alu.sub64(f, r[d], r[s]) == 0;
                            break dispatch;
                        }
                        case Uop.CMP_RR_JNZ -> {
                            taken = Alu.sub64(f, r[d], r[s]) != 0;
                            break dispatch;
                        }
                        case Uop.CMP_EE_JZ -> {
                            taken = Alu.sub32(f, r[d], r[s]) == 0;
                            break dispatch;
                        }
                        case Uop.CMP_EE_JNZ -> {
                            taken = Alu.sub32(f, r[d], r[s]) != 0;
                            break dispatch;
                        }
                        case Uop.CMP_RI_JZ -> {
                            taken = Alu.sub64(f, r[d], w >> 32) == 0;
                            break dispatch;
                        }
                        case Uop.CMP_RI_JNZ -> {
                            taken = Alu.sub64(f, r[d], w >> 32) != 0;
                            break dispatch;
                        }
                        case Uop.CMP_EI_JZ -> {
                            taken = Alu.sub32(f, r[d], w >> 32) == 0;
                            break dispatch;
                        }
                        case Uop.CMP_EI_JNZ -> {
                            taken = Alu.sub32(f, r[d], w >> 32) != 0;
                            break dispatch;
                        }
                        case Uop.TEST_RR_JZ -> {
                            taken = Alu.logic64(f, r[d] & r[s]) == 0;
                            break dispatch;
                        }
                        case Uop.TEST_RR_JNZ -> {
                            taken = Alu.logic64(f, r[d] & r[s]) != 0;
                            break dispatch;
                        }
                        case Uop.TEST_EE_JZ -> {
                            taken = Alu.logic32(f, r[d] & r[s]) == 0;
                            break dispatch;
                        }
                        case Uop.TEST_EE_JNZ -> {
                            taken = Alu.logic32(f, r[d] & r[s]) != 0;
                            break dispatch;
                        }
                        case Uop.ADD_RR_N -> {
                            r[d] = r[d] + r[s];
                        }
                        case Uop.ADD_RI_N -> {
                            r[d] = r[d] + code[pc + 1];
                        }
                        case Uop.ADD_EE_N -> {
                            r[d] = (r[d] + r[s]) & 0xFFFFFFFFL;
                        }
                        case Uop.ADD_EI_N -> {
                            r[d] = (r[d] + code[pc + 1]) & 0xFFFFFFFFL;
                        }
                        case Uop.SUB_RR_N -> {
                            r[d] = r[d] - r[s];
                        }
                        case Uop.SUB_RI_N -> {
                            r[d] = r[d] - code[pc + 1];
                        }
                        case Uop.SUB_EE_N -> {
                            r[d] = (r[d] - r[s]) & 0xFFFFFFFFL;
                        }
                        case Uop.SUB_EI_N -> {
                            r[d] = (r[d] - code[pc + 1]) & 0xFFFFFFFFL;
                        }
                        case Uop.AND_RR_N -> {
                            r[d] = r[d] & r[s];
                        }
                        case Uop.AND_RI_N -> {
                            r[d] = r[d] & code[pc + 1];
                        }
                        case Uop.AND_EE_N -> {
                            r[d] = (r[d] & r[s]) & 0xFFFFFFFFL;
                        }
                        case Uop.AND_EI_N -> {
                            r[d] = (r[d] & code[pc + 1]) & 0xFFFFFFFFL;
                        }
                        case Uop.OR_EE_N -> {
                            r[d] = (r[d] | r[s]) & 0xFFFFFFFFL;
                        }
                        case Uop.XOR_RR_N -> {
                            r[d] = r[d] ^ r[s];
                        }
                        case Uop.XOR_EE_N -> {
                            r[d] = (r[d] ^ r[s]) & 0xFFFFFFFFL;
                        }
                        case Uop.SHL_RI_N -> {
                            r[d] = r[d] << code[pc + 1];
                        }
                        case Uop.SHL_EI_N -> {
                            r[d] = (r[d] << code[pc + 1]) & 0xFFFFFFFFL;
                        }
                        case Uop.SHR_RI_N -> {
                            r[d] = r[d] >>> code[pc + 1];
                        }
                        case Uop.SHR_EI_N -> {
                            r[d] = (r[d] & 0xFFFFFFFFL) >>> code[pc + 1];
                        }
                        case Uop.SAR_RI_N -> {
                            r[d] = r[d] >> code[pc + 1];
                        }
                        case Uop.IMUL_RR_N -> {
                            r[d] = r[d] * r[s];
                        }
                        default -> RareUops.execute(c, b.code[pc >> 1]);
                    }
                    pc += 2;
                }
                Block next;
                if (indirect) {
                    long linear = c.long64 ? target : (sb[Seg.CS] + target) & 0xFFFFFFFFL;
                    next = jump[BlockCache.jumpIndex(linear)];
                    if (next.linear != linear || next.ip != target || next.key != b.key) {
                        c.rip = target;
                        from = null;
                        return c.requests() != 0 ? ATTENTION : LOOKUP;
                    }
                    if (next != b.taken) {
                        b.branches(next);
                    }
                } else if (taken) {
                    target = code[pc + 1];
                    next = b.taken;
                } else {
                    target = b.nextIp;
                    next = b.fallThrough;
                }
                if (c.requests() != 0) {
                    c.rip = target;
                    return ATTENTION;
                }
                if (next == null
                        || next.generation != m.codeGeneration
                        || versions[next.page] != next.version
                        || next.page2 >= 0) {
                    c.rip = target;
                    from = indirect ? null : b;
                    fromTaken = taken;
                    return LOOKUP;
                }
                if (taken && (next.ip <= b.ip || ((int) code[pc] & 0xFF) == Uop.CALL_REL)) {
                    next.heat += ENTRY_HEAT;
                }
                if (b.page2 >= 0) {
                    m.execPage2 = -1;
                }
                b = next;
            }
        } catch (GuestFault e) {
            Insn in;
            if (inRegion) {
                in = Objects.requireNonNull(c.calledOut);
            } else {
                in = b.code[pc >> 1];
                instructions -= b.instructions - in.ordinal;
            }
            c.rip = in.ip;
            fault = e;
            faulting = in;
            return FAULT;
        }
    }
}
