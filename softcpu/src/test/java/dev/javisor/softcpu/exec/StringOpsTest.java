package dev.javisor.softcpu.exec;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Against a byte array, one byte at a time. */
class StringOpsTest {
    private static final Op[] OPS = {Op.MOVS, Op.CMPS, Op.STOS, Op.LODS, Op.SCAS};

    private final long seed = System.nanoTime();
    private final SplittableRandom random = new SplittableRandom(seed);

    private final byte[] memory = new byte[ExecTestCpu.RAM_BYTES];
    private long rax;
    private long rcx;
    private long rsi;
    private long rdi;
    private boolean zf;

    @Test
    void repeated_randomRunsIn64BitMode_equalElements() {
        run(new ExecTestCpu(64), 6_000);
    }

    @Test
    void repeated_randomRunsIn32BitMode_equalElements() {
        run(new ExecTestCpu(32), 2_000);
    }

    @Test
    void repeated_randomRunsInRealMode_equalElements() {
        run(new ExecTestCpu(16), 2_000);
    }

    private void run(ExecTestCpu test, int cases) {
        Cpu cpu = test.cpu;
        for (int i = 0; i < cases; i++) {
            Op op = OPS[random.nextInt(OPS.length)];
            int size = 1 << random.nextInt(cpu.long64 ? 4 : 3);
            boolean down = random.nextInt(3) == 0;
            int rep = op == Op.CMPS || op == Op.SCAS ? random.nextInt(3) : random.nextInt(2);
            int base = 16384 + random.nextInt(16384);
            int near = random.nextInt(-40, 40);
            rsi = base;
            rdi = random.nextBoolean() ? base + near : 16384 + random.nextInt(16384);
            rcx = random.nextInt(8) == 0 ? random.nextInt(12_000 / size) : random.nextInt(40);
            rax = random.nextBoolean() ? 0 : random.nextLong();
            // Few values, so that comparisons go on for a while.
            int kinds = random.nextBoolean() ? 1 : 2;
            for (int k = 0; k < 16384; k += 16) {
                Arrays.fill(memory, 12288 + k, 12288 + k + 16, (byte) random.nextInt(kinds));
            }
            if (i % 16 == 0) {
                random.nextBytes(memory);
            }
            test.memory.write(0, memory);
            int width = cpu.codeBits / 8;
            Insn in = test.insn(op, size);
            in.addrSize = (byte) width;
            in.seg = Seg.DS;
            in.rep = rep == 0 ? 0 : rep == 1 ? 0xF3 : 0xF2;
            cpu.regs[0] = rax;
            cpu.regs[1] = rcx;
            cpu.regs[6] = rsi;
            cpu.regs[7] = rdi;
            cpu.flags.setStatus(0);
            zf = false;
            cpu.flags.system = down ? Flags.DF : 0;
            String text =
                    "seed %d case %d: rep %x %s%d si %x di %x cx %d down %b"
                            .formatted(seed, i, in.rep, op, size, rsi, rdi, rcx, down);
            do {
                cpu.rip = in.nextIp;
                StringOps.execute(cpu, in);
            } while (cpu.rip == in.ip);
            reference(op, size, in.rep, down);
            assertThat(cpu.regs[0]).as(text).isEqualTo(rax);
            assertThat(cpu.regs[1]).as(text).isEqualTo(rcx);
            assertThat(cpu.regs[6]).as(text).isEqualTo(rsi);
            assertThat(cpu.regs[7]).as(text).isEqualTo(rdi);
            if (op == Op.CMPS || op == Op.SCAS) {
                assertThat(cpu.flags.zf()).as(text).isEqualTo(zf);
            }
            if (!Arrays.equals(test.memory.read(0, ExecTestCpu.RAM_BYTES), memory)) {
                throw new AssertionError(text);
            }
        }
    }

    private void reference(Op op, int size, int rep, boolean down) {
        int step = down ? -size : size;
        while (rep == 0 || rcx != 0) {
            byte[] element = new byte[size];
            byte[] other = new byte[size];
            for (int i = 0; i < size; i++) {
                element[i] = memory[(int) rsi + i];
                other[i] = op == Op.SCAS ? (byte) (rax >> (8 * i)) : memory[(int) rsi + i];
            }
            for (int i = 0; i < size; i++) {
                int at = (int) rdi + i;
                switch (op) {
                    case MOVS -> memory[at] = element[i];
                    case STOS -> memory[at] = (byte) (rax >> (8 * i));
                    case LODS -> {
                        rax &= ~(0xFFL << (8 * i));
                        rax |= (element[i] & 0xFFL) << (8 * i);
                    }
                    default -> element[i] = memory[at];
                }
            }
            if (op == Op.LODS && size == 4) {
                rax &= 0xFFFFFFFFL;
            }
            rsi += op == Op.STOS || op == Op.SCAS ? 0 : step;
            rdi += op == Op.LODS ? 0 : step;
            if (op == Op.CMPS || op == Op.SCAS) {
                zf = Arrays.equals(element, other);
            }
            if (rep == 0) {
                return;
            }
            rcx--;
            if ((op == Op.CMPS || op == Op.SCAS) && zf != (rep == 0xF3)) {
                return;
            }
        }
    }

    @Test
    void movs_writeAcrossSegmentLimit_faultsAtThatElement() {
        ExecTestCpu test = new ExecTestCpu(32);
        Cpu cpu = test.cpu;
        cpu.segLimit[Seg.ES] = 0x4FFF;
        cpu.updateMode();
        Insn in = test.insn(Op.STOS, 4);
        in.rep = 0xF3;
        cpu.regs[1] = 100;
        cpu.regs[7] = 0x4FF0;
        cpu.regs[0] = 0x11223344;
        boolean faulted = false;
        try {
            StringOps.execute(cpu, in);
        } catch (dev.javisor.softcpu.core.GuestFault fault) {
            faulted = true;
        }
        assertThat(faulted).isTrue();
        assertThat(cpu.regs[1]).isEqualTo(96);
        assertThat(cpu.regs[7]).isEqualTo(0x5000);
        assertThat(test.memory.readInt(0x4FFC)).isEqualTo(0x11223344);
    }

    @Test
    void addressSize16_wrapsAt64KiB() {
        ExecTestCpu test = new ExecTestCpu(16);
        Cpu cpu = test.cpu;
        Insn in = test.insn(Op.STOS, 2);
        in.rep = 0xF3;
        cpu.regs[1] = 0xABCD0004L;
        cpu.regs[7] = 0x1234FFFCL;
        cpu.regs[0] = 0x5678;
        StringOps.execute(cpu, in);
        assertThat(cpu.regs[7]).isEqualTo(0x12340004L);
        assertThat(cpu.regs[1]).isEqualTo(0xABCD0000L);
        assertThat(test.memory.readShort(2)).isEqualTo(0x5678);
        assertThat(test.memory.readShort(0xFFFE)).isEqualTo(0x5678);
    }

    @Test
    void repeated_withStepRequest_doesOneElement() {
        ExecTestCpu test = new ExecTestCpu(64);
        Cpu cpu = test.cpu;
        cpu.request(Cpu.REQUEST_STEP);
        Insn in = test.insn(Op.STOS, 1);
        in.rep = 0xF3;
        cpu.regs[1] = 5;
        cpu.regs[7] = 0x1000;
        StringOps.execute(cpu, in);
        assertThat(cpu.regs[1]).isEqualTo(4);
        assertThat(cpu.rip).isEqualTo(in.ip);
    }
}
