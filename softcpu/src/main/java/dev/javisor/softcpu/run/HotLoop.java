package dev.javisor.softcpu.run;

import dev.javisor.softcpu.block.Alu;
import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.Families;
import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.block.Uop;
import dev.javisor.softcpu.core.CodePages;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.translate.Translator;
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

    /** The last region stopped before an instruction that only tier one executes. */
    private boolean aside;

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

    private static long ea(long[] r, long[] segBase, Insn in) {
        return r[in.base] + (r[in.index] << in.scale) + in.disp + segBase[in.seg];
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

    /** Runs from {@code block}, which must be current and at CS:RIP. */
    @SuppressWarnings("MethodLength") // one flat dispatch
    int run(Block block) {
        final Cpu c = cpu;
        final Mmu m = mmu;
        final long[] r = c.regs;
        final long[] sb = c.linearBase;
        final Flags f = c.flags;
        final Block[] jump = cache.jump;
        Block b = block;
        Insn in = b.code[0];
        boolean inRegion = false;
        try {
            while (true) {
                Region region = b.region;
                if (region != null && !aside && usable(b, region)) {
                    inRegion = true;
                    entries++;
                    aside =
                            (lockstep == null
                                            ? region.enter(c, region.budget())
                                            : lockstep.run(region))
                                    == Region.SIDE_EXIT;
                    inRegion = false;
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
                aside = false;
                if (++b.heat >= heatLimit) {
                    heated(b);
                }
                m.execPage = b.page;
                m.execPage2 = b.page2;
                instructions += b.instructions;
                final Insn[] code = b.code;
                final int n = code.length;
                boolean taken = false;
                boolean indirect = false;
                for (int i = 0; i < n; i++) {
                    in = code[i];
                    switch (in.uop) {
                        case Uop.GENERIC -> Families.execute(c, in);
                        case Uop.GENERIC_END -> {
                            c.rip = in.nextIp;
                            Families.execute(c, in);
                            return ATTENTION;
                        }
                        case Uop.GENERIC_JUMP -> {
                            c.rip = in.nextIp;
                            Families.execute(c, in);
                            indirect = true;
                        }
                        case Uop.MOV_RR -> r[in.reg0] = r[in.reg1];
                        case Uop.MOV_EE -> r[in.reg0] = r[in.reg1] & 0xFFFFFFFFL;
                        case Uop.MOV_RI -> r[in.reg0] = in.imm;
                        case Uop.LOAD64 -> r[in.reg0] = m.read64(ea(r, sb, in));
                        case Uop.LOAD32 -> r[in.reg0] = m.read32(ea(r, sb, in));
                        case Uop.LOAD16 -> r[in.reg0] = m.read16(ea(r, sb, in));
                        case Uop.LOAD8 -> r[in.reg0] = m.read8(ea(r, sb, in));
                        case Uop.LOADS32_R -> r[in.reg0] = (int) m.read32(ea(r, sb, in));
                        case Uop.LOADS16_R -> r[in.reg0] = (short) m.read16(ea(r, sb, in));
                        case Uop.LOADS8_R -> r[in.reg0] = (byte) m.read8(ea(r, sb, in));
                        case Uop.LOADS16_E ->
                                r[in.reg0] = (short) m.read16(ea(r, sb, in)) & 0xFFFFFFFFL;
                        case Uop.LOADS8_E ->
                                r[in.reg0] = (byte) m.read8(ea(r, sb, in)) & 0xFFFFFFFFL;
                        case Uop.STORE64 -> m.write64(ea(r, sb, in), r[in.reg1]);
                        case Uop.STORE32 -> m.write32(ea(r, sb, in), r[in.reg1]);
                        case Uop.STORE16 -> m.write16(ea(r, sb, in), r[in.reg1]);
                        case Uop.STORE8 -> m.write8(ea(r, sb, in), r[in.reg1]);
                        case Uop.STORE64_I -> m.write64(ea(r, sb, in), in.imm);
                        case Uop.STORE32_I -> m.write32(ea(r, sb, in), in.imm);
                        case Uop.STORE16_I -> m.write16(ea(r, sb, in), in.imm);
                        case Uop.STORE8_I -> m.write8(ea(r, sb, in), in.imm);
                        case Uop.LOADW64 -> r[in.reg0] = m.readForWrite(ea(r, sb, in), 8);
                        case Uop.LOADW32 -> r[in.reg0] = m.readForWrite(ea(r, sb, in), 4);
                        case Uop.MOVZX8 -> r[in.reg0] = r[in.reg1] & 0xFF;
                        case Uop.MOVZX16 -> r[in.reg0] = r[in.reg1] & 0xFFFF;
                        case Uop.MOVSX32_R -> r[in.reg0] = (int) r[in.reg1];
                        case Uop.MOVSX16_R -> r[in.reg0] = (short) r[in.reg1];
                        case Uop.MOVSX8_R -> r[in.reg0] = (byte) r[in.reg1];
                        case Uop.MOVSX16_E -> r[in.reg0] = (short) r[in.reg1] & 0xFFFFFFFFL;
                        case Uop.MOVSX8_E -> r[in.reg0] = (byte) r[in.reg1] & 0xFFFFFFFFL;
                        case Uop.LEA_R ->
                                r[in.reg0] = r[in.base] + (r[in.index] << in.scale) + in.disp;
                        case Uop.LEA_E ->
                                r[in.reg0] =
                                        (r[in.base] + (r[in.index] << in.scale) + in.disp)
                                                & 0xFFFFFFFFL;
                        case Uop.ADD_RR -> r[in.reg0] = Alu.add64(f, r[in.reg0], r[in.reg1]);
                        case Uop.ADD_RI -> r[in.reg0] = Alu.add64(f, r[in.reg0], in.imm);
                        case Uop.ADD_EE -> r[in.reg0] = Alu.add32(f, r[in.reg0], r[in.reg1]);
                        case Uop.ADD_EI -> r[in.reg0] = Alu.add32(f, r[in.reg0], in.imm);
                        case Uop.SUB_RR -> r[in.reg0] = Alu.sub64(f, r[in.reg0], r[in.reg1]);
                        case Uop.SUB_RI -> r[in.reg0] = Alu.sub64(f, r[in.reg0], in.imm);
                        case Uop.SUB_EE -> r[in.reg0] = Alu.sub32(f, r[in.reg0], r[in.reg1]);
                        case Uop.SUB_EI -> r[in.reg0] = Alu.sub32(f, r[in.reg0], in.imm);
                        case Uop.AND_RR -> r[in.reg0] = Alu.logic64(f, r[in.reg0] & r[in.reg1]);
                        case Uop.AND_RI -> r[in.reg0] = Alu.logic64(f, r[in.reg0] & in.imm);
                        case Uop.AND_EE -> r[in.reg0] = Alu.logic32(f, r[in.reg0] & r[in.reg1]);
                        case Uop.AND_EI -> r[in.reg0] = Alu.logic32(f, r[in.reg0] & in.imm);
                        case Uop.OR_RR -> r[in.reg0] = Alu.logic64(f, r[in.reg0] | r[in.reg1]);
                        case Uop.OR_RI -> r[in.reg0] = Alu.logic64(f, r[in.reg0] | in.imm);
                        case Uop.OR_EE -> r[in.reg0] = Alu.logic32(f, r[in.reg0] | r[in.reg1]);
                        case Uop.OR_EI -> r[in.reg0] = Alu.logic32(f, r[in.reg0] | in.imm);
                        case Uop.XOR_RR -> r[in.reg0] = Alu.logic64(f, r[in.reg0] ^ r[in.reg1]);
                        case Uop.XOR_RI -> r[in.reg0] = Alu.logic64(f, r[in.reg0] ^ in.imm);
                        case Uop.XOR_EE -> r[in.reg0] = Alu.logic32(f, r[in.reg0] ^ r[in.reg1]);
                        case Uop.XOR_EI -> r[in.reg0] = Alu.logic32(f, r[in.reg0] ^ in.imm);
                        case Uop.CMP_RR -> Alu.sub64(f, r[in.reg0], r[in.reg1]);
                        case Uop.CMP_RI -> Alu.sub64(f, r[in.reg0], in.imm);
                        case Uop.CMP_EE -> Alu.sub32(f, r[in.reg0], r[in.reg1]);
                        case Uop.CMP_EI -> Alu.sub32(f, r[in.reg0], in.imm);
                        case Uop.TEST_RR -> Alu.logic64(f, r[in.reg0] & r[in.reg1]);
                        case Uop.TEST_RI -> Alu.logic64(f, r[in.reg0] & in.imm);
                        case Uop.TEST_EE -> Alu.logic32(f, r[in.reg0] & r[in.reg1]);
                        case Uop.TEST_EI -> Alu.logic32(f, r[in.reg0] & in.imm);
                        case Uop.ADC_RR -> r[in.reg0] = Alu.adc64(f, r[in.reg0], r[in.reg1]);
                        case Uop.ADC_RI -> r[in.reg0] = Alu.adc64(f, r[in.reg0], in.imm);
                        case Uop.ADC_EE -> r[in.reg0] = Alu.adc32(f, r[in.reg0], r[in.reg1]);
                        case Uop.ADC_EI -> r[in.reg0] = Alu.adc32(f, r[in.reg0], in.imm);
                        case Uop.SBB_RR -> r[in.reg0] = Alu.sbb64(f, r[in.reg0], r[in.reg1]);
                        case Uop.SBB_RI -> r[in.reg0] = Alu.sbb64(f, r[in.reg0], in.imm);
                        case Uop.SBB_EE -> r[in.reg0] = Alu.sbb32(f, r[in.reg0], r[in.reg1]);
                        case Uop.SBB_EI -> r[in.reg0] = Alu.sbb32(f, r[in.reg0], in.imm);
                        case Uop.CMPN_RR -> Alu.cmpNarrow(f, r[in.reg0], r[in.reg1], in.imm2);
                        case Uop.CMPN_RI -> Alu.cmpNarrow(f, r[in.reg0], in.imm, in.imm2);
                        case Uop.TESTN_RR -> Alu.testNarrow(f, r[in.reg0] & r[in.reg1], in.imm2);
                        case Uop.TESTN_RI -> Alu.testNarrow(f, r[in.reg0] & in.imm, in.imm2);
                        case Uop.INC_R -> r[in.reg0] = Alu.inc64(f, r[in.reg0]);
                        case Uop.INC_E -> r[in.reg0] = Alu.inc32(f, r[in.reg0]);
                        case Uop.DEC_R -> r[in.reg0] = Alu.dec64(f, r[in.reg0]);
                        case Uop.DEC_E -> r[in.reg0] = Alu.dec32(f, r[in.reg0]);
                        case Uop.NEG_R -> r[in.reg0] = Alu.sub64(f, 0, r[in.reg0]);
                        case Uop.NEG_E -> r[in.reg0] = Alu.sub32(f, 0, r[in.reg0]);
                        case Uop.NOT_R -> r[in.reg0] = ~r[in.reg0];
                        case Uop.NOT_E -> r[in.reg0] = ~r[in.reg0] & 0xFFFFFFFFL;
                        case Uop.SHL_RI -> r[in.reg0] = Alu.shl64(f, r[in.reg0], (int) in.imm);
                        case Uop.SHL_EI -> r[in.reg0] = Alu.shl32(f, r[in.reg0], (int) in.imm);
                        case Uop.SHR_RI -> r[in.reg0] = Alu.shr64(f, r[in.reg0], (int) in.imm);
                        case Uop.SHR_EI ->
                                r[in.reg0] = Alu.shr32(f, r[in.reg0] & 0xFFFFFFFFL, (int) in.imm);
                        case Uop.SAR_RI -> r[in.reg0] = Alu.sar64(f, r[in.reg0], (int) in.imm);
                        case Uop.SAR_EI -> r[in.reg0] = Alu.sar32(f, r[in.reg0], (int) in.imm);
                        case Uop.IMUL_RR -> r[in.reg0] = Alu.imul64(f, r[in.reg0], r[in.reg1]);
                        case Uop.IMUL_EE -> r[in.reg0] = Alu.imul32(f, r[in.reg0], r[in.reg1]);
                        case Uop.IMUL_RRI -> r[in.reg0] = Alu.imul64(f, r[in.reg1], in.imm);
                        case Uop.IMUL_EEI -> r[in.reg0] = Alu.imul32(f, r[in.reg1], in.imm);
                        case Uop.MUL_R -> {
                            long x = r[0];
                            long y = r[in.reg0];
                            long high = Math.unsignedMultiplyHigh(x, y);
                            r[0] = x * y;
                            r[2] = high;
                            f.result = r[0];
                            f.aux = high != 0 ? Long.MIN_VALUE : 0;
                        }
                        case Uop.PUSH_R -> {
                            long sp = r[4] - 8;
                            m.write64(sp, r[in.reg0]);
                            r[4] = sp;
                        }
                        case Uop.PUSH_I -> {
                            long sp = r[4] - 8;
                            m.write64(sp, in.imm);
                            r[4] = sp;
                        }
                        case Uop.POP_R -> {
                            long v = m.read64(r[4]);
                            r[4] += 8;
                            r[in.reg0] = v;
                        }
                        case Uop.LEAVE -> {
                            long v = m.read64(r[5]);
                            r[4] = r[5] + 8;
                            r[5] = v;
                        }
                        case Uop.SETCC ->
                                r[in.reg0] = (r[in.reg0] & ~0xFFL) | (f.condition(in.cond) ? 1 : 0);
                        case Uop.CMOV_RR -> {
                            if (f.condition(in.cond)) {
                                r[in.reg0] = r[in.reg1];
                            }
                        }
                        case Uop.CMOV_EE ->
                                r[in.reg0] =
                                        (f.condition(in.cond) ? r[in.reg1] : r[in.reg0])
                                                & 0xFFFFFFFFL;
                        case Uop.CDQE -> r[0] = (int) r[0];
                        case Uop.CQO -> r[2] = r[0] >> 63;
                        case Uop.CDQ -> r[2] = (int) r[0] >> 31 & 0xFFFFFFFFL;
                        case Uop.NOP -> {}
                        case Uop.JMP_REL -> taken = true;
                        case Uop.JMP_R -> {
                            long target = r[in.reg0];
                            if (target << 16 >> 16 != target && !c.isCanonical(target)) {
                                throw c.gp0();
                            }
                            c.rip = target;
                            indirect = true;
                        }
                        case Uop.CALL_REL -> {
                            long sp = r[4] - 8;
                            m.write64(sp, in.nextIp);
                            r[4] = sp;
                            taken = true;
                        }
                        case Uop.CALL_R -> {
                            long target = r[in.reg0];
                            if (target << 16 >> 16 != target && !c.isCanonical(target)) {
                                throw c.gp0();
                            }
                            long sp = r[4] - 8;
                            m.write64(sp, in.nextIp);
                            r[4] = sp;
                            c.rip = target;
                            indirect = true;
                        }
                        case Uop.RET -> {
                            long target = m.read64(r[4]);
                            if (target << 16 >> 16 != target && !c.isCanonical(target)) {
                                throw c.gp0();
                            }
                            r[4] += 8 + in.imm;
                            c.rip = target;
                            indirect = true;
                        }
                        case Uop.JCC -> taken = f.of();
                        case Uop.JCC + 1 -> taken = !f.of();
                        case Uop.JCC + 2 -> taken = f.cf();
                        case Uop.JCC + 3 -> taken = !f.cf();
                        case Uop.JCC + 4 -> taken = f.zf();
                        case Uop.JCC + 5 -> taken = !f.zf();
                        case Uop.JCC + 6 -> taken = f.cf() || f.zf();
                        case Uop.JCC + 7 -> taken = !(f.cf() || f.zf());
                        case Uop.JCC + 8 -> taken = f.sf();
                        case Uop.JCC + 9 -> taken = !f.sf();
                        case Uop.JCC + 10 -> taken = f.pf();
                        case Uop.JCC + 11 -> taken = !f.pf();
                        case Uop.JCC + 12 -> taken = f.sf() != f.of();
                        case Uop.JCC + 13 -> taken = f.sf() == f.of();
                        case Uop.JCC + 14 -> taken = f.zf() || f.sf() != f.of();
                        case Uop.JCC + 15 -> taken = !f.zf() && f.sf() == f.of();
                        case Uop.CMP_RR_JZ -> taken = Alu.sub64(f, r[in.reg0], r[in.reg1]) == 0;
                        case Uop.CMP_RR_JNZ -> taken = Alu.sub64(f, r[in.reg0], r[in.reg1]) != 0;
                        case Uop.CMP_EE_JZ -> taken = Alu.sub32(f, r[in.reg0], r[in.reg1]) == 0;
                        case Uop.CMP_EE_JNZ -> taken = Alu.sub32(f, r[in.reg0], r[in.reg1]) != 0;
                        case Uop.CMP_RI_JZ -> taken = Alu.sub64(f, r[in.reg0], in.disp) == 0;
                        case Uop.CMP_RI_JNZ -> taken = Alu.sub64(f, r[in.reg0], in.disp) != 0;
                        case Uop.CMP_EI_JZ -> taken = Alu.sub32(f, r[in.reg0], in.disp) == 0;
                        case Uop.CMP_EI_JNZ -> taken = Alu.sub32(f, r[in.reg0], in.disp) != 0;
                        case Uop.TEST_RR_JZ -> taken = Alu.logic64(f, r[in.reg0] & r[in.reg1]) == 0;
                        case Uop.TEST_RR_JNZ ->
                                taken = Alu.logic64(f, r[in.reg0] & r[in.reg1]) != 0;
                        case Uop.TEST_EE_JZ -> taken = Alu.logic32(f, r[in.reg0] & r[in.reg1]) == 0;
                        case Uop.TEST_EE_JNZ ->
                                taken = Alu.logic32(f, r[in.reg0] & r[in.reg1]) != 0;
                        case Uop.ADD_RR_N -> r[in.reg0] = r[in.reg0] + r[in.reg1];
                        case Uop.ADD_RI_N -> r[in.reg0] = r[in.reg0] + in.imm;
                        case Uop.ADD_EE_N -> r[in.reg0] = (r[in.reg0] + r[in.reg1]) & 0xFFFFFFFFL;
                        case Uop.ADD_EI_N -> r[in.reg0] = (r[in.reg0] + in.imm) & 0xFFFFFFFFL;
                        case Uop.SUB_RR_N -> r[in.reg0] = r[in.reg0] - r[in.reg1];
                        case Uop.SUB_RI_N -> r[in.reg0] = r[in.reg0] - in.imm;
                        case Uop.SUB_EE_N -> r[in.reg0] = (r[in.reg0] - r[in.reg1]) & 0xFFFFFFFFL;
                        case Uop.SUB_EI_N -> r[in.reg0] = (r[in.reg0] - in.imm) & 0xFFFFFFFFL;
                        case Uop.AND_RR_N -> r[in.reg0] = r[in.reg0] & r[in.reg1];
                        case Uop.AND_RI_N -> r[in.reg0] = r[in.reg0] & in.imm;
                        case Uop.AND_EE_N -> r[in.reg0] = (r[in.reg0] & r[in.reg1]) & 0xFFFFFFFFL;
                        case Uop.AND_EI_N -> r[in.reg0] = (r[in.reg0] & in.imm) & 0xFFFFFFFFL;
                        case Uop.OR_RR_N -> r[in.reg0] = r[in.reg0] | r[in.reg1];
                        case Uop.OR_RI_N -> r[in.reg0] = r[in.reg0] | in.imm;
                        case Uop.OR_EE_N -> r[in.reg0] = (r[in.reg0] | r[in.reg1]) & 0xFFFFFFFFL;
                        case Uop.OR_EI_N -> r[in.reg0] = (r[in.reg0] | in.imm) & 0xFFFFFFFFL;
                        case Uop.XOR_RR_N -> r[in.reg0] = r[in.reg0] ^ r[in.reg1];
                        case Uop.XOR_RI_N -> r[in.reg0] = r[in.reg0] ^ in.imm;
                        case Uop.XOR_EE_N -> r[in.reg0] = (r[in.reg0] ^ r[in.reg1]) & 0xFFFFFFFFL;
                        case Uop.XOR_EI_N -> r[in.reg0] = (r[in.reg0] ^ in.imm) & 0xFFFFFFFFL;
                        case Uop.SHL_RI_N -> r[in.reg0] = r[in.reg0] << in.imm;
                        case Uop.SHL_EI_N -> r[in.reg0] = (r[in.reg0] << in.imm) & 0xFFFFFFFFL;
                        case Uop.SHR_RI_N -> r[in.reg0] = r[in.reg0] >>> in.imm;
                        case Uop.SHR_EI_N -> r[in.reg0] = (r[in.reg0] & 0xFFFFFFFFL) >>> in.imm;
                        case Uop.SAR_RI_N -> r[in.reg0] = r[in.reg0] >> in.imm;
                        case Uop.SAR_EI_N ->
                                r[in.reg0] =
                                        (long) ((int) r[in.reg0] >> (int) in.imm) & 0xFFFFFFFFL;
                        case Uop.IMUL_RR_N -> r[in.reg0] = r[in.reg0] * r[in.reg1];
                        case Uop.IMUL_EE_N -> r[in.reg0] = (r[in.reg0] * r[in.reg1]) & 0xFFFFFFFFL;
                        case Uop.IMUL_RRI_N -> r[in.reg0] = r[in.reg1] * in.imm;
                        case Uop.IMUL_EEI_N -> r[in.reg0] = (r[in.reg1] * in.imm) & 0xFFFFFFFFL;
                        case Uop.MUL_R_N -> {
                            long x = r[0];
                            long y = r[in.reg0];
                            r[0] = x * y;
                            r[2] = Math.unsignedMultiplyHigh(x, y);
                        }
                        case Uop.INC_R_N -> r[in.reg0] = r[in.reg0] + 1;
                        case Uop.INC_E_N -> r[in.reg0] = (r[in.reg0] + 1) & 0xFFFFFFFFL;
                        case Uop.DEC_R_N -> r[in.reg0] = r[in.reg0] - 1;
                        case Uop.DEC_E_N -> r[in.reg0] = (r[in.reg0] - 1) & 0xFFFFFFFFL;
                        case Uop.NEG_R_N -> r[in.reg0] = -r[in.reg0];
                        case Uop.NEG_E_N -> r[in.reg0] = -r[in.reg0] & 0xFFFFFFFFL;
                        default -> throw new IllegalStateException("uop " + in.uop);
                    }
                }
                Block next;
                if (indirect) {
                    long rip = c.rip;
                    long linear = c.long64 ? rip : (sb[Seg.CS] + rip) & 0xFFFFFFFFL;
                    next = jump[BlockCache.jumpIndex(linear)];
                    if (next.linear != linear || next.ip != rip || next.key != b.key) {
                        from = null;
                        return c.requests() != 0 ? ATTENTION : LOOKUP;
                    }
                    if (next != b.taken) {
                        b.branches(next);
                    }
                } else {
                    c.rip = taken ? in.imm : in.nextIp;
                    next = taken ? b.taken : b.fallThrough;
                }
                if (c.requests() != 0) {
                    return ATTENTION;
                }
                if (next == null
                        || next.generation != m.codeGeneration
                        || codePages.version(next.page) != next.version
                        || next.page2 >= 0) {
                    from = indirect ? null : b;
                    fromTaken = taken;
                    return LOOKUP;
                }
                if (taken && (in.imm <= in.ip || in.uop == Uop.CALL_REL)) {
                    next.heat += ENTRY_HEAT;
                }
                b = next;
            }
        } catch (GuestFault e) {
            if (inRegion) {
                in = Objects.requireNonNull(c.calledOut);
            } else {
                instructions -= b.instructions - in.ordinal;
            }
            c.rip = in.ip;
            fault = e;
            faulting = in;
            return FAULT;
        }
    }
}
