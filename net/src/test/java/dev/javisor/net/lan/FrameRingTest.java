package dev.javisor.net.lan;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.net.ArrayFrame;
import dev.javisor.net.Bytes;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class FrameRingTest {
    private final FrameRing ring = new FrameRing();

    @Test
    void frames_ofAllSizes_comeOutAsTheyWentIn_manyTimesAround() {
        SplittableRandom random = new SplittableRandom(1);
        long put = 0;
        long taken = 0;
        for (int n = 0; n < 20_000; n++) {
            int size = 9 + random.nextInt(random.nextInt(10) == 0 ? Frame.MAX_BYTES - 9 : 1500);
            byte[] bytes = new byte[size];
            Bytes.putLong(bytes, 0, put);
            bytes[size - 1] = (byte) size;
            if (ring.offer(ArrayFrame.of(bytes))) {
                put++;
            } else {
                for (int i = random.nextInt(100); i >= 0; i--) {
                    taken += take(taken) ? 1 : 0;
                }
            }
        }
        while (take(taken)) {
            taken++;
        }
        assertThat(taken).isEqualTo(put).isGreaterThan(10_000);
    }

    private boolean take(long expected) {
        int at = ring.first();
        if (at < 0) {
            return false;
        }
        int size = ring.sizeBytes(at);
        assertThat(Bytes.getLong(ring.bytes, at)).isEqualTo(expected);
        assertThat(ring.bytes[at + size - 1]).isEqualTo((byte) size);
        ring.remove();
        return true;
    }

    @Test
    void offload_comesOutAsItWentIn() {
        FrameOffload[] offloads = {
            FrameOffload.NONE, FrameOffload.VALID, SegmenterTest.offload(false, 65_535)
        };
        for (FrameOffload offload : offloads) {
            assertThat(ring.offer(new ArrayFrame(new byte[60], offload))).isTrue();
            assertThat(ring.offload(ring.first())).isEqualTo(offload);
            ring.remove();
        }
        assertThat(ring.first()).isNegative();
    }

    @Test
    void manyThreads_putAtOnce_nothingIsMixed() throws Exception {
        int each = 20_000;
        Thread[] threads = new Thread[3];
        for (int t = 0; t < threads.length; t++) {
            byte mark = (byte) (t + 1);
            threads[t] =
                    Thread.ofPlatform()
                            .start(() -> {
                                SplittableRandom random = new SplittableRandom(mark);
                                for (int n = 0; n < each; n++) {
                                    byte[] bytes = new byte[4 + random.nextInt(300)];
                                    Arrays.fill(bytes, mark);
                                    Bytes.putInt(bytes, 0, mark << 24 | n);
                                    while (!ring.offer(ArrayFrame.of(bytes))) {
                                        Thread.onSpinWait();
                                    }
                                }
                            });
        }
        int[] next = new int[threads.length + 1];
        for (int n = 0; n < each * threads.length; n++) {
            int at = ring.first();
            while (at < 0) {
                Thread.onSpinWait();
                at = ring.first();
            }
            int word = Bytes.getInt(ring.bytes, at);
            int mark = word >>> 24;
            assertThat(word & 0xFF_FFFF).isEqualTo(next[mark]++);
            for (int i = 4; i < ring.sizeBytes(at); i++) {
                if (ring.bytes[at + i] != mark) {
                    throw new AssertionError("frame " + word + " has another's byte at " + i);
                }
            }
            ring.remove();
        }
        for (Thread thread : threads) {
            thread.join();
        }
    }
}
