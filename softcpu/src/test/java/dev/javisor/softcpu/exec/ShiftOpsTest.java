package dev.javisor.softcpu.exec;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Against the same operation one bit at a time. */
class ShiftOpsTest {
    private static final Op[] OPS = {
        Op.ROL, Op.ROR, Op.RCL, Op.RCR, Op.SHL, Op.SHR, Op.SAR, Op.SHLD, Op.SHRD
    };

    private final ExecTestCpu test = new ExecTestCpu(64);
    private final Cpu cpu = test.cpu;
    private final long seed = System.nanoTime();
    private final SplittableRandom random = new SplittableRandom(seed);

    private boolean carry;

    @Test
    void shifts_randomCounts_equalSingleSteps() {
        for (int i = 0; i < 60_000; i++) {
            Op op = OPS[random.nextInt(OPS.length)];
            boolean two = op == Op.SHLD || op == Op.SHRD;
            int size = two ? 2 << random.nextInt(3) : 1 << random.nextInt(4);
            check(op, size, two);
        }
    }

    private void check(Op op, int size, boolean two) {
        int bits = 8 * size;
        long mask = -1L >>> (64 - bits);
        long a = ExecTestCpu.value(random);
        long b = ExecTestCpu.value(random);
        int cl = random.nextInt(4) == 0 ? 1 : random.nextInt(256);
        int before = random.nextInt() & Flags.STATUS;
        cpu.flags.setStatus(before);
        cpu.regs[0] = a;
        cpu.regs[3] = b;
        cpu.regs[1] = cl;
        long address = 0x2000 + random.nextInt(4096);
        cpu.mmu.write(address, size, a);
        boolean memory = random.nextBoolean();
        Insn in = memory ? test.toMemory(op, size, address, 1) : test.registers(op, size, 0, 1);
        if (two) {
            in.reg1 = 3;
            in.kind2 = Insn.GPR;
            in.reg2 = 1;
        }
        if (random.nextBoolean()) {
            if (two) {
                in.kind2 = Insn.IMM;
            } else {
                in.kind1 = Insn.IMM;
            }
            in.imm = cl;
        }
        IntegerOps.execute(cpu, in);

        int count = cl & (size == 8 ? 63 : 31);
        String text =
                "seed %d: %s%d %x, %x by %d flags %x".formatted(seed, op, size, a, b, cl, before);
        carry = (before & Flags.CF) != 0;
        long value = a & mask;
        long feed = b & mask;
        for (int i = 0; i < count; i++) {
            value = step(op, value, bits, feed, i) & mask;
        }
        int undefined = count == 1 ? 0 : Flags.OF;
        boolean rotate = !two && op != Op.SHL && op != Op.SHR && op != Op.SAR;
        if (!rotate) {
            undefined |= Flags.AF;
            undefined |= op != Op.SAR && count > bits ? Flags.CF : 0;
        }
        boolean top = (value >>> (bits - 1) & 1) != 0;
        boolean oldTop = (a >>> (bits - 1) & 1) != 0;
        boolean overflow =
                switch (op) {
                    case SHL, ROL, RCL -> top != carry;
                    case SHR -> oldTop;
                    case SAR -> false;
                    case SHLD, SHRD -> top != oldTop;
                    default -> top != ((value >>> (bits - 2) & 1) != 0);
                };
        int flags = (carry ? Flags.CF : 0) | (overflow ? Flags.OF : 0);
        if (rotate) {
            flags |= before & ~(Flags.CF | Flags.OF);
        } else {
            flags |= value == 0 ? Flags.ZF : 0;
            flags |= top ? Flags.SF : 0;
            flags |= Long.bitCount(value & 0xFF) % 2 == 0 ? Flags.PF : 0;
        }
        if (count == 0) {
            flags = before;
            undefined = 0;
        }
        if (two && count > bits) {
            return;
        }
        long result = memory ? cpu.mmu.read(address, size) : cpu.regs[0];
        long upper = memory || size >= 4 ? 0 : a & ~mask;
        assertThat(result).as(text).isEqualTo(upper | value);
        assertThat(cpu.flags.status() | undefined).as(text).isEqualTo(flags | undefined);
    }

    private long step(Op op, long value, int bits, long feed, int i) {
        boolean top = (value >>> (bits - 1) & 1) != 0;
        boolean bottom = (value & 1) != 0;
        boolean in =
                switch (op) {
                    case ROL -> top;
                    case ROR -> bottom;
                    case RCL, RCR -> carry;
                    case SAR -> top;
                    case SHLD -> (feed >>> (bits - 1 - i) & 1) != 0;
                    case SHRD -> (feed >>> i & 1) != 0;
                    default -> false;
                };
        boolean left = op == Op.ROL || op == Op.RCL || op == Op.SHL || op == Op.SHLD;
        carry = left ? top : bottom;
        return left ? value << 1 | (in ? 1 : 0) : value >>> 1 | (in ? 1L << (bits - 1) : 0);
    }

    @Test
    void withoutFlags_randomCounts_leaveFlags() {
        for (int i = 0; i < 10_000; i++) {
            int size = random.nextBoolean() ? 4 : 8;
            int bits = 8 * size;
            long a = ExecTestCpu.value(random);
            int count = random.nextInt(bits);
            cpu.regs[5] = a;
            cpu.regs[6] = count + bits * random.nextLong();
            cpu.flags.setStatus(i);
            Op[] ops = {Op.RORX, Op.SARX, Op.SHLX, Op.SHRX};
            for (Op op : ops) {
                Insn in = test.registers(op, size, 2, 5);
                in.kind2 = op == Op.RORX ? Insn.IMM : Insn.GPR;
                in.reg2 = 6;
                in.imm = count;
                IntegerOps.execute(cpu, in);
                long expected =
                        switch (op) {
                            case RORX ->
                                    size == 8
                                            ? Long.rotateRight(a, count)
                                            : Integer.rotateRight((int) a, count);
                            case SARX -> size == 8 ? a >> count : (int) a >> count;
                            case SHLX -> size == 8 ? a << count : (int) a << count;
                            default -> size == 8 ? a >>> count : (int) a >>> count;
                        };
                long mask = size == 8 ? -1 : 0xFFFFFFFFL;
                assertThat(cpu.regs[2]).as("seed " + seed + op).isEqualTo(expected & mask);
            }
            assertThat(cpu.flags.status()).isEqualTo(i & Flags.STATUS);
        }
    }
}
