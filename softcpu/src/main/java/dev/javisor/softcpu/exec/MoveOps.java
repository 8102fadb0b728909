package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;

/** Data transfer without exchange: MOV and its relatives, CMOVcc, SETcc, sign extension. */
final class MoveOps {
    private MoveOps() {}

    static void mov(Cpu cpu, Insn in) {
        int size = in.opSize;
        cpu.write(in, in.kind0, in.reg0, size, cpu.read(in, in.kind1, in.reg1, size));
    }

    static void movzx(Cpu cpu, Insn in) {
        cpu.setReg(in.reg0, in.opSize, cpu.read(in, in.kind1, in.reg1, in.memSize));
    }

    static void movsx(Cpu cpu, Insn in) {
        int shift = 64 - 8 * in.memSize;
        long value = cpu.read(in, in.kind1, in.reg1, in.memSize);
        cpu.setReg(in.reg0, in.opSize, value << shift >> shift);
    }

    static void movbe(Cpu cpu, Insn in) {
        int size = in.opSize;
        long value = cpu.read(in, in.kind1, in.reg1, size);
        cpu.write(in, in.kind0, in.reg0, size, Long.reverseBytes(value) >>> (64 - 8 * size));
    }

    static void lea(Cpu cpu, Insn in) {
        cpu.setReg(in.reg0, in.opSize, cpu.effectiveAddress(in));
    }

    static void xlat(Cpu cpu, Insn in) {
        long offset = cpu.regs[3] + (cpu.regs[0] & 0xFF);
        offset &= in.addrSize == 8 ? -1L : in.addrSize == 4 ? 0xFFFFFFFFL : 0xFFFFL;
        cpu.setReg(0, 1, cpu.mmu.read8(cpu.linear(in.seg, offset, 1, false)));
    }

    static void setcc(Cpu cpu, Insn in) {
        cpu.write(in, in.kind0, in.reg0, 1, cpu.flags.condition(in.cond) ? 1 : 0);
    }

    /** The source is read and a 32-bit destination zero-extended whatever the condition. */
    static void cmovcc(Cpu cpu, Insn in) {
        int size = in.opSize;
        long value = cpu.read(in, in.kind1, in.reg1, size);
        if (!cpu.flags.condition(in.cond)) {
            value = cpu.regs[in.reg0];
        }
        cpu.setReg(in.reg0, size, value);
    }

    /** With a 16-bit operand the result is undefined; processors give 0. */
    static void bswap(Cpu cpu, Insn in) {
        long value = cpu.regs[in.reg0];
        switch (in.opSize) {
            case 8 -> cpu.regs[in.reg0] = Long.reverseBytes(value);
            case 4 -> cpu.setReg(in.reg0, 4, Integer.reverseBytes((int) value));
            default -> cpu.setReg(in.reg0, 2, 0);
        }
    }

    /** CBW, CWDE, CDQE. */
    static void cbw(Cpu cpu, Insn in) {
        long rax = cpu.regs[0];
        switch (in.opSize) {
            case 8 -> cpu.regs[0] = (int) rax;
            case 4 -> cpu.setReg(0, 4, (short) rax);
            default -> cpu.setReg(0, 2, (byte) rax);
        }
    }

    /** CWD, CDQ, CQO. */
    static void cwd(Cpu cpu, Insn in) {
        int shift = 64 - 8 * in.opSize;
        cpu.setReg(2, in.opSize, cpu.regs[0] << shift >> 63);
    }
}
