package dev.javisor.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.block.BlockException;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ZstdTest {
    private static byte[] sample(Random random, int size) {
        byte[] bytes = new byte[size];
        for (int at = 0; at < size; ) {
            int n = Math.min(size - at, 1 + random.nextInt(random.nextBoolean() ? 20 : 5000));
            switch (random.nextInt(4)) {
                case 0 -> Arrays.fill(bytes, at, at + n, (byte) random.nextInt());
                case 1 -> {
                    for (int i = 0; i < n; i++) {
                        bytes[at + i] = (byte) random.nextInt();
                    }
                }
                case 2 -> {
                    for (int i = 0; i < n; i++) {
                        bytes[at + i] = (byte) ("aeiou ntrs".charAt(random.nextInt(10)));
                    }
                }
                default -> {
                    int back = at == 0 ? 0 : 1 + random.nextInt(at);
                    for (int i = 0; i < n && back > 0; i++) {
                        bytes[at + i] = bytes[at + i - back];
                    }
                }
            }
            at += n;
        }
        return bytes;
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096, 65536, 131072, 300_000, 2 << 20})
    void roundTrip_isTheSame_andDamageIsAnError(int size) {
        long seed = Long.getLong("javisor.test.seed", System.nanoTime());
        Random random = new Random(seed);
        ZstdEncoder encoder = new ZstdEncoder();
        ZstdDecoder decoder = new ZstdDecoder();
        for (int i = 0; i < 20; i++) {
            byte[] bytes = sample(random, size);
            byte[] out = new byte[size];
            int n = encoder.encode(bytes, out, size);
            if (n < 0) {
                continue;
            }
            byte[] back = new byte[size];
            decoder.decode(out, n, back);
            assertThat(Arrays.mismatch(back, bytes)).as("seed %d", seed).isEqualTo(-1);
            for (int j = 0; j < 50; j++) {
                byte[] damaged = Arrays.copyOf(out, n);
                damaged[random.nextInt(n)] ^= (byte) (1 << random.nextInt(8));
                damaged[random.nextInt(Math.min(n, 64))] = (byte) random.nextInt();
                try {
                    decoder.decode(damaged, random.nextInt(4) == 0 ? n / 2 : n, back);
                } catch (BlockException e) {
                    assertThat(e.getMessage()).isNotEmpty();
                } catch (RuntimeException e) {
                    throw new AssertionError("seed " + seed, e);
                }
            }
        }
    }
}
