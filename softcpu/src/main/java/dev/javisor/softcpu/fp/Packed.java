package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.decode.Op;

/**
 * Packed integer arithmetic on 64-bit words: the one definition behind the MMX, SSE and AVX forms.
 * Elements are numbered from the least significant end.
 */
public final class Packed {
    private static final long LOW7 = 0x7F7F_7F7F_7F7F_7F7FL;
    private static final long HIGH8 = 0x8080_8080_8080_8080L;
    private static final long LOW15 = 0x7FFF_7FFF_7FFF_7FFFL;
    private static final long HIGH16 = 0x8000_8000_8000_8000L;
    private static final long ONES8 = 0x0101_0101_0101_0101L;
    private static final long ONES16 = 0x0001_0001_0001_0001L;

    private Packed() {}

    /** Operations whose result word depends on the same word of each operand only. */
    static long lane(Op op, long a, long b) {
        return switch (op) {
            case PAND, ANDPS, ANDPD -> a & b;
            case PANDN, ANDNPS, ANDNPD -> ~a & b;
            case POR, ORPS, ORPD -> a | b;
            case PXOR, XORPS, XORPD -> a ^ b;
            case PADDB -> add8(a, b);
            case PADDW -> add16(a, b);
            case PADDD -> add32(a, b);
            case PADDQ -> a + b;
            case PSUBB -> sub8(a, b);
            case PSUBW -> sub16(a, b);
            case PSUBD -> sub32(a, b);
            case PSUBQ -> a - b;
            case PCMPEQB -> equal8(a, b);
            case PCMPEQW -> equal16(a, b);
            case PCMPEQD -> equal32(a, b);
            case PCMPEQQ -> a == b ? -1 : 0;
            case PCMPGTB -> greater8(a, b);
            case PCMPGTW -> greater16(a, b);
            case PCMPGTD -> join((int) a > (int) b ? -1 : 0, (a >> 32) > (b >> 32) ? -1 : 0);
            case PCMPGTQ -> a > b ? -1 : 0;
            case PMINUB -> select(below8(a, b), a, b);
            case PMAXUB -> select(below8(a, b), b, a);
            case PMINSB -> select(greater8(a, b), b, a);
            case PMAXSB -> select(greater8(a, b), a, b);
            case PMINSW -> select(greater16(a, b), b, a);
            case PMAXSW -> select(greater16(a, b), a, b);
            case PMINUW -> select(greater16(a ^ HIGH16, b ^ HIGH16), b, a);
            case PMAXUW -> select(greater16(a ^ HIGH16, b ^ HIGH16), a, b);
            case PMINSD -> join(Math.min((int) a, (int) b), (int) Math.min(a >> 32, b >> 32));
            case PMAXSD -> join(Math.max((int) a, (int) b), (int) Math.max(a >> 32, b >> 32));
            case PMINUD ->
                    Math.min(a & 0xFFFFFFFFL, b & 0xFFFFFFFFL) | Math.min(a >>> 32, b >>> 32) << 32;
            case PMAXUD ->
                    Math.max(a & 0xFFFFFFFFL, b & 0xFFFFFFFFL) | Math.max(a >>> 32, b >>> 32) << 32;
            // Rounding up: (a | b) - ((a ^ b) >> 1), in each element.
            case PAVGB -> sub8(a | b, ((a ^ b) >>> 1) & LOW7);
            case PAVGW -> sub16(a | b, ((a ^ b) >>> 1) & LOW15);
            case PABSB -> {
                long negative = greater8(0, b);
                yield sub8(b ^ negative, negative);
            }
            case PABSW -> {
                long negative = greater16(0, b);
                yield sub16(b ^ negative, negative);
            }
            case PABSD -> join(Math.abs((int) b), Math.abs((int) (b >> 32)));
            case PSIGNB -> {
                long negative = greater8(0, b);
                yield sub8(a ^ negative, negative) & ~equal8(b, 0);
            }
            case PSIGNW -> {
                long negative = greater16(0, b);
                yield sub16(a ^ negative, negative) & ~equal16(b, 0);
            }
            case PSIGND ->
                    join(Integer.signum((int) b) * (int) a, Long.signum(b >> 32) * (int) (a >> 32));
            default -> saturateOrMultiply(op, a, b);
        };
    }

    private static long saturateOrMultiply(Op op, long a, long b) {
        return switch (op) {
            case PADDSB, PADDUSB, PSUBSB, PSUBUSB -> saturate8(op, a, b);
            case PADDSW, PADDUSW, PSUBSW, PSUBUSW -> saturate16(op, a, b);
            case PMULLW, PMULHW, PMULHUW, PMULHRSW -> multiply16(op, a, b);
            case PMULLD -> join((int) a * (int) b, (int) (a >> 32) * (int) (b >> 32));
            case PMULUDQ -> (a & 0xFFFFFFFFL) * (b & 0xFFFFFFFFL);
            case PMULDQ -> (long) (int) a * (int) b;
            case PMADDWD -> join(multiplyAddWords(a, b), multiplyAddWords(a >>> 32, b >>> 32));
            case PMADDUBSW -> multiplyAddBytes(a, b);
            case PSADBW -> sumOfDifferences(a, b);
            default -> throw new IllegalStateException("not a packed operation: " + op);
        };
    }

    static long join(int low, int high) {
        return (low & 0xFFFFFFFFL) | (long) high << 32;
    }

    static int word(long a, int element) {
        return (short) (a >>> (16 * element));
    }

    static long select(long mask, long a, long b) {
        return (a & mask) | (b & ~mask);
    }

    public static long add8(long a, long b) {
        return ((a & LOW7) + (b & LOW7)) ^ ((a ^ b) & HIGH8);
    }

    public static long add16(long a, long b) {
        return ((a & LOW15) + (b & LOW15)) ^ ((a ^ b) & HIGH16);
    }

    public static long add32(long a, long b) {
        return join((int) a + (int) b, (int) (a >>> 32) + (int) (b >>> 32));
    }

    public static long sub32(long a, long b) {
        return join((int) a - (int) b, (int) (a >>> 32) - (int) (b >>> 32));
    }

    public static long equal32(long a, long b) {
        return join((int) a == (int) b ? -1 : 0, (int) (a >>> 32) == (int) (b >>> 32) ? -1 : 0);
    }

    public static long sub8(long a, long b) {
        return ((a | HIGH8) - (b & LOW7)) ^ ((a ^ ~b) & HIGH8);
    }

    public static long sub16(long a, long b) {
        return ((a | HIGH16) - (b & LOW15)) ^ ((a ^ ~b) & HIGH16);
    }

    public static long equal8(long a, long b) {
        long x = a ^ b;
        long zero = ~(((x & LOW7) + LOW7) | x) & HIGH8;
        return (zero >>> 7) * 0xFF;
    }

    static long equal16(long a, long b) {
        long x = a ^ b;
        long zero = ~(((x & LOW15) + LOW15) | x) & HIGH16;
        return (zero >>> 15) * 0xFFFF;
    }

    /** All ones in the bytes where a is below b, unsigned. */
    static long below8(long a, long b) {
        long borrow = ((~a & b) | (~(a ^ b) & sub8(a, b))) & HIGH8;
        return (borrow >>> 7) * 0xFF;
    }

    static long greater8(long a, long b) {
        return below8(b ^ HIGH8, a ^ HIGH8);
    }

    static long greater16(long a, long b) {
        long x = a ^ HIGH16;
        long y = b ^ HIGH16;
        long borrow = ((~y & x) | (~(x ^ y) & sub16(y, x))) & HIGH16;
        return (borrow >>> 15) * 0xFFFF;
    }

    private static long saturate8(Op op, long a, long b) {
        long result = 0;
        for (int shift = 0; shift < 64; shift += 8) {
            int x = (int) (a >>> shift);
            int y = (int) (b >>> shift);
            int r =
                    switch (op) {
                        case PADDSB -> signed8((byte) x + (byte) y);
                        case PSUBSB -> signed8((byte) x - (byte) y);
                        case PADDUSB -> Math.min((x & 0xFF) + (y & 0xFF), 0xFF);
                        default -> Math.max((x & 0xFF) - (y & 0xFF), 0);
                    };
            result |= (r & 0xFFL) << shift;
        }
        return result;
    }

    private static long saturate16(Op op, long a, long b) {
        long result = 0;
        for (int shift = 0; shift < 64; shift += 16) {
            int x = (int) (a >>> shift);
            int y = (int) (b >>> shift);
            int r =
                    switch (op) {
                        case PADDSW -> signed16((short) x + (short) y);
                        case PSUBSW -> signed16((short) x - (short) y);
                        case PADDUSW -> Math.min((x & 0xFFFF) + (y & 0xFFFF), 0xFFFF);
                        default -> Math.max((x & 0xFFFF) - (y & 0xFFFF), 0);
                    };
            result |= (r & 0xFFFFL) << shift;
        }
        return result;
    }

    private static long multiply16(Op op, long a, long b) {
        long result = 0;
        for (int shift = 0; shift < 64; shift += 16) {
            int x = (short) (a >>> shift);
            int y = (short) (b >>> shift);
            int r =
                    switch (op) {
                        case PMULLW -> x * y;
                        case PMULHW -> (x * y) >> 16;
                        case PMULHUW -> ((x & 0xFFFF) * (y & 0xFFFF)) >>> 16;
                        default -> ((x * y >> 14) + 1) >> 1;
                    };
            result |= (r & 0xFFFFL) << shift;
        }
        return result;
    }

    static int multiplyAddWords(long a, long b) {
        return word(a, 0) * word(b, 0) + word(a, 1) * word(b, 1);
    }

    /** PMADDUBSW: bytes of a unsigned, of b signed. */
    private static long multiplyAddBytes(long a, long b) {
        long result = 0;
        for (int shift = 0; shift < 64; shift += 16) {
            int low = (int) (a >>> shift & 0xFF) * (byte) (b >>> shift);
            int high = (int) (a >>> (shift + 8) & 0xFF) * (byte) (b >>> (shift + 8));
            result |= (signed16(low + high) & 0xFFFFL) << shift;
        }
        return result;
    }

    private static long sumOfDifferences(long a, long b) {
        long sum = 0;
        for (int shift = 0; shift < 64; shift += 8) {
            sum += Math.abs((int) (a >>> shift & 0xFF) - (int) (b >>> shift & 0xFF));
        }
        return sum;
    }

    private static int signed8(int value) {
        return Math.clamp(value, -128, 127);
    }

    private static int signed16(int value) {
        return Math.clamp(value, -32768, 32767);
    }

    /**
     * Operations that condense two words to one, the low half from a, the high half from b: packs,
     * and horizontal additions and subtractions.
     */
    static long fold(Op op, long a, long b) {
        return switch (op) {
            case PACKSSWB, PACKUSWB -> packWords(op, a) | packWords(op, b) << 32;
            case PACKSSDW, PACKUSDW -> packDwords(op, a) | packDwords(op, b) << 32;
            case PHADDW, PHADDSW, PHSUBW, PHSUBSW ->
                    pairs(op, (int) a)
                            | pairs(op, (int) (a >>> 32)) << 16
                            | pairs(op, (int) b) << 32
                            | pairs(op, (int) (b >>> 32)) << 48;
            case PHADDD -> join((int) a + (int) (a >>> 32), (int) b + (int) (b >>> 32));
            default -> join((int) a - (int) (a >>> 32), (int) b - (int) (b >>> 32));
        };
    }

    private static long packWords(Op op, long a) {
        long result = 0;
        for (int i = 0; i < 4; i++) {
            int x = word(a, i);
            int r = op == Op.PACKSSWB ? signed8(x) : Math.clamp(x, 0, 255);
            result |= (r & 0xFFL) << (8 * i);
        }
        return result;
    }

    private static long packDwords(Op op, long a) {
        int low = (int) a;
        int high = (int) (a >> 32);
        if (op == Op.PACKSSDW) {
            return (signed16(low) & 0xFFFFL) | (signed16(high) & 0xFFFFL) << 16;
        }
        return Math.clamp(low, 0, 0xFFFF) | (long) Math.clamp(high, 0, 0xFFFF) << 16;
    }

    private static long pairs(Op op, int pair) {
        int low = (short) pair;
        int high = pair >> 16;
        int r =
                switch (op) {
                    case PHADDW -> low + high;
                    case PHADDSW -> signed16(low + high);
                    case PHSUBW -> low - high;
                    default -> signed16(low - high);
                };
        return r & 0xFFFFL;
    }

    /** Interleaves the low halves of a and b, a first, by elements of the given size. */
    static long interleave(int elementBytes, long a, long b) {
        return switch (elementBytes) {
            case 1 -> spread8(a) | spread8(b) << 8;
            case 2 -> spread16(a) | spread16(b) << 16;
            default -> (a & 0xFFFFFFFFL) | b << 32;
        };
    }

    private static long spread16(long a) {
        return (a & 0xFFFF) | (a & 0xFFFF0000L) << 16;
    }

    private static long spread8(long a) {
        long x = spread16(a);
        return (x & 0x0000_00FF_0000_00FFL) | (x & 0x0000_FF00_0000_FF00L) << 8;
    }

    /** Shifts of every element by one count; a count of the element's width or more empties it. */
    static long shift(Op op, long a, long count) {
        boolean all = Long.compareUnsigned(count, 63) > 0;
        int n = all ? 64 : (int) count;
        return switch (op) {
            case PSLLQ -> all ? 0 : a << n;
            case PSRLQ -> all ? 0 : a >>> n;
            case PSLLD -> n > 31 ? 0 : join((int) a << n, (int) (a >>> 32) << n);
            case PSRLD -> n > 31 ? 0 : join((int) a >>> n, (int) (a >>> 32) >>> n);
            case PSRAD -> {
                int m = Math.min(n, 31);
                yield join((int) a >> m, (int) (a >>> 32) >> m);
            }
            case PSLLW -> n > 15 ? 0 : (a << n) & ((0xFFFFL << n & 0xFFFF) * ONES16);
            case PSRLW -> n > 15 ? 0 : (a >>> n) & ((0xFFFFL >>> n) * ONES16);
            default -> {
                int m = Math.min(n, 15);
                long kept = (a >>> m) & ((0xFFFFL >>> m) * ONES16);
                long sign = (a & HIGH16) >>> 15;
                yield kept | sign * (0xFFFFL & ~(0xFFFFL >>> m));
            }
        };
    }

    /** Bit i: the sign of byte i. */
    static int signs8(long a) {
        return (int) (((a >>> 7) & ONES8) * 0x0102_0408_1020_4080L >>> 56);
    }

    /** PSHUFB of one word of the result: bytes of the table by index, zero where bit 7 is set. */
    static long shuffle8(long control, long tableLow, long tableHigh, int indexMask) {
        long result = 0;
        for (int shift = 0; shift < 64; shift += 8) {
            int c = (int) (control >>> shift);
            if ((c & 0x80) == 0) {
                int index = c & indexMask;
                long table = index < 8 ? tableLow : tableHigh;
                result |= (table >>> (8 * (index & 7)) & 0xFF) << shift;
            }
        }
        return result;
    }

    /** Words of a chosen by four 2-bit fields (PSHUFW, PSHUFLW, PSHUFHW). */
    static long shuffle16(long a, int order) {
        return (a >>> (16 * (order & 3)) & 0xFFFF)
                | (a >>> (16 * (order >> 2 & 3)) & 0xFFFF) << 16
                | (a >>> (16 * (order >> 4 & 3)) & 0xFFFF) << 32
                | (a >>> (16 * (order >> 6 & 3))) << 48;
    }

    /** Dword {@code n & 3} of a 128-bit value. */
    static long dword(long low, long high, int n) {
        return ((n & 2) == 0 ? low : high) >>> (32 * (n & 1)) & 0xFFFFFFFFL;
    }

    /** All ones in every byte whose sign is set: PBLENDVB's choice. */
    static long spreadSigns8(long mask) {
        return ((mask & HIGH8) >>> 7) * 0xFF;
    }
}
