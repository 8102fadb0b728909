package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.decode.Insn;

/** Entry point of the x87 family (SDM 1 chapter 8). */
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
            case FNSTENV -> {
                FpChecks.x87NoWait(cpu);
                X87Memory.storeEnvironment(cpu, in);
            }
            case FNSAVE -> {
                FpChecks.x87NoWait(cpu);
                X87Memory.save(cpu, in);
            }
            case FLDCW -> {
                FpChecks.x87(cpu);
                FpuArea.setControlWord(cpu, (int) cpu.mmu.read16(cpu.linear(in, 2, false)));
                FpuArea.setStatusWord(cpu, FpuArea.statusWord(cpu));
            }
            case FLDENV -> {
                FpChecks.x87(cpu);
                X87Memory.loadEnvironment(cpu, in);
            }
            case FRSTOR -> {
                FpChecks.x87(cpu);
                X87Memory.restore(cpu, in);
            }
            case FWAIT -> FpChecks.fwait(cpu);
            case FNOP -> FpChecks.x87(cpu);
            default -> {
                FpChecks.x87(cpu);
                data(cpu, in);
                X87Memory.remember(cpu, in);
            }
        }
    }

    /** Instructions other than the control ones. */
    private static void data(Cpu cpu, Insn in) {
        boolean memory = in.kind0 == Insn.MEM || in.kind1 == Insn.MEM;
        switch (in.op) {
            case FLD -> {
                if (memory) {
                    X87Memory.load(cpu, in);
                } else {
                    loadRegister(cpu, in.reg0);
                }
            }
            case FST -> {
                if (memory) {
                    X87Memory.store(cpu, in, false);
                } else {
                    storeRegister(cpu, in.reg0, false);
                }
            }
            case FSTP -> {
                if (memory) {
                    X87Memory.store(cpu, in, true);
                } else if (in.imm2 >> 8 == 1 && X87.isEmpty(cpu, 0)) {
                    // D9 D8+i, undocumented: an empty ST(0) is popped without an exception.
                    X87.begin(cpu);
                    X87.pop(cpu);
                } else {
                    storeRegister(cpu, in.reg0, true);
                }
            }
            case FILD -> X87Memory.loadInteger(cpu, in);
            case FIST -> X87Memory.storeInteger(cpu, in, false, false);
            case FISTP -> X87Memory.storeInteger(cpu, in, false, true);
            case FISTTP -> X87Memory.storeInteger(cpu, in, true, true);
            case FBLD -> X87Memory.loadDecimal(cpu, in);
            case FBSTP -> X87Memory.storeDecimal(cpu, in);
            case FADD -> arithmetic(cpu, in, X87Arithmetic.ADD, memory);
            case FSUB -> arithmetic(cpu, in, X87Arithmetic.SUB, memory);
            case FSUBR -> arithmetic(cpu, in, X87Arithmetic.SUBR, memory);
            case FMUL -> arithmetic(cpu, in, X87Arithmetic.MUL, memory);
            case FDIV -> arithmetic(cpu, in, X87Arithmetic.DIV, memory);
            case FDIVR -> arithmetic(cpu, in, X87Arithmetic.DIVR, memory);
            case FADDP -> X87Arithmetic.registers(cpu, X87Arithmetic.ADD, in.reg0, 0, true);
            case FSUBP -> X87Arithmetic.registers(cpu, X87Arithmetic.SUB, in.reg0, 0, true);
            case FSUBRP -> X87Arithmetic.registers(cpu, X87Arithmetic.SUBR, in.reg0, 0, true);
            case FMULP -> X87Arithmetic.registers(cpu, X87Arithmetic.MUL, in.reg0, 0, true);
            case FDIVP -> X87Arithmetic.registers(cpu, X87Arithmetic.DIV, in.reg0, 0, true);
            case FDIVRP -> X87Arithmetic.registers(cpu, X87Arithmetic.DIVR, in.reg0, 0, true);
            case FIADD -> X87Arithmetic.memory(cpu, in, X87Arithmetic.ADD, true);
            case FISUB -> X87Arithmetic.memory(cpu, in, X87Arithmetic.SUB, true);
            case FISUBR -> X87Arithmetic.memory(cpu, in, X87Arithmetic.SUBR, true);
            case FIMUL -> X87Arithmetic.memory(cpu, in, X87Arithmetic.MUL, true);
            case FIDIV -> X87Arithmetic.memory(cpu, in, X87Arithmetic.DIV, true);
            case FIDIVR -> X87Arithmetic.memory(cpu, in, X87Arithmetic.DIVR, true);
            case FCOM -> compare(cpu, in, memory, false);
            case FCOMP -> compare(cpu, in, memory, true);
            case FCOMPP -> X87Arithmetic.compare(cpu, 1, false, 2, false);
            case FUCOM -> X87Arithmetic.compare(cpu, in.reg0, true, 0, false);
            case FUCOMP -> X87Arithmetic.compare(cpu, in.reg0, true, 1, false);
            case FUCOMPP -> X87Arithmetic.compare(cpu, 1, true, 2, false);
            case FICOM -> X87Arithmetic.compareMemory(cpu, in, true, false);
            case FICOMP -> X87Arithmetic.compareMemory(cpu, in, true, true);
            case FCOMI -> X87Arithmetic.compare(cpu, in.reg1, false, 0, true);
            case FUCOMI -> X87Arithmetic.compare(cpu, in.reg1, true, 0, true);
            case FCOMIP -> X87Arithmetic.compare(cpu, in.reg1, false, 1, true);
            case FUCOMIP -> X87Arithmetic.compare(cpu, in.reg1, true, 1, true);
            case FTST -> X87Arithmetic.compareZero(cpu);
            case FXAM -> X87Arithmetic.examine(cpu);
            case FABS -> X87Arithmetic.sign(cpu, 0x8000, 0);
            case FCHS -> X87Arithmetic.sign(cpu, 0, 0x8000);
            case FSQRT -> X87Arithmetic.squareRoot(cpu);
            case FRNDINT -> X87Arithmetic.roundToInteger(cpu);
            case FSCALE -> X87Arithmetic.scale(cpu);
            case FXTRACT -> X87Arithmetic.extract(cpu);
            case FPREM -> X87Arithmetic.remainder(cpu, false);
            case FPREM1 -> X87Arithmetic.remainder(cpu, true);
            default -> more(cpu, in);
        }
    }

    private static void more(Cpu cpu, Insn in) {
        Flags flags = cpu.flags;
        switch (in.op) {
            case FXCH -> exchange(cpu, in.reg0);
            case FCMOVB -> move(cpu, in, flags.cf());
            case FCMOVE -> move(cpu, in, flags.zf());
            case FCMOVBE -> move(cpu, in, flags.cf() || flags.zf());
            case FCMOVU -> move(cpu, in, flags.pf());
            case FCMOVNB -> move(cpu, in, !flags.cf());
            case FCMOVNE -> move(cpu, in, !flags.zf());
            case FCMOVNBE -> move(cpu, in, !(flags.cf() || flags.zf()));
            case FCMOVNU -> move(cpu, in, !flags.pf());
            case FLD1 -> X87Memory.loadConstant(cpu, 0, 1L << 63, 0);
            case FLDZ -> {
                if (X87.push(cpu)) {
                    X87.set(cpu, 0, 0, 0);
                }
            }
            // Significands and the 64 bits that follow them.
            case FLDL2T -> X87Memory.loadConstant(cpu, 1, 0xD49A784BCD1B8AFEL, 0x492BF6FF4DAFDB4CL);
            case FLDL2E -> X87Memory.loadConstant(cpu, 0, 0xB8AA3B295C17F0BBL, 0xBE87FED0691D3E88L);
            case FLDPI -> X87Memory.loadConstant(cpu, 1, 0xC90FDAA22168C234L, 0xC4C6628B80DC1CD1L);
            case FLDLG2 ->
                    X87Memory.loadConstant(cpu, -2, 0x9A209A84FBCFF798L, 0x8F8959AC0B7C9178L);
            case FLDLN2 ->
                    X87Memory.loadConstant(cpu, -1, 0xB17217F7D1CF79ABL, 0xC9E3B39803F2F6AFL);
            case FINCSTP -> {
                cpu.fpStatus &= ~X87.C1;
                cpu.fpTop = (cpu.fpTop + 1) & 7;
            }
            case FDECSTP -> {
                cpu.fpStatus &= ~X87.C1;
                cpu.fpTop = (cpu.fpTop - 1) & 7;
            }
            case FFREE -> {
                cpu.fpStatus &= ~X87.C1;
                cpu.fpEmpty |= 1 << X87.physical(cpu, in.reg0);
            }
            case FFREEP -> {
                cpu.fpStatus &= ~X87.C1;
                cpu.fpEmpty |= 1 << X87.physical(cpu, in.reg0);
                X87.pop(cpu);
            }
            default -> X87Functions.execute(cpu, in);
        }
    }

    private static void arithmetic(Cpu cpu, Insn in, int operation, boolean memory) {
        if (memory) {
            X87Arithmetic.memory(cpu, in, operation, false);
        } else {
            X87Arithmetic.registers(cpu, operation, in.reg0, in.reg1, false);
        }
    }

    private static void compare(Cpu cpu, Insn in, boolean memory, boolean pop) {
        if (memory) {
            X87Arithmetic.compareMemory(cpu, in, false, pop);
        } else {
            X87Arithmetic.compare(cpu, in.reg0, false, pop ? 1 : 0, false);
        }
    }

    private static void loadRegister(Cpu cpu, int i) {
        int n = X87.physical(cpu, i);
        if (X87.isEmpty(cpu, i)) {
            if (X87.stackUnderflow(cpu)) {
                cpu.fpTop = (cpu.fpTop - 1) & 7;
                X87.setDefaultNan(cpu, 0);
            }
        } else if (X87.push(cpu)) {
            X87.set(cpu, 0, cpu.fpSignificand[n], cpu.fpSignExponent[n]);
        }
    }

    private static void storeRegister(Cpu cpu, int i, boolean pop) {
        X87.begin(cpu);
        if (X87.isEmpty(cpu, 0)) {
            if (!X87.stackUnderflow(cpu)) {
                return;
            }
            X87.setDefaultNan(cpu, i);
        } else {
            int n = X87.physical(cpu, 0);
            X87.set(cpu, i, cpu.fpSignificand[n], cpu.fpSignExponent[n]);
        }
        if (pop) {
            X87.pop(cpu);
        }
    }

    private static void exchange(Cpu cpu, int i) {
        X87.begin(cpu);
        boolean first = X87.isEmpty(cpu, 0);
        boolean second = X87.isEmpty(cpu, i);
        if (first || second) {
            if (!X87.stackUnderflow(cpu)) {
                return;
            }
            if (first) {
                X87.setDefaultNan(cpu, 0);
            }
            if (second) {
                X87.setDefaultNan(cpu, i);
            }
        }
        int a = X87.physical(cpu, 0);
        int b = X87.physical(cpu, i);
        long significand = cpu.fpSignificand[a];
        int signExponent = cpu.fpSignExponent[a];
        cpu.fpSignificand[a] = cpu.fpSignificand[b];
        cpu.fpSignExponent[a] = cpu.fpSignExponent[b];
        cpu.fpSignificand[b] = significand;
        cpu.fpSignExponent[b] = signExponent;
    }

    private static void move(Cpu cpu, Insn in, boolean condition) {
        if (X87.isEmpty(cpu, 0) || X87.isEmpty(cpu, in.reg1)) {
            if (X87.stackUnderflow(cpu)) {
                X87.setDefaultNan(cpu, 0);
            }
        } else if (condition) {
            int n = X87.physical(cpu, in.reg1);
            X87.set(cpu, 0, cpu.fpSignificand[n], cpu.fpSignExponent[n]);
        }
    }
}
