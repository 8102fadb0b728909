package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;

/** MUL, IMUL, DIV, IDIV, MULX. */
final class MultiplyOps {
    private MultiplyOps() {}

    static void mul(Cpu cpu, Insn in) {
        int size = in.opSize;
        long a = cpu.reg(0, size);
        long b = cpu.read(in, in.kind0, in.reg0, size);
        long low = a * b;
        long high = size == 8 ? Math.unsignedMultiplyHigh(a, b) : low >>> (8 * size);
        storeProduct(cpu, size, low, high);
        multiplyFlags(cpu, size, low, high != 0);
    }

    /** One, two and three operand forms. */
    static void imul(Cpu cpu, Insn in) {
        int size = in.opSize;
        int shift = 64 - 8 * size;
        long a;
        long b;
        if (in.kind1 == Insn.NONE) {
            a = cpu.reg(0, size);
            b = cpu.read(in, in.kind0, in.reg0, size);
        } else if (in.kind2 == Insn.NONE) {
            a = cpu.reg(in.reg0, size);
            b = cpu.read(in, in.kind1, in.reg1, size);
        } else {
            a = cpu.read(in, in.kind1, in.reg1, size);
            b = cpu.read(in, in.kind2, in.reg2, size);
        }
        a = a << shift >> shift;
        b = b << shift >> shift;
        long low = a * b;
        boolean overflow =
                size == 8 ? Math.multiplyHigh(a, b) != low >> 63 : low << shift >> shift != low;
        if (in.kind1 == Insn.NONE) {
            long high = size == 8 ? Math.multiplyHigh(a, b) : low >> (8 * size);
            storeProduct(cpu, size, low, high);
        } else {
            cpu.setReg(in.reg0, size, low);
        }
        multiplyFlags(cpu, size, low, overflow);
    }

    private static void storeProduct(Cpu cpu, int size, long low, long high) {
        if (size == 1) {
            cpu.setReg(0, 2, low);
        } else {
            cpu.setReg(0, size, low);
            cpu.setReg(2, size, high);
        }
    }

    private static void multiplyFlags(Cpu cpu, int size, long low, boolean overflow) {
        cpu.flags.logic(size, low);
        cpu.flags.setCfOf(overflow, overflow);
    }

    /** High and low half may be the same register: the high half wins. Flags stay. */
    static void mulx(Cpu cpu, Insn in) {
        int size = in.opSize;
        long a = cpu.reg(2, size);
        long b = cpu.read(in, in.kind2, in.reg2, size);
        long low = a * b;
        long high = size == 8 ? Math.unsignedMultiplyHigh(a, b) : low >>> 32;
        cpu.setReg(in.reg1, size, low);
        cpu.setReg(in.reg0, size, high);
    }

    static void div(Cpu cpu, Insn in) {
        int size = in.opSize;
        long divisor = cpu.read(in, in.kind0, in.reg0, size);
        if (divisor == 0) {
            throw cpu.fault(GuestFault.DE);
        }
        if (size == 8) {
            long high = cpu.regs[2];
            long low = cpu.regs[0];
            if (Long.compareUnsigned(high, divisor) >= 0) {
                throw cpu.fault(GuestFault.DE);
            }
            long quotient =
                    high == 0 ? Long.divideUnsigned(low, divisor) : divide128(high, low, divisor);
            cpu.regs[0] = quotient;
            cpu.regs[2] = low - quotient * divisor;
            return;
        }
        long dividend = dividend(cpu, size);
        long quotient = Long.divideUnsigned(dividend, divisor);
        if (quotient >>> (8 * size) != 0) {
            throw cpu.fault(GuestFault.DE);
        }
        storeQuotient(cpu, size, quotient, dividend - quotient * divisor);
    }

    static void idiv(Cpu cpu, Insn in) {
        int size = in.opSize;
        int shift = 64 - 8 * size;
        long divisor = cpu.read(in, in.kind0, in.reg0, size) << shift >> shift;
        if (divisor == 0) {
            throw cpu.fault(GuestFault.DE);
        }
        if (size == 8) {
            idiv128(cpu, divisor);
            return;
        }
        int dividendShift = 64 - 16 * size;
        long dividend = dividend(cpu, size) << dividendShift >> dividendShift;
        // Long.MIN_VALUE / -1 wraps to MIN_VALUE, which the range check refuses too.
        long quotient = dividend / divisor;
        if (quotient << shift >> shift != quotient) {
            throw cpu.fault(GuestFault.DE);
        }
        storeQuotient(cpu, size, quotient, dividend - quotient * divisor);
    }

    private static void idiv128(Cpu cpu, long divisor) {
        long high = cpu.regs[2];
        long low = cpu.regs[0];
        long quotient;
        if (high == low >> 63) {
            if (low == Long.MIN_VALUE && divisor == -1) {
                throw cpu.fault(GuestFault.DE);
            }
            quotient = low / divisor;
        } else {
            boolean negative = (high ^ divisor) < 0;
            long absHigh = high;
            long absLow = low;
            if (high < 0) {
                absLow = -low;
                absHigh = ~high + (low == 0 ? 1 : 0);
            }
            // |Long.MIN_VALUE| is right as an unsigned number.
            long absDivisor = Math.abs(divisor);
            if (Long.compareUnsigned(absHigh, absDivisor) >= 0) {
                throw cpu.fault(GuestFault.DE);
            }
            long magnitude = divide128(absHigh, absLow, absDivisor);
            quotient = negative ? -magnitude : magnitude;
            if (quotient != 0 && (quotient < 0) != negative) {
                throw cpu.fault(GuestFault.DE);
            }
        }
        cpu.regs[0] = quotient;
        cpu.regs[2] = low - quotient * divisor;
    }

    private static long dividend(Cpu cpu, int size) {
        return size == 1 ? cpu.reg(0, 2) : cpu.reg(2, size) << (8 * size) | cpu.reg(0, size);
    }

    private static void storeQuotient(Cpu cpu, int size, long quotient, long remainder) {
        if (size == 1) {
            cpu.setReg(0, 2, (quotient & 0xFF) | (remainder & 0xFF) << 8);
        } else {
            cpu.setReg(0, size, quotient);
            cpu.setReg(2, size, remainder);
        }
    }

    /**
     * Unsigned 128 by 64 bit quotient, {@code high < divisor}: schoolbook division in base 2^32
     * (Knuth, TAOCP 2 §4.3.1, algorithm D with two digits).
     */
    static long divide128(long high, long low, long divisor) {
        int shift = Long.numberOfLeadingZeros(divisor);
        long v = divisor << shift;
        long vHigh = v >>> 32;
        long vLow = v & 0xFFFFFFFFL;
        long uHigh = shift == 0 ? high : high << shift | low >>> (64 - shift);
        long uLow = low << shift;
        long q1 = digit(uHigh, uLow >>> 32, vHigh, vLow);
        long rest = (uHigh << 32 | uLow >>> 32) - q1 * v;
        long q0 = digit(rest, uLow & 0xFFFFFFFFL, vHigh, vLow);
        return (q1 << 32) + q0;
    }

    /** One digit of the quotient: estimate by the leading digits, corrected at most twice. */
    private static long digit(long u, long next, long vHigh, long vLow) {
        long q = Long.divideUnsigned(u, vHigh);
        long rest = u - q * vHigh;
        while (q >>> 32 != 0 || Long.compareUnsigned(q * vLow, rest << 32 | next) > 0) {
            q--;
            rest += vHigh;
            if (rest >>> 32 != 0) {
                break;
            }
        }
        return q;
    }
}
