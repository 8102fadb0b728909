package dev.javisor.softcpu.fp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Transcendental functions against decimal series of 60 digits: errors in units of the last place.
 */
class X87FunctionsTest {
    private static final MathContext MC = new MathContext(60);
    private static final BigDecimal TWO = BigDecimal.valueOf(2);

    /** pi to 66 bits, by which arguments are reduced. */
    private static final BigDecimal PI_66 =
            new BigDecimal(new BigInteger("3243F6A8885A308D3", 16))
                    .divide(new BigDecimal(BigInteger.ONE.shiftLeft(64)));

    private static final BigDecimal PI =
            new BigDecimal(
                    "3.14159265358979323846264338327950288419716939937510582097494459230782");
    private static final BigDecimal LN_2 =
            new BigDecimal(
                    "0.693147180559945309417232121458176568075500134360255254120680009493393622");

    private final FpTestCpu machine = new FpTestCpu();
    private final Cpu cpu = machine.cpu;
    private final Random random = new Random(41);

    private void run(Op op) {
        Insn in = FpTestCpu.xmm(op, 0, 0);
        in.kind0 = Insn.NONE;
        in.kind1 = Insn.NONE;
        X87Ops.execute(cpu, in);
    }

    private void start(double... values) {
        run(Op.FNINIT);
        for (double v : values) {
            cpu.mmu.write64(0x100, Double.doubleToRawLongBits(v));
            Insn in = FpTestCpu.memory(Op.FLD, 0x100);
            in.memSize = 8;
            X87Ops.execute(cpu, in);
        }
    }

    private static BigDecimal power(int e) {
        return e >= 0
                ? new BigDecimal(BigInteger.ONE.shiftLeft(e))
                : BigDecimal.ONE.divide(new BigDecimal(BigInteger.ONE.shiftLeft(-e)));
    }

    /** |ST(i) - exact| in units of ST(i)'s last place. */
    private double error(int i, BigDecimal exact) {
        int n = (cpu.fpTop + i) & 7;
        int e = (cpu.fpSignExponent[n] & 0x7FFF) - 16383 - 63;
        BigDecimal value =
                new BigDecimal(new BigInteger(Long.toUnsignedString(cpu.fpSignificand[n])))
                        .multiply(power(e));
        if ((cpu.fpSignExponent[n] & 0x8000) != 0) {
            value = value.negate();
        }
        return value.subtract(exact).abs().divide(power(e), MC).doubleValue();
    }

    private static final double HALF = 0.5 + 1e-9;

    private static BigDecimal sine(BigDecimal x) {
        BigDecimal term = x;
        BigDecimal sum = x;
        BigDecimal square = x.multiply(x, MC).negate();
        for (int n = 2; n < 80; n += 2) {
            term = term.multiply(square, MC).divide(BigDecimal.valueOf((long) n * (n + 1)), MC);
            sum = sum.add(term, MC);
        }
        return sum;
    }

    private static BigDecimal exponential(BigDecimal x) {
        BigDecimal term = BigDecimal.ONE;
        BigDecimal sum = term;
        for (int n = 1; n < 60; n++) {
            term = term.multiply(x, MC).divide(BigDecimal.valueOf(n), MC);
            sum = sum.add(term, MC);
        }
        return sum;
    }

    /** By Newton's iteration on the exponential. */
    private static BigDecimal logarithm(double x) {
        int k = Math.getExponent(x);
        BigDecimal m = new BigDecimal(Math.scalb(x, -k));
        BigDecimal y = new BigDecimal(Math.log(m.doubleValue()));
        for (int i = 0; i < 3; i++) {
            y = y.add(m.divide(exponential(y), MC), MC).subtract(BigDecimal.ONE, MC);
        }
        return y.add(LN_2.multiply(BigDecimal.valueOf(k)), MC);
    }

    /** By Newton's iteration on sine and cosine. */
    private static BigDecimal arcTangent(BigDecimal q) {
        BigDecimal y = new BigDecimal(Math.atan(q.doubleValue()));
        for (int i = 0; i < 3; i++) {
            BigDecimal s = sine(y);
            BigDecimal c = sine(y.add(PI.divide(TWO, MC), MC));
            BigDecimal numerator = q.multiply(c, MC).subtract(s, MC);
            y = y.add(numerator.divide(c.add(q.multiply(s, MC), MC), MC), MC);
        }
        return y;
    }

    private double argument(int lowExponent, int highExponent) {
        double v = Math.scalb(1 + random.nextDouble(), random.nextInt(lowExponent, highExponent));
        return random.nextBoolean() ? v : -v;
    }

    @Test
    void sineCosineTangent_areCorrectlyRounded() {
        for (int n = 0; n < 80; n++) {
            double x = argument(-20, 61);
            BigDecimal quarter = PI_66.divide(TWO);
            BigInteger quotient =
                    new BigDecimal(x).divide(quarter, 0, RoundingMode.HALF_EVEN).toBigInteger();
            BigDecimal rest =
                    new BigDecimal(x).subtract(quarter.multiply(new BigDecimal(quotient)));
            BigDecimal a = sine(rest);
            BigDecimal b = sine(rest.add(PI.divide(TWO, MC)));
            int quadrant = quotient.intValue() & 3;
            BigDecimal s = (quadrant & 1) == 0 ? a : b;
            BigDecimal c = (quadrant & 1) == 0 ? b : a.negate();
            if ((quadrant & 2) != 0) {
                s = s.negate();
                c = c.negate();
            }
            start(x);
            run(Op.FSINCOS);
            assertThat(error(1, s)).as("sin %s", x).isLessThan(HALF);
            assertThat(error(0, c)).as("cos %s", x).isLessThan(HALF);
            start(x);
            run(Op.FPTAN);
            assertThat(error(0, BigDecimal.ONE)).isZero();
            assertThat(error(1, s.divide(c, MC))).as("tan %s", x).isLessThan(HALF);
            start(x);
            run(Op.FSIN);
            assertThat(error(0, s)).isLessThan(HALF);
            assertThat(cpu.fpStatus & SoftFloat.PE).isNotZero();
        }
    }

    @Test
    void sine_beyondTheRange_setsC2AndLeavesTheOperand() {
        start(0x1p63);
        run(Op.FSIN);
        assertThat(cpu.fpStatus & X87.C2).isNotZero();
        assertThat(error(0, power(63))).isZero();
    }

    @Test
    void powerMinusOne_isCorrectlyRounded() {
        for (int n = 0; n < 80; n++) {
            double x = argument(-60, 0);
            start(x);
            run(Op.F2XM1);
            BigDecimal t = new BigDecimal(x).multiply(LN_2);
            BigDecimal exact = exponential(t).subtract(BigDecimal.ONE);
            if (Math.abs(x) < 1e-5) {
                exact = t.add(t.pow(2).divide(TWO)).add(t.pow(3).divide(BigDecimal.valueOf(6), MC));
                exact = exact.add(t.pow(4).divide(BigDecimal.valueOf(24), MC));
            }
            assertThat(error(0, exact)).as("2^%s - 1", x).isLessThan(HALF);
        }
        start(1);
        run(Op.F2XM1);
        assertThat(error(0, BigDecimal.ONE)).isZero();
    }

    @Test
    void logarithms_areCorrectlyRounded() {
        for (int n = 0; n < 80; n++) {
            double x = Math.abs(argument(-40, 40));
            x = n % 3 == 0 ? 1 + x * 0x1p-45 : x;
            double y = argument(-10, 10);
            start(y, x);
            run(Op.FYL2X);
            BigDecimal exact = logarithm(x).divide(LN_2, MC).multiply(new BigDecimal(y), MC);
            assertThat(error(0, exact)).as("%s log2 %s", y, x).isLessThan(HALF);
            // Few bits, so that 1 + z is exact.
            double z = (float) argument(-12, -2);
            start(y, z);
            run(Op.FYL2XP1);
            exact = logarithm(1 + z).divide(LN_2, MC).multiply(new BigDecimal(y), MC);
            assertThat(error(0, exact)).as("%s log2 1 + %s", y, z).isLessThan(HALF);
        }
    }

    @Test
    void logarithm_ofPowersOfTwo_isExact() {
        for (int k = -1000; k <= 1000; k += 50) {
            start(3, Math.scalb(1.0, k));
            run(Op.FYL2X);
            assertThat(error(0, BigDecimal.valueOf(3L * k))).isZero();
        }
    }

    @Test
    void arcTangent_everyQuadrant_isCorrectlyRounded() {
        for (int n = 0; n < 80; n++) {
            double y = argument(-6, 6);
            double x = argument(-6, 6);
            start(y, x);
            run(Op.FPATAN);
            BigDecimal exact =
                    arcTangent(new BigDecimal(Math.abs(y)).divide(new BigDecimal(Math.abs(x)), MC));
            exact = x < 0 ? PI.subtract(exact) : exact;
            exact = y < 0 ? exact.negate() : exact;
            assertThat(error(0, exact)).as("atan2(%s, %s)", y, x).isLessThan(HALF);
        }
    }

    @Test
    void specialOperands_followTheTables() {
        start(0, -1);
        run(Op.FPATAN);
        assertThat(error(0, PI)).isLessThan(HALF);
        start(1, 0);
        run(Op.FYL2X);
        assertThat(cpu.fpStatus & 0x3F).isEqualTo(SoftFloat.ZE);
        assertThat(cpu.fpSignExponent[cpu.fpTop]).isEqualTo(0xFFFF);
        start(1, -2);
        run(Op.FYL2X);
        assertThat(cpu.fpStatus & 0x3F).isEqualTo(SoftFloat.IE);
        start(Double.POSITIVE_INFINITY);
        run(Op.FCOS);
        assertThat(cpu.fpStatus & 0x3F).isEqualTo(SoftFloat.IE);
    }
}
