package dev.javisor.softcpu.translate;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.BlockBuilder;
import dev.javisor.softcpu.block.Families;
import dev.javisor.softcpu.block.Lowering;
import dev.javisor.softcpu.block.RandomInstructions;
import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Regions made of random blocks, with branches, loops, calls and returns between them, leave the
 * state in which the families' general definitions are after as many instructions.
 */
class TranslationTest {
    private static final int CASES = Integer.getInteger("javisor.cases", 2_000);
    private static final long CODE = 0x1000;
    private static final int PAGES = 16;

    private final long seed = Long.getLong("javisor.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final RandomInstructions generator = new RandomInstructions(random);
    private final Cpu fast = RandomInstructions.cpu();
    private final Cpu slow = RandomInstructions.cpu();

    /** General form of each instruction by address, for the reference. */
    private final Map<Long, Insn> program = new HashMap<>();

    private final Map<Long, Block> blocks = new HashMap<>();
    private final StringBuilder text = new StringBuilder();

    @Test
    void regions_randomBlocks_equalGeneralDefinitions() {
        long executed = 0;
        int left = 0;
        for (int i = 0; i < CASES; i++) {
            generator.fill(fast, slow);
            generator.fillVectors(fast, slow);
            vectors = i % 2 == 1;
            warm();
            Block root = randomProgram();
            String what = "seed %d case %d: %s".formatted(seed, i, text);
            new Translator(fast, (linear, key) -> blocks.get(linear), 1000, Runnable::run)
                    .request(root);
            Region region = requireNonNull(root.region, what);
            long before = fast.retired;
            assertThat(region.isUsable(fast)).isTrue();
            try {
                int why = region.enter(fast, 1 + random.nextInt(20));
                left += why == Region.SIDE_EXIT ? 1 : 0;
            } catch (GuestFault fault) {
                fast.rip = requireNonNull(fast.calledOut).ip;
            }
            long count = fast.retired - before;
            executed += count;
            reference(count, what);
            compare(what);
        }
        assertThat(executed).as("instructions, seed %d", seed).isGreaterThan(10L * CASES);
        assertThat(left).as("side exits, seed %d", seed).isBetween(1, CASES - 1);
    }

    /** Random programs seldom fault: what they call out for mostly works. */
    @Test
    void calledOutInstruction_thatFaults_leavesTheStateBeforeIt() {
        generator.fill(fast, slow);
        // add rax, 1; fld qword [rbx]; add rax, 1; hlt
        byte[] code = {
            0x48,
            (byte) 0x83,
            (byte) 0xC0,
            1,
            (byte) 0xDD,
            3,
            0x48,
            (byte) 0x83,
            (byte) 0xC0,
            1,
            (byte) 0xF4
        };
        MemorySegment.copy(code, 0, fast.mmu.backing(), ValueLayout.JAVA_BYTE, CODE, code.length);
        fast.regs[0] = 41;
        fast.regs[3] = 1L << 60;
        fast.cr0 &= ~(Cpu.CR0_EM | Cpu.CR0_TS);
        Block root = new BlockBuilder(fast).build(CODE, CODE, 64, CODE, 64);
        new Translator(fast, (linear, key) -> null, 1000, Runnable::run).request(root);
        Region region = requireNonNull(root.region);
        long before = fast.retired;
        GuestFault fault = catchThrowableOfType(GuestFault.class, () -> region.enter(fast, 1));
        assertThat(fault.vector()).isEqualTo(GuestFault.GP);
        assertThat(requireNonNull(fast.calledOut).ip).isEqualTo(CODE + 4);
        assertThat(fast.retired - before).isEqualTo(1);
        assertThat(fast.regs[0]).isEqualTo(42);
        assertThat(fast.flags.status() & Flags.ZF).isZero();
    }

    /** Fills the soft TLB, so that most accesses stay inside. */
    private void warm() {
        for (int page = 0; page < PAGES; page++) {
            fast.mmu.probeWrite(4096L * page, 8);
            fast.mmu.read(4096L * page, 8);
        }
    }

    private void reference(long count, String what) {
        slow.rip = CODE;
        for (long n = 0; n < count; n++) {
            Insn in = requireNonNull(program.get(slow.rip), what);
            slow.rip = in.nextIp;
            try {
                Families.execute(slow, in);
            } catch (GuestFault fault) {
                throw new AssertionError("the reference faults: " + what, fault);
            }
        }
    }

    private void compare(String what) {
        assertThat(fast.rip).as("rip, %s", what).isEqualTo(slow.rip);
        assertThat(Arrays.copyOf(fast.regs, 17)).as(what).isEqualTo(Arrays.copyOf(slow.regs, 17));
        assertThat(fast.vec).as("vectors, %s", what).isEqualTo(slow.vec);
        assertThat(fast.mxcsr).as("MXCSR, %s", what).isEqualTo(slow.mxcsr);
        int defined = definedAt(slow.rip);
        assertThat(fast.flags.status() & defined)
                .as("flags, %s", what)
                .isEqualTo(slow.flags.status() & defined);
        assertThat(fast.mmu.backing().mismatch(slow.mmu.backing())).as(what).isEqualTo(-1);
    }

    /** Flags that are defined before the instruction at an address; by construction all at ends. */
    private int definedAt(long ip) {
        return definedBefore.getOrDefault(ip, Flags.STATUS & ~Flags.AF);
    }

    /** Whether the program has SSE instructions. */
    private boolean vectors;

    private final Map<Long, Integer> definedBefore = new HashMap<>();

    /** One to five blocks that lie behind one another. */
    private Block randomProgram() {
        program.clear();
        blocks.clear();
        definedBefore.clear();
        text.setLength(0);
        int n = 1 + random.nextInt(5);
        int[] lengths = new int[n];
        long[] starts = new long[n + 1];
        starts[0] = CODE;
        for (int i = 0; i < n; i++) {
            lengths[i] = 2 + random.nextInt(8);
            starts[i + 1] = starts[i] + 4L * lengths[i];
        }
        for (int i = 0; i < n; i++) {
            blocks.put(starts[i], randomBlock(starts, i, lengths[i]));
        }
        for (Block block : blocks.values()) {
            Insn last = block.code[block.code.length - 1];
            block.fallThrough = random.nextInt(10) == 0 ? null : blocks.get(last.nextIp);
            block.taken = random.nextInt(10) == 0 ? null : blocks.get(last.imm);
            block.heat = random.nextInt(1000);
        }
        Block root = requireNonNull(blocks.get(CODE));
        root.heat = 1000;
        return root;
    }

    private Block randomBlock(long[] starts, int index, int length) {
        List<Insn> insns = new ArrayList<>();
        long ip = starts[index];
        int defined = 0;
        for (int k = 0; k < length - 1; k++) {
            Insn in = k == length - 2 ? compare() : body(defined == Flags.STATUS);
            place(in, ip, k == 0 ? Flags.STATUS & ~Flags.AF : defined);
            if (RandomInstructions.setsFlags(in)) {
                defined = RandomInstructions.definedFlags(in);
            }
            insns.add(in);
            ip += 4;
        }
        Insn end = end(starts);
        place(end, ip, defined);
        insns.add(end);
        text.append('\n');
        List<Insn> copies = new ArrayList<>(insns.stream().map(RandomInstructions::copy).toList());
        Insn[] code = new Lowering().lower(copies, 64);
        return new Block(starts[index], starts[index], 64, 1, 0, -1, 0, code, length, end.nextIp);
    }

    private void place(Insn in, long ip, int defined) {
        in.ip = ip;
        in.nextIp = ip + 4;
        program.put(ip, in);
        definedBefore.put(ip, defined);
        text.append("%x %s; ".formatted(ip, RandomInstructions.describe(in)));
    }

    /** The generator's, without those that vanish, or that read flags which are undefined. */
    private Insn body(boolean flagsDefined) {
        while (true) {
            Insn in =
                    switch (random.nextInt(vectors ? 4 : 2)) {
                        case 0 -> generator.next();
                        case 1 -> generator.nextRare();
                        default -> generator.nextVector();
                    };
            boolean vanishes =
                    in.op == Op.NOP
                            || ((in.op == Op.SHL || in.op == Op.SHR || in.op == Op.SAR)
                                    && in.kind1 == Insn.IMM
                                    && (in.imm & (in.opSize == 8 ? 63 : 31)) == 0);
            if (!vanishes && (flagsDefined || !RandomInstructions.readsFlags(in))) {
                return in;
            }
        }
    }

    /** Defines all flags that a branch can see. */
    private Insn compare() {
        while (true) {
            Insn in = generator.next();
            switch (in.op) {
                case ADD, SUB, CMP, NEG, TEST, AND, XOR -> {
                    return in;
                }
                default -> {}
            }
        }
    }

    private Insn end(long[] starts) {
        Insn in = new Insn();
        in.opSize = 8;
        in.mode = 64;
        in.length = 4;
        in.kind0 = Insn.REL;
        in.imm = starts[random.nextInt(starts.length)];
        switch (random.nextInt(8)) {
            case 0 -> in.op = Op.JMP;
            case 1 -> in.op = Op.CALL;
            case 2 -> {
                in.op = Op.RET;
                in.kind0 = Insn.IMM;
                in.imm = 0;
            }
            default -> {
                in.op = Op.JCC;
                in.cond = (byte) random.nextInt(16);
            }
        }
        return in;
    }
}
