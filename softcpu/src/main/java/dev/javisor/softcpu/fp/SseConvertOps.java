package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;

final class SseConvertOps {
    private SseConvertOps() {}

    static void execute(Cpu cpu, Insn in) {
        throw cpu.ud();
    }
}
