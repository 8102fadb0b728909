package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;

/** Near branches. On entry {@code cpu.rip} is the next instruction; only taken branches set it. */
public final class BranchOps {
    private BranchOps() {}

    /** Executes one instruction of family BRANCH. */
    public static void execute(Cpu cpu, Insn in) {
        switch (in.op) {
            case JCC -> {
                if (cpu.flags.condition(in.cond)) {
                    checkTarget(cpu, in.imm);
                    cpu.rip = in.imm;
                }
            }
            case JMP -> {
                long target = target(cpu, in);
                checkTarget(cpu, target);
                cpu.rip = target;
            }
            case CALL -> {
                long target = target(cpu, in);
                checkTarget(cpu, target);
                cpu.push(in.opSize, in.nextIp);
                cpu.rip = target;
            }
            case RET -> ret(cpu, in);
            case LOOP, LOOPE, LOOPNE -> loop(cpu, in);
            case JCXZ -> {
                if (cpu.reg(1, in.addrSize) == 0) {
                    checkTarget(cpu, in.imm);
                    cpu.rip = in.imm;
                }
            }
            default -> throw new IllegalStateException("not a branch: " + in.op);
        }
    }

    private static long target(Cpu cpu, Insn in) {
        return in.kind0 == Insn.REL ? in.imm : cpu.read(in, in.kind0, in.reg0, in.opSize);
    }

    /** #GP(0) where the target is outside the code segment or not canonical. */
    static void checkTarget(Cpu cpu, long target) {
        if (cpu.long64) {
            if (!cpu.isCanonical(target)) {
                throw cpu.gp0();
            }
        } else if (Long.compareUnsigned(target, cpu.segLimit[Seg.CS]) > 0) {
            throw cpu.gp0();
        }
    }

    private static void ret(Cpu cpu, Insn in) {
        int size = in.opSize;
        long mask = cpu.stackMask;
        long offset = cpu.regs[4] & mask;
        long target = cpu.mmu.read(cpu.linear(Seg.SS, offset, size, false), size);
        checkTarget(cpu, target);
        long released = in.kind0 == Insn.IMM ? in.imm & 0xFFFF : 0;
        cpu.setStackPointer((offset + size + released) & mask);
        cpu.rip = target;
    }

    private static void loop(Cpu cpu, Insn in) {
        int size = in.addrSize;
        long count = cpu.regs[1] - 1;
        boolean taken = count << (64 - 8 * size) != 0;
        switch (in.op) {
            case LOOPE -> taken &= cpu.flags.zf();
            case LOOPNE -> taken &= !cpu.flags.zf();
            default -> {}
        }
        if (taken) {
            checkTarget(cpu, in.imm);
            cpu.rip = in.imm;
        }
        cpu.setReg(1, size, count);
    }
}
