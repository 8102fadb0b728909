package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;

/** BMI1 and BMI2 without the shifts and MULX. Operands in Intel order; see {@link Insn}. */
final class BmiOps {
    private BmiOps() {}

    static void execute(Cpu cpu, Insn in) {
        int size = in.opSize;
        int bits = 8 * size;
        long a = cpu.read(in, in.kind1, in.reg1, size);
        switch (in.op) {
            case ANDN -> {
                long value = ~a & cpu.read(in, in.kind2, in.reg2, size);
                finish(cpu, in, value, false);
            }
            case BEXTR -> {
                int control = (int) cpu.regs[in.reg2];
                int start = control & 0xFF;
                int length = control >>> 8 & 0xFF;
                long value = start >= bits ? 0 : a >>> start;
                if (length < 64) {
                    value &= (1L << length) - 1;
                }
                finish(cpu, in, value, false);
            }
            case BLSI -> finish(cpu, in, a & -a, a != 0);
            case BLSMSK -> finish(cpu, in, a ^ (a - 1), a == 0);
            case BLSR -> finish(cpu, in, a & (a - 1), a == 0);
            case BZHI -> {
                int index = (int) cpu.regs[in.reg2] & 0xFF;
                long value = index >= bits ? a : a & ((1L << index) - 1);
                finish(cpu, in, value, index >= bits);
            }
            case PDEP -> {
                long mask = cpu.read(in, in.kind2, in.reg2, size);
                cpu.setReg(in.reg0, size, Long.expand(a, mask));
            }
            case PEXT -> {
                long mask = cpu.read(in, in.kind2, in.reg2, size);
                cpu.setReg(in.reg0, size, Long.compress(a, mask));
            }
            default -> throw new IllegalStateException("not a BMI instruction: " + in.op);
        }
    }

    /** ZF and SF by the result, OF clear. PDEP and PEXT set no flags. */
    private static void finish(Cpu cpu, Insn in, long value, boolean carry) {
        cpu.setReg(in.reg0, in.opSize, value);
        cpu.flags.logic(in.opSize, value);
        cpu.flags.setCfOf(carry, false);
    }
}
