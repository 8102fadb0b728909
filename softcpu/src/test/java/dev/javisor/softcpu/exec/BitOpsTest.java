package dev.javisor.softcpu.exec;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

class BitOpsTest {
    private final ExecTestCpu test = new ExecTestCpu(64);
    private final long seed = System.nanoTime();
    private final SplittableRandom random = new SplittableRandom(seed);

    @Test
    void bitTest_memoryWithRegisterIndex_reachesBeyondOperand() {
        Op[] ops = {Op.BT, Op.BTS, Op.BTR, Op.BTC};
        for (int i = 0; i < 20_000; i++) {
            int size = 2 << random.nextInt(3);
            Op op = ops[random.nextInt(4)];
            int index = random.nextInt(-20_000, 20_000);
            long byteAddress = 0x4000 + (index >> 3);
            int old = random.nextInt(256);
            test.cpu.mmu.write8(byteAddress, old);
            test.cpu.regs[3] = index;
            Insn in = test.toMemory(op, size, 0x4000, 3);
            in.lock = op != Op.BT && random.nextBoolean();
            IntegerOps.execute(test.cpu, in);
            int mask = 1 << (index & 7);
            int expected =
                    switch (op) {
                        case BT -> old;
                        case BTS -> old | mask;
                        case BTR -> old & ~mask;
                        default -> old ^ mask;
                    };
            assertThat(test.cpu.mmu.read8(byteAddress)).as("seed " + seed).isEqualTo(expected);
            assertThat(test.cpu.flags.cf()).as("seed " + seed).isEqualTo((old & mask) != 0);
        }
    }

    @Test
    void bitScan_zero_keepsDestination() {
        test.cpu.regs[1] = 0x1122334455667788L;
        test.cpu.regs[2] = 0;
        IntegerOps.execute(test.cpu, test.registers(Op.BSF, 4, 1, 2));
        assertThat(test.cpu.regs[1]).isEqualTo(0x1122334455667788L);
        assertThat(test.cpu.flags.zf()).isTrue();
        test.cpu.regs[2] = 0x0050_0000;
        IntegerOps.execute(test.cpu, test.registers(Op.BSR, 4, 1, 2));
        assertThat(test.cpu.regs[1]).isEqualTo(22);
        IntegerOps.execute(test.cpu, test.registers(Op.BSF, 4, 1, 2));
        assertThat(test.cpu.regs[1]).isEqualTo(20);
        assertThat(test.cpu.flags.zf()).isFalse();
    }

    @Test
    void crc32_checkString_matchesLibrary() {
        byte[] text = "123456789abcdef".getBytes(StandardCharsets.US_ASCII);
        CRC32C reference = new CRC32C();
        reference.update(text);
        long crc = 0xFFFFFFFFL;
        test.cpu.regs[1] = crc;
        int at = 0;
        for (int size = 8; size >= 1; size >>= 1) {
            long value = 0;
            for (int i = 0; i < size; i++) {
                value |= (text[at++] & 0xFFL) << (8 * i);
            }
            test.cpu.regs[2] = value;
            Insn in = test.registers(Op.CRC32, size == 8 ? 8 : 4, 1, 2);
            in.memSize = (short) size;
            IntegerOps.execute(test.cpu, in);
        }
        assertThat(~test.cpu.regs[1] & 0xFFFFFFFFL).isEqualTo(reference.getValue());
    }

    @Test
    void cmpxchg_equalAndUnequal_writesAndReports() {
        test.cpu.regs[0] = 0xFFFF_FFFF_0000_0005L;
        test.cpu.regs[3] = 7;
        test.cpu.mmu.write32(0x1000, 5);
        Insn in = test.toMemory(Op.CMPXCHG, 4, 0x1000, 3);
        in.lock = true;
        IntegerOps.execute(test.cpu, in);
        assertThat(test.cpu.mmu.read32(0x1000)).isEqualTo(7);
        assertThat(test.cpu.flags.zf()).isTrue();
        assertThat(test.cpu.regs[0]).isEqualTo(0xFFFF_FFFF_0000_0005L);
        IntegerOps.execute(test.cpu, in);
        assertThat(test.cpu.flags.zf()).isFalse();
        assertThat(test.cpu.regs[0]).isEqualTo(7);
    }

    @Test
    void cmpxchg16b_lockedAndNot_exchangesOrLoads() {
        for (int lock = 0; lock < 2; lock++) {
            test.cpu.mmu.write128(0x2000, 11, 12);
            test.cpu.regs[0] = 11;
            test.cpu.regs[2] = 12;
            test.cpu.regs[3] = 21;
            test.cpu.regs[1] = 22;
            Insn in = test.toMemory(Op.CMPXCHG16B, 8, 0x2000, 0);
            in.lock = lock == 1;
            IntegerOps.execute(test.cpu, in);
            assertThat(test.cpu.flags.zf()).isTrue();
            assertThat(test.cpu.mmu.read64(0x2000)).isEqualTo(21);
            assertThat(test.cpu.mmu.read64(0x2008)).isEqualTo(22);
            IntegerOps.execute(test.cpu, in);
            assertThat(test.cpu.flags.zf()).isFalse();
            assertThat(test.cpu.regs[0]).isEqualTo(21);
            assertThat(test.cpu.regs[2]).isEqualTo(22);
        }
        assertThat(test.faultOf(0x48, 0x0F, 0xC7, 0x0C, 0x25, 0x08, 0x20, 0, 0))
                .isEqualTo(GuestFault.GP);
    }

    @Test
    void sahfLahf_roundTrip_keepOverflow() {
        test.cpu.flags.setStatus(Flags.OF);
        test.cpu.regs[0] = 0xFF00;
        test.execute(0x9E);
        assertThat(test.cpu.flags.status()).isEqualTo(Flags.STATUS);
        test.cpu.regs[0] = 0;
        test.execute(0x9F);
        assertThat(test.cpu.regs[0]).isEqualTo(0xD700);
    }

    @Test
    void rdrand_draws_setCarryAndClearRest() {
        test.cpu.random = new SplittableRandom(1);
        long expected = new SplittableRandom(1).nextLong();
        test.cpu.flags.setStatus(Flags.STATUS);
        test.execute(0x48, 0x0F, 0xC7, 0xF0);
        assertThat(test.cpu.regs[0]).isEqualTo(expected);
        assertThat(test.cpu.flags.status()).isEqualTo(Flags.CF);
    }
}
