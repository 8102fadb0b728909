package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;

/** Entry point of the x87 family. */
public final class X87Ops {
    private X87Ops() {}

    public static void execute(Cpu cpu, Insn in) {
        switch (in.op) {
            case FNINIT -> {
                FpChecks.x87NoWait(cpu);
                FpuArea.resetX87(cpu);
            }
            case FNCLEX -> {
                FpChecks.x87NoWait(cpu);
                cpu.fpStatus &= ~0x80FF;
            }
            case FNSTCW -> {
                FpChecks.x87NoWait(cpu);
                cpu.mmu.write16(cpu.linear(in, 2, true), cpu.fpControl);
            }
            case FNSTSW -> {
                FpChecks.x87NoWait(cpu);
                if (in.kind0 == Insn.MEM) {
                    cpu.mmu.write16(cpu.linear(in, 2, true), FpuArea.statusWord(cpu));
                } else {
                    cpu.setReg(0, 2, FpuArea.statusWord(cpu));
                }
            }
            case FLDCW -> {
                FpChecks.x87(cpu);
                FpuArea.setControlWord(cpu, (int) cpu.mmu.read16(cpu.linear(in, 2, false)));
                FpuArea.setStatusWord(cpu, FpuArea.statusWord(cpu));
            }
            case FWAIT -> FpChecks.fwait(cpu);
            case FNOP -> FpChecks.x87(cpu);
            default -> throw cpu.ud();
        }
    }
}
