package dev.javisor.softcpu.fp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** SSE arithmetic against exact decimal arithmetic, in all rounding modes. */
class SseFloatOpsTest {
    private static final int PRECISION = 32;

    private final FpTestCpu machine = new FpTestCpu();
    private final Cpu cpu = machine.cpu;
    private final Random random = new Random(21);

    private double run(Op op, double a, double b) {
        machine.set(1, Double.doubleToRawLongBits(a), 5);
        machine.set(2, Double.doubleToRawLongBits(b), 0);
        SseOps.execute(cpu, FpTestCpu.xmm(op, 1, 2));
        assertThat(machine.high(1)).isEqualTo(5);
        return Double.longBitsToDouble(machine.low(1));
    }

    private float run(Op op, float a, float b) {
        machine.set(1, Packed.join(Float.floatToRawIntBits(a), 7), 5);
        machine.set(2, Float.floatToRawIntBits(b), 0);
        SseOps.execute(cpu, FpTestCpu.xmm(op, 1, 2));
        assertThat(machine.low(1) >>> 32).isEqualTo(7);
        return Float.intBitsToFloat((int) machine.low(1));
    }

    private double number() {
        return switch (random.nextInt(5)) {
            case 0 -> random.nextInt(2000) - 1000;
            case 1 -> random.nextInt(1, 200) / 64.0;
            case 2 -> Math.scalb(random.nextDouble() + 1, random.nextInt(100) - 50);
            case 3 -> -Math.scalb(random.nextDouble() + 1, random.nextInt(8) - 4);
            default -> 1 + random.nextInt(4) * 0x1p-52;
        };
    }

    /** Sign of (exact result - candidate). */
    private static int order(Op op, BigDecimal a, BigDecimal b, double candidate) {
        return orderExact(op, a, b, new BigDecimal(candidate));
    }

    /** That r, with neighbours below and above, is the exact result rounded in the given mode. */
    private static void check(
            Op op, int mode, BigDecimal a, BigDecimal b, double r, double below, double above) {
        int order = order(op, a, b, r);
        boolean negative = r < 0 || (r == 0 && order < 0);
        String name = "%s mode %d %s %s = %s".formatted(op, mode, a, b, r);
        if (order == 0) {
            return;
        }
        if (mode == 0) {
            double other = order > 0 ? above : below;
            // The midpoint of binary32 neighbours is a binary64; of binary64 ones it is not.
            BigDecimal middle =
                    new BigDecimal(r).add(new BigDecimal(other)).divide(BigDecimal.valueOf(2));
            int side = orderExact(op, a, b, middle);
            assertThat(order > 0 ? side <= 0 : side >= 0).as(name).isTrue();
            if (side == 0) {
                boolean even =
                        op.name().endsWith("SS")
                                ? (Float.floatToRawIntBits((float) r) & 1) == 0
                                : (Double.doubleToRawLongBits(r) & 1) == 0;
                assertThat(even).as(name).isTrue();
            }
            return;
        }
        boolean roundsDown = mode == 1 || (mode == 3 && !negative);
        assertThat(order > 0).as(name).isEqualTo(roundsDown);
        double next = roundsDown ? above : below;
        assertThat(order(op, a, b, next)).as(name).isEqualTo(roundsDown ? -1 : 1);
    }

    private static int orderExact(Op op, BigDecimal a, BigDecimal b, BigDecimal c) {
        return switch (op) {
            case ADDSD, ADDSS -> a.add(b).compareTo(c);
            case SUBSD, SUBSS -> a.subtract(b).compareTo(c);
            case MULSD, MULSS -> a.multiply(b).compareTo(c);
            case DIVSD, DIVSS -> a.subtract(c.multiply(b)).signum() * b.signum();
            default -> c.signum() < 0 ? 1 : b.compareTo(c.multiply(c));
        };
    }

    @Test
    void binary64_randomOperands_areRoundedExactly() {
        Op[] ops = {Op.ADDSD, Op.SUBSD, Op.MULSD, Op.DIVSD, Op.SQRTSD};
        for (int n = 0; n < 8000; n++) {
            Op op = ops[n % 5];
            int mode = random.nextInt(4);
            double a = number();
            double b = op == Op.SQRTSD ? Math.abs(number()) : number();
            if (b == 0) {
                continue;
            }
            boolean sticky = random.nextBoolean();
            cpu.mxcsr = 0x1F80 | mode << 13 | (sticky ? PRECISION : 0);
            double r = run(op, a, b);
            BigDecimal x = new BigDecimal(a);
            BigDecimal y = new BigDecimal(b);
            check(op, mode, x, y, r, Math.nextDown(r), Math.nextUp(r));
            int inexact = order(op, x, y, r) != 0 ? PRECISION : 0;
            assertThat(cpu.mxcsr & 0x3F)
                    .as("%s %s %s", op, a, b)
                    .isEqualTo(inexact | (sticky ? PRECISION : 0));
        }
    }

    @Test
    void binary32_randomOperands_areRoundedExactly() {
        Op[] ops = {Op.ADDSS, Op.SUBSS, Op.MULSS, Op.DIVSS, Op.SQRTSS};
        for (int n = 0; n < 8000; n++) {
            Op op = ops[n % 5];
            int mode = random.nextInt(4);
            float a = (float) number();
            float b = (float) (op == Op.SQRTSS ? Math.abs(number()) : number());
            if (b == 0) {
                continue;
            }
            cpu.mxcsr = 0x1F80 | mode << 13;
            float r = run(op, a, b);
            BigDecimal x = new BigDecimal(a);
            BigDecimal y = new BigDecimal(b);
            check(op, mode, x, y, r, Math.nextDown(r), Math.nextUp(r));
            int inexact = order(op, x, y, r) != 0 ? PRECISION : 0;
            assertThat(cpu.mxcsr & 0x3F).as("%s %s %s", op, a, b).isEqualTo(inexact);
        }
    }

    @Test
    void denormals_flagsAndControls() {
        cpu.mxcsr = 0x1F80;
        assertThat(run(Op.ADDSD, Double.MIN_VALUE, 0.0)).isEqualTo(Double.MIN_VALUE);
        assertThat(cpu.mxcsr & 0x3F).isEqualTo(SoftFloat.DE);
        cpu.mxcsr = 0x1F80;
        assertThat(run(Op.MULSD, Double.MIN_NORMAL, 0.75)).isEqualTo(Double.MIN_NORMAL * 0.75);
        assertThat(cpu.mxcsr & 0x3F).as("exact, though tiny").isZero();
        cpu.mxcsr = 0x1F80;
        run(Op.MULSD, Double.MIN_NORMAL, 0.3);
        assertThat(cpu.mxcsr & 0x3F).isEqualTo(SoftFloat.UE | SoftFloat.PE);
        cpu.mxcsr = 0x1F80 | 0x8000;
        assertThat(Double.doubleToRawLongBits(run(Op.MULSD, -Double.MIN_NORMAL, 0.75)))
                .as("flushed")
                .isEqualTo(1L << 63);
        assertThat(cpu.mxcsr & 0x3F).isEqualTo(SoftFloat.UE | SoftFloat.PE);
        cpu.mxcsr = 0x1F80 | 0x40;
        assertThat(run(Op.ADDSD, Double.MIN_VALUE, Double.MIN_VALUE)).isZero();
        assertThat(cpu.mxcsr & 0x3F).isZero();
    }

    @Test
    void overflow_dependsOnRoundingMode() {
        double max = Double.MAX_VALUE;
        double inf = Double.POSITIVE_INFINITY;
        double[][] expected = {{inf, -inf}, {max, -inf}, {inf, -max}, {max, -max}};
        for (int mode = 0; mode < 4; mode++) {
            cpu.mxcsr = 0x1F80 | mode << 13;
            assertThat(run(Op.ADDSD, max, max)).isEqualTo(expected[mode][0]);
            assertThat(run(Op.MULSD, -max, 2)).isEqualTo(expected[mode][1]);
            assertThat(cpu.mxcsr & 0x3F).isEqualTo(SoftFloat.OE | SoftFloat.PE);
        }
    }

    @Test
    void nans_followTheSseRules() {
        long quiet1 = 0x7FF8_0000_0000_0001L;
        long quiet2 = 0xFFF8_0000_0000_0002L;
        long signalling = 0x7FF0_0000_0000_0003L;
        long one = Double.doubleToRawLongBits(1);
        long[][] cases = {
            {quiet1, quiet2, quiet1, 0},
            {one, quiet2, quiet2, 0},
            {one, signalling, 0x7FF8_0000_0000_0003L, SoftFloat.IE},
            {quiet1, signalling, quiet1, SoftFloat.IE},
            {signalling, quiet2, 0x7FF8_0000_0000_0003L, SoftFloat.IE},
        };
        for (long[] c : cases) {
            cpu.mxcsr = 0x1F80;
            machine.set(1, c[0], 0);
            machine.set(2, c[1], 0);
            SseOps.execute(cpu, FpTestCpu.xmm(Op.ADDSD, 1, 2));
            assertThat(machine.low(1)).isEqualTo(c[2]);
            assertThat(cpu.mxcsr & 0x3F).isEqualTo((int) c[3]);
        }
        cpu.mxcsr = 0x1F80;
        run(Op.DIVSD, 0.0, 0.0);
        assertThat(machine.low(1)).isEqualTo(0xFFF8_0000_0000_0000L);
        assertThat(cpu.mxcsr & 0x3F).isEqualTo(SoftFloat.IE);
    }

    @Test
    void minMax_zerosAndNans_giveTheSecondOperand() {
        machine.set(1, 0, 0);
        machine.set(2, 1L << 63, 0);
        SseOps.execute(cpu, FpTestCpu.xmm(Op.MAXSD, 1, 2));
        assertThat(machine.low(1)).isEqualTo(1L << 63);
        assertThat(run(Op.MINSD, Double.NaN, 3.0)).isEqualTo(3.0);
        assertThat(cpu.mxcsr & 0x3F).isEqualTo(SoftFloat.IE);
    }

    @Test
    void unmaskedException_raisesXmAndKeepsTheDestination() {
        cpu.mxcsr = 0x1F80 & ~0x200;
        machine.set(1, Double.doubleToRawLongBits(1), Double.doubleToRawLongBits(1));
        // Low element inexact, high element a division by zero: only the latter is reported.
        machine.set(2, Double.doubleToRawLongBits(3), 0);
        Insn in = FpTestCpu.xmm(Op.DIVPD, 1, 2);
        assertThatThrownBy(() -> SseOps.execute(cpu, in))
                .isInstanceOf(GuestFault.class)
                .hasMessageContaining("vector 19");
        assertThat(cpu.mxcsr & 0x3F).isEqualTo(SoftFloat.ZE);
        assertThat(machine.low(1)).isEqualTo(Double.doubleToRawLongBits(1));
        cpu.cr4 &= ~Cpu.CR4_OSXMMEXCPT;
        assertThatThrownBy(() -> SseOps.execute(cpu, in)).hasMessageContaining("vector 6");
    }

    @Test
    void comisd_setsFlagsByOrder() {
        double[][] pairs = {{1, 2}, {2, 2}, {3, 2}, {Double.NaN, 2}};
        int[] expected = {Flags.CF, Flags.ZF, 0, Flags.ZF | Flags.PF | Flags.CF};
        for (int i = 0; i < 4; i++) {
            cpu.mxcsr = 0x1F80;
            machine.set(1, Double.doubleToRawLongBits(pairs[i][0]), 0);
            machine.set(2, Double.doubleToRawLongBits(pairs[i][1]), 0);
            SseOps.execute(cpu, FpTestCpu.xmm(Op.UCOMISD, 1, 2));
            assertThat(cpu.flags.status()).isEqualTo(expected[i]);
            assertThat(cpu.mxcsr & 0x3F).isZero();
            SseOps.execute(cpu, FpTestCpu.xmm(Op.COMISD, 1, 2));
            assertThat(cpu.mxcsr & 0x3F).isEqualTo(i == 3 ? SoftFloat.IE : 0);
        }
    }

    private long toInteger(Op op, double value, int opSize) {
        Insn in = FpTestCpu.xmm(op, 0, 1);
        in.kind0 = Insn.GPR;
        in.opSize = (byte) opSize;
        machine.set(1, Double.doubleToRawLongBits(value), 0);
        SseOps.execute(cpu, in);
        return cpu.regs[0];
    }

    @Test
    void conversionsToInteger_roundAndSaturateToIndefinite() {
        cpu.mxcsr = 0x1F80;
        assertThat(toInteger(Op.CVTSD2SI, 2.5, 4)).isEqualTo(2);
        assertThat(cpu.mxcsr & 0x3F).isEqualTo(SoftFloat.PE);
        assertThat(toInteger(Op.CVTSD2SI, -3.5, 8)).isEqualTo(-4);
        assertThat(toInteger(Op.CVTTSD2SI, -3.9, 8)).isEqualTo(-3);
        cpu.mxcsr = 0x1F80;
        assertThat(toInteger(Op.CVTSD2SI, 0x1p31, 4)).isEqualTo(0x8000_0000L);
        assertThat(cpu.mxcsr & 0x3F).isEqualTo(SoftFloat.IE);
        assertThat(toInteger(Op.CVTSD2SI, -0x1p63, 8)).isEqualTo(Long.MIN_VALUE);
        assertThat(toInteger(Op.CVTTSD2SI, Double.NaN, 8)).isEqualTo(Long.MIN_VALUE);
        cpu.mxcsr = 0x1F80 | 2 << 13;
        assertThat(toInteger(Op.CVTSD2SI, 1.25, 4)).isEqualTo(2);
    }

    @Test
    void roundsd_everyMode_matchesJava() {
        double[] values = {0.5, 1.5, -0.5, -2.5, 1e18 + 0.5, 0.1, -0.0, 4.0, 0x1p52 + 1, -7.75};
        for (double v : values) {
            cpu.mxcsr = 0x1F80;
            machine.set(2, Double.doubleToRawLongBits(v), 0);
            double[] expected = {
                Math.rint(v), Math.floor(v), Math.ceil(v), v < 0 ? Math.ceil(v) : Math.floor(v)
            };
            for (int mode = 0; mode < 4; mode++) {
                SseOps.execute(cpu, FpTestCpu.xmm(Op.ROUNDSD, 1, 2, mode | 8));
                assertThat(machine.low(1)).isEqualTo(Double.doubleToRawLongBits(expected[mode]));
                assertThat(cpu.mxcsr & 0x3F).isZero();
            }
        }
    }

    @Test
    void narrowing_matchesJavasFloatCast() {
        for (int n = 0; n < 2000; n++) {
            double v = number() * Math.scalb(1.0, random.nextInt(300) - 150);
            cpu.mxcsr = 0x1F80 | (n & 1) * PRECISION;
            machine.set(2, Double.doubleToRawLongBits(v), 0);
            SseOps.execute(cpu, FpTestCpu.xmm(Op.CVTSD2SS, 1, 2));
            assertThat((int) machine.low(1)).isEqualTo(Float.floatToRawIntBits((float) v));
        }
    }

    @Test
    void approximations_areWithinTheAllowedError() {
        for (int n = 0; n < 2000; n++) {
            float v = Math.abs((float) number()) + 0x1p-20f;
            float r = run(Op.RCPSS, 0f, v);
            assertThat(Math.abs(r * (double) v - 1)).isLessThan(1.5 * 0x1p-12);
            float q = run(Op.RSQRTSS, 0f, v);
            assertThat(Math.abs(q * Math.sqrt(v) - 1)).isLessThan(1.5 * 0x1p-12);
        }
        assertThat(run(Op.RCPSS, 0f, -0f)).isEqualTo(Float.NEGATIVE_INFINITY);
        assertThat(run(Op.RSQRTSS, 0f, -1f)).isNaN();
        assertThat(cpu.mxcsr).isEqualTo(0x1F80);
    }

    @Test
    void dpps_masksProductsAndResults() {
        long a = Packed.join(Float.floatToIntBits(2), Float.floatToIntBits(3));
        long b = Packed.join(Float.floatToIntBits(5), Float.floatToIntBits(7));
        machine.set(1, a, a);
        machine.set(2, b, b);
        SseOps.execute(cpu, FpTestCpu.xmm(Op.DPPS, 1, 2, 0x73));
        long sum = Float.floatToIntBits(2 * 5 + 3 * 7 + 2 * 5);
        assertThat(machine.low(1)).isEqualTo(sum | sum << 32);
        assertThat(machine.high(1)).isZero();
    }
}
