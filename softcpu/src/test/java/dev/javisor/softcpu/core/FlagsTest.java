package dev.javisor.softcpu.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class FlagsTest {
    private final long seed = Long.getLong("javisor.seed", System.nanoTime());
    private final Random random = new Random(seed);

    /** Flags by their definitions in SDM 1 §3.4.3.1, bit by bit. */
    private static int expected(int bits, long a, long b, int carryIn, boolean subtract) {
        int carry = carryIn;
        boolean carryIntoSign = false;
        boolean auxiliary = false;
        long value = 0;
        for (int i = 0; i < bits; i++) {
            if (i == bits - 1) {
                carryIntoSign = carry != 0;
            }
            int x = (int) (a >>> i) & 1;
            int y = (int) (b >>> i) & 1;
            int sum;
            if (subtract) {
                sum = x - y - carry;
                carry = sum < 0 ? 1 : 0;
            } else {
                sum = x + y + carry;
                carry = sum > 1 ? 1 : 0;
            }
            value |= (long) (sum & 1) << i;
            if (i == 3) {
                auxiliary = carry != 0;
            }
        }
        boolean overflow = carryIntoSign != (carry != 0);
        return (carry != 0 ? Flags.CF : 0)
                | ((Long.bitCount(value & 0xFF) & 1) == 0 ? Flags.PF : 0)
                | (auxiliary ? Flags.AF : 0)
                | (value == 0 ? Flags.ZF : 0)
                | ((value >>> (bits - 1) & 1) != 0 ? Flags.SF : 0)
                | (overflow ? Flags.OF : 0);
    }

    private long operand() {
        return switch (random.nextInt(4)) {
            case 0 -> random.nextLong();
            case 1 -> random.nextInt(9) - 4;
            case 2 -> 1L << random.nextInt(64);
            default -> (1L << random.nextInt(64)) - 1;
        };
    }

    @Test
    void addAndSub_randomOperandsAllSizes_matchTheDefinitions() {
        Flags flags = new Flags();
        for (int i = 0; i < 40_000; i++) {
            int size = 1 << random.nextInt(4);
            long a = operand();
            long b = operand();
            int carry = random.nextInt(2);
            flags.add(size, a, b, a + b + carry);
            assertThat(flags.status())
                    .as("%x + %x + %d size %d seed %d", a, b, carry, size, seed)
                    .isEqualTo(expected(8 * size, a, b, carry, false));
            flags.sub(size, a, b, a - b - carry);
            assertThat(flags.status())
                    .as("%x - %x - %d size %d seed %d", a, b, carry, size, seed)
                    .isEqualTo(expected(8 * size, a, b, carry, true));
        }
    }

    @Test
    void incAndDec_randomOperands_keepCarry() {
        Flags flags = new Flags();
        for (int i = 0; i < 20_000; i++) {
            int size = 1 << random.nextInt(4);
            long a = operand();
            int before = random.nextInt() & Flags.STATUS;
            flags.setStatus(before);
            flags.inc(size, a, a + 1);
            assertThat(flags.status())
                    .isEqualTo(
                            (expected(8 * size, a, 1, 0, false) & ~Flags.CF) | (before & Flags.CF));
            flags.setStatus(before);
            flags.dec(size, a, a - 1);
            assertThat(flags.status())
                    .isEqualTo(
                            (expected(8 * size, a, 1, 0, true) & ~Flags.CF) | (before & Flags.CF));
        }
    }

    @Test
    void setStatus_everyCombination_readsBack() {
        Flags flags = new Flags();
        for (int i = 0; i < 64; i++) {
            int status =
                    (i & 1)
                            | (i & 2) << 1
                            | (i & 4) << 2
                            | (i & 8) << 3
                            | (i & 16) << 3
                            | (i & 32) << 6;
            flags.setStatus(status);
            assertThat(flags.status()).isEqualTo(status);
            flags.setCf((status & Flags.CF) == 0);
            assertThat(flags.status()).isEqualTo(status ^ Flags.CF);
            flags.setCfOf(false, true);
            assertThat(flags.status()).isEqualTo((status & ~(Flags.CF | Flags.OF)) | Flags.OF);
            flags.setZf(true);
            assertThat(flags.zf()).isTrue();
        }
    }

    @Test
    void condition_everyCodeAndCombination_matchesTheTable() {
        Flags flags = new Flags();
        for (int status = 0; status < 0x1000; status++) {
            if ((status & ~Flags.STATUS) != 0) {
                continue;
            }
            flags.setStatus(status);
            boolean cf = (status & Flags.CF) != 0;
            boolean zf = (status & Flags.ZF) != 0;
            boolean sf = (status & Flags.SF) != 0;
            boolean of = (status & Flags.OF) != 0;
            boolean pf = (status & Flags.PF) != 0;
            boolean[] table = {of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of};
            for (int code = 0; code < 16; code++) {
                assertThat(flags.condition(code))
                        .as("condition %d with %x", code, status)
                        .isEqualTo(table[code / 2] == (code % 2 == 0));
            }
        }
    }
}
