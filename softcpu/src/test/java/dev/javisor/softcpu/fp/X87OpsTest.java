package dev.javisor.softcpu.fp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** x87 arithmetic against exact decimal arithmetic, and the rules of stack and exceptions. */
class X87OpsTest {
    private static final int MASKED = 0x37F;

    private final FpTestCpu machine = new FpTestCpu();
    private final Cpu cpu = machine.cpu;
    private final Random random = new Random(31);

    @BeforeEach
    void reset() {
        run(Op.FNINIT);
    }

    private void run(Op op) {
        Insn in = FpTestCpu.xmm(op, 0, 0);
        in.kind0 = Insn.NONE;
        in.kind1 = Insn.NONE;
        X87Ops.execute(cpu, in);
    }

    private void registers(Op op, int a, int b) {
        Insn in = FpTestCpu.xmm(op, a, b);
        in.kind0 = Insn.ST;
        in.kind1 = Insn.ST;
        X87Ops.execute(cpu, in);
    }

    private void memory(Op op, int sizeBytes, long address) {
        Insn in = FpTestCpu.memory(op, address);
        in.memSize = (short) sizeBytes;
        X87Ops.execute(cpu, in);
    }

    private void load(long significand, int signExponent) {
        cpu.mmu.write64(0x100, significand);
        cpu.mmu.write16(0x108, signExponent);
        memory(Op.FLD, 10, 0x100);
    }

    private void load(double value) {
        cpu.mmu.write64(0x100, Double.doubleToRawLongBits(value));
        memory(Op.FLD, 8, 0x100);
    }

    private double top() {
        memory(Op.FST, 8, 0x110);
        return Double.longBitsToDouble(cpu.mmu.read64(0x110));
    }

    private long significand(int i) {
        return cpu.fpSignificand[(cpu.fpTop + i) & 7];
    }

    private int signExponent(int i) {
        return cpu.fpSignExponent[(cpu.fpTop + i) & 7];
    }

    private int status() {
        return FpuArea.statusWord(cpu);
    }

    private static BigDecimal value(BigInteger significand, int signExponent) {
        int e = (signExponent & 0x7FFF) - 16383 - 63;
        BigDecimal magnitude =
                e >= 0
                        ? new BigDecimal(significand.shiftLeft(e))
                        : new BigDecimal(significand)
                                .divide(new BigDecimal(BigInteger.ONE.shiftLeft(-e)));
        return (signExponent & 0x8000) != 0 ? magnitude.negate() : magnitude;
    }

    private static BigInteger unsigned(long x) {
        return new BigInteger(Long.toUnsignedString(x));
    }

    private static BigDecimal value(long significand, int signExponent) {
        return value(unsigned(significand), signExponent);
    }

    /** Sign of (exact result - c). */
    private static int order(Op op, BigDecimal a, BigDecimal b, BigDecimal c) {
        return switch (op) {
            case FADD -> a.add(b).compareTo(c);
            case FSUB -> a.subtract(b).compareTo(c);
            case FMUL -> a.multiply(b).compareTo(c);
            case FDIV -> a.subtract(c.multiply(b)).signum() * b.signum();
            default -> c.signum() < 0 ? 1 : a.compareTo(c.multiply(c));
        };
    }

    @Test
    void arithmetic_everyPrecisionAndRounding_isExact() {
        Op[] ops = {Op.FADD, Op.FSUB, Op.FMUL, Op.FDIV, Op.FSQRT};
        int[] precisions = {24, 0, 53, 64};
        for (int n = 0; n < 2500; n++) {
            Op op = ops[n % 5];
            int mode = random.nextInt(4);
            int pc = new int[] {0, 2, 3}[random.nextInt(3)];
            cpu.fpControl = 0x7F | pc << 8 | mode << 10;
            long sa = 1L << 63 | (random.nextLong() << random.nextInt(60));
            long sb = 1L << 63 | (random.nextLong() << random.nextInt(60));
            int ea = 0x3FFF - 40 + random.nextInt(80);
            int eb = random.nextInt(3) == 0 ? ea : 0x3FFF - 40 + random.nextInt(80);
            ea |= op != Op.FSQRT && random.nextBoolean() ? 0x8000 : 0;
            load(sb, eb);
            load(sa, ea);
            cpu.fpStatus = 0;
            if (op == Op.FSQRT) {
                run(op);
            } else {
                registers(op, 0, 1);
            }
            BigDecimal a = value(sa, ea);
            BigDecimal b = value(sb, eb);
            boolean inexact = (cpu.fpStatus & SoftFloat.PE) != 0;
            boolean up = (cpu.fpStatus & X87.C1) != 0;
            String name = "%s mode %d pc %d %x.%x %x.%x".formatted(op, mode, pc, ea, sa, eb, sb);
            long r = significand(0);
            int er = signExponent(0);
            if (r == 0) {
                assertThat(order(op, a, b, BigDecimal.ZERO)).as(name).isZero();
                assertThat(er).isEqualTo(mode == 1 ? 0x8000 : 0);
            } else {
                int precision = precisions[pc];
                assertThat(precision == 64 ? 0 : r << precision).as(name).isZero();
                check(op, mode, a, b, r, er, precision, inexact, up, name);
            }
            run(Op.FNINIT);
        }
    }

    private static void check(
            Op op,
            int mode,
            BigDecimal a,
            BigDecimal b,
            long r,
            int er,
            int precision,
            boolean inexact,
            boolean up,
            String name) {
        BigInteger significand = unsigned(r);
        BigInteger unit = BigInteger.ONE.shiftLeft(64 - precision);
        boolean negative = (er & 0x8000) != 0;
        // Sign of (|exact| - |r|).
        int order = order(op, a, b, value(significand, er)) * (negative ? -1 : 1);
        assertThat(inexact).as(name).isEqualTo(order != 0);
        assertThat(up).as(name).isEqualTo(order < 0);
        if (order == 0) {
            return;
        }
        boolean away = mode == (negative ? 1 : 2);
        if (mode == 0) {
            BigInteger twice = significand.shiftLeft(1);
            BigInteger half = order > 0 ? twice.add(unit) : twice.subtract(unit);
            // Below a power of two the neighbour is at half the distance.
            if (order < 0 && r == 1L << 63) {
                half = twice.shiftLeft(1).subtract(unit);
                BigDecimal middle = value(half, er - 2);
                assertThat(order(op, a, b, middle) * (negative ? -1 : 1))
                        .as(name)
                        .isGreaterThan(-1);
                return;
            }
            BigDecimal middle = value(half, er - 1);
            int side = order(op, a, b, middle) * (negative ? -1 : 1);
            assertThat(order > 0 ? side <= 0 : side >= 0).as(name).isTrue();
            if (side == 0) {
                assertThat(significand.testBit(64 - precision)).as(name).isFalse();
            }
            return;
        }
        assertThat(order < 0).as(name).isEqualTo(away);
        BigInteger next = away ? significand.subtract(unit) : significand.add(unit);
        int side = order(op, a, b, value(next, er)) * (negative ? -1 : 1);
        assertThat(away ? side >= 0 : side < 0).as(name).isTrue();
    }

    @Test
    void fprem_random_isExact() {
        for (int n = 0; n < 2000; n++) {
            boolean nearest = n % 2 == 0;
            long sa = 1L << 63 | random.nextLong();
            long sb = 1L << 63 | random.nextLong() << random.nextInt(64);
            int ea = 0x3FFF + random.nextInt(150) - 2;
            int eb = 0x3FFF + random.nextInt(10);
            load(sb, eb);
            load(sa, ea);
            int steps = 0;
            do {
                run(nearest ? Op.FPREM1 : Op.FPREM);
                assertThat(++steps).isLessThan(10);
            } while ((status() & X87.C2) != 0);
            BigDecimal a = value(sa, ea);
            BigDecimal b = value(sb, eb);
            BigInteger quotient = a.divideToIntegralValue(b).toBigInteger();
            BigDecimal r = a.subtract(b.multiply(new BigDecimal(quotient)));
            if (nearest) {
                int order = r.add(r).compareTo(b);
                if (order > 0 || (order == 0 && quotient.testBit(0))) {
                    r = r.subtract(b);
                    quotient = quotient.add(BigInteger.ONE);
                }
            }
            BigDecimal got =
                    significand(0) == 0 ? BigDecimal.ZERO : value(significand(0), signExponent(0));
            assertThat(got).isEqualByComparingTo(r);
            int bits =
                    (quotient.testBit(0) ? X87.C1 : 0)
                            | (quotient.testBit(1) ? X87.C3 : 0)
                            | (quotient.testBit(2) ? X87.C0 : 0);
            assertThat(status() & (X87.C0 | X87.C1 | X87.C3)).isEqualTo(bits);
            run(Op.FNINIT);
        }
    }

    @Test
    void loadsAndStores_roundTrip() {
        for (double v : new double[] {1.5, -0.0, 1e300, 5e-324, Double.NEGATIVE_INFINITY}) {
            load(v);
            assertThat(Double.doubleToRawLongBits(top())).isEqualTo(Double.doubleToRawLongBits(v));
            run(Op.FNINIT);
        }
        cpu.mmu.write64(0x100, -123456789012345L);
        memory(Op.FILD, 8, 0x100);
        assertThat(top()).isEqualTo(-123456789012345.0);
        memory(Op.FBSTP, 10, 0x120);
        assertThat(cpu.mmu.read64(0x120)).isEqualTo(0x0000_1234_5678_9012_345L);
        assertThat(cpu.mmu.read16(0x128)).isEqualTo(0x8000);
        memory(Op.FBLD, 10, 0x120);
        assertThat(top()).isEqualTo(-123456789012345.0);
    }

    @Test
    void fist_outOfRange_storesTheIndefinite() {
        load(40000);
        memory(Op.FIST, 2, 0x100);
        assertThat(cpu.mmu.read16(0x100)).isEqualTo(0x8000);
        assertThat(status() & 0xFF).isEqualTo(SoftFloat.IE);
        memory(Op.FIST, 4, 0x100);
        assertThat(cpu.mmu.read32(0x100)).isEqualTo(40000);
        load(-2.7);
        memory(Op.FISTTP, 4, 0x100);
        assertThat((int) cpu.mmu.read32(0x100)).isEqualTo(-2);
    }

    @Test
    void stack_faults_setIndefiniteAndC1() {
        registers(Op.FADD, 0, 1);
        assertThat(status() & 0x7F).isEqualTo(SoftFloat.IE | X87.SF);
        assertThat(status() & X87.C1).isZero();
        assertThat(significand(0)).isEqualTo(X87.DEFAULT_NAN);
        run(Op.FNINIT);
        for (int i = 0; i < 8; i++) {
            run(Op.FLD1);
        }
        assertThat(status() & 0x7F).isZero();
        run(Op.FLD1);
        assertThat(status() & 0x7F).isEqualTo(SoftFloat.IE | X87.SF);
        assertThat(status() & X87.C1).isNotZero();
        assertThat(signExponent(0)).isEqualTo(0xFFFF);
    }

    @Test
    void unmaskedException_isReportedByTheNextWaitingInstruction() {
        cpu.fpControl = MASKED & ~SoftFloat.ZE;
        load(0);
        load(1);
        registers(Op.FDIV, 0, 1);
        assertThat(status() & 0x80FF).isEqualTo(0x8000 | 0x80 | SoftFloat.ZE);
        assertThat(top0()).isEqualTo(1L << 63);
        assertThatThrownBy(() -> run(Op.FWAIT)).isInstanceOf(GuestFault.class);
        assertThatThrownBy(() -> run(Op.FLD1)).hasMessageContaining("vector 16");
        run(Op.FNCLEX);
        run(Op.FLD1);
    }

    private long top0() {
        return significand(0);
    }

    @Test
    void unmaskedOverflow_deliversTheScaledResult() {
        cpu.fpControl = MASKED & ~SoftFloat.OE;
        load(1L << 63, 0x7FFE);
        load(1L << 63, 0x7FFE);
        registers(Op.FMUL, 0, 1);
        // 2^16383 squared is 2^32766; the exponent is lowered by 24576.
        assertThat(signExponent(0)).isEqualTo(32766 - 24576 + 16383);
        assertThat(status() & 0x3F).isEqualTo(SoftFloat.OE);
    }

    @Test
    void nans_largerSignificandWins() {
        load(0xC000_0000_0000_0001L, 0x7FFF);
        load(0xC000_0000_0000_0002L, 0xFFFF);
        registers(Op.FADD, 0, 1);
        assertThat(significand(0)).isEqualTo(0xC000_0000_0000_0002L);
        assertThat(status() & 0x3F).isZero();
        load(0xA000_0000_0000_0000L, 0x7FFF);
        registers(Op.FADD, 0, 1);
        assertThat(significand(0)).as("quiet before signalling").isEqualTo(0xC000_0000_0000_0002L);
        assertThat(status() & 0x3F).isEqualTo(SoftFloat.IE);
    }

    @Test
    void fxam_classifies() {
        Object[][] cases = {
            {0L, 0x8000, X87.C3 | X87.C1},
            {1L << 63, 0x7FFF, X87.C2 | X87.C0},
            {3L << 62, 0xFFFF, X87.C0 | X87.C1},
            {1L << 63, 0x3FFF, X87.C2},
            {5L, 0, X87.C3 | X87.C2},
            {1L, 0x3FFF, 0},
        };
        for (Object[] c : cases) {
            run(Op.FNINIT);
            load((long) c[0], (int) c[1]);
            run(Op.FXAM);
            assertThat(status() & (X87.C0 | X87.C1 | X87.C2 | X87.C3)).isEqualTo(c[2]);
        }
        run(Op.FNINIT);
        run(Op.FXAM);
        assertThat(status() & (X87.C0 | X87.C2 | X87.C3)).isEqualTo(X87.C3 | X87.C0);
    }

    @Test
    void environment_protected32_hasPointersAndTags() {
        load(1.0);
        load(0.0);
        Insn in = FpTestCpu.xmm(Op.FXCH, 1, 0);
        in.kind0 = Insn.ST;
        in.kind1 = Insn.NONE;
        in.ip = 0x1234;
        in.imm2 = 0x1C9;
        X87Ops.execute(cpu, in);
        cpu.fpControl = 0x340;
        memory(Op.FNSTENV, 0, 0x200);
        assertThat(cpu.mmu.read32(0x200)).isEqualTo(0xFFFF_0340L);
        assertThat(cpu.mmu.read32(0x204)).isEqualTo(0xFFFF_0000L | 6 << 11);
        // R6 holds 1.0 (valid), R7 0.0 (zero), after the exchange.
        assertThat(cpu.mmu.read32(0x208)).isEqualTo(0xFFFF_4FFFL);
        assertThat(cpu.mmu.read32(0x20C)).isEqualTo(0x1234);
        assertThat(cpu.mmu.read32(0x210) >>> 16).isEqualTo(0x1C9);
        assertThat(cpu.mmu.read32(0x214)).isEqualTo(0x100);
        assertThat(cpu.fpControl).as("all masked").isEqualTo(0x37F);
        run(Op.FNINIT);
        memory(Op.FLDENV, 0, 0x200);
        assertThat(cpu.fpTop).isEqualTo(6);
        assertThat(cpu.fpEmpty).isEqualTo(0x3F);
        assertThat(cpu.fpLastIp).isEqualTo(0x1234);
    }

    @Test
    void fsave_frstor_roundTripInBothSizes() {
        for (int size : new int[] {2, 4}) {
            run(Op.FNINIT);
            load(2.5);
            load(-3.0);
            Insn save = FpTestCpu.memory(Op.FNSAVE, 0x300);
            save.opSize = (byte) size;
            X87Ops.execute(cpu, save);
            assertThat(cpu.fpEmpty).isEqualTo(0xFF);
            Insn restore = FpTestCpu.memory(Op.FRSTOR, 0x300);
            restore.opSize = (byte) size;
            X87Ops.execute(cpu, restore);
            assertThat(top()).isEqualTo(-3.0);
            assertThat(cpu.fpEmpty).isEqualTo(0x3F);
        }
    }

    @Test
    void constants_followTheRoundingControl() {
        for (int mode = 0; mode < 4; mode++) {
            cpu.fpControl = MASKED | mode << 10;
            run(Op.FLDPI);
            boolean up = mode == 0 || mode == 2;
            assertThat(significand(0)).isEqualTo(0xC90F_DAA2_2168_C234L + (up ? 1 : 0));
            assertThat(signExponent(0)).isEqualTo(0x4000);
        }
        assertThat(status() & 0x3F).isZero();
    }
}
