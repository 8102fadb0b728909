package dev.javisor.softcpu.exec;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import org.junit.jupiter.api.Test;

/** BCD arithmetic must come out as decimal arithmetic, for all digits. */
class DecimalOpsTest {
    private final ExecTestCpu test = new ExecTestCpu(32);

    private static int bcd(int number) {
        return number / 10 << 4 | number % 10;
    }

    @Test
    void daaDas_afterAllPackedSums_areDecimal() {
        for (int a = 0; a < 100; a++) {
            for (int b = 0; b < 100; b++) {
                test.cpu.regs[0] = bcd(a);
                test.execute(0x04, bcd(b)); // add al, b
                test.execute(0x27);
                assertThat(test.cpu.regs[0]).isEqualTo(bcd((a + b) % 100));
                assertThat(test.cpu.flags.cf()).isEqualTo(a + b > 99);
                test.cpu.regs[0] = bcd(a);
                test.execute(0x2C, bcd(b)); // sub al, b
                test.execute(0x2F);
                assertThat(test.cpu.regs[0]).isEqualTo(bcd((a - b + 100) % 100));
                assertThat(test.cpu.flags.cf()).isEqualTo(a < b);
                assertThat(test.cpu.flags.zf()).isEqualTo(a == b);
            }
        }
    }

    /** SDM 2A, DAA and DAS: the worked examples, and a borrow of the first step alone. */
    @Test
    void daaDas_examples_matchManual() {
        test.cpu.regs[0] = 0xAE;
        test.cpu.flags.setStatus(0);
        test.execute(0x27);
        assertThat(test.cpu.regs[0]).isEqualTo(0x14);
        assertThat(test.cpu.flags.status() & ~Flags.OF).isEqualTo(Flags.CF | Flags.AF | Flags.PF);
        test.cpu.regs[0] = 0xEE;
        test.cpu.flags.setStatus(0);
        test.execute(0x2F);
        assertThat(test.cpu.regs[0]).isEqualTo(0x88);
        assertThat(test.cpu.flags.status() & ~Flags.OF)
                .isEqualTo(Flags.CF | Flags.AF | Flags.PF | Flags.SF);
        test.cpu.regs[0] = 0x01;
        test.cpu.flags.setStatus(Flags.AF);
        test.execute(0x2F);
        assertThat(test.cpu.regs[0]).isEqualTo(0xFB);
        assertThat(test.cpu.flags.cf()).isTrue();
    }

    @Test
    void aaaAas_afterAllUnpackedSums_areDecimal() {
        for (int a = 0; a < 10; a++) {
            for (int b = 0; b < 10; b++) {
                test.cpu.regs[0] = 0x300 | a;
                test.execute(0x04, b);
                test.execute(0x37);
                int carry = a + b > 9 ? 1 : 0;
                assertThat(test.cpu.regs[0]).isEqualTo((3 + carry) << 8 | (a + b) % 10);
                assertThat(test.cpu.flags.cf()).isEqualTo(carry == 1);
                test.cpu.regs[0] = 0x300 | a;
                test.execute(0x2C, b);
                test.execute(0x3F);
                int borrow = a < b ? 1 : 0;
                assertThat(test.cpu.regs[0]).isEqualTo((3 - borrow) << 8 | (a - b + 10) % 10);
                assertThat(test.cpu.flags.af()).isEqualTo(borrow == 1);
            }
        }
    }

    @Test
    void aamAad_allBytes_areDivisionAndItsInverse() {
        for (int al = 0; al < 256; al++) {
            test.cpu.regs[0] = 0x5500 | al;
            test.execute(0xD4, 10);
            assertThat(test.cpu.regs[0]).isEqualTo(al / 10 << 8 | al % 10);
            test.execute(0xD5, 10);
            assertThat(test.cpu.regs[0]).isEqualTo(al);
        }
        assertThat(test.faultOf(0xD4, 0)).isEqualTo(GuestFault.DE);
    }

    @Test
    void bound_outside_faults() {
        test.cpu.mmu.write32(0x1000, -5);
        test.cpu.mmu.write32(0x1004, 5);
        int[] bound = {0x62, 0x05, 0x00, 0x10, 0, 0}; // bound eax, [0x1000]
        test.cpu.regs[0] = 0xFFFFFFFBL;
        assertThat(test.faultOf(bound)).isEqualTo(-1);
        test.cpu.regs[0] = 6;
        assertThat(test.faultOf(bound)).isEqualTo(GuestFault.BR);
        test.cpu.regs[0] = 0xFFFFFFFAL;
        assertThat(test.faultOf(bound)).isEqualTo(GuestFault.BR);
    }

    @Test
    void salcXlat_inRealMode() {
        ExecTestCpu real = new ExecTestCpu(16);
        real.cpu.flags.setStatus(Flags.CF);
        real.cpu.regs[0] = 0x1200;
        real.execute(0xD6);
        assertThat(real.cpu.regs[0]).isEqualTo(0x12FF);
        real.cpu.regs[3] = 0xFF81;
        real.cpu.mmu.write8(0x80, 0x42);
        real.execute(0xD7); // [BX + AL] wraps at 64 KiB
        assertThat(real.cpu.regs[0]).isEqualTo(0x1242);
    }
}
