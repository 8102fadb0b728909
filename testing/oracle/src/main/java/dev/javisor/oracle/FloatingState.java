package dev.javisor.oracle;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.SplittableRandom;

/** x87, MXCSR, XMM and YMM registers of a case. */
final class FloatingState {
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private FloatingState() {}

    static void write(MemorySegment to, long at, SplittableRandom random) {
        for (int i = 0; i < OracleLayout.FX_BYTES + OracleLayout.YMM_BYTES; i += 8) {
            to.set(LONG, at + i, 0);
        }
        int control = 0x7F | random.nextInt(4) << 10 | precision(random) << 8;
        if (random.nextInt(8) == 0) {
            control &= ~random.nextInt(64);
        }
        // Exceptions that would be pending are left out: the next x87 instruction is tested.
        int status = (random.nextInt() & 0x7F7F) & (0x7F40 | (control & 0x3F));
        if ((status & 0x40) != 0 && (control & 1) == 0) {
            status &= ~0x40;
        }
        to.set(SHORT, at, (short) control);
        to.set(SHORT, at + 2, (short) status);
        to.set(ValueLayout.JAVA_BYTE, at + 4, (byte) tags(random));
        int mxcsr = 0x1F80 | random.nextInt(4) << 13 | random.nextInt(64);
        if (random.nextInt(4) == 0) {
            mxcsr |= random.nextInt(2) << 15 | random.nextInt(2) << 6;
        }
        if (random.nextInt(8) == 0) {
            mxcsr &= ~(random.nextInt(64) << 7);
        }
        to.set(INT, at + 24, mxcsr);
        for (int i = 0; i < 8; i++) {
            long significand = significand(random);
            to.set(LONG, at + 32 + 16 * i, significand);
            to.set(SHORT, at + 40 + 16 * i, (short) signExponent(random, significand));
        }
        for (int i = 0; i < 32; i++) {
            to.set(LONG, at + OracleLayout.FX_BYTES + 8 * i, vectorWord(random));
            to.set(LONG, at + 160 + 8 * i, vectorWord(random));
        }
    }

    private static int precision(SplittableRandom random) {
        int precision = random.nextInt(4) == 0 ? random.nextInt(3) : 3;
        return precision == 1 ? 3 : precision;
    }

    private static int tags(SplittableRandom random) {
        return random.nextInt(3) == 0 ? random.nextInt(256) : 0xFF;
    }

    private static long significand(SplittableRandom random) {
        return switch (random.nextInt(8)) {
            case 0 -> 0x8000_0000_0000_0000L;
            case 1 -> 0xC000_0000_0000_0000L;
            case 2 -> random.nextLong() | Long.MIN_VALUE >> random.nextInt(64);
            case 3 -> random.nextLong() << random.nextInt(64) | Long.MIN_VALUE;
            case 4 -> random.nextInt(4) == 0 ? 0 : random.nextLong();
            default -> random.nextLong() | Long.MIN_VALUE;
        };
    }

    private static int signExponent(SplittableRandom random, long significand) {
        int sign = random.nextInt(2) << 15;
        return sign
                | switch (random.nextInt(8)) {
                    case 0 -> significand < 0 ? 0x7FFF : 0;
                    case 1 -> significand < 0 ? 1 + random.nextInt(70) : 0;
                    case 2 -> random.nextInt(0x8000);
                    case 3 -> 0x7FFE - random.nextInt(70);
                    default -> 0x3FFF + random.nextInt(-70, 71);
                };
    }

    private static long vectorWord(SplittableRandom random) {
        return switch (random.nextInt(8)) {
            case 0 -> random.nextLong();
            case 1 -> Double.doubleToRawLongBits(random.nextInt(-1000, 1000));
            case 2 -> Double.doubleToRawLongBits(random.nextDouble() * 1e6);
            case 3 -> floats(random);
            case 4 -> special(random);
            case 5 -> random.nextLong() & 0x8000_000F_8000_000FL;
            case 6 -> floats(random);
            default -> random.nextLong() >> random.nextInt(64);
        };
    }

    private static long floats(SplittableRandom random) {
        int a = Float.floatToRawIntBits((random.nextFloat() - 0.5f) * random.nextInt(2000));
        int b =
                random.nextInt(4) == 0
                        ? random.nextInt(4) << 23 | random.nextInt(1 << 23)
                        : Float.floatToRawIntBits(random.nextInt(-500, 500));
        return (long) a << 32 | b & 0xFFFFFFFFL;
    }

    private static long special(SplittableRandom random) {
        long[] values = {
            0,
            Long.MIN_VALUE,
            0x7FF0_0000_0000_0000L,
            0xFFF0_0000_0000_0000L,
            0x7FF8_0000_0000_0001L,
            0x7FF0_0000_0000_0001L,
            0x000F_FFFF_FFFF_FFFFL,
            0x0010_0000_0000_0000L,
            0x7FEF_FFFF_FFFF_FFFFL,
            0x7F80_0000_FF80_0000L,
            0x7FC0_0001_7F80_0001L,
            0x0080_0000_007F_FFFFL,
            0x7F7F_FFFF_8000_0000L,
            -1,
            0x3FF0_0000_0000_0000L,
            0x3F80_0000_BF80_0000L
        };
        return values[random.nextInt(values.length)];
    }
}
