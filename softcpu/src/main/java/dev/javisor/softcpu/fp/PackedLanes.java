package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.decode.Op;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * For translated code: the frequent operations of {@link Packed}, each a small method on a 64-bit
 * word of either operand, that the JIT inlines. A method is named as its instruction.
 */
public final class PackedLanes {
    private static final long HIGH16 = 0x8000_8000_8000_8000L;

    private static final Map<Op, String> NAMES =
            Stream.of(
                            Op.PADDB,
                            Op.PADDW,
                            Op.PADDD,
                            Op.PSUBB,
                            Op.PSUBW,
                            Op.PSUBD,
                            Op.PCMPEQB,
                            Op.PCMPEQW,
                            Op.PCMPEQD,
                            Op.PCMPEQQ,
                            Op.PCMPGTB,
                            Op.PCMPGTW,
                            Op.PCMPGTD,
                            Op.PCMPGTQ,
                            Op.PMINUB,
                            Op.PMAXUB,
                            Op.PMINSB,
                            Op.PMAXSB,
                            Op.PMINSW,
                            Op.PMAXSW,
                            Op.PMINUW,
                            Op.PMAXUW,
                            Op.PMINSD,
                            Op.PMAXSD,
                            Op.PMINUD,
                            Op.PMAXUD,
                            Op.PAVGB,
                            Op.PAVGW,
                            Op.PMULLW,
                            Op.PMULHW,
                            Op.PMULHUW,
                            Op.PMULLD,
                            Op.PMULUDQ,
                            Op.PMULDQ,
                            Op.PMADDWD,
                            Op.PSADBW,
                            Op.PADDUSB,
                            Op.PSUBUSB,
                            Op.PADDUSW,
                            Op.PSUBUSW)
                    .collect(
                            Collectors.toMap(
                                    Function.identity(), op -> op.name().toLowerCase(Locale.ROOT)));

    private PackedLanes() {}

    /** The method of an operation, if it is here, or "". */
    public static String method(Op op) {
        return NAMES.getOrDefault(op, "");
    }

    public static long paddb(long a, long b) {
        return Packed.add8(a, b);
    }

    public static long paddw(long a, long b) {
        return Packed.add16(a, b);
    }

    public static long paddd(long a, long b) {
        return (a + b & 0xFFFFFFFFL) | ((a & ~0xFFFFFFFFL) + (b & ~0xFFFFFFFFL));
    }

    public static long psubb(long a, long b) {
        return Packed.sub8(a, b);
    }

    public static long psubw(long a, long b) {
        return Packed.sub16(a, b);
    }

    public static long psubd(long a, long b) {
        return (a - b & 0xFFFFFFFFL) | ((a & ~0xFFFFFFFFL) - (b & ~0xFFFFFFFFL));
    }

    public static long pcmpeqb(long a, long b) {
        return Packed.equal8(a, b);
    }

    public static long pcmpeqw(long a, long b) {
        return Packed.equal16(a, b);
    }

    public static long pcmpeqd(long a, long b) {
        return Packed.equal32(a, b);
    }

    public static long pcmpeqq(long a, long b) {
        return a == b ? -1 : 0;
    }

    public static long pcmpgtb(long a, long b) {
        return Packed.greater8(a, b);
    }

    public static long pcmpgtw(long a, long b) {
        return Packed.greater16(a, b);
    }

    public static long pcmpgtd(long a, long b) {
        return Packed.join((int) a > (int) b ? -1 : 0, a >> 32 > b >> 32 ? -1 : 0);
    }

    public static long pcmpgtq(long a, long b) {
        return a > b ? -1 : 0;
    }

    public static long pminub(long a, long b) {
        return Packed.select(Packed.below8(a, b), a, b);
    }

    public static long pmaxub(long a, long b) {
        return Packed.select(Packed.below8(a, b), b, a);
    }

    public static long pminsb(long a, long b) {
        return Packed.select(Packed.greater8(a, b), b, a);
    }

    public static long pmaxsb(long a, long b) {
        return Packed.select(Packed.greater8(a, b), a, b);
    }

    public static long pminsw(long a, long b) {
        return Packed.select(Packed.greater16(a, b), b, a);
    }

    public static long pmaxsw(long a, long b) {
        return Packed.select(Packed.greater16(a, b), a, b);
    }

    public static long pminuw(long a, long b) {
        return Packed.select(Packed.greater16(a ^ HIGH16, b ^ HIGH16), b, a);
    }

    public static long pmaxuw(long a, long b) {
        return Packed.select(Packed.greater16(a ^ HIGH16, b ^ HIGH16), a, b);
    }

    public static long pminsd(long a, long b) {
        return Packed.join(Math.min((int) a, (int) b), (int) Math.min(a >> 32, b >> 32));
    }

    public static long pmaxsd(long a, long b) {
        return Packed.join(Math.max((int) a, (int) b), (int) Math.max(a >> 32, b >> 32));
    }

    public static long pminud(long a, long b) {
        return Math.min(a & 0xFFFFFFFFL, b & 0xFFFFFFFFL) | Math.min(a >>> 32, b >>> 32) << 32;
    }

    public static long pmaxud(long a, long b) {
        return Math.max(a & 0xFFFFFFFFL, b & 0xFFFFFFFFL) | Math.max(a >>> 32, b >>> 32) << 32;
    }

    public static long pavgb(long a, long b) {
        return Packed.sub8(a | b, ((a ^ b) >>> 1) & 0x7F7F_7F7F_7F7F_7F7FL);
    }

    public static long pavgw(long a, long b) {
        return Packed.sub16(a | b, ((a ^ b) >>> 1) & 0x7FFF_7FFF_7FFF_7FFFL);
    }

    public static long pmullw(long a, long b) {
        return (a * b & 0xFFFFL)
                | ((a >>> 16) * (b >>> 16) & 0xFFFFL) << 16
                | ((a >>> 32) * (b >>> 32) & 0xFFFFL) << 32
                | (a >>> 48) * (b >>> 48) << 48;
    }

    public static long pmulhw(long a, long b) {
        return ((long) ((short) a * (short) b) >>> 16 & 0xFFFFL)
                | ((long) (Packed.word(a, 1) * Packed.word(b, 1)) & 0xFFFF0000L)
                | ((long) (Packed.word(a, 2) * Packed.word(b, 2)) >>> 16 & 0xFFFFL) << 32
                | ((long) (Packed.word(a, 3) * Packed.word(b, 3)) & 0xFFFF0000L) << 32;
    }

    public static long pmulhuw(long a, long b) {
        return ((a & 0xFFFF) * (b & 0xFFFF) >>> 16)
                | ((a >>> 16 & 0xFFFF) * (b >>> 16 & 0xFFFF) & 0xFFFF0000L)
                | ((a >>> 32 & 0xFFFF) * (b >>> 32 & 0xFFFF) >>> 16) << 32
                | ((a >>> 48) * (b >>> 48) & 0xFFFF0000L) << 32;
    }

    public static long pmulld(long a, long b) {
        return (a * b & 0xFFFFFFFFL) | (a >>> 32) * (b >>> 32) << 32;
    }

    public static long pmuludq(long a, long b) {
        return (a & 0xFFFFFFFFL) * (b & 0xFFFFFFFFL);
    }

    public static long pmuldq(long a, long b) {
        return (long) (int) a * (int) b;
    }

    public static long pmaddwd(long a, long b) {
        return Packed.join(
                Packed.multiplyAddWords(a, b), Packed.multiplyAddWords(a >>> 32, b >>> 32));
    }

    public static long psadbw(long a, long b) {
        // |a - b| = max - min, without a borrow between bytes; then the sum of all bytes.
        long d = Packed.sub8(pmaxub(a, b), pminub(a, b));
        long pairs = (d & 0x00FF_00FF_00FF_00FFL) + (d >>> 8 & 0x00FF_00FF_00FF_00FFL);
        return pairs * 0x0001_0001_0001_0001L >>> 48;
    }

    public static long psubusb(long a, long b) {
        return Packed.sub8(pmaxub(a, b), b);
    }

    public static long paddusb(long a, long b) {
        return ~psubusb(~a, b);
    }

    public static long psubusw(long a, long b) {
        return Packed.sub16(pmaxuw(a, b), b);
    }

    public static long paddusw(long a, long b) {
        return ~psubusw(~a, b);
    }

    /** Arithmetic shift of four words by 0..15. */
    public static long psraw(long a, int n) {
        return Packed.shift(Op.PSRAW, a, n);
    }

    /** Of two dwords by 0..31. */
    public static long psrad(long a, int n) {
        return ((int) a >> n & 0xFFFFFFFFL) | a >> n & ~0xFFFFFFFFL;
    }

    /** Signs of the bytes. */
    public static long signs8(long a) {
        return Packed.signs8(a);
    }

    /** A word of PSHUFB's result: bytes of high:low that {@code control} chooses. */
    public static long pshufb(long control, long low, long high) {
        return Packed.shuffle8(control, low, high, 15);
    }

    /** Interleaves the low halves of two words by bytes. */
    public static long unpack8(long a, long b) {
        return Packed.interleave(1, a, b);
    }

    /** By 16-bit words. */
    public static long unpack16(long a, long b) {
        return Packed.interleave(2, a, b);
    }

    /** By 32-bit words. */
    public static long unpack32(long a, long b) {
        return (a & 0xFFFFFFFFL) | b << 32;
    }

    /** PACKUSWB and the like: two words to one. */
    public static long packuswb(long a, long b) {
        return Packed.fold(Op.PACKUSWB, a, b);
    }
}
