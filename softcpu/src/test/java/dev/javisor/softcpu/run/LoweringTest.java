package dev.javisor.softcpu.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.BlockBuilder;
import dev.javisor.softcpu.block.Families;
import dev.javisor.softcpu.block.Lowering;
import dev.javisor.softcpu.block.RandomInstructions;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The hot loop's specialised forms do what the families' general definitions do. */
class LoweringTest {
    private static final int CASES = 60_000;

    private final long seed = Long.getLong("javisor.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final RandomInstructions generator = new RandomInstructions(random);

    @Test
    void specialisedForms_randomOperands_equalGeneralDefinitions() {
        int specialised = 0;
        Cpu fast = RandomInstructions.cpu();
        Cpu slow = RandomInstructions.cpu();
        HotLoop hot = new HotLoop(fast, new BlockCache(fast, new BlockBuilder(fast)), null);
        for (int i = 0; i < CASES; i++) {
            Insn in = generator.next();
            generator.fill(fast, slow);
            String text = RandomInstructions.describe(in);
            Insn[] code = new Lowering().lower(List.of(RandomInstructions.copy(in)), 64);
            if (Lowering.isSpecialised(code[code.length - 1])) {
                specialised++;
            }
            run(fast, hot, code, in);
            slow.rip = in.nextIp;
            Families.execute(slow, in);
            assertThat(java.util.Arrays.copyOf(fast.regs, 17))
                    .as("registers after %s, seed %d case %d", text, seed, i)
                    .isEqualTo(java.util.Arrays.copyOf(slow.regs, 17));
            int defined = RandomInstructions.definedFlags(in);
            assertThat(fast.flags.status() & defined)
                    .as("flags after %s, seed %d case %d", text, seed, i)
                    .isEqualTo(slow.flags.status() & defined);
            assertThat(fast.mmu.backing().mismatch(slow.mmu.backing()))
                    .as("memory after %s, seed %d case %d", text, seed, i)
                    .isEqualTo(-1);
            assertThat(fast.rip).as("rip after %s", text).isEqualTo(slow.rip);
        }
        assertThat(specialised).isGreaterThan(CASES / 3);
    }

    @Test
    void specialisedBlocks_randomOperands_equalInstructionByInstruction() {
        Cpu fast = RandomInstructions.cpu();
        Cpu slow = RandomInstructions.cpu();
        HotLoop hot = new HotLoop(fast, new BlockCache(fast, new BlockBuilder(fast)), null);
        int faults = 0;
        for (int i = 0; i < CASES / 4; i++) {
            generator.fill(fast, slow);
            int count = 2 + random.nextInt(10);
            List<Insn> copies = new ArrayList<>();
            StringBuilder text = new StringBuilder();
            int defined = Flags.STATUS;
            long slowRip = -1;
            for (int k = 0; k < count; k++) {
                Insn in = generator.next();
                in.ip = 0x1000 + 4L * k;
                in.nextIp = in.ip + 4;
                copies.add(RandomInstructions.copy(in));
                text.append(RandomInstructions.describe(in)).append("; ");
                if (slowRip >= 0) {
                    continue;
                }
                if (RandomInstructions.readsFlags(in) && defined != Flags.STATUS) {
                    // Undefined flags may differ; give both sides the same ones.
                    copies.removeLast();
                    continue;
                }
                try {
                    Families.execute(slow, in);
                    defined =
                            RandomInstructions.setsFlags(in)
                                    ? RandomInstructions.definedFlags(in)
                                    : defined;
                } catch (GuestFault fault) {
                    slowRip = in.ip;
                    faults++;
                }
            }
            if (copies.isEmpty()) {
                continue;
            }
            Insn last = copies.getLast();
            Insn[] code = new Lowering().lower(copies, 64);
            Block block =
                    new Block(
                            0x1000,
                            0x1000,
                            BlockCache.key(fast),
                            0,
                            0,
                            -1,
                            0,
                            code,
                            copies.size(),
                            last.nextIp);
            fast.request(Cpu.REQUEST_STEP);
            int why = hot.run(block);
            String what = text + " seed " + seed + " case " + i;
            assertThat(why).as(what).isEqualTo(slowRip < 0 ? HotLoop.ATTENTION : HotLoop.FAULT);
            assertThat(fast.rip).as(what).isEqualTo(slowRip < 0 ? last.nextIp : slowRip);
            assertThat(java.util.Arrays.copyOf(fast.regs, 17))
                    .as(what)
                    .isEqualTo(java.util.Arrays.copyOf(slow.regs, 17));
            assertThat(fast.flags.status() & defined)
                    .as(what)
                    .isEqualTo(slow.flags.status() & defined);
            assertThat(fast.mmu.backing().mismatch(slow.mmu.backing())).as(what).isEqualTo(-1);
        }
        assertThat(faults).as("blocks that faulted").isPositive();
    }

    private static void run(Cpu cpu, HotLoop hot, Insn[] code, Insn in) {
        Block block = new Block(in.ip, in.ip, BlockCache.key(cpu), 0, 0, -1, 0, code, 1, in.nextIp);
        cpu.request(Cpu.REQUEST_STEP);
        int why = hot.run(block);
        assertThat(why).isEqualTo(HotLoop.ATTENTION);
    }
}
