package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.decode.Insn;

/** Shifts and rotates. Counts are masked to 5 bits, 6 with a 64-bit operand (SDM 2B). */
final class ShiftOps {
    private ShiftOps() {}

    /**
     * ROL, ROR, RCL, RCR, SHL, SHR, SAR. The destination is written even with a count of 0: it may
     * fault, and a 32-bit register is zero-extended.
     */
    static void shift(Cpu cpu, Insn in) {
        int size = in.opSize;
        int count = count(cpu, in.kind1, in.imm, size);
        if (in.kind0 == Insn.MEM) {
            long linear = cpu.linear(in, size, true);
            long a = cpu.mmu.readForWrite(linear, size);
            if (count == 0) {
                cpu.mmu.write(linear, size, a);
                return;
            }
            cpu.mmu.write(linear, size, result(cpu, in, a, count));
            setFlags(cpu, in, a, count);
        } else {
            long a = cpu.read(in, in.kind0, in.reg0, size);
            if (count == 0) {
                cpu.write(in, in.kind0, in.reg0, size, a);
                return;
            }
            cpu.write(in, in.kind0, in.reg0, size, result(cpu, in, a, count));
            setFlags(cpu, in, a, count);
        }
    }

    /** Immediate, CL, or 1 where there is no operand. */
    private static int count(Cpu cpu, int kind, long imm, int size) {
        long count = kind == Insn.IMM ? imm : kind == Insn.NONE ? 1 : cpu.regs[1];
        return (int) count & (size == 8 ? 63 : 31);
    }

    /** Only low {@code opSize} bytes of the result count. */
    private static long result(Cpu cpu, Insn in, long a, int count) {
        int bits = 8 * in.opSize;
        return switch (in.op) {
            case SHL -> a << count;
            case SHR -> a >>> count;
            case SAR -> (a << (64 - bits) >> (64 - bits)) >> count;
            case ROL -> rotateLeft(a, count & (bits - 1), bits);
            case ROR -> rotateLeft(a, -count & (bits - 1), bits);
            case RCL -> rotateCarryLeft(cpu, a, count, bits);
            default -> rotateCarryRight(cpu, a, count, bits);
        };
    }

    private static long rotateLeft(long a, int count, int bits) {
        return count == 0 ? a : a << count | a >>> (bits - count);
    }

    /** Rotates through CF are modulo 9, 17, 33 and 65, which matters for 8 and 16 bits only. */
    private static int carryCount(int count, int bits) {
        return bits == 8 ? count % 9 : bits == 16 ? count % 17 : count;
    }

    private static long rotateCarryLeft(Cpu cpu, long a, int count, int bits) {
        int n = carryCount(count, bits);
        if (n == 0) {
            return a;
        }
        long carry = cpu.flags.cf() ? 1L << (n - 1) : 0;
        // Java's shift counts are modulo 64: a >>> 64 must be written in two steps.
        return a << n | carry | a >>> (bits - n) >>> 1;
    }

    private static long rotateCarryRight(Cpu cpu, long a, int count, int bits) {
        int n = carryCount(count, bits);
        if (n == 0) {
            return a;
        }
        long carry = cpu.flags.cf() ? 1L << (bits - n) : 0;
        return a >>> n | carry | a << (bits - n) << 1;
    }

    /**
     * OF is defined for a count of 1 only; for others processors apply the same formula. Rotates
     * leave SF, ZF, AF, PF.
     */
    private static void setFlags(Cpu cpu, Insn in, long a, int count) {
        int size = in.opSize;
        int bits = 8 * size;
        Flags flags = cpu.flags;
        // Before the flags change: RCL and RCR need the old CF.
        long value = result(cpu, in, a, count);
        boolean top = bit(value, bits - 1);
        boolean next = bit(value, bits - 2);
        switch (in.op) {
            case SHL -> {
                boolean carry = count <= bits && bit(a, bits - count);
                flags.logic(size, value);
                flags.setCfOf(carry, top != carry);
            }
            case SHR -> {
                boolean carry = bit(a, count - 1);
                flags.logic(size, value);
                flags.setCfOf(carry, top != next);
            }
            case SAR -> {
                boolean carry = bit(a << (64 - bits) >> (64 - bits), count - 1);
                flags.logic(size, value);
                flags.setCfOf(carry, false);
            }
            case ROL -> flags.setCfOf(bit(value, 0), top != bit(value, 0));
            case ROR -> flags.setCfOf(top, top != next);
            case RCL -> {
                int n = carryCount(count, bits);
                boolean carry = n == 0 ? flags.cf() : bit(a, bits - n);
                flags.setCfOf(carry, top != carry);
            }
            default -> {
                int n = carryCount(count, bits);
                boolean carry = n == 0 ? flags.cf() : bit(a, n - 1);
                flags.setCfOf(carry, top != next);
            }
        }
    }

    private static boolean bit(long value, int n) {
        return (value >>> n & 1) != 0;
    }

    /**
     * SHLD, SHRD. A 16-bit operand with a count above 16 is undefined; here, as on processors, bits
     * of the destination follow those of the source.
     */
    static void doubleShift(Cpu cpu, Insn in) {
        int size = in.opSize;
        int bits = 8 * size;
        int count = count(cpu, in.kind2, in.imm, size);
        long b = cpu.reg(in.reg1, size);
        boolean memory = in.kind0 == Insn.MEM;
        long linear = memory ? cpu.linear(in, size, true) : 0;
        long a = memory ? cpu.mmu.readForWrite(linear, size) : cpu.reg(in.reg0, size);
        long value = a;
        boolean carry = false;
        if (count != 0) {
            boolean left = in.op == dev.javisor.softcpu.decode.Op.SHLD;
            if (bits == 16) {
                long ring = a << 32 | b << 16 | a;
                value = left ? ring << count >>> 32 : ring >>> count;
                carry = bit(ring, left ? 48 - count : count - 1);
            } else if (left) {
                value = a << count | b >>> (bits - count);
                carry = bit(a, bits - count);
            } else {
                value = a >>> count | b << (bits - count);
                carry = bit(a, count - 1);
            }
        }
        if (memory) {
            cpu.mmu.write(linear, size, value);
        } else {
            cpu.setReg(in.reg0, size, value);
        }
        if (count != 0) {
            cpu.flags.logic(size, value);
            cpu.flags.setCfOf(carry, bit(value, bits - 1) != bit(a, bits - 1));
        }
    }

    /** RORX, SARX, SHLX, SHRX. */
    static void withoutFlags(Cpu cpu, Insn in) {
        int size = in.opSize;
        int bits = 8 * size;
        long a = cpu.read(in, in.kind1, in.reg1, size);
        long operand = in.kind2 == Insn.IMM ? in.imm : cpu.regs[in.reg2];
        int count = (int) operand & (bits - 1);
        long value =
                switch (in.op) {
                    case SHLX -> a << count;
                    case SHRX -> a >>> count;
                    case SARX -> (a << (64 - bits) >> (64 - bits)) >> count;
                    default -> rotateLeft(a, -count & (bits - 1), bits);
                };
        cpu.setReg(in.reg0, size, value);
    }
}
