package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;

/** Instructions that exist only with VEX: none is offered by the CPU models so far. */
public final class AvxOps {
    private AvxOps() {}

    public static void execute(Cpu cpu, Insn in) {
        throw cpu.ud();
    }
}
