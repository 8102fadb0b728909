package dev.javisor.virtio.console;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.virtio.VirtioState;
import dev.javisor.virtio.driver.DriverQueue;
import dev.javisor.virtio.driver.VirtioBench;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Plays Linux's virtio_console against the device. */
class ConsoleDeviceTest {
    private static final int STDIN = 1;
    private static final int STDOUT = 2;
    private static final int PAGE = 4096;

    private final ConsoleDevice device =
            new ConsoleDevice(
                    List.of(
                            ConsolePortSpec.terminal(),
                            ConsolePortSpec.stream("dev.javisor.stdin"),
                            ConsolePortSpec.stream("dev.javisor.stdout")),
                    ConsoleSizeOrder.ROWS_FIRST);
    private final VirtioBench bench = new VirtioBench(device);
    private final List<DriverQueue> queues = new ArrayList<>();
    private final Map<Long, Long> buffers = new HashMap<>();

    private static long key(DriverQueue queue, int head) {
        return System.identityHashCode(queue) * 65536L + head;
    }

    private void boot() {
        assertThat(bench.driver.negotiateAll()).isTrue();
        queues.clear();
        for (int i = 0; i < 8; i++) {
            queues.add(bench.driver.setUpQueue(i, 32));
        }
        bench.driver.driverOk();
    }

    private DriverQueue queue(int index) {
        return queues.get(index);
    }

    private void giveBuffers(int queue, int count, int sizeBytes) {
        for (int i = 0; i < count; i++) {
            long at = bench.driver.allocate(sizeBytes, 8);
            int head = queue(queue).add(DriverQueue.in(at, sizeBytes));
            buffers.put(key(queue(queue), head), at);
        }
        queue(queue).kick();
        bench.loop.run();
    }

    private byte[] takeBytes(int queue) {
        DriverQueue.Used used = queue(queue).take();
        return used == null
                ? new byte[0]
                : bench.memory.read(
                        buffers.getOrDefault(key(queue(queue), used.head()), 0L),
                        used.writtenBytes());
    }

    private String takeText(int queue) {
        return new String(takeBytes(queue), StandardCharsets.US_ASCII);
    }

    private void send(int queue, byte[] bytes) {
        long at = bench.driver.allocate(bytes.length, 8);
        bench.memory.write(at, bytes);
        queue(queue).add(DriverQueue.out(at, bytes.length));
        queue(queue).kick();
        bench.loop.run();
    }

    private void control(int id, int event, int value) {
        byte[] message = new byte[8];
        message[0] = (byte) id;
        message[1] = (byte) (id >>> 8);
        message[2] = (byte) (id >>> 16);
        message[3] = (byte) (id >>> 24);
        message[4] = (byte) event;
        message[6] = (byte) value;
        send(3, message);
    }

    /** Messages to the driver as {@code id.event.value[:text]}. */
    private List<String> messages() {
        List<String> found = new ArrayList<>();
        for (byte[] m = takeBytes(2); m.length > 0; m = takeBytes(2)) {
            String head = m[0] + "." + m[4] + "." + m[6];
            found.add(
                    m.length == 8
                            ? head
                            : head
                                    + ":"
                                    + new String(m, 8, m.length - 8, StandardCharsets.ISO_8859_1));
        }
        return found;
    }

    /** As virtcons_probe and add_port do. */
    private void bootPorts() {
        boot();
        giveBuffers(2, 32, 64);
        control(-1, ConsoleLayout.DEVICE_READY, 1);
        assertThat(messages()).containsExactly("0.1.1", "1.1.1", "2.1.1");
        for (int port = 0; port < 3; port++) {
            giveBuffers(ConsoleLayout.receiveQueue(port), 8, PAGE);
            control(port, ConsoleLayout.PORT_READY, 1);
        }
    }

    @Test
    void spec_5_3_4_configuration_hasSizeAndPorts() {
        device.resize(132, 43);
        assertThat(bench.driver.device(0, 2)).isEqualTo(132);
        assertThat(bench.driver.device(2, 2)).isEqualTo(43);
        assertThat(bench.driver.device(4, 4)).isEqualTo(3);
    }

    @Test
    void spec_5_3_6_2_multiport_introducesEachPort() {
        device.resize(80, 25);
        bootPorts();
        assertThat(messages())
                .containsExactly(
                        "0.4.1",
                        "0.6.1",
                        "0.5.0:\u0019\0\u0050\0",
                        "1.6.1",
                        "1.7.1:dev.javisor.stdin",
                        "2.6.1",
                        "2.7.1:dev.javisor.stdout");
    }

    @Test
    void transmit_console_reachesTheHost() throws IOException {
        bootPorts();
        control(0, ConsoleLayout.PORT_OPEN, 1);
        send(1, "hello\n".getBytes(StandardCharsets.US_ASCII));
        assertThat(queue(1).take()).isNotNull();
        byte[] read = new byte[100];
        assertThat(device.ports().getFirst().output().read(read)).isEqualTo(6);
        assertThat(new String(read, 0, 6, StandardCharsets.US_ASCII)).isEqualTo("hello\n");
    }

    @Test
    void receive_beforeTheGuestOpens_waits() throws IOException {
        bootPorts();
        device.port("dev.javisor.stdin").input().write("abc".getBytes(StandardCharsets.US_ASCII));
        bench.loop.run();
        assertThat(takeText(4)).isEmpty();
        control(STDIN, ConsoleLayout.PORT_OPEN, 1);
        assertThat(takeText(4)).isEqualTo("abc");
    }

    @Test
    void input_closed_isToldAfterTheLastByte() throws IOException {
        bootPorts();
        messages();
        ConsolePort stdin = device.port("dev.javisor.stdin");
        control(STDIN, ConsoleLayout.PORT_OPEN, 1);
        byte[] much = new byte[20_000];
        stdin.input().write(much);
        stdin.input().close();
        bench.loop.run();
        int sum = 0;
        for (byte[] b = takeBytes(4); b.length > 0; b = takeBytes(4)) {
            sum += b.length;
        }
        assertThat(sum).isEqualTo(20_000);
        assertThat(messages()).containsExactly("1.6.0");
    }

    @Test
    void input_closedWithoutBuffers_isToldOnlyOnceAllIsThrough() throws IOException {
        bootPorts();
        messages();
        ConsolePort stdin = device.port("dev.javisor.stdin");
        control(STDIN, ConsoleLayout.PORT_OPEN, 1);
        stdin.input().write(new byte[8 * PAGE + 1]);
        stdin.input().close();
        bench.loop.run();
        assertThat(messages()).isEmpty();
        giveBuffers(4, 1, PAGE);
        assertThat(messages()).containsExactly("1.6.0");
    }

    @Test
    void input_closedBeforeTheDriver_isNeverOpened() throws IOException {
        device.port("dev.javisor.stdin").input().close();
        bootPorts();
        assertThat(messages()).contains("2.6.1").doesNotContain("1.6.1");
    }

    @Test
    void guestClose_afterData_endsTheStreamAfterTheData() throws IOException {
        bootPorts();
        ConsolePort stdout = device.port("dev.javisor.stdout");
        control(STDOUT, ConsoleLayout.PORT_OPEN, 1);
        assertThat(stdout.isGuestOpen()).isTrue();
        // Data and close arrive before the device looks at either.
        long at = bench.driver.allocate(3, 8);
        bench.memory.write(at, new byte[] {1, 2, 3});
        queue(7).add(DriverQueue.out(at, 3));
        control(STDOUT, ConsoleLayout.PORT_OPEN, 0);
        assertThat(stdout.output().readAllBytes()).containsExactly(1, 2, 3);
        assertThat(stdout.isGuestOpen()).isFalse();

        control(STDOUT, ConsoleLayout.PORT_OPEN, 1);
        send(7, new byte[] {4});
        assertThat(stdout.output().read()).isEqualTo(4);
    }

    @Test
    void transmit_hostDoesNotRead_guestWaitsAndNothingIsLost() throws IOException {
        bootPorts();
        ConsolePort stdout = device.port("dev.javisor.stdout");
        control(STDOUT, ConsoleLayout.PORT_OPEN, 1);
        int total = 5 * 30_000;
        for (int i = 0; i < 5; i++) {
            byte[] bytes = new byte[30_000];
            for (int j = 0; j < bytes.length; j++) {
                bytes[j] = (byte) ((i * 30_000 + j) % 251);
            }
            send(7, bytes);
        }
        assertThat(queue(7).take()).isNotNull();
        assertThat(queue(7).take()).isNotNull();
        assertThat(queue(7).take()).as("the third does not fit").isNull();
        control(STDOUT, ConsoleLayout.PORT_OPEN, 0);
        assertThat(stdout.isGuestOpen()).isTrue();

        int seen = 0;
        byte[] some = new byte[7000];
        for (int n = stdout.output().read(some); n >= 0; n = stdout.output().read(some)) {
            for (int i = 0; i < n; i++) {
                assertThat(some[i]).isEqualTo((byte) (seen++ % 251));
            }
            bench.loop.run();
            if (seen == total) {
                break;
            }
        }
        assertThat(seen).isEqualTo(total);
        assertThat(stdout.output().read()).isEqualTo(-1);
    }

    @Test
    void output_closedByTheHost_guestIsNotHeldUp() throws IOException {
        bootPorts();
        ConsolePort stdout = device.port("dev.javisor.stdout");
        control(STDOUT, ConsoleLayout.PORT_OPEN, 1);
        stdout.output().close();
        for (int i = 0; i < 10; i++) {
            send(7, new byte[30_000]);
            assertThat(queue(7).take()).isNotNull();
        }
    }

    @Test
    void resize_running_sendsRowsThenColumns() {
        bootPorts();
        messages();
        device.resize(0x1234, 0x5678);
        bench.loop.run();
        assertThat(messages()).containsExactly("0.5.0:\u0078\u0056\u0034\u0012");
    }

    @Test
    void resize_withoutMultiport_isAConfigurationChange() {
        ConsoleDevice single =
                new ConsoleDevice(
                        List.of(ConsolePortSpec.terminal()), ConsoleSizeOrder.COLUMNS_FIRST);
        VirtioBench alone = new VirtioBench(single);
        alone.driver.negotiateAll();
        DriverQueue receive = alone.driver.setUpQueue(0, 8);
        DriverQueue transmit = alone.driver.setUpQueue(1, 8);
        alone.driver.driverOk();
        alone.loop.run();
        int generation = alone.driver.common(0x15, 1);
        single.resize(100, 50);
        alone.loop.run();
        assertThat(alone.driver.isr()).isEqualTo(2);
        assertThat(alone.driver.common(0x15, 1)).isNotEqualTo(generation);
        assertThat(alone.driver.device(0, 4)).isEqualTo(100 | 50 << 16);
        assertThat(receive.take()).isNull();
        assertThat(transmit.take()).isNull();
    }

    @Test
    void spec_5_3_6_emergencyWrite_beforeAnySetUp_reachesTheHost() throws IOException {
        bench.driver.setDevice(8, 4, 'x');
        assertThat(device.ports().getFirst().output().read()).isEqualTo('x');
    }

    @Test
    void control_flood_isHeldBackAndNothingGrows() {
        boot();
        // No buffers for answers; each of these wants three, and 160 may wait.
        int taken = 0;
        for (int i = 0; i < 70; i++) {
            control(-1, ConsoleLayout.DEVICE_READY, 1);
            if (queue(3).take() != null) {
                taken++;
            }
        }
        assertThat(taken).isEqualTo(54);
        giveBuffers(2, 32, 64);
        while (queue(3).take() != null) {
            taken++;
        }
        assertThat(taken).as("32 left").isBetween(62, 66);
    }

    @Test
    void control_nonsense_isIgnored() {
        bootPorts();
        messages();
        control(77, ConsoleLayout.PORT_OPEN, 1);
        control(0x8000_0000, ConsoleLayout.PORT_OPEN, 1);
        control(0, 200, 1);
        send(3, new byte[3]);
        assertThat(messages()).isEmpty();
        assertThat(bench.endpoint.guestFaults()).isZero();
    }

    @Test
    void reset_openStream_endsButTheConsoleGoesOn() throws IOException {
        bootPorts();
        control(0, ConsoleLayout.PORT_OPEN, 1);
        control(STDOUT, ConsoleLayout.PORT_OPEN, 1);
        bench.driver.setCommon(0x14, 1, 0);
        bench.loop.run();
        assertThat(bench.driver.status()).isZero();
        assertThat(device.port("dev.javisor.stdout").output().read()).isEqualTo(-1);
        bootPorts();
        control(0, ConsoleLayout.PORT_OPEN, 1);
        send(1, new byte[] {9});
        assertThat(device.ports().getFirst().output().read()).isEqualTo(9);
    }

    @Test
    void saveRestore_streamsInFlight_goOnWithoutLossOrRepeat() throws IOException {
        bootPorts();
        messages();
        control(STDIN, ConsoleLayout.PORT_OPEN, 1);
        control(STDOUT, ConsoleLayout.PORT_OPEN, 1);
        send(7, new byte[40_000]);
        send(7, new byte[40_000]);
        device.port("dev.javisor.stdin").input().write(new byte[9 * PAGE]);
        bench.endpoint.pause();
        VirtioState state = bench.endpoint.save();

        bench.endpoint.resume();
        bench.pci.reset();
        bench.endpoint.pause();
        device.port("dev.javisor.stdout").output().skipNBytes(0);
        bench.endpoint.restore(state);
        bench.endpoint.resume();
        bench.loop.run();
        int received = 0;
        for (byte[] b = takeBytes(4); b.length > 0; b = takeBytes(4)) {
            received += b.length;
        }
        giveBuffers(4, 2, PAGE);
        for (byte[] b = takeBytes(4); b.length > 0; b = takeBytes(4)) {
            received += b.length;
        }
        assertThat(received).isEqualTo(9 * PAGE);
    }

    @Test
    void close_hostIsWaiting_getsTheEnd() throws IOException {
        bench.endpoint.close();
        assertThat(device.ports().getFirst().output().read()).isEqualTo(-1);
    }
}
