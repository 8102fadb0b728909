package dev.javisor.virtio.net;

import static dev.javisor.virtio.net.NetLayout.*;

import dev.javisor.net.MacAddress;
import dev.javisor.net.NetBackend;
import dev.javisor.net.NetOffloads;
import dev.javisor.virtio.VirtioConfig;
import dev.javisor.virtio.VirtioContext;
import dev.javisor.virtio.VirtioDevice;
import dev.javisor.virtio.VirtioDeviceState;
import dev.javisor.virtio.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The network device (VIRTIO 1.2 §5.1) over a {@link NetBackend}. Frames lie in guest memory until
 * the backend has taken them and go there straight from the backend; a side that is behind leaves
 * them where they are. All on the I/O thread.
 */
public final class NetDevice implements VirtioDevice {
    /** Most queue pairs. */
    public static final int MAX_QUEUE_PAIRS = 8;

    private static final int DEVICE_ID = 1;
    private static final int PCI_CLASS_ETHERNET = 0x020000;
    private static final int QUEUE_SIZE = 256;
    private static final int CONTROL_QUEUE_SIZE = 64;
    private static final int SIGNAL_BACKEND = 0;

    /** Frames that are sent before the other direction has its turn. */
    private static final int SEND_BATCH = 64;

    private static final long GUEST_OFFLOADS = F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6;

    private final NetBackend backend;
    private final MacAddress mac;
    private final int maxPairs;
    private final long features;
    private final SentFrame frame = new SentFrame();
    private final NetFilter filter;
    private final ControlQueue control =
            new ControlQueue(
                    new ControlQueue.Target() {
                        @Override
                        public NetFilter filter() {
                            return filter;
                        }

                        @Override
                        public boolean setQueuePairs(int wanted) {
                            return NetDevice.this.setQueuePairs(wanted);
                        }

                        @Override
                        public void announced() {
                            announcing = false;
                        }

                        @Override
                        public boolean setGuestOffloads(long wanted) {
                            return NetDevice.this.setGuestOffloads(wanted);
                        }
                    });

    private @Nullable VirtioContext connected;
    private @Nullable ReceiveSink sink;
    private long negotiated;
    private long guestOffloads;
    private int pairs = 1;
    private long sentFrames;
    private long sentBytes;
    private long refused;

    /** From any thread. */
    private volatile boolean linkUp = true;

    /** The driver is to tell its network where it is now (§5.1.6.5.4). From any thread. */
    private volatile boolean announcing;

    /**
     * @param backend closed with this device
     * @param queuePairs 1 to {@link #MAX_QUEUE_PAIRS}
     */
    public NetDevice(NetBackend backend, MacAddress mac, int queuePairs) {
        if (queuePairs < 1 || queuePairs > MAX_QUEUE_PAIRS || mac.isGroup()) {
            throw new IllegalArgumentException(queuePairs + " queue pairs, " + mac);
        }
        this.backend = backend;
        this.mac = mac;
        maxPairs = queuePairs;
        filter = new NetFilter(mac);
        features = offered();
    }

    private long offered() {
        NetOffloads taken = backend.accepted();
        long bits = F_MAC | F_MTU | F_STATUS | F_MRG_RXBUF;
        bits |= F_CTRL_VQ | F_CTRL_RX | F_CTRL_RX_EXTRA | F_CTRL_VLAN | F_CTRL_MAC_ADDR;
        bits |= GUEST_OFFLOADS | F_CTRL_GUEST_OFFLOADS | F_GUEST_ANNOUNCE;
        bits |= taken.checksum() ? F_CSUM : 0;
        bits |= taken.checksum() && taken.tcp4() ? F_HOST_TSO4 : 0;
        bits |= taken.checksum() && taken.tcp6() ? F_HOST_TSO6 : 0;
        return bits | (maxPairs > 1 ? F_MQ : 0);
    }

    @Override
    public int deviceId() {
        return DEVICE_ID;
    }

    @Override
    public int pciClassCode() {
        return PCI_CLASS_ETHERNET;
    }

    @Override
    public long features() {
        return features;
    }

    @Override
    public int[] queueSizes() {
        int[] sizes = new int[2 * maxPairs + 1];
        java.util.Arrays.fill(sizes, QUEUE_SIZE);
        sizes[2 * maxPairs] = CONTROL_QUEUE_SIZE;
        return sizes;
    }

    @Override
    public int configBytes() {
        return CONFIG_BYTES;
    }

    @Override
    public int readConfig(int offset, int sizeBytes) {
        byte[] image = new byte[CONFIG_BYTES];
        mac.write(image, MAC);
        int status = (linkUp ? S_LINK_UP : 0) | (announcing ? S_ANNOUNCE : 0);
        VirtioConfig.write(image, STATUS, 2, status);
        VirtioConfig.write(image, MAX_VIRTQUEUE_PAIRS, 2, maxPairs);
        VirtioConfig.write(image, MTU, 2, backend.mtuBytes());
        return VirtioConfig.read(image, offset, sizeBytes);
    }

    @Override
    public void writeConfig(int offset, int sizeBytes, int value) {}

    @Override
    public void connect(VirtioContext context) {
        connected = context;
        sink = new ReceiveSink(context, filter);
        backend.connect(() -> context.signal(SIGNAL_BACKEND));
    }

    private VirtioContext context() {
        VirtioContext context = connected;
        if (context == null) {
            throw new IllegalStateException("not connected");
        }
        return context;
    }

    private ReceiveSink sink() {
        ReceiveSink to = sink;
        if (to == null) {
            throw new IllegalStateException("not connected");
        }
        return to;
    }

    /** Plugs the cable in or pulls it. From any thread. */
    public void setLinkUp(boolean up) {
        if (linkUp != up) {
            linkUp = up;
            context().configChanged();
            context().signal(SIGNAL_BACKEND);
        }
    }

    /** Has the driver tell its network where it is now, after a move. From any thread. */
    public void announce() {
        announcing = true;
        context().configChanged();
    }

    @Override
    public void start(long newFeatures) {
        negotiated = newFeatures;
        guestOffloads = newFeatures & GUEST_OFFLOADS;
        pairs = 1;
        boolean modes = (newFeatures & F_CTRL_RX) != 0;
        filter.start(mac, modes, (newFeatures & F_CTRL_VLAN) != 0);
        sink().start((newFeatures & F_MRG_RXBUF) != 0, (newFeatures & F_GUEST_CSUM) != 0);
        backend.start(mac, offloads());
    }

    /** What the driver takes now, without what needs something that it does not take. */
    private NetOffloads offloads() {
        boolean checksum = (guestOffloads & F_GUEST_CSUM) != 0;
        return new NetOffloads(
                checksum,
                checksum && (guestOffloads & F_GUEST_TSO4) != 0,
                checksum && (guestOffloads & F_GUEST_TSO6) != 0);
    }

    private boolean setGuestOffloads(long wanted) {
        if ((wanted & ~(negotiated & GUEST_OFFLOADS)) != 0) {
            return false;
        }
        guestOffloads = wanted;
        backend.change(offloads());
        return true;
    }

    private boolean setQueuePairs(int wanted) {
        if (wanted < 1 || wanted > maxPairs) {
            return false;
        }
        for (int i = 0; i < 2 * wanted; i++) {
            if (!context().hasQueue(i)) {
                return false;
            }
        }
        pairs = wanted;
        sink().setQueues(wanted);
        return true;
    }

    @Override
    public void process(long signals) {
        VirtioContext context = context();
        if (!context.isServing()) {
            return;
        }
        int controlIndex = (negotiated & F_MQ) != 0 ? 2 * maxPairs : 2;
        if ((negotiated & F_CTRL_VQ) != 0 && context.hasQueue(controlIndex)) {
            control.process(context, context.queue(controlIndex), negotiated);
        }
        ReceiveSink to = sink();
        boolean more = true;
        while (more) {
            more = false;
            for (int i = 0; i < pairs && context.isServing(); i++) {
                if (context.hasQueue(2 * i + 1)) {
                    more |= transmit(context, context.queue(2 * i + 1));
                }
            }
            if (linkUp && context.isServing()) {
                backend.receive(to);
            }
            if (context.isServing()) {
                to.notifyDriver();
            }
        }
    }

    /**
     * Sends a batch.
     *
     * @return whether more waits that can be sent
     */
    private boolean transmit(VirtioContext context, Virtqueue queue) {
        queue.disableNotifications();
        int sent = 0;
        while (true) {
            if (sent == SEND_BATCH) {
                queue.notifyDriver();
                return true;
            }
            switch (queue.poll(frame.chain)) {
                case CHAIN -> {
                    if (!send()) {
                        // The backend is behind. It wakes us when that is over.
                        queue.unpoll(frame.chain);
                        queue.notifyDriver();
                        return false;
                    }
                    queue.push(frame.chain, 0);
                    sent++;
                }
                case EMPTY -> {
                    queue.notifyDriver();
                    return queue.enableNotifications();
                }
                case FAULT -> {
                    context.guestFault("net: transmit: " + queue.fault());
                    return false;
                }
            }
        }
    }

    private boolean send() {
        if (!frame.read(negotiated)) {
            refused++;
            return true;
        }
        if (!linkUp) {
            return true;
        }
        if (!backend.send(frame)) {
            return false;
        }
        sentFrames++;
        sentBytes += frame.sizeBytes();
        return true;
    }

    /** Frames that the driver sent. On the I/O thread, as the counts below. */
    public long sentFrames() {
        return sentFrames;
    }

    public long sentBytes() {
        return sentBytes;
    }

    /** What the driver sent that was no frame. */
    public long refused() {
        return refused;
    }

    public long receivedFrames() {
        return sink().frames();
    }

    public long receivedBytes() {
        return sink().bytes();
    }

    /** Frames that the driver did not want, or had no buffers for that could take them. */
    public long dropped() {
        return sink().dropped();
    }

    @Override
    public void stop() {
        backend.stop();
        announcing = false;
        pairs = 1;
    }

    @Override
    public boolean isIdle() {
        return true;
    }

    @Override
    public VirtioDeviceState save() {
        return filter.save(pairs, guestOffloads);
    }

    @Override
    public void restore(VirtioDeviceState state) {
        if (!(state instanceof NetState saved)) {
            throw new IllegalArgumentException("not a state of a network device: " + state);
        }
        filter.restore(saved);
        if (negotiated != 0 && !setQueuePairs(saved.queuePairs())) {
            throw new IllegalArgumentException("not queue pairs of this device: " + state);
        }
        if (!setGuestOffloads(saved.guestOffloads())) {
            throw new IllegalArgumentException("not offloads of this device: " + state);
        }
        // Connections of before have ended, and others must learn where it is now.
        announcing = (negotiated & F_GUEST_ANNOUNCE) != 0;
    }

    @Override
    public void close() {
        backend.close();
    }
}
