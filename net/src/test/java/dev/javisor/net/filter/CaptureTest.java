package dev.javisor.net.filter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.VirtualTimeSource;
import dev.javisor.net.ArrayFrame;
import dev.javisor.net.CollectingSink;
import dev.javisor.net.NetException;
import dev.javisor.net.ScriptedBackend;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CaptureTest {
    @TempDir Path directory;

    private final VirtualTimeSource time = new VirtualTimeSource(0, 1_700_000_000_123L);
    private final ScriptedBackend network = new ScriptedBackend();

    @Test
    void capture_bothDirections_areInTheFileInOrder() throws IOException {
        Path file = directory.resolve("net.pcap");
        CollectingSink sink = new CollectingSink(2);
        try (Capture capture = Capture.to(file, network, time)) {
            assertThat(capture.send(ArrayFrame.of(new byte[] {1, 2, 3}))).isTrue();
            time.advance(1_500_000_000);
            network.arriving.add(new byte[] {4, 5, 6, 7, 8});
            network.direct = true;
            capture.receive(sink);
            network.refuses = true;
            assertThat(capture.send(ArrayFrame.of(new byte[] {9}))).isFalse();
        }
        assertThat(sink.frames).hasSize(1);
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        assertThat(bytes.getInt()).isEqualTo(0xA1B23C4D);
        assertThat(bytes.getInt()).isEqualTo(2 | 4 << 16);
        bytes.position(20);
        assertThat(bytes.getInt()).isEqualTo(1);
        record(bytes, 1_700_000_000, 123_000_000, 1, 2, 3);
        record(bytes, 1_700_000_001, 623_000_000, 4, 5, 6, 7, 8);
        assertThat(bytes.hasRemaining()).isFalse();
    }

    private static void record(ByteBuffer bytes, int seconds, int nanos, int... frame) {
        assertThat(bytes.getInt()).isEqualTo(seconds);
        assertThat(bytes.getInt()).isEqualTo(nanos);
        assertThat(bytes.getInt()).isEqualTo(frame.length);
        assertThat(bytes.getInt()).isEqualTo(frame.length);
        for (int value : frame) {
            assertThat(bytes.get()).isEqualTo((byte) value);
        }
    }

    @Test
    void capture_aFullDisk_endsTheCaptureAndNotTheNetwork() throws IOException {
        OutputStream full =
                new OutputStream() {
                    private int left = 100;

                    @Override
                    public void write(int b) throws IOException {
                        if (left-- == 0) {
                            throw new IOException("no space left on device");
                        }
                    }
                };
        try (Capture capture = new Capture(network, new PcapFile(full, 8), time)) {
            for (int i = 0; i < 10; i++) {
                assertThat(capture.send(ArrayFrame.of(new byte[50]))).isTrue();
                capture.receive(new CollectingSink(1));
            }
        }
        assertThat(network.sent).hasSize(10);
        assertThat(network.closed).isTrue();
    }

    @Test
    void capture_aFileThatCannotBeMade_isRefused() {
        Path file = directory.resolve("missing").resolve("net.pcap");
        assertThatThrownBy(() -> Capture.to(file, network, time))
                .isInstanceOf(NetException.class)
                .hasMessageContaining("net.pcap");
    }
}
