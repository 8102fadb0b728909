package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;

/** AES, carry-less multiplication, SHA and Galois field instructions (SDM 2; FIPS 197, 180-4). */
public final class CryptoOps {
    /** FIPS 197 §5.1.1. */
    private static final byte[] SBOX = new byte[256];

    private static final byte[] INVERSE_SBOX = new byte[256];

    /** Multiplicative inverses in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1; 0 maps to 0. */
    private static final byte[] INVERSE = new byte[256];

    static {
        // 3 generates the multiplicative group, of order 255.
        int[] power = new int[256];
        power[0] = 1;
        for (int i = 1; i < 256; i++) {
            power[i] = multiply(power[i - 1], 3);
        }
        for (int i = 0; i < 255; i++) {
            INVERSE[power[i]] = (byte) power[255 - i];
        }
        for (int x = 0; x < 256; x++) {
            int b = INVERSE[x] & 0xFF;
            int rotated = b * 0x0101;
            int s = b ^ rotated >> 7 ^ rotated >> 6 ^ rotated >> 5 ^ rotated >> 4 ^ 0x63;
            SBOX[x] = (byte) s;
            INVERSE_SBOX[s & 0xFF] = (byte) x;
        }
    }

    private CryptoOps() {}

    public static void execute(Cpu cpu, Insn in) {
        FpChecks.sse(cpu, in);
        FpUnit u = cpu.fpu;
        switch (in.op) {
            case AESIMC -> {
                Vectors.load(cpu, in, in.kind1, in.reg1);
                Vectors.set(cpu, in, inverseMixWord(u.b0), inverseMixWord(u.b1));
            }
            case AESKEYGENASSIST -> {
                Vectors.load(cpu, in, in.kind1, in.reg1);
                keyAssist(cpu, in);
            }
            case SHA1RNDS4, SHA1NEXTE, SHA1MSG1, SHA1MSG2 -> {
                Vectors.loadSecond(cpu, in);
                sha1(cpu, in);
            }
            case SHA256RNDS2, SHA256MSG1, SHA256MSG2 -> {
                Vectors.loadSecond(cpu, in);
                sha256(cpu, in);
            }
            default -> {
                Vectors.loadSecond(cpu, in);
                int a = Vectors.first(in);
                long[] v = cpu.vec;
                long a2 = v[a + 2];
                long a3 = v[a + 3];
                half(u, in, v[a], v[a + 1], u.b0, u.b1);
                Vectors.set(cpu, in, u.r0, u.r1);
                if (in.vectorBytes == 32) {
                    half(u, in, a2, a3, u.b2, u.b3);
                    Vectors.setUpper(cpu, in, u.r0, u.r1);
                }
            }
        }
    }

    private static void half(FpUnit u, Insn in, long a0, long a1, long b0, long b1) {
        switch (in.op) {
            case AESENC -> {
                u.r0 = mixWord(substituteShifted(SBOX, 5, a0, a1, 0)) ^ b0;
                u.r1 = mixWord(substituteShifted(SBOX, 5, a0, a1, 8)) ^ b1;
            }
            case AESENCLAST -> {
                u.r0 = substituteShifted(SBOX, 5, a0, a1, 0) ^ b0;
                u.r1 = substituteShifted(SBOX, 5, a0, a1, 8) ^ b1;
            }
            case AESDEC -> {
                u.r0 = inverseMixWord(substituteShifted(INVERSE_SBOX, 13, a0, a1, 0)) ^ b0;
                u.r1 = inverseMixWord(substituteShifted(INVERSE_SBOX, 13, a0, a1, 8)) ^ b1;
            }
            case AESDECLAST -> {
                u.r0 = substituteShifted(INVERSE_SBOX, 13, a0, a1, 0) ^ b0;
                u.r1 = substituteShifted(INVERSE_SBOX, 13, a0, a1, 8) ^ b1;
            }
            case PCLMULQDQ -> {
                long x = (in.imm & 1) == 0 ? a0 : a1;
                long y = (in.imm & 16) == 0 ? b0 : b1;
                u.r0 = carryLessLow(x, y);
                // The high word is the low word of the reversed operands, reversed, less one bit.
                u.r1 = Long.reverse(carryLessLow(Long.reverse(x), Long.reverse(y))) >>> 1;
            }
            case GF2P8MULB -> {
                u.r0 = multiplyBytes(a0, b0);
                u.r1 = multiplyBytes(a1, b1);
            }
            case GF2P8AFFINEQB -> {
                u.r0 = affine(a0, b0, (int) in.imm, false);
                u.r1 = affine(a1, b1, (int) in.imm, false);
            }
            default -> {
                u.r0 = affine(a0, b0, (int) in.imm, true);
                u.r1 = affine(a1, b1, (int) in.imm, true);
            }
        }
    }

    // ------------------------------------------------------------------ AES

    /**
     * Eight bytes of the state after ShiftRows (step 5) or InvShiftRows (step 13) and byte
     * substitution. Byte i of the state is row i mod 4, column i / 4.
     */
    private static long substituteShifted(byte[] box, int step, long low, long high, int first) {
        long result = 0;
        for (int i = 0; i < 8; i++) {
            int n = first + i;
            // Row r moves by r columns, each 4 bytes: source = n + 4 * r * (+1 or -1) mod 16.
            int source = step == 5 ? n + 4 * (n & 3) : n - 4 * (n & 3);
            source &= 15;
            long word = source < 8 ? low : high;
            result |= (box[(int) (word >>> (8 * (source & 7))) & 0xFF] & 0xFFL) << (8 * i);
        }
        return result;
    }

    /** Doubles each byte in GF(2^8). */
    private static long timesX(long a) {
        long carries = (a >>> 7) & 0x0101_0101_0101_0101L;
        return ((a & 0x7F7F_7F7F_7F7F_7F7FL) << 1) ^ carries * 0x1B;
    }

    /** Rotates each column of four bytes down by {@code bits / 8} places. */
    private static long rotateColumns(long a, int bits) {
        int low = Integer.rotateRight((int) a, bits);
        int high = Integer.rotateRight((int) (a >>> 32), bits);
        return Packed.join(low, high);
    }

    /** MixColumns on two columns (FIPS 197 §5.1.3). */
    private static long mixWord(long a) {
        long next = rotateColumns(a, 8);
        return timesX(a ^ next) ^ next ^ rotateColumns(a, 16) ^ rotateColumns(a, 24);
    }

    /** InvMixColumns = MixColumns after multiplying by 4x^2 + 5 (FIPS 197 §5.3.3). */
    private static long inverseMixWord(long a) {
        long t = timesX(timesX(a ^ rotateColumns(a, 16)));
        return mixWord(a ^ t);
    }

    private static void keyAssist(Cpu cpu, Insn in) {
        int x1 = substituteDword((int) (cpu.fpu.b0 >>> 32));
        int x3 = substituteDword((int) (cpu.fpu.b1 >>> 32));
        int constant = (int) in.imm & 0xFF;
        Vectors.set(
                cpu,
                in,
                Packed.join(x1, Integer.rotateRight(x1, 8) ^ constant),
                Packed.join(x3, Integer.rotateRight(x3, 8) ^ constant));
    }

    private static int substituteDword(int x) {
        return (SBOX[x & 0xFF] & 0xFF)
                | (SBOX[x >>> 8 & 0xFF] & 0xFF) << 8
                | (SBOX[x >>> 16 & 0xFF] & 0xFF) << 16
                | SBOX[x >>> 24] << 24;
    }

    // ------------------------------------------------------------------ GF(2)

    private static long carryLessLow(long x, long y) {
        long result = 0;
        for (long bits = y; bits != 0; bits &= bits - 1) {
            result ^= x << Long.numberOfTrailingZeros(bits);
        }
        return result;
    }

    private static int multiply(int x, int y) {
        int product = 0;
        for (int i = 0; i < 8; i++) {
            product ^= (y >> i & 1) != 0 ? x << i : 0;
        }
        for (int i = 14; i >= 8; i--) {
            product ^= (product >> i & 1) != 0 ? 0x11B << (i - 8) : 0;
        }
        return product;
    }

    private static long multiplyBytes(long a, long b) {
        long result = 0;
        for (int shift = 0; shift < 64; shift += 8) {
            int product = multiply((int) (a >>> shift) & 0xFF, (int) (b >>> shift) & 0xFF);
            result |= (long) product << shift;
        }
        return result;
    }

    /** Each byte of a (or its inverse) times the bit matrix, plus a constant (SDM 2A). */
    private static long affine(long a, long matrix, int constant, boolean inverse) {
        long result = 0;
        for (int shift = 0; shift < 64; shift += 8) {
            int x = (int) (a >>> shift) & 0xFF;
            if (inverse) {
                x = INVERSE[x] & 0xFF;
            }
            int y = 0;
            for (int bit = 0; bit < 8; bit++) {
                int row = (int) (matrix >>> (8 * (7 - bit))) & 0xFF;
                y |= (Integer.bitCount(row & x) & 1) << bit;
            }
            result |= (long) ((y ^ constant) & 0xFF) << shift;
        }
        return result;
    }

    // ------------------------------------------------------------------ SHA

    private static void sha1(Cpu cpu, Insn in) {
        FpUnit u = cpu.fpu;
        int i = 4 * in.reg0;
        long a0 = cpu.vec[i];
        long a1 = cpu.vec[i + 1];
        switch (in.op) {
            case SHA1MSG1 -> Vectors.set(cpu, in, a0 ^ (u.b1), a1 ^ a0);
            case SHA1MSG2 -> {
                int w16 = Integer.rotateLeft((int) (a1 >>> 32) ^ (int) u.b1, 1);
                int w17 = Integer.rotateLeft((int) a1 ^ (int) (u.b0 >>> 32), 1);
                int w18 = Integer.rotateLeft((int) (a0 >>> 32) ^ (int) u.b0, 1);
                int w19 = Integer.rotateLeft((int) a0 ^ w16, 1);
                Vectors.set(cpu, in, Packed.join(w19, w18), Packed.join(w17, w16));
            }
            case SHA1NEXTE -> {
                int e = Integer.rotateLeft((int) (a1 >>> 32), 30);
                Vectors.set(cpu, in, u.b0, Packed.join((int) u.b1, (int) (u.b1 >>> 32) + e));
            }
            default -> sha1Rounds(cpu, in, a0, a1);
        }
    }

    /** SHA1RNDS4: A is the top dword; W0 + E is the top dword of the second operand. */
    private static void sha1Rounds(Cpu cpu, Insn in, long a0, long a1) {
        FpUnit u = cpu.fpu;
        int function = (int) in.imm & 3;
        int k =
                switch (function) {
                    case 0 -> 0x5A827999;
                    case 1 -> 0x6ED9EBA1;
                    case 2 -> 0x8F1BBCDC;
                    default -> 0xCA62C1D6;
                };
        int a = (int) (a1 >>> 32);
        int b = (int) a1;
        int c = (int) (a0 >>> 32);
        int d = (int) a0;
        int e = 0;
        for (int round = 0; round < 4; round++) {
            int w = (int) Packed.dword(u.b0, u.b1, 3 - round);
            int f =
                    switch (function) {
                        case 0 -> (b & c) ^ (~b & d);
                        case 2 -> (b & c) ^ (b & d) ^ (c & d);
                        default -> b ^ c ^ d;
                    };
            int next = f + Integer.rotateLeft(a, 5) + w + e + k;
            e = d;
            d = c;
            c = Integer.rotateLeft(b, 30);
            b = a;
            a = next;
        }
        Vectors.set(cpu, in, Packed.join(d, c), Packed.join(b, a));
    }

    private static void sha256(Cpu cpu, Insn in) {
        FpUnit u = cpu.fpu;
        int i = 4 * in.reg0;
        long a0 = cpu.vec[i];
        long a1 = cpu.vec[i + 1];
        int w0 = (int) a0;
        int w1 = (int) (a0 >>> 32);
        int w2 = (int) a1;
        int w3 = (int) (a1 >>> 32);
        switch (in.op) {
            case SHA256MSG1 ->
                    Vectors.set(
                            cpu,
                            in,
                            Packed.join(w0 + sigma0(w1), w1 + sigma0(w2)),
                            Packed.join(w2 + sigma0(w3), w3 + sigma0((int) u.b0)));
            case SHA256MSG2 -> {
                int w16 = w0 + sigma1((int) u.b1);
                int w17 = w1 + sigma1((int) (u.b1 >>> 32));
                int w18 = w2 + sigma1(w16);
                int w19 = w3 + sigma1(w17);
                Vectors.set(cpu, in, Packed.join(w16, w17), Packed.join(w18, w19));
            }
            default -> sha256Rounds(cpu, in, a0, a1);
        }
    }

    /** SHA256RNDS2: operand 0 holds C D G H, operand 1 A B E F, top first; XMM0 holds W + K. */
    private static void sha256Rounds(Cpu cpu, Insn in, long a0, long a1) {
        FpUnit u = cpu.fpu;
        int a = (int) (u.b1 >>> 32);
        int b = (int) u.b1;
        int c = (int) (a1 >>> 32);
        int d = (int) a1;
        int e = (int) (u.b0 >>> 32);
        int f = (int) u.b0;
        int g = (int) (a0 >>> 32);
        int h = (int) a0;
        long constants = cpu.vec[0];
        for (int round = 0; round < 2; round++) {
            int sum1 =
                    Integer.rotateRight(e, 6)
                            ^ Integer.rotateRight(e, 11)
                            ^ Integer.rotateRight(e, 25);
            int t1 = h + sum1 + ((e & f) ^ (~e & g)) + (int) (constants >>> (32 * round));
            int sum0 =
                    Integer.rotateRight(a, 2)
                            ^ Integer.rotateRight(a, 13)
                            ^ Integer.rotateRight(a, 22);
            int t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
            h = g;
            g = f;
            f = e;
            e = d + t1;
            d = c;
            c = b;
            b = a;
            a = t1 + t2;
        }
        Vectors.set(cpu, in, Packed.join(f, e), Packed.join(b, a));
    }

    private static int sigma0(int x) {
        return Integer.rotateRight(x, 7) ^ Integer.rotateRight(x, 18) ^ x >>> 3;
    }

    private static int sigma1(int x) {
        return Integer.rotateRight(x, 17) ^ Integer.rotateRight(x, 19) ^ x >>> 10;
    }
}
