package dev.javisor.softcpu.block;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.exec.BranchOps;
import dev.javisor.softcpu.exec.DecimalOps;
import dev.javisor.softcpu.exec.IntegerOps;
import dev.javisor.softcpu.exec.StringOps;
import dev.javisor.softcpu.fp.AvxOps;
import dev.javisor.softcpu.fp.CryptoOps;
import dev.javisor.softcpu.fp.SseOps;
import dev.javisor.softcpu.fp.StateOps;
import dev.javisor.softcpu.fp.X87Ops;
import dev.javisor.softcpu.sys.SystemOps;

/** Sends an instruction to the file that defines it. */
public final class Families {
    private Families() {}

    public static void execute(Cpu cpu, Insn in) {
        switch (in.op.family()) {
            case INTEGER -> IntegerOps.execute(cpu, in);
            case BRANCH -> BranchOps.execute(cpu, in);
            case STRING -> StringOps.execute(cpu, in);
            case SSE -> SseOps.execute(cpu, in);
            case SYSTEM -> SystemOps.execute(cpu, in);
            case X87 -> X87Ops.execute(cpu, in);
            case STATE -> StateOps.execute(cpu, in);
            case CRYPTO -> CryptoOps.execute(cpu, in);
            case DECIMAL -> DecimalOps.execute(cpu, in);
            case AVX -> AvxOps.execute(cpu, in);
        }
    }
}
