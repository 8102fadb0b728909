package dev.javisor.net.lan;

import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameOffload.Segmentation;
import dev.javisor.net.FrameSink;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetBackend;
import dev.javisor.net.NetOffloads;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A learning Ethernet switch between the virtual machines of one process. A frame is copied once,
 * into the queue of the port it goes to, on the thread of the machine that sends it; as on any
 * Ethernet, what a full queue has no room for is lost, so that a machine that does not receive
 * slows nobody down. Large segments and open checksums pass as they are between machines that both
 * take them.
 */
public final class Switch {
    private static final int ETHERNET_BYTES = 14;

    private final int mtuBytes;
    private final List<Port> ports = new CopyOnWriteArrayList<>();
    private final AddressTable<Port> addresses = new AddressTable<>();

    /**
     * @param mtuBytes 1500 as a rule
     */
    public Switch(int mtuBytes) {
        this.mtuBytes = mtuBytes;
    }

    /** Adds a port for one interface; closing it takes it out again. From any thread. */
    public Port plug() {
        Port port = new Port();
        ports.add(port);
        return port;
    }

    /** One socket of the switch. */
    public final class Port implements NetBackend {
        private final FrameRing arriving = new FrameRing();
        private final AtomicLong dropped = new AtomicLong();

        // Of the interface's thread.
        private final byte[] head = new byte[ETHERNET_BYTES];
        private final byte[] scratch = new byte[Frame.MAX_BYTES];
        private final Segmenter segmenter = new Segmenter();
        private NetOffloads guest = NetOffloads.NONE;

        /** Of the first frame's segments, those delivered. */
        private int delivered;

        private volatile boolean started;
        private volatile Runnable wake = () -> {};

        private Port() {}

        /** Frames that were lost on their way to this port. From any thread. */
        public long dropped() {
            return dropped.get();
        }

        @Override
        public int mtuBytes() {
            return mtuBytes;
        }

        @Override
        public NetOffloads accepted() {
            return NetOffloads.ALL;
        }

        @Override
        public void connect(Runnable wakeInterface) {
            wake = wakeInterface;
        }

        @Override
        public void start(MacAddress mac, NetOffloads taken) {
            guest = taken;
            arriving.clear();
            delivered = 0;
            started = true;
        }

        @Override
        public void change(NetOffloads taken) {
            guest = taken;
        }

        @Override
        public void stop() {
            started = false;
            addresses.forget(this);
        }

        @Override
        public boolean send(Frame frame) {
            if (frame.copy(0, head, 0, ETHERNET_BYTES) < ETHERNET_BYTES) {
                return true;
            }
            MacAddress source = MacAddress.read(head, MacAddress.BYTES);
            if (!source.isGroup()) {
                addresses.learn(source.bits(), this);
            }
            MacAddress destination = MacAddress.read(head, 0);
            Port known = destination.isGroup() ? null : addresses.find(destination.bits());
            if (known != null) {
                if (known != this) {
                    known.arrive(frame);
                }
                return true;
            }
            for (Port port : ports) {
                if (port != this) {
                    port.arrive(frame);
                }
            }
            return true;
        }

        /** On the sender's thread. */
        private void arrive(Frame frame) {
            if (!started) {
                return;
            }
            if (arriving.offer(frame)) {
                wake.run();
            } else {
                dropped.incrementAndGet();
            }
        }

        @Override
        public void receive(FrameSink sink) {
            int at = arriving.first();
            while (at >= 0) {
                if (!deliver(sink, at)) {
                    return;
                }
                delivered = 0;
                arriving.remove();
                at = arriving.first();
            }
        }

        /** False if the guest has no room for the rest. */
        private boolean deliver(FrameSink sink, int at) {
            int sizeBytes = arriving.sizeBytes(at);
            FrameOffload offload = arriving.offload(at);
            if (!takesSegments(offload.segmentation())) {
                return deliverSegments(sink, at, sizeBytes, offload);
            }
            if (offload.needsChecksum() && !guest.checksum()) {
                if (!segmenter.complete(arriving.bytes, at, sizeBytes, offload)) {
                    dropped.incrementAndGet();
                    return true;
                }
                arriving.complete(at);
                offload = FrameOffload.NONE;
            }
            if (!sink.begin(sizeBytes)) {
                return false;
            }
            sink.put(arriving.bytes, at, sizeBytes);
            sink.end(guest.checksum() ? offload : FrameOffload.NONE);
            return true;
        }

        private boolean takesSegments(Segmentation segmentation) {
            return switch (segmentation) {
                case NONE -> true;
                case TCP4 -> guest.tcp4();
                case TCP6 -> guest.tcp6();
            };
        }

        private boolean deliverSegments(
                FrameSink sink, int at, int sizeBytes, FrameOffload offload) {
            int count = segmenter.open(arriving.bytes, at, sizeBytes, offload);
            if (count == 0) {
                dropped.incrementAndGet();
            }
            while (delivered < count) {
                int segmentBytes = segmenter.frameBytes(delivered);
                if (!sink.begin(segmentBytes)) {
                    return false;
                }
                segmenter.write(delivered, scratch);
                sink.put(scratch, 0, segmentBytes);
                sink.end(guest.checksum() ? FrameOffload.VALID : FrameOffload.NONE);
                delivered++;
            }
            return true;
        }

        @Override
        public void close() {
            started = false;
            ports.remove(this);
            addresses.forget(this);
        }
    }

    /** At which port an address was seen; null if at none. */
    @Nullable Port portOf(MacAddress address) {
        return addresses.find(address.bits());
    }
}
