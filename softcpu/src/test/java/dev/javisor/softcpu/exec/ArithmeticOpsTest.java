package dev.javisor.softcpu.exec;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.math.BigInteger;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Against sums of BigIntegers, with each flag from its definition (SDM 1 §3.4.3.1). */
class ArithmeticOpsTest {
    private static final Op[] BINARY = {
        Op.ADD, Op.ADC, Op.SUB, Op.SBB, Op.AND, Op.OR, Op.XOR, Op.CMP, Op.TEST, Op.XADD
    };
    private static final Op[] UNARY = {Op.INC, Op.DEC, Op.NEG, Op.NOT};

    private final ExecTestCpu test = new ExecTestCpu(64);
    private final Cpu cpu = test.cpu;
    private final long seed = System.nanoTime();
    private final SplittableRandom random = new SplittableRandom(seed);

    @Test
    void binary_randomOperands_matchBigIntegers() {
        for (int i = 0; i < 30_000; i++) {
            Op op = BINARY[random.nextInt(BINARY.length)];
            int size = 1 << random.nextInt(4);
            cpu.flags.setStatus(random.nextInt());
            check(op, size, ExecTestCpu.value(random), ExecTestCpu.value(random));
        }
    }

    @Test
    void unary_randomOperands_matchBigIntegers() {
        for (int i = 0; i < 20_000; i++) {
            Op op = UNARY[random.nextInt(UNARY.length)];
            int size = 1 << random.nextInt(4);
            cpu.flags.setStatus(random.nextInt());
            check(op, size, ExecTestCpu.value(random), 0);
        }
    }

    private void check(Op op, int size, long a, long b) {
        int form = random.nextInt(4);
        int before = cpu.flags.status();
        cpu.regs[2] = a;
        cpu.regs[9] = b;
        long address = 0x1000 + random.nextInt(4096);
        Insn in = form == 0 ? test.registers(op, size, 2, 9) : test.toMemory(op, size, address, 9);
        if (form == 3 && op == Op.XADD || form == 2 && op != Op.CMP && op != Op.TEST) {
            in.lock = true;
        }
        if (form == 1 && op != Op.XADD) {
            in.kind1 = Insn.IMM;
            in.imm = b << (64 - 8 * size) >> (64 - 8 * size);
        }
        cpu.mmu.write64(address, ~a);
        cpu.mmu.write(address, size, a);
        IntegerOps.execute(cpu, in);

        String text = "seed %d: %s%d %x, %x flags %x".formatted(seed, op, size, a, b, before);
        BigInteger x = Reference.unsigned(a, size);
        BigInteger y = Reference.unsigned(b, size);
        Reference reference = new Reference(op, size, x, y, before);
        long expected = reference.value;
        long mask = -1L >>> (64 - 8 * size);
        if (form == 0) {
            long upper = size == 4 && reference.written ? 0 : a & ~mask;
            assertThat(cpu.regs[2]).as(text).isEqualTo(upper | expected);
        } else {
            assertThat(cpu.mmu.read(address, size)).as(text).isEqualTo(expected);
            if (size < 8) {
                assertThat(cpu.mmu.read64(address) & ~mask).as(text).isEqualTo(~a & ~mask);
            }
        }
        if (op == Op.XADD) {
            assertThat(cpu.regs[9] & mask).as(text).isEqualTo(a & mask);
        }
        assertThat(cpu.flags.status() | reference.undefined)
                .as(text)
                .isEqualTo(reference.flags | reference.undefined);
    }

    /** The definition, one operation at a time. */
    private static final class Reference {
        final long value;
        final int flags;
        int undefined;
        final boolean written;

        Reference(Op op, int size, BigInteger x, BigInteger y, int before) {
            BigInteger carry = (before & Flags.CF) != 0 ? BigInteger.ONE : BigInteger.ZERO;
            BigInteger one = BigInteger.ONE;
            BigInteger result =
                    switch (op) {
                        case ADD, XADD -> x.add(y);
                        case ADC -> x.add(y).add(carry);
                        case SUB, CMP -> x.subtract(y);
                        case SBB -> x.subtract(y).subtract(carry);
                        case AND, TEST -> x.and(y);
                        case OR -> x.or(y);
                        case XOR -> x.xor(y);
                        case INC -> x.add(one);
                        case DEC -> x.subtract(one);
                        case NEG -> x.negate();
                        default -> x.not();
                    };
            written = op != Op.CMP && op != Op.TEST;
            BigInteger modulus = one.shiftLeft(8 * size);
            BigInteger wrapped = result.mod(modulus);
            value = (written ? wrapped : x).longValue();
            int f = 0;
            f |= wrapped.signum() == 0 ? Flags.ZF : 0;
            f |= wrapped.testBit(8 * size - 1) ? Flags.SF : 0;
            f |= Integer.bitCount(wrapped.intValue() & 0xFF) % 2 == 0 ? Flags.PF : 0;
            boolean logic =
                    switch (op) {
                        case AND, TEST, OR, XOR -> true;
                        default -> false;
                    };
            if (logic) {
                undefined = Flags.AF;
            } else {
                BigInteger sx = signed(x, size);
                BigInteger sy = signed(y, size);
                BigInteger exact =
                        switch (op) {
                            case ADD, XADD -> sx.add(sy);
                            case ADC -> sx.add(sy).add(carry);
                            case SUB, CMP -> sx.subtract(sy);
                            case SBB -> sx.subtract(sy).subtract(carry);
                            case INC -> sx.add(one);
                            case DEC -> sx.subtract(one);
                            default -> sx.negate();
                        };
                f |= !result.equals(wrapped) ? Flags.CF : 0;
                f |= !signed(wrapped, size).equals(exact) ? Flags.OF : 0;
                BigInteger nibble = BigInteger.valueOf(15);
                BigInteger c = op == Op.ADC || op == Op.SBB ? carry : BigInteger.ZERO;
                BigInteger low =
                        switch (op) {
                            case ADD, XADD, ADC -> x.and(nibble).add(y.and(nibble)).add(c);
                            case INC -> x.and(nibble).add(one);
                            case DEC -> x.and(nibble).subtract(one);
                            case NEG -> x.and(nibble).negate();
                            default -> x.and(nibble).subtract(y.and(nibble)).subtract(c);
                        };
                f |= low.signum() < 0 || low.compareTo(nibble) > 0 ? Flags.AF : 0;
            }
            if (op == Op.INC || op == Op.DEC) {
                f = (f & ~Flags.CF) | (before & Flags.CF);
            }
            flags = op == Op.NOT ? before : f;
        }

        static BigInteger unsigned(long value, int size) {
            return new BigInteger(Long.toUnsignedString(value))
                    .mod(BigInteger.ONE.shiftLeft(8 * size));
        }

        private static BigInteger signed(BigInteger value, int size) {
            return value.testBit(8 * size - 1)
                    ? value.subtract(BigInteger.ONE.shiftLeft(8 * size))
                    : value;
        }
    }

    @Test
    void adx_chains_keepEachOthersFlag() {
        for (int i = 0; i < 20_000; i++) {
            int size = random.nextBoolean() ? 4 : 8;
            int before = random.nextInt() & Flags.STATUS;
            Op op = random.nextBoolean() ? Op.ADCX : Op.ADOX;
            int chain = op == Op.ADCX ? Flags.CF : Flags.OF;
            long a = ExecTestCpu.value(random);
            long b = ExecTestCpu.value(random);
            cpu.flags.setStatus(before);
            cpu.regs[1] = a;
            cpu.regs[2] = b;
            IntegerOps.execute(cpu, test.registers(op, size, 1, 2));
            BigInteger sum =
                    Reference.unsigned(a, size)
                            .add(Reference.unsigned(b, size))
                            .add(BigInteger.valueOf((before & chain) != 0 ? 1 : 0));
            assertThat(cpu.regs[1])
                    .as("seed " + seed)
                    .isEqualTo(sum.mod(BigInteger.ONE.shiftLeft(8 * size)).longValue());
            assertThat(cpu.flags.status())
                    .as("seed " + seed)
                    .isEqualTo((before & ~chain) | (sum.testBit(8 * size) ? chain : 0));
        }
    }
}
