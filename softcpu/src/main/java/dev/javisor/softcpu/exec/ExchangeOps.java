package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.decode.Insn;

/** XCHG, XADD and the compare-and-exchange instructions. */
final class ExchangeOps {
    private ExchangeOps() {}

    /** With memory always locked (SDM 3A §9.1.2.1). */
    static void xchg(Cpu cpu, Insn in) {
        int size = in.opSize;
        if (in.kind0 == Insn.MEM) {
            exchangeMemory(cpu, in, in.kind1, in.reg1);
        } else if (in.kind1 == Insn.MEM) {
            exchangeMemory(cpu, in, in.kind0, in.reg0);
        } else {
            long a = cpu.read(in, in.kind0, in.reg0, size);
            long b = cpu.read(in, in.kind1, in.reg1, size);
            cpu.write(in, in.kind0, in.reg0, size, b);
            cpu.write(in, in.kind1, in.reg1, size, a);
        }
    }

    private static void exchangeMemory(Cpu cpu, Insn in, int kind, int reg) {
        int size = in.opSize;
        Mmu mmu = cpu.mmu;
        long value = cpu.read(in, kind, reg, size);
        long linear = cpu.linear(in, size, true);
        long old = mmu.readForWrite(linear, size);
        while (!mmu.compareAndSet(linear, size, old, value)) {
            old = mmu.read(linear, size);
        }
        cpu.write(in, kind, reg, size, old);
    }

    static void xadd(Cpu cpu, Insn in) {
        int size = in.opSize;
        long b = cpu.read(in, in.kind1, in.reg1, size);
        long a;
        if (in.kind0 == Insn.MEM) {
            Mmu mmu = cpu.mmu;
            long linear = cpu.linear(in, size, true);
            a = mmu.readForWrite(linear, size);
            if (in.lock) {
                while (!mmu.compareAndSet(linear, size, a, a + b)) {
                    a = mmu.read(linear, size);
                }
            } else {
                mmu.write(linear, size, a + b);
            }
            cpu.write(in, in.kind1, in.reg1, size, a);
        } else {
            a = cpu.read(in, in.kind0, in.reg0, size);
            cpu.write(in, in.kind1, in.reg1, size, a);
            // The sum wins where both are the same register.
            cpu.write(in, in.kind0, in.reg0, size, a + b);
        }
        cpu.flags.add(size, a, b, a + b);
    }

    /** The destination is written in either case: with its own value if unequal. */
    static void cmpxchg(Cpu cpu, Insn in) {
        int size = in.opSize;
        long accumulator = cpu.reg(0, size);
        long source = cpu.read(in, in.kind1, in.reg1, size);
        long old;
        if (in.kind0 == Insn.MEM) {
            Mmu mmu = cpu.mmu;
            long linear = cpu.linear(in, size, true);
            old = mmu.readForWrite(linear, size);
            if (in.lock) {
                while (!mmu.compareAndSet(linear, size, old, old == accumulator ? source : old)) {
                    old = mmu.read(linear, size);
                }
            } else {
                mmu.write(linear, size, old == accumulator ? source : old);
            }
        } else {
            old = cpu.read(in, in.kind0, in.reg0, size);
            if (old == accumulator) {
                cpu.write(in, in.kind0, in.reg0, size, source);
            }
        }
        if (old != accumulator) {
            cpu.setReg(0, size, old);
        }
        cpu.flags.sub(size, accumulator, old, accumulator - old);
    }

    static void cmpxchg8b(Cpu cpu, Insn in) {
        Mmu mmu = cpu.mmu;
        long expected = cpu.reg(2, 4) << 32 | cpu.reg(0, 4);
        long replacement = cpu.reg(1, 4) << 32 | cpu.reg(3, 4);
        long linear = cpu.linear(in, 8, true);
        long old = mmu.readForWrite(linear, 8);
        if (in.lock) {
            while (!mmu.compareAndSet(linear, 8, old, old == expected ? replacement : old)) {
                old = mmu.read(linear, 8);
            }
        } else {
            mmu.write(linear, 8, old == expected ? replacement : old);
        }
        boolean equal = old == expected;
        if (!equal) {
            cpu.setReg(0, 4, old);
            cpu.setReg(2, 4, old >>> 32);
        }
        cpu.flags.setZf(equal);
    }

    /** No 16-byte compare-and-set in Java: the locked form runs alone in the machine. */
    static void cmpxchg16b(Cpu cpu, Insn in) {
        long linear = cpu.linear(in, 16, true);
        if ((linear & 15) != 0) {
            throw cpu.gp0();
        }
        if (in.lock) {
            cpu.mmu.probeWrite(linear, 16);
            cpu.mmu.runExclusive(() -> cmpxchg16b(cpu, linear));
        } else {
            cmpxchg16b(cpu, linear);
        }
    }

    private static void cmpxchg16b(Cpu cpu, long linear) {
        Mmu mmu = cpu.mmu;
        mmu.probeWrite(linear, 16);
        long low = mmu.read64(linear);
        long high = mmu.read64(linear + 8);
        boolean equal = low == cpu.regs[0] && high == cpu.regs[2];
        if (equal) {
            mmu.write128(linear, cpu.regs[3], cpu.regs[1]);
        } else {
            mmu.write128(linear, low, high);
            cpu.regs[0] = low;
            cpu.regs[2] = high;
        }
        cpu.flags.setZf(equal);
    }
}
