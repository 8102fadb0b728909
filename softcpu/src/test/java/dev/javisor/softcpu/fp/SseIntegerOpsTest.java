package dev.javisor.softcpu.fp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.util.Random;
import java.util.function.LongBinaryOperator;
import org.junit.jupiter.api.Test;

/** Packed instructions against element-wise definitions, on XMM and MMX registers. */
class SseIntegerOpsTest {
    private final FpTestCpu machine = new FpTestCpu();
    private final Cpu cpu = machine.cpu;
    private final Random random = new Random(11);

    /** Random words whose elements are often equal or extreme. */
    private long word() {
        long mask = random.nextLong();
        mask &= random.nextLong();
        return switch (random.nextInt(6)) {
            case 0 -> mask;
            case 1 -> ~mask;
            case 2 -> 0x7FFF_8000_807F_0100L ^ (mask & 0x0001_0001_0001_0001L);
            case 3 -> 0x8000_0000_7FFF_FFFFL;
            default -> random.nextLong();
        };
    }

    private static long element(long a, int bits, int i) {
        int place = 64 - bits;
        return a << (place - bits * i) >> place;
    }

    private static long unsigned(long x, int bits) {
        return x & (-1L >>> (64 - bits));
    }

    private static long clamp(long x, long low, long high) {
        return Math.max(low, Math.min(high, x));
    }

    /** Elements are given sign-extended. */
    private void check(Op op, int bits, boolean mmxToo, LongBinaryOperator f) {
        for (int n = 0; n < 300; n++) {
            long a0 = word();
            long a1 = word();
            long b0 = n % 7 == 0 ? a0 : word();
            long b1 = word();
            machine.set(1, a0, a1);
            machine.set(2, b0, b1);
            Insn in = FpTestCpu.xmm(op, 1, 2);
            if (n % 3 == 0) {
                cpu.mmu.write64(0x100, b0);
                cpu.mmu.write64(0x108, b1);
                FpTestCpu.fromMemory(in, 0x100);
            }
            SseOps.execute(cpu, in);
            String name = "%s %x %x".formatted(op, a0, b0);
            assertThat(machine.low(1)).as(name).isEqualTo(apply(bits, a0, b0, f));
            assertThat(machine.high(1)).as(name).isEqualTo(apply(bits, a1, b1, f));
            if (mmxToo) {
                cpu.fpSignificand[3] = a0;
                cpu.fpSignificand[4] = b0;
                SseOps.execute(cpu, FpTestCpu.mmx(op, 3, 4));
                assertThat(cpu.fpSignificand[3]).as(name).isEqualTo(apply(bits, a0, b0, f));
            }
        }
    }

    private static long apply(int bits, long a, long b, LongBinaryOperator f) {
        long result = 0;
        for (int i = 0; i < 64 / bits; i++) {
            long r = f.applyAsLong(element(a, bits, i), element(b, bits, i));
            result |= unsigned(r, bits) << (bits * i);
        }
        return result;
    }

    @Test
    void additions_random_matchElementwise() {
        Op[] add = {Op.PADDB, Op.PADDW, Op.PADDD, Op.PADDQ};
        Op[] sub = {Op.PSUBB, Op.PSUBW, Op.PSUBD, Op.PSUBQ};
        for (int i = 0; i < 4; i++) {
            check(add[i], 8 << i, true, Long::sum);
            check(sub[i], 8 << i, true, (a, b) -> a - b);
        }
        check(Op.PADDSB, 8, true, (a, b) -> clamp(a + b, -128, 127));
        check(Op.PADDSW, 16, true, (a, b) -> clamp(a + b, -32768, 32767));
        check(Op.PSUBSB, 8, true, (a, b) -> clamp(a - b, -128, 127));
        check(Op.PSUBSW, 16, true, (a, b) -> clamp(a - b, -32768, 32767));
        check(Op.PADDUSB, 8, true, (a, b) -> clamp((a & 255) + (b & 255), 0, 255));
        check(Op.PSUBUSB, 8, true, (a, b) -> clamp((a & 255) - (b & 255), 0, 255));
        check(Op.PADDUSW, 16, true, (a, b) -> clamp((a & 65535) + (b & 65535), 0, 65535));
        check(Op.PSUBUSW, 16, true, (a, b) -> clamp((a & 65535) - (b & 65535), 0, 65535));
    }

    @Test
    void comparisonsAndExtremes_random_matchElementwise() {
        Op[] equal = {Op.PCMPEQB, Op.PCMPEQW, Op.PCMPEQD, Op.PCMPEQQ};
        Op[] greater = {Op.PCMPGTB, Op.PCMPGTW, Op.PCMPGTD, Op.PCMPGTQ};
        Op[][] extremes = {
            {Op.PMINSB, Op.PMAXSB, Op.PMINUB, Op.PMAXUB},
            {Op.PMINSW, Op.PMAXSW, Op.PMINUW, Op.PMAXUW},
            {Op.PMINSD, Op.PMAXSD, Op.PMINUD, Op.PMAXUD}
        };
        for (int i = 0; i < 4; i++) {
            int bits = 8 << i;
            check(equal[i], bits, i < 3, (a, b) -> a == b ? -1 : 0);
            check(greater[i], bits, i < 3, (a, b) -> a > b ? -1 : 0);
            if (i < 3) {
                check(extremes[i][0], bits, false, Math::min);
                check(extremes[i][1], bits, false, Math::max);
                check(
                        extremes[i][2],
                        bits,
                        false,
                        (a, b) -> Math.min(unsigned(a, bits), unsigned(b, bits)));
                check(
                        extremes[i][3],
                        bits,
                        false,
                        (a, b) -> Math.max(unsigned(a, bits), unsigned(b, bits)));
            }
        }
    }

    @Test
    void multiplicationsAndTheRest_random_matchElementwise() {
        check(Op.PMULLW, 16, true, (a, b) -> a * b);
        check(Op.PMULHW, 16, true, (a, b) -> a * b >> 16);
        check(Op.PMULHUW, 16, true, (a, b) -> (a & 65535) * (b & 65535) >> 16);
        check(Op.PMULHRSW, 16, true, (a, b) -> (a * b + 0x4000) >> 15);
        check(Op.PMULLD, 32, false, (a, b) -> a * b);
        check(Op.PMULUDQ, 64, true, (a, b) -> unsigned(a, 32) * unsigned(b, 32));
        check(Op.PMULDQ, 64, false, (a, b) -> (long) (int) a * (int) b);
        check(Op.PAVGB, 8, true, (a, b) -> ((a & 255) + (b & 255) + 1) >> 1);
        check(Op.PAVGW, 16, true, (a, b) -> ((a & 65535) + (b & 65535) + 1) >> 1);
        check(Op.PABSB, 8, true, (a, b) -> Math.abs(b));
        check(Op.PABSW, 16, true, (a, b) -> Math.abs(b));
        check(Op.PABSD, 32, true, (a, b) -> Math.abs(b));
        check(Op.PSIGNB, 8, true, (a, b) -> a * Long.signum(b));
        check(Op.PSIGNW, 16, true, (a, b) -> a * Long.signum(b));
        check(Op.PSIGND, 32, true, (a, b) -> a * Long.signum(b));
        check(Op.PANDN, 64, true, (a, b) -> ~a & b);
        check(
                Op.PMADDWD,
                32,
                true,
                (a, b) -> (short) a * (long) (short) b + (short) (a >> 16) * (b >> 16));
        check(
                Op.PMADDUBSW,
                16,
                true,
                (a, b) -> clamp((a & 255) * (byte) b + (a >> 8 & 255) * (b >> 8), -32768, 32767));
        check(
                Op.PSADBW,
                64,
                true,
                (a, b) -> {
                    long sum = 0;
                    for (int i = 0; i < 64; i += 8) {
                        sum += Math.abs((a >>> i & 255) - (b >>> i & 255));
                    }
                    return sum;
                });
    }

    @Test
    void shifts_everyCount_matchElementwise() {
        Op[][] ops = {
            {Op.PSLLW, Op.PSRLW, Op.PSRAW}, {Op.PSLLD, Op.PSRLD, Op.PSRAD}, {Op.PSLLQ, Op.PSRLQ}
        };
        for (int size = 0; size < 3; size++) {
            int bits = 16 << size;
            for (int count = 0; count < 300; count++) {
                long c = count == 299 ? 1L << 63 : count;
                int n = (int) Math.min(Long.compareUnsigned(c, 64) > 0 ? 64 : c, 64);
                for (int kind = 0; kind < ops[size].length; kind++) {
                    long a = word();
                    machine.set(1, a, ~a);
                    machine.set(2, c, random.nextLong());
                    SseOps.execute(cpu, FpTestCpu.xmm(ops[size][kind], 1, 2));
                    int k = kind;
                    LongBinaryOperator f =
                            (x, y) -> {
                                if (k == 2) {
                                    return x >> Math.min(n, 63);
                                }
                                if (n >= bits) {
                                    return 0;
                                }
                                return k == 0 ? x << n : unsigned(x, bits) >>> n;
                            };
                    assertThat(machine.low(1)).isEqualTo(apply(bits, a, 0, f));
                    assertThat(machine.high(1)).isEqualTo(apply(bits, ~a, 0, f));
                }
            }
        }
    }

    private byte[] bytes(long low, long high) {
        byte[] b = new byte[16];
        for (int i = 0; i < 16; i++) {
            b[i] = (byte) ((i < 8 ? low : high) >>> (8 * (i & 7)));
        }
        return b;
    }

    private byte[] result() {
        return bytes(machine.low(1), machine.high(1));
    }

    @Test
    void byteMoves_everyImmediate_matchElementwise() {
        for (int imm = 0; imm < 256; imm++) {
            long[] w = {random.nextLong(), random.nextLong(), random.nextLong(), random.nextLong()};
            byte[] a = bytes(w[0], w[1]);
            byte[] b = bytes(w[2], w[3]);
            byte[] expected = new byte[16];
            // PALIGNR: a above b, shifted right.
            for (int i = 0; i < 16; i++) {
                int from = i + imm;
                expected[i] = from < 16 ? b[from] : from < 32 ? a[from - 16] : 0;
            }
            run(Op.PALIGNR, w, imm);
            assertThat(result()).isEqualTo(expected);
            for (int i = 0; i < 16; i++) {
                expected[i] = i - imm >= 0 ? a[i - imm] : 0;
            }
            run(Op.PSLLDQ, w, imm);
            assertThat(result()).isEqualTo(expected);
            for (int i = 0; i < 16; i++) {
                expected[i] = i + imm < 16 ? a[i + imm] : 0;
            }
            run(Op.PSRLDQ, w, imm);
            assertThat(result()).isEqualTo(expected);
            for (int i = 0; i < 16; i++) {
                expected[i] = b[4 * (imm >> (i / 4 * 2) & 3) + i % 4];
            }
            run(Op.PSHUFD, w, imm);
            assertThat(result()).isEqualTo(expected);
            for (int i = 0; i < 16; i++) {
                expected[i] = i < 8 ? b[2 * (imm >> (i / 2 * 2) & 3) + i % 2] : b[i];
            }
            run(Op.PSHUFLW, w, imm);
            assertThat(result()).isEqualTo(expected);
            for (int i = 0; i < 16; i++) {
                expected[i] = i < 8 ? b[i] : b[8 + 2 * (imm >> ((i - 8) / 2 * 2) & 3) + i % 2];
            }
            run(Op.PSHUFHW, w, imm);
            assertThat(result()).isEqualTo(expected);
            for (int i = 0; i < 16; i++) {
                byte[] from = i < 8 ? a : b;
                expected[i] = from[4 * (imm >> (i / 4 * 2) & 3) + i % 4];
            }
            run(Op.SHUFPS, w, imm);
            assertThat(result()).isEqualTo(expected);
            for (int i = 0; i < 16; i++) {
                expected[i] = (imm >> (i / 2) & 1) != 0 ? b[i] : a[i];
            }
            run(Op.PBLENDW, w, imm);
            assertThat(result()).isEqualTo(expected);
            for (int i = 0; i < 16; i++) {
                expected[i] = (imm >> (i / 4) & 1) != 0 ? b[i] : a[i];
            }
            run(Op.BLENDPS, w, imm);
            assertThat(result()).isEqualTo(expected);
            for (int i = 0; i < 8; i++) {
                int sum = 0;
                for (int j = 0; j < 4; j++) {
                    sum += Math.abs((a[i + (imm & 4) + j] & 255) - (b[4 * (imm & 3) + j] & 255));
                }
                expected[2 * i] = (byte) sum;
                expected[2 * i + 1] = (byte) (sum >> 8);
            }
            run(Op.MPSADBW, w, imm);
            assertThat(result()).isEqualTo(expected);
            System.arraycopy(a, 0, expected, 0, 16);
            for (int i = 0; i < 4; i++) {
                expected[4 * (imm >> 4 & 3) + i] = b[4 * (imm >> 6) + i];
            }
            for (int i = 0; i < 16; i++) {
                expected[i] = (imm >> (i / 4) & 1) != 0 ? 0 : expected[i];
            }
            run(Op.INSERTPS, w, imm);
            assertThat(result()).isEqualTo(expected);
        }
    }

    private void run(Op op, long[] w, int imm) {
        machine.set(1, w[0], w[1]);
        machine.set(2, w[2], w[3]);
        SseOps.execute(cpu, FpTestCpu.xmm(op, 1, 2, imm));
    }

    @Test
    void unpacksAndShuffles_random_matchElementwise() {
        Op[][] unpack = {
            {Op.PUNPCKLBW, Op.PUNPCKHBW},
            {Op.PUNPCKLWD, Op.PUNPCKHWD},
            {Op.PUNPCKLDQ, Op.PUNPCKHDQ},
            {Op.PUNPCKLQDQ, Op.PUNPCKHQDQ}
        };
        for (int n = 0; n < 200; n++) {
            long[] w = {word(), word(), word(), word()};
            byte[] a = bytes(w[0], w[1]);
            byte[] b = bytes(w[2], w[3]);
            byte[] expected = new byte[16];
            for (int size = 0; size < 4; size++) {
                for (int high = 0; high < 2; high++) {
                    for (int i = 0; i < 16; i++) {
                        int e = i >> size;
                        int from = ((e >> 1) << size) + (i & ((1 << size) - 1)) + 8 * high;
                        expected[i] = (e & 1) == 0 ? a[from] : b[from];
                    }
                    run(unpack[size][high], w, 0);
                    assertThat(result()).as(unpack[size][high].name()).isEqualTo(expected);
                }
            }
            for (int i = 0; i < 16; i++) {
                expected[i] = b[i] < 0 ? 0 : a[b[i] & 15];
            }
            run(Op.PSHUFB, w, 0);
            assertThat(result()).isEqualTo(expected);
            int mask = 0;
            for (int i = 0; i < 16; i++) {
                mask |= b[i] < 0 ? 1 << i : 0;
            }
            Insn in = FpTestCpu.xmm(Op.PMOVMSKB, 3, 2);
            in.kind0 = Insn.GPR;
            SseOps.execute(cpu, in);
            assertThat(cpu.regs[3]).isEqualTo(mask);
            for (int i = 0; i < 8; i++) {
                short x = (short) (w[i >> 2] >>> (16 * (i & 3)));
                short y = (short) (w[2 + (i >> 2)] >>> (16 * (i & 3)));
                expected[i] = (byte) Math.clamp(x, -128, 127);
                expected[8 + i] = (byte) Math.clamp(y, -128, 127);
            }
            run(Op.PACKSSWB, w, 0);
            assertThat(result()).isEqualTo(expected);
        }
    }

    @Test
    void widenings_random_extendLowElements() {
        Op[] signed = {
            Op.PMOVSXBW, Op.PMOVSXBD, Op.PMOVSXBQ, Op.PMOVSXWD, Op.PMOVSXWQ, Op.PMOVSXDQ
        };
        Op[] zero = {Op.PMOVZXBW, Op.PMOVZXBD, Op.PMOVZXBQ, Op.PMOVZXWD, Op.PMOVZXWQ, Op.PMOVZXDQ};
        int[] from = {8, 8, 8, 16, 16, 32};
        int[] to = {16, 32, 64, 32, 64, 64};
        for (int k = 0; k < 6; k++) {
            long[] w = {0, 0, word(), word()};
            for (int s = 0; s < 2; s++) {
                run(s == 0 ? signed[k] : zero[k], w, 0);
                for (int i = 0; i < 128 / to[k]; i++) {
                    long x = element(w[2], from[k], i);
                    long expected = unsigned(s == 0 ? x : unsigned(x, from[k]), to[k]);
                    int bit = i * to[k];
                    long got = (bit < 64 ? machine.low(1) : machine.high(1)) >>> (bit & 63);
                    assertThat(unsigned(got, to[k])).isEqualTo(expected);
                }
            }
        }
    }

    @Test
    void legacyMemoryOperands_misaligned_raiseGeneralProtection() {
        for (Op op : new Op[] {Op.PADDB, Op.PSLLW, Op.MOVAPS, Op.PSHUFD}) {
            Insn in = FpTestCpu.fromMemory(FpTestCpu.xmm(op, 1, 0), 0x108);
            assertThat(fault(in)).as(op.name()).isEqualTo(GuestFault.GP);
        }
        for (Op op : new Op[] {Op.MOVUPS, Op.MOVDQU, Op.LDDQU, Op.PCMPISTRI}) {
            Insn in = FpTestCpu.fromMemory(FpTestCpu.xmm(op, 1, 0), 0x107);
            assertThat(fault(in)).as(op.name()).isEqualTo(-1);
        }
    }

    private int fault(Insn in) {
        try {
            SseOps.execute(cpu, in);
        } catch (GuestFault fault) {
            return fault.vector();
        }
        return -1;
    }

    @Test
    void controlBits_decideAvailability() {
        Insn in = FpTestCpu.xmm(Op.PXOR, 1, 2);
        cpu.cr4 &= ~Cpu.CR4_OSFXSR;
        assertThat(fault(in)).isEqualTo(GuestFault.UD);
        assertThat(fault(FpTestCpu.mmx(Op.PXOR, 1, 2))).isEqualTo(-1);
        cpu.cr4 |= Cpu.CR4_OSFXSR;
        cpu.cr0 |= Cpu.CR0_TS;
        assertThat(fault(in)).isEqualTo(GuestFault.NM);
        cpu.cr0 |= Cpu.CR0_EM;
        assertThat(fault(in)).isEqualTo(GuestFault.UD);
        assertThat(fault(FpTestCpu.mmx(Op.PXOR, 1, 2))).isEqualTo(GuestFault.UD);
    }

    @Test
    void mmx_write_marksAllRegistersValidAndSetsExponents() {
        cpu.fpTop = 5;
        cpu.fpEmpty = 0xFF;
        cpu.fpSignificand[2] = 7;
        SseOps.execute(cpu, FpTestCpu.mmx(Op.MOVQ, 1, 2));
        assertThat(cpu.fpTop).isZero();
        assertThat(cpu.fpEmpty).isZero();
        assertThat(cpu.fpSignificand[1]).isEqualTo(7);
        assertThat(cpu.fpSignExponent[1]).isEqualTo(0xFFFF);
    }

    @Test
    void mmx_faultingLoad_leavesTheX87Alone() {
        cpu.fpTop = 5;
        cpu.segLimit[3] = 0xFFF;
        cpu.updateMode();
        Insn in = FpTestCpu.fromMemory(FpTestCpu.mmx(Op.PADDB, 1, 2), 0x1000);
        assertThat(fault(in)).isEqualTo(GuestFault.GP);
        assertThat(cpu.fpTop).isEqualTo(5);
    }

    @Test
    void ptest_flags() {
        machine.set(1, 0xF0, 0);
        machine.set(2, 0x0F, 0);
        SseOps.execute(cpu, FpTestCpu.xmm(Op.PTEST, 1, 2));
        assertThat(cpu.flags.status()).isEqualTo(Flags.ZF);
        machine.set(2, 0x30, 0);
        SseOps.execute(cpu, FpTestCpu.xmm(Op.PTEST, 1, 2));
        assertThat(cpu.flags.status()).isEqualTo(Flags.CF);
    }

    @Test
    void movss_loadClearsTheRest_registerMoveKeepsIt() {
        cpu.mmu.write32(0x201, 0x11223344);
        machine.set(1, -1, -1);
        SseOps.execute(cpu, FpTestCpu.fromMemory(FpTestCpu.xmm(Op.MOVSS, 1, 0), 0x201));
        assertThat(machine.low(1)).isEqualTo(0x11223344);
        assertThat(machine.high(1)).isZero();
        machine.set(2, -1, -1);
        SseOps.execute(cpu, FpTestCpu.xmm(Op.MOVSS, 2, 1));
        assertThat(machine.low(2)).isEqualTo(0xFFFF_FFFF_1122_3344L);
        assertThat(machine.high(2)).isEqualTo(-1);
    }

    @Test
    void maskmovdqu_storesChosenBytesOnly() {
        machine.set(1, 0x8877_6655_4433_2211L, 0x00FF_EEDD_CCBB_AA99L);
        machine.set(2, 0x0080_0000_0000_8000L, 0x8000_0000_0000_0000L);
        cpu.regs[7] = 0x300;
        SseOps.execute(cpu, FpTestCpu.xmm(Op.MASKMOVDQU, 1, 2));
        assertThat(cpu.mmu.read64(0x300)).isEqualTo(0x0077_0000_0000_2200L);
        assertThat(cpu.mmu.read64(0x308)).isZero();
    }

    @Test
    void pcmpistri_strlenIdiom_findsTheTerminator() {
        // "hello\0": equal each with ranges 1..255, as strlen and strchr do.
        machine.set(1, 0xFF01, 0);
        machine.set(2, 0x0000_006F_6C6C_6568L, 0);
        SseOps.execute(cpu, FpTestCpu.xmm(Op.PCMPISTRI, 1, 2, 0x14));
        assertThat(cpu.regs[1]).isEqualTo(5);
        assertThat(cpu.flags.status()).isEqualTo(Flags.CF | Flags.ZF | Flags.SF);
    }
}
