package dev.javisor.softcpu.fp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.decode.Op;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.Random;
import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;

class CryptoOpsTest {
    private final FpTestCpu machine = new FpTestCpu();

    private void run(Op op, int destination, int source) {
        CryptoOps.execute(machine.cpu, FpTestCpu.xmm(op, destination, source));
    }

    private void run(Op op, int destination, int source, int imm) {
        CryptoOps.execute(machine.cpu, FpTestCpu.xmm(op, destination, source, imm));
    }

    private void setBytes(int xmm, byte[] bytes) {
        ByteBuffer b = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        machine.set(xmm, b.getLong(0), b.getLong(8));
    }

    private byte[] bytes(int xmm) {
        ByteBuffer b = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
        return b.putLong(machine.low(xmm)).putLong(machine.high(xmm)).array();
    }

    /** AES-128 key expansion (FIPS 197 §5.2), SubWord and RotWord by AESKEYGENASSIST. */
    private byte[][] expand(byte[] key) {
        int[] w = new int[44];
        ByteBuffer k = ByteBuffer.wrap(key).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < 4; i++) {
            w[i] = k.getInt(4 * i);
        }
        int constant = 1;
        for (int i = 4; i < 44; i++) {
            int t = w[i - 1];
            if (i % 4 == 0) {
                machine.set(1, 0, (long) t << 32);
                run(Op.AESKEYGENASSIST, 2, 1, constant);
                t = (int) (machine.high(2) >>> 32);
                constant = constant << 1 ^ (constant >> 7) * 0x11B;
            }
            w[i] = w[i - 4] ^ t;
        }
        byte[][] keys = new byte[11][];
        for (int r = 0; r < 11; r++) {
            ByteBuffer b = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < 4; i++) {
                b.putInt(w[4 * r + i]);
            }
            keys[r] = b.array();
        }
        return keys;
    }

    @Test
    void aes_randomBlocks_matchThePlatformsCipher() throws Exception {
        Random random = new Random(7);
        for (int n = 0; n < 50; n++) {
            byte[] key = new byte[16];
            byte[] plain = new byte[16];
            random.nextBytes(key);
            random.nextBytes(plain);
            byte[][] keys = expand(key);
            byte[] state = plain.clone();
            for (int i = 0; i < 16; i++) {
                state[i] ^= keys[0][i];
            }
            setBytes(3, state);
            for (int r = 1; r < 11; r++) {
                setBytes(4, keys[r]);
                run(r == 10 ? Op.AESENCLAST : Op.AESENC, 3, 4);
            }
            Cipher cipher = Cipher.getInstance("AES/ECB/NoPadding");
            cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"));
            byte[] expected = cipher.doFinal(plain);
            assertThat(bytes(3)).isEqualTo(expected);
            // And back by the equivalent inverse cipher (FIPS 197 §5.3.5).
            for (int i = 0; i < 16; i++) {
                expected[i] ^= keys[10][i];
            }
            setBytes(3, expected);
            for (int r = 9; r >= 0; r--) {
                setBytes(4, keys[r]);
                if (r > 0) {
                    run(Op.AESIMC, 5, 4);
                    run(Op.AESDEC, 3, 5);
                } else {
                    run(Op.AESDECLAST, 3, 4);
                }
            }
            assertThat(bytes(3)).isEqualTo(plain);
        }
    }

    @Test
    void pclmulqdq_random_matchesPolynomialArithmetic() {
        Random random = new Random(8);
        for (int n = 0; n < 200; n++) {
            long[] words = random.longs(4).toArray();
            int imm = (n & 1) | (n & 2) << 3;
            machine.set(1, words[0], words[1]);
            machine.set(2, words[2], words[3]);
            run(Op.PCLMULQDQ, 1, 2, imm);
            BigInteger x = new BigInteger(Long.toUnsignedString(words[imm & 1]));
            BigInteger y = new BigInteger(Long.toUnsignedString(words[2 + (imm >> 4)]));
            BigInteger product = BigInteger.ZERO;
            for (int i = 0; i < 64; i++) {
                product = y.testBit(i) ? product.xor(x.shiftLeft(i)) : product;
            }
            assertThat(machine.low(1)).isEqualTo(product.longValue());
            assertThat(machine.high(1)).isEqualTo(product.shiftRight(64).longValue());
        }
    }

    private static ByteBuffer paddedBlock(String message) {
        byte[] text = message.getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        ByteBuffer block = ByteBuffer.allocate(64);
        block.put(text).put((byte) 0x80).putLong(56, 8L * text.length);
        return block;
    }

    @Test
    void sha256_oneBlock_matchesThePlatformsDigest() throws Exception {
        ByteBuffer block = paddedBlock("abcdefghbcdefghicdefghij");
        int[] h = {
            0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
            0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19
        };
        // K: fractional parts of the cube roots of the first 64 primes (FIPS 180-4 §4.2.2).
        int[] k = cubeRootConstants();
        int[] w = new int[64];
        for (int i = 0; i < 16; i++) {
            w[i] = block.getInt(4 * i);
        }
        for (int i = 16; i < 64; i += 4) {
            setWords(1, w, i - 16);
            setWords(2, w, i - 12);
            run(Op.SHA256MSG1, 1, 2);
            // Then add w[t - 7], as programs do with PALIGNR and PADDD.
            int[] sum = words(1);
            for (int j = 0; j < 4; j++) {
                sum[j] += w[i - 7 + j];
            }
            setWords(1, sum, 0);
            setWords(2, w, i - 4);
            run(Op.SHA256MSG2, 1, 2);
            System.arraycopy(words(1), 0, w, i, 4);
        }
        machine.set(1, Packed.join(h[5], h[4]), Packed.join(h[1], h[0]));
        machine.set(2, Packed.join(h[7], h[6]), Packed.join(h[3], h[2]));
        for (int i = 0; i < 64; i += 2) {
            machine.set(0, Packed.join(w[i] + k[i], w[i + 1] + k[i + 1]), 0);
            run(Op.SHA256RNDS2, 2, 1);
            long low = machine.low(1);
            long high = machine.high(1);
            machine.set(1, machine.low(2), machine.high(2));
            machine.set(2, low, high);
        }
        int[] abef = words(1);
        int[] cdgh = words(2);
        ByteBuffer digest = ByteBuffer.allocate(32);
        digest.putInt(h[0] + abef[3]).putInt(h[1] + abef[2]);
        digest.putInt(h[2] + cdgh[3]).putInt(h[3] + cdgh[2]);
        digest.putInt(h[4] + abef[1]).putInt(h[5] + abef[0]);
        digest.putInt(h[6] + cdgh[1]).putInt(h[7] + cdgh[0]);
        byte[] expected =
                MessageDigest.getInstance("SHA-256")
                        .digest("abcdefghbcdefghicdefghij".getBytes("US-ASCII"));
        assertThat(digest.array()).isEqualTo(expected);
    }

    @Test
    void sha1_oneBlock_matchesThePlatformsDigest() throws Exception {
        ByteBuffer block = paddedBlock("abc");
        int[] w = new int[80];
        for (int i = 0; i < 16; i++) {
            w[i] = block.getInt(4 * i);
        }
        for (int i = 16; i < 80; i += 4) {
            setReversed(1, w, i - 16);
            setReversed(2, w, i - 12);
            run(Op.SHA1MSG1, 1, 2);
            setReversed(2, w, i - 8);
            machine.set(1, machine.low(1) ^ machine.low(2), machine.high(1) ^ machine.high(2));
            setReversed(2, w, i - 4);
            run(Op.SHA1MSG2, 1, 2);
            int[] next = words(1);
            for (int j = 0; j < 4; j++) {
                w[i + j] = next[3 - j];
            }
        }
        int[] h = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
        machine.set(1, Packed.join(h[3], h[2]), Packed.join(h[1], h[0]));
        int e = h[4];
        for (int i = 0; i < 80; i += 4) {
            setReversed(2, w, i);
            if (i == 0) {
                machine.set(2, machine.low(2), machine.high(2) + ((long) e << 32));
            } else {
                // XMM3: the state four rounds ago, whose A becomes E.
                run(Op.SHA1NEXTE, 3, 2);
                machine.set(2, machine.low(3), machine.high(3));
            }
            machine.set(3, machine.low(1), machine.high(1));
            run(Op.SHA1RNDS4, 1, 2, i / 20);
        }
        int[] state = words(1);
        int last = Integer.rotateLeft((int) (machine.high(3) >>> 32), 30);
        ByteBuffer digest = ByteBuffer.allocate(20);
        for (int i = 0; i < 4; i++) {
            digest.putInt(h[i] + state[3 - i]);
        }
        digest.putInt(h[4] + last);
        assertThat(digest.array())
                .isEqualTo(MessageDigest.getInstance("SHA-1").digest("abc".getBytes("US-ASCII")));
    }

    @Test
    void gf2p8_inverseAffineWithIdentity_invertsMultiplication() {
        long identity = 0x0102_0408_1020_4080L;
        for (int x = 1; x < 256; x++) {
            machine.set(1, x, 0);
            machine.set(2, identity, identity);
            run(Op.GF2P8AFFINEINVQB, 1, 2, 0);
            machine.set(2, x, 0);
            run(Op.GF2P8MULB, 1, 2);
            assertThat(machine.low(1)).isEqualTo(1);
        }
    }

    private static int[] cubeRootConstants() {
        int[] k = new int[64];
        int n = 0;
        for (int p = 2; n < 64; p++) {
            if (BigInteger.valueOf(p).isProbablePrime(20)) {
                // floor(cbrt(p) * 2^32) by bisection.
                BigInteger cube = BigInteger.valueOf(p).shiftLeft(96);
                long low = 0;
                long high = 1L << 36;
                while (high - low > 1) {
                    long middle = (low + high) / 2;
                    if (BigInteger.valueOf(middle).pow(3).compareTo(cube) <= 0) {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                k[n++] = (int) low;
            }
        }
        return k;
    }

    private void setWords(int xmm, int[] w, int i) {
        machine.set(xmm, Packed.join(w[i], w[i + 1]), Packed.join(w[i + 2], w[i + 3]));
    }

    private void setReversed(int xmm, int[] w, int i) {
        machine.set(xmm, Packed.join(w[i + 3], w[i + 2]), Packed.join(w[i + 1], w[i]));
    }

    private int[] words(int xmm) {
        long low = machine.low(xmm);
        long high = machine.high(xmm);
        return new int[] {(int) low, (int) (low >>> 32), (int) high, (int) (high >>> 32)};
    }
}
