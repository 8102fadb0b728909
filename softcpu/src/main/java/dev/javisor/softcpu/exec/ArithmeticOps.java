package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/** Addition, subtraction, logic and comparison. */
final class ArithmeticOps {
    private ArithmeticOps() {}

    /** ADD, OR, ADC, SBB, AND, SUB, XOR. */
    static void binary(Cpu cpu, Insn in) {
        int size = in.opSize;
        Op op = in.op;
        long b = cpu.read(in, in.kind1, in.reg1, size);
        long carry = cpu.flags.cf() ? 1 : 0;
        long a;
        long value;
        if (in.kind0 == Insn.MEM) {
            Mmu mmu = cpu.mmu;
            long linear = cpu.linear(in, size, true);
            a = mmu.readForWrite(linear, size);
            value = compute(op, a, b, carry);
            if (in.lock) {
                while (!mmu.compareAndSet(linear, size, a, value)) {
                    a = mmu.read(linear, size);
                    value = compute(op, a, b, carry);
                }
            } else {
                mmu.write(linear, size, value);
            }
        } else {
            a = cpu.read(in, in.kind0, in.reg0, size);
            value = compute(op, a, b, carry);
            cpu.write(in, in.kind0, in.reg0, size, value);
        }
        switch (op) {
            case ADD, ADC -> cpu.flags.add(size, a, b, value);
            case SUB, SBB -> cpu.flags.sub(size, a, b, value);
            default -> cpu.flags.logic(size, value);
        }
    }

    private static long compute(Op op, long a, long b, long carry) {
        return switch (op) {
            case ADD -> a + b;
            case ADC -> a + b + carry;
            case SUB -> a - b;
            case SBB -> a - b - carry;
            case AND -> a & b;
            case OR -> a | b;
            default -> a ^ b;
        };
    }

    static void cmp(Cpu cpu, Insn in) {
        int size = in.opSize;
        long a = cpu.read(in, in.kind0, in.reg0, size);
        long b = cpu.read(in, in.kind1, in.reg1, size);
        cpu.flags.sub(size, a, b, a - b);
    }

    static void test(Cpu cpu, Insn in) {
        int size = in.opSize;
        long a = cpu.read(in, in.kind0, in.reg0, size);
        cpu.flags.logic(size, a & cpu.read(in, in.kind1, in.reg1, size));
    }

    /** INC, DEC, NEG, NOT. */
    static void unary(Cpu cpu, Insn in) {
        int size = in.opSize;
        Op op = in.op;
        long a;
        long value;
        if (in.kind0 == Insn.MEM) {
            Mmu mmu = cpu.mmu;
            long linear = cpu.linear(in, size, true);
            a = mmu.readForWrite(linear, size);
            value = compute(op, a);
            if (in.lock) {
                while (!mmu.compareAndSet(linear, size, a, value)) {
                    a = mmu.read(linear, size);
                    value = compute(op, a);
                }
            } else {
                mmu.write(linear, size, value);
            }
        } else {
            a = cpu.read(in, in.kind0, in.reg0, size);
            value = compute(op, a);
            cpu.write(in, in.kind0, in.reg0, size, value);
        }
        switch (op) {
            case INC -> cpu.flags.inc(size, a, value);
            case DEC -> cpu.flags.dec(size, a, value);
            case NEG -> cpu.flags.sub(size, 0, a, value);
            default -> {}
        }
    }

    private static long compute(Op op, long a) {
        return switch (op) {
            case INC -> a + 1;
            case DEC -> a - 1;
            case NEG -> -a;
            default -> ~a;
        };
    }

    /** ADCX: carry in and out is CF; ADOX: OF. The other flags stay. */
    static void adx(Cpu cpu, Insn in) {
        int size = in.opSize;
        Flags flags = cpu.flags;
        boolean overflowChain = in.op == Op.ADOX;
        long a = cpu.read(in, in.kind0, in.reg0, size);
        long b = cpu.read(in, in.kind1, in.reg1, size);
        long value = a + b + ((overflowChain ? flags.of() : flags.cf()) ? 1 : 0);
        boolean out = (((a & b) | ((a | b) & ~value)) << (64 - 8 * size)) < 0;
        cpu.write(in, in.kind0, in.reg0, size, value);
        if (overflowChain) {
            flags.setCfOf(flags.cf(), out);
        } else {
            flags.setCf(out);
        }
    }

    /** #BR if the signed index is outside the pair of bounds in memory. */
    static void bound(Cpu cpu, Insn in) {
        int size = in.opSize;
        int shift = 64 - 8 * size;
        // The pair is one operand for the limit check, two elements for the load.
        long linear = cpu.linear(in, 2 * size, false);
        long lower = cpu.mmu.read(linear, size) << shift;
        long upper = cpu.mmu.read((linear + size) & 0xFFFFFFFFL, size) << shift;
        long value = cpu.regs[in.reg0] << shift;
        if (value < lower || value > upper) {
            throw cpu.fault(GuestFault.BR);
        }
    }
}
