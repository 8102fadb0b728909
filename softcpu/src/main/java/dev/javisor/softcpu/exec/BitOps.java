package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/** Bit test, bit scan, bit counts and CRC32. */
final class BitOps {
    /** Remainders of one byte for CRC-32C, polynomial 0x1EDC6F41 reflected. */
    private static final int[] CRC = crcTable();

    private BitOps() {}

    /** BT, BTS, BTR, BTC: CF is the bit, the other flags stay. */
    static void bitTest(Cpu cpu, Insn in) {
        int size = in.opSize;
        int bits = 8 * size;
        long index = cpu.read(in, in.kind1, in.reg1, size);
        long mask = 1L << (index & (bits - 1));
        if (in.kind0 == Insn.MEM) {
            bitTestMemory(cpu, in, index, mask);
            return;
        }
        long a = cpu.reg(in.reg0, size);
        if (in.op != Op.BT) {
            cpu.setReg(in.reg0, size, compute(in.op, a, mask));
        }
        cpu.flags.setCf((a & mask) != 0);
    }

    private static void bitTestMemory(Cpu cpu, Insn in, long index, long mask) {
        int size = in.opSize;
        boolean modify = in.op != Op.BT;
        Mmu mmu = cpu.mmu;
        long offset = cpu.effectiveAddress(in);
        if (in.kind1 == Insn.GPR) {
            // The index is signed and reaches beyond the operand (SDM 1 §3.1.1.9, "Bit(BitBase)").
            int shift = 64 - 8 * size;
            long elements = (index << shift >> shift) >> (size == 8 ? 6 : size == 4 ? 5 : 4);
            offset += elements * size;
            offset &= in.addrSize == 8 ? -1L : in.addrSize == 4 ? 0xFFFFFFFFL : 0xFFFFL;
        }
        long linear = cpu.linear(in.seg, offset, size, modify);
        long a;
        if (!modify) {
            a = mmu.read(linear, size);
        } else {
            a = mmu.readForWrite(linear, size);
            if (in.lock) {
                while (!mmu.compareAndSet(linear, size, a, compute(in.op, a, mask))) {
                    a = mmu.read(linear, size);
                }
            } else {
                mmu.write(linear, size, compute(in.op, a, mask));
            }
        }
        cpu.flags.setCf((a & mask) != 0);
    }

    private static long compute(Op op, long a, long mask) {
        return switch (op) {
            case BTS -> a | mask;
            case BTR -> a & ~mask;
            default -> a ^ mask;
        };
    }

    /**
     * BSF, BSR: with a source of 0 the whole destination register stays. Defined: ZF; the others
     * are those of the source, as translated code has them.
     */
    static void bitScan(Cpu cpu, Insn in) {
        int size = in.opSize;
        long value = cpu.read(in, in.kind1, in.reg1, size);
        if (value != 0) {
            cpu.setReg(
                    in.reg0,
                    size,
                    in.op == Op.BSF
                            ? Long.numberOfTrailingZeros(value)
                            : 63 - Long.numberOfLeadingZeros(value));
        }
        cpu.flags.logic(size, value);
    }

    /** POPCNT, LZCNT, TZCNT. */
    static void count(Cpu cpu, Insn in) {
        int size = in.opSize;
        int bits = 8 * size;
        long value = cpu.read(in, in.kind1, in.reg1, size);
        Flags flags = cpu.flags;
        int count;
        if (in.op == Op.POPCNT) {
            count = Long.bitCount(value);
            flags.setStatus(value == 0 ? Flags.ZF : 0);
        } else {
            count =
                    in.op == Op.LZCNT
                            ? Long.numberOfLeadingZeros(value) - (64 - bits)
                            : Math.min(Long.numberOfTrailingZeros(value), bits);
            // Undefined but CF and ZF: as translated code leaves them.
            flags.set(8, count, value == 0 ? 0xC000_0000_0000_0000L : 0);
        }
        cpu.setReg(in.reg0, size, count);
    }

    /** Accumulates 1, 2, 4 or 8 bytes; clears the upper half of a 64-bit destination too. */
    static void crc32(Cpu cpu, Insn in) {
        int size = in.memSize;
        long value = cpu.read(in, in.kind1, in.reg1, size);
        int crc = (int) cpu.regs[in.reg0];
        for (int i = 0; i < size; i++) {
            crc = crc >>> 8 ^ CRC[(crc ^ (int) (value >>> (8 * i))) & 0xFF];
        }
        cpu.regs[in.reg0] = crc & 0xFFFFFFFFL;
    }

    private static int[] crcTable() {
        int[] table = new int[256];
        for (int i = 0; i < 256; i++) {
            int crc = i;
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc & 1) != 0 ? crc >>> 1 ^ 0x82F63B78 : crc >>> 1;
            }
            table[i] = crc;
        }
        return table;
    }
}
