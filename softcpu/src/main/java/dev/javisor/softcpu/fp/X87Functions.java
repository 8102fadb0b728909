package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;

final class X87Functions {
    private X87Functions() {}

    static void execute(Cpu cpu, Insn in) {
        throw cpu.ud();
    }
}
