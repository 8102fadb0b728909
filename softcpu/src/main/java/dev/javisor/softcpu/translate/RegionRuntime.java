package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Families;
import dev.javisor.softcpu.block.PendingFlags;
import dev.javisor.softcpu.core.CodePages;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Insn;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * What translated code calls: small, so that the JIT inlines it. Memory order as {@link
 * dev.javisor.softcpu.core.Mmu} says; accesses are bounds-checked by the segment.
 */
final class RegionRuntime {
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final VarHandle ATOMIC_INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final VarHandle ATOMIC_LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    /** Constants for the class being initialised; guarded by the class. */
    private static @Nullable Constants handed;

    /** What a region's class keeps in static final fields, so that the JIT knows them. */
    record Constants(long[] tlb, long[] vectors, MemorySegment memory, Insn[] calledOut) {}

    private RegionRuntime() {}

    static void hand(@Nullable Constants constants) {
        handed = constants;
    }

    static Constants handed() {
        Constants constants = handed;
        if (constants == null) {
            throw new IllegalStateException("a region's class outside its definition");
        }
        return constants;
    }

    /** Index of an address's entry in the soft TLB. */
    static int slot(long linear) {
        return (int) (linear >>> 10) & 1023 << 2;
    }

    static long load64(MemorySegment memory, long offset) {
        long value = memory.get(LONG, offset);
        VarHandle.acquireFence();
        return value;
    }

    static long load32(MemorySegment memory, long offset) {
        long value = memory.get(INT, offset) & 0xFFFFFFFFL;
        VarHandle.acquireFence();
        return value;
    }

    static long load16(MemorySegment memory, long offset) {
        long value = memory.get(SHORT, offset) & 0xFFFF;
        VarHandle.acquireFence();
        return value;
    }

    static long load8(MemorySegment memory, long offset) {
        long value = memory.get(BYTE, offset) & 0xFF;
        VarHandle.acquireFence();
        return value;
    }

    static void store64(MemorySegment memory, long offset, long value) {
        VarHandle.releaseFence();
        memory.set(LONG, offset, value);
    }

    static void store32(MemorySegment memory, long offset, long value) {
        VarHandle.releaseFence();
        memory.set(INT, offset, (int) value);
    }

    static void store16(MemorySegment memory, long offset, long value) {
        VarHandle.releaseFence();
        memory.set(SHORT, offset, (short) value);
    }

    static void store8(MemorySegment memory, long offset, long value) {
        VarHandle.releaseFence();
        memory.set(BYTE, offset, (byte) value);
    }

    static long getAndAdd64(MemorySegment memory, long offset, long value) {
        return (long) ATOMIC_LONG.getAndAdd(memory, offset, value);
    }

    static long getAndAdd32(MemorySegment memory, long offset, long value) {
        return (int) ATOMIC_INT.getAndAdd(memory, offset, (int) value) & 0xFFFFFFFFL;
    }

    static long getAndSet64(MemorySegment memory, long offset, long value) {
        return (long) ATOMIC_LONG.getAndSet(memory, offset, value);
    }

    static long getAndSet32(MemorySegment memory, long offset, long value) {
        return (int) ATOMIC_INT.getAndSet(memory, offset, (int) value) & 0xFFFFFFFFL;
    }

    static long getAndAnd64(MemorySegment memory, long offset, long value) {
        return (long) ATOMIC_LONG.getAndBitwiseAnd(memory, offset, value);
    }

    static long getAndAnd32(MemorySegment memory, long offset, long value) {
        return (int) ATOMIC_INT.getAndBitwiseAnd(memory, offset, (int) value) & 0xFFFFFFFFL;
    }

    static long getAndOr64(MemorySegment memory, long offset, long value) {
        return (long) ATOMIC_LONG.getAndBitwiseOr(memory, offset, value);
    }

    static long getAndOr32(MemorySegment memory, long offset, long value) {
        return (int) ATOMIC_INT.getAndBitwiseOr(memory, offset, (int) value) & 0xFFFFFFFFL;
    }

    static long getAndXor64(MemorySegment memory, long offset, long value) {
        return (long) ATOMIC_LONG.getAndBitwiseXor(memory, offset, value);
    }

    static long getAndXor32(MemorySegment memory, long offset, long value) {
        return (int) ATOMIC_INT.getAndBitwiseXor(memory, offset, (int) value) & 0xFFFFFFFFL;
    }

    static long compareAndExchange64(MemorySegment memory, long offset, long old, long value) {
        return (long) ATOMIC_LONG.compareAndExchange(memory, offset, old, value);
    }

    static long compareAndExchange32(MemorySegment memory, long offset, long old, long value) {
        return (int) ATOMIC_INT.compareAndExchange(memory, offset, (int) old, (int) value)
                & 0xFFFFFFFFL;
    }

    /** Parity of the low byte: {@link dev.javisor.softcpu.core.Flags#pf}. */
    static boolean parity(long result, long aux) {
        return (Integer.bitCount((int) (result ^ (aux >>> 8)) & 0xFF) & 1) == 0;
    }

    /** Bit 63: SF. */
    static long sign(long result, long aux) {
        return result ^ (aux << 47);
    }

    /** Bit 63: OF. */
    static long overflow(long aux) {
        return aux ^ (aux << 1);
    }

    /** MUL's aux word: CF and OF unless the high half is zero. */
    static long carryIfAny(long high) {
        return high != 0 ? Long.MIN_VALUE : 0;
    }

    private static final long CARRY = 0xC000_0000_0000_0000L;

    /** Aux word with CF, and without OF. */
    static long carryIfZero(long value) {
        return value == 0 ? CARRY : 0;
    }

    static long carryUnlessZero(long value) {
        return value == 0 ? 0 : CARRY;
    }

    /** BEXTR. */
    static long extractBits(long value, long control, int bits) {
        int start = (int) control & 0xFF;
        int length = (int) control >>> 8 & 0xFF;
        long from = start >= bits ? 0 : value >>> start;
        return length < 64 ? from & (1L << length) - 1 : from;
    }

    /** BZHI. */
    static long zeroHighBits(long value, long control, int bits) {
        int index = (int) control & 0xFF;
        return index >= bits ? value : value & (1L << index) - 1;
    }

    static long zeroHighBitsAux(long control, int bits) {
        return ((int) control & 0xFF) >= bits ? CARRY : 0;
    }

    static long rotateRight64(long value, int count) {
        return Long.rotateRight(value, count);
    }

    static long rotateRight32(long value, int count) {
        return Integer.rotateRight((int) value, count) & 0xFFFFFFFFL;
    }

    /** Carries out of each bit of a + b, or of one more. */
    static long carries(long a, long b, long sum) {
        return (a & b) | ((a | b) & ~sum);
    }

    /** An aux word with bit 63 of {@code carry} as CF, and its OF. */
    static long withCarry(long aux, long carry) {
        long overflow = (aux ^ aux << 1) >>> 63;
        long cf = carry >>> 63;
        return aux & ~CARRY | cf << 63 | (cf ^ overflow) << 62;
    }

    /** An aux word with bit 63 of {@code overflow} as OF, and its CF. */
    static long withOverflow(long aux, long overflow) {
        return aux & ~(1L << 62) | (aux >>> 63 ^ overflow >>> 63) << 62;
    }

    /** Whether high:low / divisor is low / divisor, and does not fault. */
    static boolean dividesUnsigned(long divisor, long low, long high) {
        return divisor != 0 && high == 0;
    }

    static boolean dividesSigned(long divisor, long low, long high) {
        // -1 could overflow.
        return divisor != 0 && divisor != -1 && high == low >> 63;
    }

    /** 1 if a is below b, unsigned. */
    static long below(long a, long b) {
        return Long.compareUnsigned(a, b) < 0 ? 1 : 0;
    }

    /** Every exception is recorded already that ordinary numbers can raise: inexact. */
    static final int ANY_RESULT = 1;

    /** Rounding as usual, and no exception may interrupt, but inexact is not recorded yet. */
    static final int EXACT_RESULTS = 0;

    /** Something that Java does not do. */
    static final int NO_RESULT = -1;

    /**
     * Which floating-point operations Java may do in place of the definition: their operands and
     * results are neither NaN, infinite nor denormal, so that FTZ and DAZ do not matter.
     */
    static int floatMode(Cpu cpu) {
        if ((cpu.mxcsr & 0x7F80) != 0x1F80) {
            return NO_RESULT;
        }
        return (cpu.mxcsr & 0x20) != 0 ? ANY_RESULT : EXACT_RESULTS;
    }

    /** AUX after PTEST. */
    static long testAux(long both, long second) {
        return (both == 0 ? 1 << 8 : 0) | (second == 0 ? 0xC000_0000_0000_0000L : 0);
    }

    static long testResult(long both) {
        return both == 0 ? 0 : 1;
    }

    /** After a comparison that gave -1, 0 or 1. */
    static long comparisonAux(long order) {
        // CF with OF clear, or the parity that a result of zero must not show.
        return order < 0 ? 0xC000_0000_0000_0000L : order == 0 ? 1 << 8 : 0;
    }

    static long comparisonResult(long order) {
        return order & 1;
    }

    /**
     * Has an instruction's family execute it; all state is in {@code cpu}.
     *
     * @param page that the instruction is in, of the backing
     * @param pending kind of the flags, see {@link PendingFlags}
     * @return whether translated code may go on
     */
    static boolean callOut(Cpu cpu, Insn in, int page, int pending) {
        PendingFlags.settle(cpu.flags, pending);
        return execute(cpu, in, page);
    }

    /** The same for an instruction that has nothing to do with flags: they stay pending. */
    static boolean callPlain(Cpu cpu, Insn in, int page, int pending) {
        try {
            return execute(cpu, in, page);
        } catch (GuestFault fault) {
            PendingFlags.settle(cpu.flags, pending);
            throw fault;
        }
    }

    private static boolean execute(Cpu cpu, Insn in, int page) {
        CodePages codePages = cpu.mmu.ram().codePages;
        int writes = codePages.writes();
        cpu.calledOut = in;
        cpu.mmu.execPage = page;
        cpu.mmu.execPage2 = -1;
        Families.execute(cpu, in);
        return cpu.requests() == 0 && codePages.writes() == writes;
    }
}
