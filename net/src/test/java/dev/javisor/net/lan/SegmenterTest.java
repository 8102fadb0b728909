package dev.javisor.net.lan;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.net.Bytes;
import dev.javisor.net.Checksum;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameOffload.Segmentation;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import dev.javisor.net.Packets;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SegmenterTest {
    private static final MacAddress A = MacAddress.parse("52:54:00:00:00:01");
    private static final MacAddress B = MacAddress.parse("52:54:00:00:00:02");
    private static final int MSS = 1000;
    private static final int SEQUENCE = 0xFFFF_FF00;

    // CWR, ACK, PSH, FIN.
    private static final int FLAGS = 0x99;

    private final Segmenter segmenter = new Segmenter();
    private final byte[] out = new byte[Frame.MAX_BYTES];

    /** With 12 bytes of options. */
    private static byte[] tcp(byte[] data) {
        byte[] tcp = new byte[32 + data.length];
        Bytes.putInt(tcp, 0, 5000 << 16 | 80);
        Bytes.putInt(tcp, 4, SEQUENCE);
        Bytes.putInt(tcp, 8, 7);
        Bytes.putShort(tcp, 12, 0x8000 | FLAGS);
        System.arraycopy(data, 0, tcp, 32, data.length);
        return tcp;
    }

    static byte[] frame(boolean v4, byte[] data) {
        byte[] packet =
                v4
                        ? Packets.ipv4("10.0.0.1", "10.0.0.2", 6, tcp(data))
                        : Packets.ipv6("fd00::1", "fd00::2", 6, tcp(data));
        return Packets.ethernet(B, A, v4 ? Packets.IPV4 : Packets.IPV6, packet);
    }

    static FrameOffload offload(boolean v4, int mss) {
        int tcpAt = v4 ? 34 : 54;
        return new FrameOffload(
                true,
                false,
                v4 ? Segmentation.TCP4 : Segmentation.TCP6,
                tcpAt + 32,
                mss,
                tcpAt,
                16);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void largeSegment_isCutIntoFramesThatAreRight(boolean v4) {
        byte[] data = new byte[2 * MSS + 1];
        new SplittableRandom(3).nextBytes(data);
        byte[] whole = frame(v4, data);
        // Behind other bytes, as in a queue.
        byte[] shifted = Packets.join(new byte[8], whole);
        int count = segmenter.open(shifted, 8, whole.length, offload(v4, MSS));
        assertThat(count).isEqualTo(3);
        int tcpAt = v4 ? 34 : 54;
        for (int i = 0; i < count; i++) {
            int length = segmenter.write(i, out);
            assertThat(length).isEqualTo(segmenter.frameBytes(i));
            assertThat(length).isEqualTo(tcpAt + 32 + (i < 2 ? MSS : 1));
            assertThat(Bytes.getInt(out, tcpAt + 4)).isEqualTo(SEQUENCE + i * MSS);
            int flags = (i == 0 ? 0x80 : 0) | 0x10 | (i == 2 ? 0x09 : 0);
            assertThat(Bytes.getByte(out, tcpAt + 13)).isEqualTo(flags);
            assertThat(java.util.Arrays.copyOfRange(out, tcpAt + 32, length))
                    .isEqualTo(
                            java.util.Arrays.copyOfRange(
                                    data, i * MSS, i * MSS + length - tcpAt - 32));
            Checksum sum = new Checksum();
            if (v4) {
                assertThat(Bytes.getShort(out, 16)).isEqualTo(length - 14);
                assertThat(Bytes.getShort(out, 18)).isEqualTo(i);
                assertThat(Checksum.of(out, 14, 20)).isZero();
                sum.addPseudoHeader(
                        IpAddress.readV4(out, 26), IpAddress.readV4(out, 30), 6, length - tcpAt);
            } else {
                assertThat(Bytes.getShort(out, 18)).isEqualTo(length - 54);
                sum.addPseudoHeader(
                        IpAddress.readV6(out, 22), IpAddress.readV6(out, 38), 6, length - tcpAt);
            }
            sum.add(out, tcpAt, length - tcpAt);
            assertThat(sum.sum()).isEqualTo(0xFFFF);
        }
    }

    @Test
    void claims_thatTheFrameDoesNotKeep_makeNoFrame() {
        byte[] four = frame(true, new byte[3000]);
        assertThat(segmenter.open(four, 0, four.length, offload(false, MSS))).isZero();
        assertThat(segmenter.open(four, 0, four.length, offload(true, 0))).isZero();
        assertThat(segmenter.open(four, 0, four.length, offload(true, 1))).isZero();
        assertThat(segmenter.open(four, 0, 60, offload(true, MSS))).isZero();
        byte[] fragment = four.clone();
        fragment[20] = 0x20;
        assertThat(segmenter.open(fragment, 0, fragment.length, offload(true, MSS))).isZero();
        byte[] shortHeader = four.clone();
        shortHeader[46] = 0x40;
        assertThat(segmenter.open(shortHeader, 0, four.length, offload(true, MSS))).isZero();
    }

    @Test
    void randomFrames_andClaims_neverLeaveTheirBounds() {
        long seed = Long.getLong("javisor.test.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        for (int n = 0; n < 200_000; n++) {
            boolean v4 = random.nextBoolean();
            byte[] bytes = frame(v4, new byte[random.nextInt(200)]);
            for (int i = random.nextInt(4); i > 0; i--) {
                bytes[12 + random.nextInt(bytes.length - 12)] = (byte) random.nextInt();
            }
            int size = random.nextInt(bytes.length + 1);
            int start = random.nextInt(80);
            FrameOffload claim =
                    new FrameOffload(
                            true,
                            false,
                            v4 ? Segmentation.TCP4 : Segmentation.TCP6,
                            random.nextInt(1 << 16),
                            random.nextInt(40),
                            start,
                            random.nextInt(40));
            int count = segmenter.open(bytes, 0, size, claim);
            for (int i = 0; i < count; i++) {
                assertThat(segmenter.write(i, out)).as("seed %d", seed).isLessThanOrEqualTo(size);
            }
            segmenter.complete(bytes, 0, size, claim);
        }
    }
}
