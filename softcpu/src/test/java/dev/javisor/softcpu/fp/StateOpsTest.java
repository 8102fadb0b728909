package dev.javisor.softcpu.fp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StateOpsTest {
    private static final long AREA = 0x1000;

    private final FpTestCpu machine = new FpTestCpu();
    private final Cpu cpu = machine.cpu;

    private void execute(Op op, long address) {
        StateOps.execute(cpu, FpTestCpu.memory(op, address));
    }

    private int vectorOf(Op op, long address) {
        try {
            execute(op, address);
        } catch (GuestFault fault) {
            return fault.vector();
        }
        return -1;
    }

    private void randomize(long seed) {
        Random random = new Random(seed);
        for (int i = 0; i < 8; i++) {
            cpu.fpSignificand[i] = random.nextLong();
            cpu.fpSignExponent[i] = random.nextInt(0x10000);
        }
        for (int i = 0; i < cpu.vec.length; i++) {
            cpu.vec[i] = random.nextLong();
        }
        cpu.fpTop = random.nextInt(8);
        cpu.fpEmpty = random.nextInt(256);
        cpu.fpLastOpcode = random.nextInt(0x800);
        cpu.fpLastIp = random.nextInt() & 0xFFFFFFFFL;
        cpu.fpLastData = random.nextInt() & 0xFFFFFFFFL;
        cpu.mxcsr = 0x1FA0;
        cpu.fpControl = 0x27F;
        cpu.fpStatus = 0x4520;
    }

    private byte[] state() {
        byte[] bytes = new byte[FpuArea.SIZE_BYTES];
        FpuArea.save(cpu, bytes);
        return bytes;
    }

    private void fill(long address, int sizeBytes, int value) {
        for (int i = 0; i < sizeBytes; i++) {
            cpu.mmu.write8(address + i, value);
        }
    }

    @Test
    void fxsave_layout_isAsInTheManual() {
        randomize(1);
        cpu.fpTop = 3;
        cpu.fpEmpty = 0xF0;
        fill(AREA, 512, 0x5A);
        execute(Op.FXSAVE, AREA);
        assertThat(cpu.mmu.read16(AREA)).isEqualTo(0x27F);
        assertThat(cpu.mmu.read16(AREA + 2)).isEqualTo(0x4520 | 3 << 11);
        assertThat(cpu.mmu.read8(AREA + 4)).isEqualTo(0x0F);
        assertThat(cpu.mmu.read16(AREA + 6)).isEqualTo(cpu.fpLastOpcode);
        assertThat(cpu.mmu.read32(AREA + 8)).isEqualTo(cpu.fpLastIp);
        assertThat(cpu.mmu.read32(AREA + 24)).isEqualTo(0x1FA0);
        assertThat(cpu.mmu.read32(AREA + 28)).isEqualTo(0xFFFF);
        // ST(0) is physical register TOP.
        assertThat(cpu.mmu.read64(AREA + 32)).isEqualTo(cpu.fpSignificand[3]);
        assertThat(cpu.mmu.read16(AREA + 40)).isEqualTo(cpu.fpSignExponent[3]);
        assertThat(cpu.mmu.read64(AREA + 32 + 16 * 7)).isEqualTo(cpu.fpSignificand[2]);
        assertThat(cpu.mmu.read64(AREA + 160 + 16 * 7 + 8)).isEqualTo(machine.high(7));
        // Outside 64-bit mode XMM8 and above are not there.
        assertThat(cpu.mmu.read64(AREA + 160 + 16 * 8)).isEqualTo(0x5A5A_5A5A_5A5A_5A5AL);
    }

    @Test
    void fxrstor_afterFxsave_restoresTheState() {
        randomize(2);
        byte[] before = state();
        execute(Op.FXSAVE, AREA);
        cpu.clearRegisters();
        FpuArea.resetX87(cpu);
        cpu.mxcsr = 0x1F80;
        execute(Op.FXRSTOR, AREA);
        byte[] after = state();
        assertThat(Arrays.copyOf(after, 160 + 8 * 16))
                .isEqualTo(Arrays.copyOf(before, 160 + 8 * 16));
    }

    @Test
    void fxsave_misaligned_raisesGeneralProtection() {
        assertThat(vectorOf(Op.FXSAVE, AREA + 8)).isEqualTo(GuestFault.GP);
        assertThat(vectorOf(Op.XSAVE, AREA + 32)).isEqualTo(GuestFault.GP);
    }

    @Test
    void fxrstor_reservedMxcsrBits_raisesGeneralProtectionAndChangesNothing() {
        execute(Op.FXSAVE, AREA);
        cpu.mmu.write32(AREA + 24, 0x1_1F80);
        randomize(3);
        byte[] before = state();
        assertThat(vectorOf(Op.FXRSTOR, AREA)).isEqualTo(GuestFault.GP);
        assertThat(state()).isEqualTo(before);
    }

    @Test
    void taskSwitched_everyStateInstructionRaisesDeviceNotAvailable() {
        cpu.cr0 |= Cpu.CR0_TS;
        for (Op op : new Op[] {Op.FXSAVE, Op.FXRSTOR, Op.XSAVE, Op.XRSTOR, Op.LDMXCSR, Op.EMMS}) {
            assertThat(vectorOf(op, AREA)).as(op.name()).isEqualTo(GuestFault.NM);
        }
    }

    @Test
    void xsave_withoutOsxsave_isUndefined() {
        cpu.cr4 &= ~Cpu.CR4_OSXSAVE;
        assertThat(vectorOf(Op.XSAVE, AREA)).isEqualTo(GuestFault.UD);
    }

    @Test
    void xsave_xrstor_roundTripEachFormat() {
        for (Op op : new Op[] {Op.XSAVE, Op.XSAVEOPT, Op.XSAVEC, Op.XSAVES}) {
            randomize(4);
            byte[] before = state();
            fill(AREA, FpuArea.SIZE_BYTES, 0);
            cpu.regs[0] = -1;
            cpu.regs[2] = -1;
            execute(op, AREA);
            assertThat(cpu.mmu.read64(AREA + 512)).isEqualTo(7);
            boolean compacted = op == Op.XSAVEC || op == Op.XSAVES;
            assertThat(cpu.mmu.read64(AREA + 520)).isEqualTo(compacted ? 7 | 1L << 63 : 0);
            FpuArea.load(cpu, new byte[576]);
            cpu.regs[0] = -1;
            execute(op == Op.XSAVES ? Op.XRSTORS : Op.XRSTOR, AREA);
            byte[] after = state();
            // Registers 8..15 do not exist in this mode.
            assertThat(Arrays.copyOf(after, 288)).isEqualTo(Arrays.copyOf(before, 288));
            assertThat(Arrays.copyOfRange(after, 576, 704))
                    .isEqualTo(Arrays.copyOfRange(before, 576, 704));
        }
    }

    @Test
    void xsaveopt_initialState_leavesMemoryAndClearsHeaderBits() {
        FpuArea.load(cpu, new byte[576]);
        fill(AREA, FpuArea.SIZE_BYTES, 0);
        fill(AREA, 512, 0x77);
        cpu.mmu.write64(AREA + 512, 7);
        cpu.regs[0] = 3;
        cpu.regs[2] = 0;
        execute(Op.XSAVEOPT, AREA);
        assertThat(cpu.mmu.read64(AREA + 512)).isEqualTo(4);
        assertThat(cpu.mmu.read64(AREA)).isEqualTo(0x7777_7777_7777_7777L);
        assertThat(cpu.mmu.read32(AREA + 24)).isEqualTo(0x1F80);
    }

    @Test
    void xrstor_componentsAbsentFromHeader_getInitialState() {
        randomize(5);
        fill(AREA, FpuArea.SIZE_BYTES, 0);
        cpu.mmu.write32(AREA + 24, 0x1F80);
        cpu.regs[0] = 5;
        cpu.regs[2] = 0;
        long xmm = machine.low(1);
        execute(Op.XRSTOR, AREA);
        assertThat(cpu.fpControl).isEqualTo(0x37F);
        assertThat(cpu.fpEmpty).isEqualTo(0xFF);
        assertThat(cpu.vec[6]).isZero();
        assertThat(machine.low(1)).isEqualTo(xmm);
    }

    @Test
    void xrstor_badHeaders_raiseGeneralProtection() {
        cpu.regs[0] = 7;
        fill(AREA, FpuArea.SIZE_BYTES, 0);
        long[][] bad = {
            {8, 0, 0},
            {0, 1, 0},
            {0, 0, 1},
            {1, 2 | 1L << 63, 0},
            {0, 8 | 1L << 63, 0},
            {1, 1 | 1L << 63, 1}
        };
        for (long[] header : bad) {
            cpu.mmu.write64(AREA + 512, header[0]);
            cpu.mmu.write64(AREA + 520, header[1]);
            cpu.mmu.write64(AREA + 528, header[2]);
            assertThat(vectorOf(Op.XRSTOR, AREA)).as(Arrays.toString(header)).isEqualTo(13);
        }
        cpu.mmu.write64(AREA + 512, 0);
        cpu.mmu.write64(AREA + 520, 0);
        cpu.mmu.write64(AREA + 528, 0);
        assertThat(vectorOf(Op.XRSTOR, AREA)).isEqualTo(-1);
        assertThat(vectorOf(Op.XRSTORS, AREA)).isEqualTo(GuestFault.GP);
    }

    @Test
    void ldmxcsr_reservedBits_raiseGeneralProtection() {
        cpu.mmu.write32(AREA, 0x1_0000);
        assertThatThrownBy(() -> execute(Op.LDMXCSR, AREA)).isInstanceOf(GuestFault.class);
        cpu.mmu.write32(AREA, 0xFFFF);
        execute(Op.LDMXCSR, AREA);
        assertThat(cpu.mxcsr).isEqualTo(0xFFFF);
        execute(Op.STMXCSR, AREA + 4);
        assertThat(cpu.mmu.read32(AREA + 4)).isEqualTo(0xFFFF);
    }

    @Test
    void emms_pendingException_raisesMathFault() {
        Insn in = new Insn();
        in.op = Op.EMMS;
        cpu.fpEmpty = 0;
        StateOps.execute(cpu, in);
        assertThat(cpu.fpEmpty).isEqualTo(0xFF);
        cpu.fpStatus = 0x8081;
        assertThatThrownBy(() -> StateOps.execute(cpu, in))
                .isInstanceOf(GuestFault.class)
                .hasMessageContaining("vector 16");
    }

    @Test
    void area_saveThenLoad_keepsEverything() {
        randomize(6);
        byte[] before = state();
        FpuArea.load(cpu, new byte[0]);
        assertThat(cpu.fpControl).isEqualTo(0x37F);
        assertThat(cpu.mxcsr).isEqualTo(0x1F80);
        FpuArea.load(cpu, before);
        assertThat(state()).isEqualTo(before);
    }
}
