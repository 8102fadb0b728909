package dev.javisor.virtio.console;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The host's side waits on threads of its own; the device's side never does. */
class ConsolePortTest {
    private static final Executor HOST = task -> Thread.ofVirtual().start(task);

    private final AtomicInteger wakes = new AtomicInteger();
    private final ConsolePort port = new ConsolePort("p", false, wakes::incrementAndGet);

    @Test
    void input_moreThanFits_waitsAndArrivesInOrder() {
        byte[] much = new byte[3 * ConsolePort.BUFFER_BYTES + 17];
        for (int i = 0; i < much.length; i++) {
            much[i] = (byte) (i % 253);
        }
        CompletableFuture<Void> writing =
                CompletableFuture.runAsync(
                        () -> {
                            try {
                                port.input().write(much);
                                port.input().close();
                            } catch (IOException e) {
                                throw new AssertionError(e);
                            }
                        },
                        HOST);
        byte[] some = new byte[5000];
        int seen = 0;
        while (!port.toGuest.isDrained()) {
            int n = port.toGuest.poll(some, 0, some.length);
            assertThat(port.toGuest.available()).isLessThanOrEqualTo(ConsolePort.BUFFER_BYTES);
            for (int i = 0; i < n; i++) {
                assertThat(some[i]).isEqualTo((byte) (seen++ % 253));
            }
            if (n == 0) {
                Thread.onSpinWait();
            }
        }
        writing.join();
        assertThat(seen).isEqualTo(much.length);
        assertThat(wakes.get()).isPositive();
    }

    @Test
    void output_guestSilent_waitsForBytesAndThenForTheEnd() {
        CompletableFuture<byte[]> reading =
                CompletableFuture.supplyAsync(
                        () -> {
                            try {
                                return port.output().readAllBytes();
                            } catch (IOException e) {
                                throw new AssertionError(e);
                            }
                        },
                        HOST);
        byte[] bytes = new byte[ConsolePort.BUFFER_BYTES];
        assertThat(port.fromGuest.offer(bytes, 0, 1000)).isEqualTo(1000);
        assertThat(reading.isDone()).isFalse();
        port.fromGuest.setEnded(true);
        assertThat(reading.join()).hasSize(1000);
    }

    @Test
    void output_wasFull_wakesTheDeviceOnceThereIsSpace() throws IOException {
        byte[] bytes = new byte[ConsolePort.BUFFER_BYTES + 1];
        assertThat(port.fromGuest.offer(bytes, 0, bytes.length)).isEqualTo(bytes.length - 1);
        assertThat(wakes.get()).isZero();
        assertThat(port.output().read(bytes, 0, 10)).isEqualTo(10);
        assertThat(wakes.get()).isEqualTo(1);
        assertThat(port.output().read(bytes, 0, 10)).isEqualTo(10);
        assertThat(wakes.get()).as("told once").isEqualTo(1);
    }

    @Test
    void close_writerWaits_getsAnError() {
        CompletableFuture<Void> writing =
                CompletableFuture.runAsync(
                        () ->
                                assertThatThrownBy(() ->
                                                port.input()
                                                        .write(
                                                                new byte
                                                                        [2
                                                                                * ConsolePort
                                                                                        .BUFFER_BYTES]))
                                        .isInstanceOf(IOException.class)
                                        .hasMessage("port p is closed"),
                        HOST);
        while (port.toGuest.available() < ConsolePort.BUFFER_BYTES) {
            Thread.onSpinWait();
        }
        port.toGuest.close();
        writing.join();
    }

    @Test
    void spec_badNames_areRefused() {
        for (String name : new String[] {"a b", "\n", "\u00e9", "x".repeat(65)}) {
            assertThatThrownBy(() -> ConsolePortSpec.stream(name))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }
}
