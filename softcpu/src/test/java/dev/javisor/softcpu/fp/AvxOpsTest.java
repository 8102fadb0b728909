package dev.javisor.softcpu.fp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** VEX encodings: element-wise definitions, upper halves, and FMA against exact arithmetic. */
class AvxOpsTest {
    private final FpTestCpu machine = new FpTestCpu();
    private final Cpu cpu = machine.cpu;
    private final Random random = new Random(51);

    /** {@code op ymm1, ymm2, ymm3} or of 128 bits. */
    private static Insn vex(Op op, int bytes, int imm) {
        Insn in = FpTestCpu.xmm(op, 1, 2, imm);
        in.kind2 = Insn.XMM;
        in.reg2 = 3;
        in.vexBytes = (byte) bytes;
        in.vectorBytes = (byte) bytes;
        return in;
    }

    /** {@code op ymm1, ymm3, imm}. */
    private static Insn unary(Op op, int bytes, int imm) {
        Insn in = vex(op, bytes, imm);
        in.reg1 = 3;
        in.kind2 = Insn.IMM;
        return in;
    }

    private void run(Insn in) {
        if (in.op.family() == Op.Family.AVX) {
            AvxOps.execute(cpu, in);
        } else {
            SseOps.execute(cpu, in);
        }
    }

    private void randomize() {
        for (int i = 0; i < cpu.vec.length; i++) {
            cpu.vec[i] = random.nextLong();
        }
    }

    private long dword(int reg, int i) {
        return cpu.vec[4 * reg + i / 2] >>> (32 * (i & 1)) & 0xFFFFFFFFL;
    }

    @Test
    void vex128_clearsTheUpperHalf_legacyKeepsIt() {
        randomize();
        long upper = cpu.vec[6];
        run(FpTestCpu.xmm(Op.PXOR, 1, 2));
        assertThat(cpu.vec[6]).isEqualTo(upper);
        run(vex(Op.PXOR, 16, 0));
        assertThat(cpu.vec[4]).isEqualTo(cpu.vec[8] ^ cpu.vec[12]);
        assertThat(cpu.vec[6]).isZero();
        assertThat(cpu.vec[7]).isZero();
    }

    @Test
    void vex256_worksOnBothHalvesSeparately() {
        randomize();
        long[] before = cpu.vec.clone();
        run(vex(Op.PSHUFB, 32, 0));
        for (int i = 0; i < 4; i++) {
            int half = i & 2;
            assertThat(cpu.vec[4 + i])
                    .isEqualTo(
                            Packed.shuffle8(
                                    before[12 + i], before[8 + half], before[9 + half], 15));
        }
        run(vex(Op.PADDD, 32, 0));
        for (int i = 0; i < 8; i++) {
            assertThat(dword(1, i)).isEqualTo(dword(2, i) + dword(3, i) & 0xFFFFFFFFL);
        }
    }

    @Test
    void vexMemoryOperands_needNoAlignment() {
        cpu.mmu.write64(0x103, 5);
        Insn in = vex(Op.PADDQ, 16, 0);
        in.kind2 = Insn.MEM;
        in.disp = 0x103;
        machine.set(2, 7, 0);
        run(in);
        assertThat(machine.low(1)).isEqualTo(12);
    }

    @Test
    void availability_followsXcr0() {
        cpu.xcr0 = 3;
        assertThatThrownBy(() -> run(vex(Op.PXOR, 16, 0)))
                .isInstanceOf(GuestFault.class)
                .hasMessageContaining("vector 6");
        cpu.xcr0 = 7;
        cpu.cr0 |= Cpu.CR0_TS;
        assertThatThrownBy(() -> run(vex(Op.VPERMD, 32, 0))).hasMessageContaining("vector 7");
    }

    @Test
    void permutes_matchElementwise() {
        for (int imm = 0; imm < 256; imm++) {
            randomize();
            run(unary(Op.VPERMQ, 32, imm));
            for (int i = 0; i < 4; i++) {
                assertThat(cpu.vec[4 + i]).isEqualTo(cpu.vec[12 + (imm >> (2 * i) & 3)]);
            }
            run(unary(Op.VPERMILPS, 32, imm));
            for (int i = 0; i < 8; i++) {
                int from = (i & 4) + (imm >> (2 * (i & 3)) & 3);
                assertThat(dword(1, i)).isEqualTo(dword(3, from));
            }
            run(unary(Op.VPERMILPD, 32, imm));
            for (int i = 0; i < 4; i++) {
                assertThat(cpu.vec[4 + i]).isEqualTo(cpu.vec[12 + (i & 2) + (imm >> i & 1)]);
            }
            run(vex(Op.VPBLENDD, 32, imm));
            for (int i = 0; i < 8; i++) {
                assertThat(dword(1, i)).isEqualTo(dword((imm >> i & 1) != 0 ? 3 : 2, i));
            }
            run(vex(Op.VPERM2I128, 32, imm));
            for (int i = 0; i < 4; i++) {
                int choice = imm >> (4 * (i >> 1));
                long from = cpu.vec[((choice & 2) != 0 ? 12 : 8) + 2 * (choice & 1) + (i & 1)];
                assertThat(cpu.vec[4 + i]).isEqualTo((choice & 8) != 0 ? 0 : from);
            }
        }
        randomize();
        run(vex(Op.VPERMD, 32, 0));
        for (int i = 0; i < 8; i++) {
            assertThat(dword(1, i)).isEqualTo(dword(3, (int) dword(2, i) & 7));
        }
    }

    @Test
    void variableShifts_matchElementwise() {
        for (int n = 0; n < 100; n++) {
            randomize();
            for (int i = 12; i < 16; i++) {
                cpu.vec[i] &= 0x0000_003F_0000_003FL;
            }
            run(vex(Op.VPSRAVD, 32, 0));
            for (int i = 0; i < 8; i++) {
                int expected = (int) dword(2, i) >> Math.min((int) dword(3, i), 31);
                assertThat((int) dword(1, i)).isEqualTo(expected);
            }
            run(vex(Op.VPSLLVD, 16, 0));
            for (int i = 0; i < 4; i++) {
                long count = dword(3, i);
                long expected = count > 31 ? 0 : dword(2, i) << count & 0xFFFFFFFFL;
                assertThat(dword(1, i)).isEqualTo(expected);
            }
        }
    }

    @Test
    void maskedMove_touchesSelectedElementsOnly() {
        randomize();
        cpu.segLimit[3] = 0x1007;
        cpu.updateMode();
        // Elements 0 and 1 lie within the segment, 2 and 3 do not.
        cpu.mmu.write64(0x1000, 0x1111_1111_2222_2222L);
        Insn load = vex(Op.VPMASKMOVD, 16, 0);
        load.kind2 = Insn.MEM;
        load.disp = 0x1000;
        machine.set(2, 0x8000_0000_0000_0000L, 0);
        run(load);
        assertThat(machine.low(1)).isEqualTo(0x1111_1111_0000_0000L);
        assertThat(machine.high(1)).isZero();
        machine.set(2, 1L << 63, 1L << 63);
        assertThatThrownBy(() -> run(load)).isInstanceOf(GuestFault.class);
        Insn store = vex(Op.VPMASKMOVD, 16, 0);
        store.kind0 = Insn.MEM;
        store.disp = 0x1000;
        machine.set(3, -1, -1);
        assertThatThrownBy(() -> run(store)).isInstanceOf(GuestFault.class);
        assertThat(cpu.mmu.read64(0x1000)).as("nothing stored").isEqualTo(0x1111_1111_2222_2222L);
    }

    @Test
    void gather_faultInTheMiddle_keepsWhatIsDone() {
        randomize();
        cpu.segLimit[3] = 0x1FFF;
        cpu.updateMode();
        cpu.mmu.write32(0x1010, 77);
        Insn in = vex(Op.VPGATHERDD, 16, 0);
        in.kind1 = Insn.MEM;
        in.index = 2;
        in.scale = 2;
        in.disp = 0x1000;
        machine.set(2, 4 | 0x10000L << 32, 4 | 4L << 32);
        machine.set(3, -1, -1);
        assertThatThrownBy(() -> run(in)).isInstanceOf(GuestFault.class);
        assertThat(dword(1, 0)).isEqualTo(77);
        assertThat(machine.low(3)).isEqualTo(0xFFFF_FFFFL << 32);
        assertThat(machine.high(3)).isEqualTo(-1);
        machine.set(2, 4 | 4L << 32, 4 | 4L << 32);
        run(in);
        for (int i = 0; i < 4; i++) {
            assertThat(dword(1, i)).isEqualTo(77);
        }
        assertThat(machine.low(3) | machine.high(3)).isZero();
    }

    @Test
    void fma_roundsOnce() {
        for (int n = 0; n < 4000; n++) {
            double a = number();
            double b = number();
            double c = n % 3 == 0 ? -a * b : number();
            int mode = random.nextInt(4);
            cpu.mxcsr = 0x1F80 | mode << 13 | (n & 1) * 32;
            machine.set(1, bits(a), 0);
            machine.set(2, bits(b), 0);
            machine.set(3, bits(c), 0);
            run(vex(Op.VFMADD213SD, 16, 0));
            double r = Double.longBitsToDouble(machine.low(1));
            BigDecimal exact = new BigDecimal(a).multiply(new BigDecimal(b)).add(new BigDecimal(c));
            int order = exact.compareTo(new BigDecimal(r));
            switch (mode) {
                case 0 -> assertThat(r).isEqualTo(Math.fma(a, b, c));
                case 1 -> {
                    assertThat(order).isNotNegative();
                    assertThat(exact).isLessThan(new BigDecimal(Math.nextUp(r)));
                }
                case 2 -> {
                    assertThat(order).isNotPositive();
                    assertThat(exact).isGreaterThan(new BigDecimal(Math.nextDown(r)));
                }
                default -> {
                    BigDecimal magnitude = new BigDecimal(r).abs();
                    assertThat(magnitude).isLessThanOrEqualTo(exact.abs());
                    double next = Math.nextUp(Math.abs(r));
                    assertThat(new BigDecimal(next)).isGreaterThan(exact.abs());
                }
            }
            assertThat(cpu.mxcsr & 32).isEqualTo(order != 0 || (n & 1) != 0 ? 32 : 0);
        }
    }

    private static long bits(double value) {
        return Double.doubleToRawLongBits(value);
    }

    private double number() {
        return Math.scalb(random.nextDouble() - 0.5, random.nextInt(120) - 60);
    }

    @Test
    void fma_formsAndSigns_matchTheirNames() {
        double x = 3;
        double y = 5;
        double z = 7;
        Object[][] cases = {
            {Op.VFMADD132SD, x * z + y},
            {Op.VFMADD231SD, y * z + x},
            {Op.VFMSUB213SD, y * x - z},
            {Op.VFNMADD213SD, -(y * x) + z},
            {Op.VFNMSUB231SD, -(y * z) - x},
        };
        for (Object[] c : cases) {
            machine.set(1, bits(x), 0);
            machine.set(2, bits(y), 0);
            machine.set(3, bits(z), 0);
            run(vex((Op) c[0], 16, 0));
            assertThat(machine.low(1)).as(c[0].toString()).isEqualTo(bits((double) c[1]));
        }
        machine.set(1, bits(x), bits(x));
        machine.set(2, bits(y), bits(y));
        machine.set(3, bits(z), bits(z));
        run(vex(Op.VFMADDSUB213PD, 16, 0));
        assertThat(machine.low(1)).isEqualTo(bits(x * y - z));
        assertThat(machine.high(1)).isEqualTo(bits(x * y + z));
    }

    @Test
    void halfPrecision_matchesJavasConversions() {
        for (int h = 0; h < 0x10000; h += 7) {
            cpu.mxcsr = 0x1F80;
            machine.set(3, h, 0);
            run(unary(Op.VCVTPH2PS, 16, 0));
            float expected = Float.float16ToFloat((short) h);
            if (!Float.isNaN(expected)) {
                assertThat((int) machine.low(1)).isEqualTo(Float.floatToRawIntBits(expected));
            }
            float v = Float.intBitsToFloat(random.nextInt());
            machine.set(3, Float.floatToRawIntBits(v) & 0xFFFFFFFFL, 0);
            run(unary(Op.VCVTPS2PH, 16, 0));
            if (!Float.isNaN(v)) {
                assertThat((short) machine.low(1)).isEqualTo(Float.floatToFloat16(v));
            }
        }
    }

    @Test
    void vzeroupper_keepsTheLowHalves() {
        randomize();
        long low = cpu.vec[0];
        long beyond = cpu.vec[34];
        run(vex(Op.VZEROUPPER, 16, 0));
        assertThat(cpu.vec[0]).isEqualTo(low);
        assertThat(cpu.vec[2]).isZero();
        assertThat(cpu.vec[34]).as("XMM8 is not there in 32-bit code").isEqualTo(beyond);
    }
}
