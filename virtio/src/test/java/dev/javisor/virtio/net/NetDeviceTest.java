package dev.javisor.virtio.net;

import static dev.javisor.virtio.net.NetLayout.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameSink;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetBackend;
import dev.javisor.net.NetOffloads;
import dev.javisor.virtio.VirtioFeatures;
import dev.javisor.virtio.driver.DriverQueue;
import dev.javisor.virtio.driver.VirtioBench;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The network device, driven over PCI as a guest would. */
class NetDeviceTest {
    private static final MacAddress MAC = MacAddress.parse("52:54:00:12:34:56");
    private static final MacAddress OTHER = MacAddress.parse("52:54:00:00:00:99");

    /** The other end of the cable. */
    private static final class Cable implements NetBackend {
        private final List<byte[]> sent = new ArrayList<>();
        private final List<FrameOffload> offloads = new ArrayList<>();
        private final ArrayDeque<byte[]> toGuest = new ArrayDeque<>();
        private FrameOffload offload = FrameOffload.NONE;
        private NetOffloads guest = NetOffloads.NONE;
        private boolean refusing;
        private boolean stopped;
        private int flow;
        private Runnable wake = () -> {};

        @Override
        public int mtuBytes() {
            return 1500;
        }

        @Override
        public NetOffloads accepted() {
            return NetOffloads.ALL;
        }

        @Override
        public void connect(Runnable newWake) {
            wake = newWake;
        }

        @Override
        public void start(MacAddress mac, NetOffloads newGuest) {
            guest = newGuest;
        }

        @Override
        public void change(NetOffloads newGuest) {
            guest = newGuest;
        }

        @Override
        public void stop() {
            stopped = true;
        }

        @Override
        public boolean send(Frame frame) {
            if (refusing) {
                return false;
            }
            byte[] bytes = new byte[frame.sizeBytes()];
            frame.copy(0, bytes, 0, bytes.length);
            sent.add(bytes);
            offloads.add(frame.offload());
            return true;
        }

        @Override
        public void receive(FrameSink sink) {
            while (!toGuest.isEmpty() && sink.begin(toGuest.peek().length, flow)) {
                byte[] frame = toGuest.remove();
                sink.put(frame, 0, frame.length);
                sink.end(offload);
            }
        }

        @Override
        public void close() {}
    }

    private final Cable cable = new Cable();
    private final NetDevice device = new NetDevice(cable, MAC, 2);
    private final VirtioBench bench = new VirtioBench(device);

    private DriverQueue receive() {
        return bench.driver.setUpQueue(0, 64);
    }

    private DriverQueue transmit() {
        return bench.driver.setUpQueue(1, 64);
    }

    private static byte[] frame(MacAddress to, int size) {
        byte[] frame = new byte[size];
        new Random(size).nextBytes(frame);
        to.write(frame, 0);
        OTHER.write(frame, 6);
        frame[12] = 8;
        frame[13] = 0;
        return frame;
    }

    private void arrive(byte[] frame) {
        cable.toGuest.add(frame);
        cable.wake.run();
        bench.loop.run();
    }

    private long buffer(int size) {
        return bench.driver.allocate(size, 16);
    }

    private void give(DriverQueue queue, int count, int size, List<Long> buffers) {
        for (int i = 0; i < count; i++) {
            long at = buffer(size);
            buffers.add(at);
            queue.add(DriverQueue.in(at, size));
        }
        queue.kick();
        bench.loop.run();
    }

    private int header(long at, int offset, int size) {
        return size == 1
                ? bench.memory.read(at + offset, 1)[0]
                : bench.memory.readShort(at + offset) & 0xFFFF;
    }

    @Test
    void spec_5_1_4_config_tellsAddressLinkMtuAndQueues() {
        assertThat(bench.driver.device(NetLayout.MAC, 4)).isEqualTo(0x12005452);
        assertThat(bench.driver.device(STATUS, 2)).isEqualTo(S_LINK_UP);
        assertThat(bench.driver.device(MTU, 2)).isEqualTo(1500);
        assertThat(bench.driver.device(MAX_VIRTQUEUE_PAIRS, 2)).isEqualTo(2);
        device.setLinkUp(false);
        assertThat(bench.driver.device(STATUS, 2)).isZero();
    }

    @Test
    void spec_5_1_6_2_sent_leavesAsItIsWithWhatItLeavesOpen() {
        bench.driver.negotiateAll();
        receive();
        DriverQueue queue = transmit();
        bench.driver.driverOk();
        byte[] frame = frame(OTHER, 5000);
        long at = buffer(12 + frame.length);
        bench.memory.write(at, new byte[] {1, 1, 54, 0, (byte) 0xB4, 5, 34, 0, 16, 0, 0, 0});
        bench.memory.write(at + 12, frame);
        // In three parts, cut in the middle of headers.
        queue.add(
                DriverQueue.out(at, 20),
                DriverQueue.out(at + 20, 1),
                DriverQueue.out(at + 21, 4991));
        queue.kick();
        bench.loop.run();
        assertThat(queue.take()).isNotNull();
        assertThat(cable.sent).hasSize(1);
        assertThat(cable.sent.getFirst()).isEqualTo(frame);
        assertThat(cable.offloads.getFirst())
                .isEqualTo(
                        new FrameOffload(
                                true, false, FrameOffload.Segmentation.TCP4, 54, 1460, 34, 16));
    }

    @Test
    void sent_misshapen_isDroppedAndCounted() {
        bench.driver.negotiate(~(F_HOST_TSO4 | F_HOST_TSO6));
        receive();
        DriverQueue queue = transmit();
        bench.driver.driverOk();
        byte[][] headers = {
            // Segmentation that was not agreed on; a kind that is none; a checksum beyond the end.
            {1, 1, 54, 0, 1, 5, 34, 0, 16, 0, 0, 0},
            {0, 3, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0},
            {1, 0, 0, 0, 0, 0, (byte) 0xFF, (byte) 0xFF, 16, 0, 0, 0}
        };
        for (byte[] header : headers) {
            long at = buffer(200);
            bench.memory.write(at, header);
            queue.add(DriverQueue.out(at, 200));
        }
        long at = buffer(200);
        queue.add(DriverQueue.out(at, 5));
        queue.add(DriverQueue.out(at, 20));
        queue.add(DriverQueue.out(0, 0x20000));
        queue.kick();
        bench.loop.run();
        assertThat(cable.sent).isEmpty();
        assertThat(device.refused()).isEqualTo(6);
        assertThat(bench.endpoint.guestFaults()).isZero();
        assertThat(queue.usedIndex()).isEqualTo(6);
    }

    @Test
    void sent_backendBehind_waitsInTheQueue() {
        bench.driver.negotiateAll();
        receive();
        DriverQueue queue = transmit();
        bench.driver.driverOk();
        cable.refusing = true;
        long at = buffer(100);
        queue.add(DriverQueue.out(at, 100));
        queue.kick();
        bench.loop.run();
        assertThat(queue.take()).isNull();
        cable.refusing = false;
        cable.wake.run();
        bench.loop.run();
        assertThat(queue.take()).isNotNull();
        assertThat(cable.sent).hasSize(1);
    }

    @Test
    void spec_5_1_6_4_received_large_fillsSeveralBuffersAtOnce() {
        bench.driver.negotiateAll();
        DriverQueue queue = receive();
        transmit();
        bench.driver.driverOk();
        List<Long> buffers = new ArrayList<>();
        give(queue, 5, 1500, buffers);
        byte[] frame = frame(MAC, 4000);
        cable.offload =
                new FrameOffload(true, false, FrameOffload.Segmentation.TCP6, 74, 1440, 54, 16);
        arrive(frame);
        byte[] got = new byte[0];
        for (int i = 0; i < 3; i++) {
            DriverQueue.Used used = Objects.requireNonNull(queue.take(), "nothing used");
            byte[] part = bench.memory.read(buffers.get(i), used.writtenBytes());
            int old = got.length;
            got = Arrays.copyOf(got, old + part.length);
            System.arraycopy(part, 0, got, old, part.length);
        }
        assertThat(queue.take()).isNull();
        assertThat(Arrays.copyOfRange(got, 12, got.length)).isEqualTo(frame);
        long first = buffers.getFirst();
        assertThat(header(first, NUM_BUFFERS, 2)).isEqualTo(3);
        assertThat(header(first, FLAGS, 1)).isEqualTo(1);
        assertThat(header(first, GSO_TYPE, 1)).isEqualTo(4);
        assertThat(header(first, HDR_LEN, 2)).isEqualTo(74);
        assertThat(header(first, GSO_SIZE, 2)).isEqualTo(1440);
        assertThat(header(first, CSUM_START, 2)).isEqualTo(54);
        assertThat(header(first, CSUM_OFFSET, 2)).isEqualTo(16);
        // The two buffers that were not needed serve the next.
        cable.offload = FrameOffload.NONE;
        arrive(frame(MAC, 100));
        DriverQueue.Used used = Objects.requireNonNull(queue.take(), "nothing used");
        assertThat(used.writtenBytes()).isEqualTo(112);
        assertThat(header(buffers.get(3), NUM_BUFFERS, 2)).isEqualTo(1);
    }

    @Test
    void received_tooFewBuffers_waitsAndIsRungFor() {
        bench.driver.negotiateAll();
        DriverQueue queue = receive();
        transmit();
        bench.driver.driverOk();
        List<Long> buffers = new ArrayList<>();
        give(queue, 2, 1500, buffers);
        arrive(frame(MAC, 4000));
        assertThat(queue.take()).isNull();
        assertThat(cable.toGuest).hasSize(1);
        long at = buffer(1500);
        queue.add(DriverQueue.in(at, 1500));
        assertThat(queue.kick()).as("the device wants to know").isTrue();
        bench.loop.run();
        assertThat(cable.toGuest).isEmpty();
        assertThat(queue.usedIndex()).isEqualTo(3);
    }

    @Test
    void received_largerThanAllBuffersTogether_isDropped() {
        bench.driver.negotiate(~F_MRG_RXBUF);
        DriverQueue queue = receive();
        transmit();
        bench.driver.driverOk();
        List<Long> buffers = new ArrayList<>();
        give(queue, 2, 1500, buffers);
        arrive(frame(MAC, 4000));
        arrive(frame(MAC, 100));
        assertThat(device.dropped()).isOne();
        DriverQueue.Used used = Objects.requireNonNull(queue.take(), "nothing used");
        assertThat(used.writtenBytes()).isEqualTo(112);
        assertThat(bench.memory.read(buffers.getFirst() + 12, 100)).isEqualTo(frame(MAC, 100));
    }

    @Test
    void received_bufferWithoutRoomForTheHeader_isAFault() {
        bench.driver.negotiateAll();
        DriverQueue queue = receive();
        transmit();
        bench.driver.driverOk();
        queue.add(DriverQueue.in(buffer(8), 8));
        queue.kick();
        arrive(frame(MAC, 100));
        assertThat(bench.endpoint.guestFaults()).isOne();
        assertThat(bench.driver.status() & 0x40).as("needs reset").isNotZero();
    }

    private int command(DriverQueue queue, int kind, int code, byte... data) {
        long at = buffer(2 + data.length + 1);
        bench.memory.write(at, new byte[] {(byte) kind, (byte) code});
        bench.memory.write(at + 2, data);
        long status = buffer(1);
        bench.memory.write(status, new byte[] {77});
        if (data.length == 0) {
            queue.add(DriverQueue.out(at, 2), DriverQueue.in(status, 1));
        } else {
            queue.add(
                    DriverQueue.out(at, 2),
                    DriverQueue.out(at + 2, data.length),
                    DriverQueue.in(status, 1));
        }
        queue.ring();
        bench.loop.run();
        assertThat(queue.take()).isNotNull();
        return bench.memory.read(status, 1)[0];
    }

    private DriverQueue[] startAll() {
        bench.driver.negotiateAll();
        DriverQueue[] queues = new DriverQueue[5];
        for (int i = 0; i < 5; i++) {
            queues[i] = bench.driver.setUpQueue(i, 64);
        }
        bench.driver.driverOk();
        bench.loop.run();
        return queues;
    }

    @Test
    void spec_5_1_6_5_filter_takesWhatTheDriverAsksFor() {
        DriverQueue[] queues = startAll();
        DriverQueue control = queues[4];
        give(queues[0], 30, 200, new ArrayList<>());
        MacAddress group = MacAddress.parse("33:33:00:00:00:01");
        arrive(frame(OTHER, 100));
        arrive(frame(group, 100));
        assertThat(queues[0].take()).isNull();
        arrive(frame(MAC, 100));
        arrive(frame(MacAddress.BROADCAST, 100));
        assertThat(queues[0].take()).isNotNull();
        assertThat(queues[0].take()).isNotNull();
        byte[] table = {0, 0, 0, 0, 1, 0, 0, 0, 0x33, 0x33, 0, 0, 0, 1};
        assertThat(command(control, CTRL_MAC, MAC_TABLE_SET, table)).isZero();
        arrive(frame(group, 100));
        assertThat(queues[0].take()).isNotNull();
        assertThat(command(control, NetLayout.CTRL_RX, RX_PROMISC, (byte) 1)).isZero();
        arrive(frame(OTHER, 100));
        assertThat(queues[0].take()).isNotNull();
        assertThat(command(control, NetLayout.CTRL_RX, RX_PROMISC, (byte) 0)).isZero();
        byte[] mac = {0x52, 0x54, 0, 0, 0, (byte) 0x99};
        assertThat(command(control, CTRL_MAC, MAC_ADDR_SET, mac)).isZero();
        arrive(frame(OTHER, 100));
        assertThat(queues[0].take()).isNotNull();
        arrive(frame(MAC, 100));
        assertThat(queues[0].take()).isNull();
        // VLAN 5 only once it was named.
        byte[] tagged = frame(OTHER, 100);
        tagged[12] = (byte) 0x81;
        tagged[13] = 0;
        tagged[14] = 0;
        tagged[15] = 5;
        arrive(tagged);
        assertThat(queues[0].take()).isNull();
        assertThat(command(control, CTRL_VLAN, VLAN_ADD, (byte) 5, (byte) 0)).isZero();
        arrive(tagged);
        assertThat(queues[0].take()).isNotNull();
    }

    @Test
    void control_nonsense_isRefusedNotObeyed() {
        DriverQueue control = startAll()[4];
        assertThat(command(control, 99, 0)).isEqualTo(ERR);
        assertThat(command(control, NetLayout.CTRL_RX, 77, (byte) 1)).isEqualTo(ERR);
        assertThat(command(control, NetLayout.CTRL_RX, RX_PROMISC)).isEqualTo(ERR);
        assertThat(command(control, CTRL_MAC, MAC_ADDR_SET, new byte[] {1, 2, 3, 4, 5, 6}))
                .isEqualTo(ERR);
        byte[] lying = {-1, -1, -1, -1, 0, 0};
        assertThat(command(control, CTRL_MAC, MAC_TABLE_SET, lying)).isEqualTo(ERR);
        assertThat(command(control, CTRL_VLAN, VLAN_ADD, (byte) 0, (byte) 0x10)).isEqualTo(ERR);
        assertThat(command(control, CTRL_MQ, MQ_PAIRS_SET, (byte) 0, (byte) 0)).isEqualTo(ERR);
        assertThat(command(control, CTRL_MQ, MQ_PAIRS_SET, (byte) 3, (byte) 0)).isEqualTo(ERR);
        byte[] all = {-1, -1, -1, -1, -1, -1, -1, -1};
        assertThat(command(control, CTRL_GUEST_OFFLOADS, GUEST_OFFLOADS_SET, all)).isEqualTo(ERR);
        assertThat(bench.endpoint.guestFaults()).isZero();
        // A table of more than is kept takes all of its kind.
        byte[] many = new byte[8 + 6 * 1000];
        many[0] = (byte) (1000 & 0xFF);
        many[1] = (byte) (1000 >> 8);
        for (int i = 0; i < 1000; i++) {
            new MacAddress(0x5200_0000_0000L + i).write(many, 4 + 6 * i);
        }
        assertThat(command(control, CTRL_MAC, MAC_TABLE_SET, many)).isZero();
    }

    @Test
    void spec_5_1_6_5_5_queues_two_areChosenByFlow() {
        DriverQueue[] queues = startAll();
        give(queues[0], 10, 200, new ArrayList<>());
        give(queues[2], 10, 200, new ArrayList<>());
        cable.flow = 1;
        arrive(frame(MAC, 100));
        assertThat(queues[0].take()).as("one pair until told").isNotNull();
        assertThat(command(queues[4], CTRL_MQ, MQ_PAIRS_SET, (byte) 2, (byte) 0)).isZero();
        arrive(frame(MAC, 100));
        assertThat(queues[0].take()).isNull();
        assertThat(queues[2].take()).isNotNull();
        queues[3].add(DriverQueue.out(buffer(100), 100));
        queues[3].kick();
        bench.loop.run();
        assertThat(cable.sent).hasSize(1);
    }

    @Test
    void spec_5_1_6_5_6_offloads_areTakenBackWhenTheDriverSaysSo() {
        DriverQueue control = startAll()[4];
        assertThat(cable.guest).isEqualTo(NetOffloads.ALL);
        byte[] checksumOnly = {2, 0, 0, 0, 0, 0, 0, 0};
        assertThat(command(control, CTRL_GUEST_OFFLOADS, GUEST_OFFLOADS_SET, checksumOnly))
                .isZero();
        assertThat(cable.guest).isEqualTo(new NetOffloads(true, false, false));
    }

    @Test
    void announce_isSeenAndAcknowledged() {
        DriverQueue control = startAll()[4];
        device.announce();
        assertThat(bench.driver.device(STATUS, 2)).isEqualTo(S_LINK_UP | S_ANNOUNCE);
        assertThat(command(control, CTRL_ANNOUNCE, ANNOUNCE_ACK)).isZero();
        assertThat(bench.driver.device(STATUS, 2)).isEqualTo(S_LINK_UP);
    }

    @Test
    void driver_withoutAnything_stillSendsAndReceives() {
        bench.driver.negotiate(VirtioFeatures.VERSION_1);
        DriverQueue receive = receive();
        DriverQueue transmit = transmit();
        bench.driver.driverOk();
        bench.loop.run();
        assertThat(cable.guest).isEqualTo(NetOffloads.NONE);
        give(receive, 1, 1526, new ArrayList<>());
        arrive(frame(MAC, 1514));
        assertThat(receive.take()).isNotNull();
        transmit.add(DriverQueue.out(buffer(1526), 1526));
        transmit.kick();
        bench.loop.run();
        assertThat(cable.sent.getFirst()).hasSize(1514);
    }

    @Test
    void reset_stopsTheBackend() {
        startAll();
        bench.driver.setCommon(0x14, 1, 0);
        bench.loop.run();
        assertThat(cable.stopped).isTrue();
    }

    @Test
    void state_savedAndRestored_isTheSame() {
        DriverQueue control = startAll()[4];
        command(control, NetLayout.CTRL_RX, RX_ALLMULTI, (byte) 1);
        command(control, CTRL_MQ, MQ_PAIRS_SET, (byte) 2, (byte) 0);
        bench.endpoint.device();
        NetState saved = (NetState) device.save();
        assertThat(saved.queuePairs()).isEqualTo(2);
        device.restore(saved);
        assertThat(device.save()).isEqualTo(saved);
    }
}
