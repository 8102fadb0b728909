package dev.javisor.softcpu.exec;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.math.BigInteger;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Against BigInteger. */
class MultiplyOpsTest {
    private final ExecTestCpu test = new ExecTestCpu(64);
    private final Cpu cpu = test.cpu;
    private final long seed = System.nanoTime();
    private final SplittableRandom random = new SplittableRandom(seed);

    private static BigInteger number(long value, int size, boolean signed) {
        int shift = 64 - 8 * size;
        return signed
                ? BigInteger.valueOf(value << shift >> shift)
                : new BigInteger(Long.toUnsignedString(value << shift >>> shift));
    }

    private static BigInteger number(long high, long low, int size, boolean signed) {
        return number(high, size, signed).shiftLeft(8 * size).or(number(low, size, false));
    }

    @Test
    void multiply_randomOperands_matchBigInteger() {
        for (int i = 0; i < 20_000; i++) {
            int size = 1 << random.nextInt(4);
            boolean signed = random.nextBoolean();
            long a = ExecTestCpu.value(random);
            long b = ExecTestCpu.value(random);
            cpu.regs[0] = a;
            cpu.regs[2] = 0;
            cpu.regs[3] = b;
            Insn in = test.registers(signed ? Op.IMUL : Op.MUL, size, 3, 0);
            in.kind1 = Insn.NONE;
            IntegerOps.execute(cpu, in);
            BigInteger product = number(a, size, signed).multiply(number(b, size, signed));
            String text = "seed %d %s%d %x %x".formatted(seed, in.op, size, a, b);
            long high = size == 1 ? cpu.regs[0] >> 8 : cpu.regs[2];
            assertThat(number(high, cpu.regs[0], size, signed)).as(text).isEqualTo(product);
            boolean fits = number(product.longValue(), size, signed).equals(product);
            assertThat(cpu.flags.cf()).as(text).isEqualTo(!fits);
            assertThat(cpu.flags.of()).as(text).isEqualTo(!fits);
        }
    }

    @Test
    void imulTwoAndThreeOperands_randomOperands_matchBigInteger() {
        for (int i = 0; i < 20_000; i++) {
            int size = 2 << random.nextInt(3);
            long a = ExecTestCpu.value(random);
            long b = ExecTestCpu.value(random);
            cpu.regs[1] = a;
            cpu.regs[3] = b;
            Insn in = test.registers(Op.IMUL, size, 1, 3);
            if (random.nextBoolean()) {
                in.kind2 = Insn.IMM;
                in.imm = a;
                cpu.regs[1] = 0;
            }
            IntegerOps.execute(cpu, in);
            BigInteger product = number(a, size, true).multiply(number(b, size, true));
            String text = "seed %d imul%d %x %x".formatted(seed, size, a, b);
            assertThat(number(cpu.regs[1], size, true))
                    .as(text)
                    .isEqualTo(number(product.longValue(), size, true));
            boolean fits = number(product.longValue(), size, true).equals(product);
            assertThat(cpu.flags.cf()).as(text).isEqualTo(!fits);
            assertThat(cpu.flags.of()).as(text).isEqualTo(!fits);
        }
    }

    @Test
    void mulx_sameDestinations_highWins() {
        cpu.regs[2] = -1;
        cpu.regs[3] = 16;
        Insn in = test.registers(Op.MULX, 8, 7, 7);
        in.kind2 = Insn.GPR;
        in.reg2 = 3;
        IntegerOps.execute(cpu, in);
        assertThat(cpu.regs[7]).isEqualTo(15);
    }

    @Test
    void divide_randomOperands_matchBigInteger() {
        int faults = 0;
        for (int i = 0; i < 60_000; i++) {
            int size = 1 << random.nextInt(4);
            boolean signed = random.nextBoolean();
            long divisor = ExecTestCpu.value(random);
            long low = ExecTestCpu.value(random);
            long high =
                    switch (random.nextInt(4)) {
                        case 0 -> 0;
                        case 1 -> low >> 63;
                        // Near the limit of what has a quotient.
                        case 2 -> (signed ? divisor >> 1 : divisor) + random.nextInt(-2, 2);
                        default -> ExecTestCpu.value(random);
                    };
            if (size == 1) {
                low = (low & 0xFF) | (high & 0xFF) << 8;
                high = low >> 8;
            }
            cpu.regs[0] = low;
            cpu.regs[2] = high;
            cpu.regs[6] = divisor;
            Insn in = test.registers(signed ? Op.IDIV : Op.DIV, size, 6, 0);
            in.kind1 = Insn.NONE;
            String text =
                    "seed %d %s%d %x:%x / %x".formatted(seed, in.op, size, high, low, divisor);
            BigInteger d = number(divisor, size, signed);
            BigInteger n = number(high, low, size, signed);
            BigInteger[] expected = d.signum() == 0 ? null : n.divideAndRemainder(d);
            if (expected == null
                    || !number(expected[0].longValue(), size, signed).equals(expected[0])) {
                faults++;
                GuestFault fault = faultOf(in);
                assertThat(fault.vector()).as(text).isEqualTo(GuestFault.DE);
                assertThat(cpu.regs[0]).as(text).isEqualTo(low);
                assertThat(cpu.regs[2]).as(text).isEqualTo(high);
                continue;
            }
            IntegerOps.execute(cpu, in);
            long remainder = size == 1 ? cpu.regs[0] >> 8 : cpu.regs[2];
            assertThat(number(cpu.regs[0], size, signed)).as(text).isEqualTo(expected[0]);
            assertThat(number(remainder, size, signed)).as(text).isEqualTo(expected[1]);
        }
        assertThat(faults).isBetween(3_000, 57_000);
    }

    private GuestFault faultOf(Insn in) {
        try {
            IntegerOps.execute(cpu, in);
        } catch (GuestFault fault) {
            return fault;
        }
        throw new AssertionError("no fault");
    }
}
