package dev.javisor.softcpu.run;

import dev.javisor.hypervisor.AssistedVcpu;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import dev.javisor.softcpu.fp.FpuArea;
import java.util.Arrays;

/**
 * x87, SSE and AVX state of an assisted vCPU: fetched for the first instruction that uses it,
 * stored only if it changed.
 */
final class FpuLoan {
    private final Cpu cpu;
    private final AssistedVcpu vcpu;
    private final byte[] lent = new byte[FpuArea.SIZE_BYTES];
    private final byte[] now = new byte[FpuArea.SIZE_BYTES];
    private boolean taken;
    private long lentXcr0;

    FpuLoan(Cpu cpu, AssistedVcpu vcpu) {
        this.cpu = cpu;
        this.vcpu = vcpu;
    }

    void fetchFor(Insn in) {
        if (taken || !uses(in)) {
            return;
        }
        taken = true;
        lentXcr0 = (cpu.cr4 & Cpu.CR4_OSXSAVE) == 0 ? 1 : vcpu.readXcr0();
        cpu.xcr0 = lentXcr0;
        vcpu.readXsave(lent);
        FpuArea.load(cpu, lent);
        // As the core writes it, to compare with.
        FpuArea.save(cpu, lent);
    }

    private static boolean uses(Insn in) {
        return switch (in.op.family()) {
            case X87, STATE, SSE, CRYPTO, AVX -> true;
            case SYSTEM -> in.op == Op.XGETBV || in.op == Op.XSETBV;
            case INTEGER -> in.vexBytes != 0;
            case DECIMAL, BRANCH, STRING -> false;
        };
    }

    /** At the end of an assist. */
    void giveBack() {
        if (!taken) {
            return;
        }
        taken = false;
        FpuArea.save(cpu, now);
        if (!Arrays.equals(now, lent)) {
            vcpu.writeXsave(now);
        }
        if (cpu.xcr0 != lentXcr0) {
            vcpu.writeXcr0(cpu.xcr0);
        }
    }
}
