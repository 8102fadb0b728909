package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;

final class SseFloatOps {
    private SseFloatOps() {}

    static void execute(Cpu cpu, Insn in) {
        throw cpu.ud();
    }
}
