package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Runs of string elements that lie in one page of plain RAM on each side, done as a whole and
 * exactly as element by element. Stores of a run may become visible in any order, as those of fast
 * string operations may (SDM 3A §9.2.4).
 */
final class StringRuns {
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[4096]);

    private static final int RSI = 6;
    private static final int RDI = 7;

    private StringRuns() {}

    /**
     * Does up to {@code limit} elements at the current pointers and moves them; not the count.
     *
     * @return elements done, 0 if the next one needs the general way. Faults as the first would.
     */
    static long run(Cpu cpu, Insn in, long limit) {
        return switch (in.op) {
            case MOVS -> move(cpu, in, limit);
            case STOS -> fill(cpu, in, limit);
            case CMPS -> compare(cpu, in, limit);
            case SCAS -> scan(cpu, in, limit);
            default -> 0;
        };
    }

    /**
     * How many elements from {@code offset} on, in the direction of DF, lie in the page, the
     * segment and below the wrap of the address size; 0 if even the first may not.
     */
    private static long elements(Cpu cpu, Insn in, int seg, long offset, boolean down, long limit) {
        int size = in.opSize;
        int page = (int) (cpu.linearBase[seg] + offset) & 0xFFF;
        if (page + size > 4096) {
            return 0;
        }
        long count = Math.min(limit, down ? page / size + 1 : (4096 - page) / size);
        if (down) {
            count = Math.min(count, Long.divideUnsigned(offset, size) + 1);
        } else if (in.addrSize != 8) {
            long wrap = in.addrSize == 4 ? 1L << 32 : 1L << 16;
            count = Math.min(count, (wrap - offset) / size);
        }
        if (cpu.long64 || (cpu.flatSegments & (1 << seg)) != 0) {
            return count;
        }
        if ((cpu.segAttributes[seg] & (Seg.CODE | Seg.DC)) == Seg.DC) {
            return 0;
        }
        long first = down ? offset + size : offset + count * size;
        return first - 1 <= cpu.segLimit[seg] ? count : 0;
    }

    private static long move(Cpu cpu, Insn in, long limit) {
        int size = in.opSize;
        int width = in.addrSize;
        boolean down = (cpu.flags.system & Flags.DF) != 0;
        long si = cpu.reg(RSI, width);
        long di = cpu.reg(RDI, width);
        long count = elements(cpu, in, in.seg, si, down, limit);
        count = elements(cpu, in, Seg.ES, di, down, count);
        if (count == 0) {
            return 0;
        }
        Mmu mmu = cpu.mmu;
        long from = mmu.bulkOffset(cpu.linear(in.seg, si, size, false), false);
        if (from < 0) {
            return 0;
        }
        long to = mmu.bulkOffset(cpu.linear(Seg.ES, di, size, true), true);
        if (to < 0) {
            return 0;
        }
        long bytes = count * size;
        MemorySegment mem = mmu.backing();
        VarHandle.fullFence();
        if (down) {
            long back = bytes - size;
            // Downwards a copy to above is a plain one; to just below, each element feeds later
            // ones.
            if (to < from && from - to < bytes) {
                return 0;
            }
            MemorySegment.copy(mem, from - back, mem, to - back, bytes);
        } else if (to > from && to - from < bytes) {
            replicate(mem, from, to, bytes, size);
        } else {
            MemorySegment.copy(mem, from, mem, to, bytes);
        }
        VarHandle.acquireFence();
        long distance = down ? -bytes : bytes;
        cpu.setReg(RSI, width, si + distance);
        cpu.setReg(RDI, width, di + distance);
        return count;
    }

    /**
     * Upward copy to just above the source: what was written is read again, so the bytes between
     * repeat. Each step doubles what can be copied without overlap. A distance below the element
     * size goes element by element (each read completes before its write).
     */
    private static void replicate(MemorySegment mem, long from, long to, long bytes, int size) {
        long distance = to - from;
        if (distance < size) {
            for (long i = 0; i < bytes; i += size) {
                MemorySegment.copy(mem, from + i, mem, to + i, size);
            }
            return;
        }
        long done = 0;
        long chunk = distance;
        while (done < bytes) {
            long n = Math.min(chunk, bytes - done);
            MemorySegment.copy(mem, from, mem, to + done, n);
            done += n;
            chunk += n;
        }
    }

    private static long fill(Cpu cpu, Insn in, long limit) {
        int size = in.opSize;
        boolean down = (cpu.flags.system & Flags.DF) != 0;
        long di = cpu.reg(RDI, in.addrSize);
        long count = elements(cpu, in, Seg.ES, di, down, limit);
        if (count == 0) {
            return 0;
        }
        long to = cpu.mmu.bulkOffset(cpu.linear(Seg.ES, di, size, true), true);
        if (to < 0) {
            return 0;
        }
        long bytes = count * size;
        long start = down ? to - bytes + size : to;
        MemorySegment mem = cpu.mmu.backing();
        VarHandle.releaseFence();
        fill(mem, start, bytes, size, cpu.reg(0, size));
        cpu.setReg(RDI, in.addrSize, down ? di - bytes : di + bytes);
        return count;
    }

    private static void fill(MemorySegment mem, long start, long bytes, int size, long value) {
        if (value == 0) {
            MemorySegment.copy(ZEROS, 0, mem, start, bytes);
            return;
        }
        long pattern =
                switch (size) {
                    case 1 -> value * 0x0101010101010101L;
                    case 2 -> value * 0x0001000100010001L;
                    case 4 -> value | value << 32;
                    default -> value;
                };
        if (bytes < 8) {
            for (long i = 0; i < bytes; i++) {
                mem.set(BYTE, start + i, (byte) (pattern >>> (8 * i)));
            }
            return;
        }
        long first = Math.min(bytes & ~7L, 64);
        for (long i = 0; i < first; i += 8) {
            mem.set(LONG, start + i, pattern);
        }
        if (bytes > first) {
            replicate(mem, start, start + first, bytes - first, 1);
        }
    }

    /** CMPS while equal (REPE) or while not (REPNE). Flags are those of the last pair. */
    private static long compare(Cpu cpu, Insn in, long limit) {
        int size = in.opSize;
        int width = in.addrSize;
        boolean down = (cpu.flags.system & Flags.DF) != 0;
        long si = cpu.reg(RSI, width);
        long di = cpu.reg(RDI, width);
        long count = elements(cpu, in, in.seg, si, down, limit);
        count = elements(cpu, in, Seg.ES, di, down, count);
        if (count == 0) {
            return 0;
        }
        Mmu mmu = cpu.mmu;
        long left = mmu.bulkOffset(cpu.linear(in.seg, si, size, false), false);
        if (left < 0) {
            return 0;
        }
        long right = mmu.bulkOffset(cpu.linear(Seg.ES, di, size, false), false);
        if (right < 0) {
            return 0;
        }
        MemorySegment mem = mmu.backing();
        boolean whileEqual = in.rep == 0xF3;
        long step = down ? -size : size;
        long done = 0;
        long a;
        long b;
        do {
            a = get(mem, left + done * step, size);
            b = get(mem, right + done * step, size);
            done++;
        } while (done < count && (a == b) == whileEqual);
        VarHandle.acquireFence();
        cpu.flags.sub(size, a, b, a - b);
        cpu.setReg(RSI, width, si + done * step);
        cpu.setReg(RDI, width, di + done * step);
        return done;
    }

    private static long scan(Cpu cpu, Insn in, long limit) {
        int size = in.opSize;
        int width = in.addrSize;
        boolean down = (cpu.flags.system & Flags.DF) != 0;
        long di = cpu.reg(RDI, width);
        long count = elements(cpu, in, Seg.ES, di, down, limit);
        if (count == 0) {
            return 0;
        }
        long at = cpu.mmu.bulkOffset(cpu.linear(Seg.ES, di, size, false), false);
        if (at < 0) {
            return 0;
        }
        MemorySegment mem = cpu.mmu.backing();
        boolean whileEqual = in.rep == 0xF3;
        long step = down ? -size : size;
        long a = cpu.reg(0, size);
        long done = 0;
        long b;
        do {
            b = get(mem, at + done * step, size);
            done++;
        } while (done < count && (a == b) == whileEqual);
        VarHandle.acquireFence();
        cpu.flags.sub(size, a, b, a - b);
        cpu.setReg(RDI, width, di + done * step);
        return done;
    }

    private static long get(MemorySegment mem, long offset, int size) {
        return switch (size) {
            case 1 -> mem.get(BYTE, offset) & 0xFF;
            case 2 -> mem.get(SHORT, offset) & 0xFFFF;
            case 4 -> mem.get(INT, offset) & 0xFFFFFFFFL;
            default -> mem.get(LONG, offset);
        };
    }
}
