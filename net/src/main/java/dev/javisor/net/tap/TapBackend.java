package dev.javisor.net.tap;

import dev.javisor.linux.Errno;
import dev.javisor.linux.LinuxException;
import dev.javisor.linux.SystemCalls;
import dev.javisor.net.DescriptorLoop;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameOffload.Segmentation;
import dev.javisor.net.FrameSink;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetBackend;
import dev.javisor.net.NetOffloads;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * A tap interface of this host. Checksums and large segments stay open between the guest and the
 * host's kernel, which checks what a guest claims about them.
 */
public final class TapBackend implements NetBackend {
    private static final System.Logger LOG = System.getLogger(TapBackend.class.getName());

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** More than the host's queue holds. */
    private static final int MOST_STALE_FRAMES = 4096;

    private final TapInterface tap;
    private final int mtuBytes;
    private final Arena arena = Arena.ofShared();

    // A header and the longest frame each.
    private final MemorySegment out =
            arena.allocate(TapLayout.HEADER_BYTES + Frame.MAX_BYTES, Long.BYTES);
    private final MemorySegment in =
            arena.allocate(TapLayout.HEADER_BYTES + Frame.MAX_BYTES, Long.BYTES);

    /** Of the frame in {@link #in} that the guest had no room for; 0 if there is none. */
    private int waitingBytes;

    private boolean started;
    private boolean failed;

    private volatile Runnable wake = () -> {};

    private TapBackend(TapInterface tap) {
        this.tap = tap;
        this.mtuBytes = tap.mtuBytes();
    }

    /**
     * @param loop the interface's I/O thread, not started yet
     * @param name of the host's interface; made if it does not exist; may end in {@code %d}
     * @param bridge that it is made a port of
     * @throws dev.javisor.net.NetException if this host does not allow it
     */
    public static TapBackend open(
            DescriptorLoop loop, SystemCalls system, String name, Optional<String> bridge) {
        TapInterface tap = TapInterface.open(system, name, bridge);
        try {
            TapBackend backend = new TapBackend(tap);
            loop.watch(tap.descriptor(), () -> backend.wake.run());
            return backend;
        } catch (RuntimeException | Error e) {
            tap.close();
            throw e;
        }
    }

    /** The host's interface. */
    public String interfaceName() {
        return tap.name();
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
    public void start(MacAddress mac, NetOffloads guest) {
        // What came before was for nobody, and with other offloads perhaps.
        waitingBytes = 0;
        for (int i = 0; i < MOST_STALE_FRAMES && !failed && tap.read(in) > 0; i++) {
            continue;
        }
        change(guest);
        started = true;
    }

    @Override
    public void change(NetOffloads guest) {
        try {
            tap.deliver(guest);
        } catch (LinuxException e) {
            fail(e.errno());
        }
    }

    @Override
    public void stop() {
        started = false;
        waitingBytes = 0;
    }

    @Override
    public boolean send(Frame frame) {
        if (failed) {
            return true;
        }
        int sizeBytes = frame.sizeBytes();
        writeHeader(frame.offload());
        int at = TapLayout.HEADER_BYTES;
        for (MemorySegment part : frame.slices(0, sizeBytes)) {
            MemorySegment.copy(part, 0, out, at, part.byteSize());
            at += (int) part.byteSize();
        }
        long result = tap.write(out.asSlice(0, at));
        // EINVAL: claims about offloads that the kernel does not believe. EAGAIN, ENOMEM: no room
        // in the host's queues, where an Ethernet loses frames too. EIO: the interface is down.
        if (result < 0
                && result != -Errno.EINVAL
                && result != -Errno.EAGAIN
                && result != -Errno.ENOMEM
                && result != -Errno.EIO
                && result != -Errno.EINTR) {
            fail((int) -result);
        }
        return true;
    }

    private void writeHeader(FrameOffload offload) {
        int flags =
                offload.needsChecksum()
                        ? TapLayout.NEEDS_CSUM
                        : offload.dataValid() ? TapLayout.DATA_VALID : 0;
        int type =
                switch (offload.segmentation()) {
                    case NONE -> TapLayout.GSO_NONE;
                    case TCP4 -> TapLayout.GSO_TCPV4;
                    case TCP6 -> TapLayout.GSO_TCPV6;
                };
        out.set(ValueLayout.JAVA_BYTE, TapLayout.FLAGS, (byte) flags);
        out.set(ValueLayout.JAVA_BYTE, TapLayout.GSO_TYPE, (byte) type);
        out.set(SHORT, TapLayout.HDR_LEN, (short) offload.headerBytes());
        out.set(SHORT, TapLayout.GSO_SIZE, (short) offload.segmentBytes());
        out.set(SHORT, TapLayout.CSUM_START, (short) offload.checksumStart());
        out.set(SHORT, TapLayout.CSUM_OFFSET, (short) offload.checksumOffset());
    }

    @Override
    public void receive(FrameSink sink) {
        if (!started) {
            return;
        }
        while (!failed) {
            if (waitingBytes == 0) {
                long count = tap.read(in);
                if (count < 0) {
                    if (count != -Errno.EAGAIN && count != -Errno.EINTR && count != -Errno.EIO) {
                        fail((int) -count);
                    }
                    return;
                }
                if (count <= TapLayout.HEADER_BYTES) {
                    continue;
                }
                waitingBytes = (int) count - TapLayout.HEADER_BYTES;
            }
            if (!sink.begin(waitingBytes)) {
                return;
            }
            sink.put(in, TapLayout.HEADER_BYTES, waitingBytes);
            sink.end(readHeader());
            waitingBytes = 0;
        }
    }

    private FrameOffload readHeader() {
        int flags = in.get(ValueLayout.JAVA_BYTE, TapLayout.FLAGS);
        int type = in.get(ValueLayout.JAVA_BYTE, TapLayout.GSO_TYPE) & 0xFF;
        Segmentation segmentation =
                switch (type & ~TapLayout.GSO_ECN) {
                    case TapLayout.GSO_TCPV4 -> Segmentation.TCP4;
                    case TapLayout.GSO_TCPV6 -> Segmentation.TCP6;
                    default -> Segmentation.NONE;
                };
        boolean open = (flags & TapLayout.NEEDS_CSUM) != 0;
        if (!open && segmentation == Segmentation.NONE) {
            return (flags & TapLayout.DATA_VALID) != 0 ? FrameOffload.VALID : FrameOffload.NONE;
        }
        return new FrameOffload(
                open,
                (flags & TapLayout.DATA_VALID) != 0,
                segmentation,
                field(TapLayout.HDR_LEN),
                field(TapLayout.GSO_SIZE),
                open ? field(TapLayout.CSUM_START) : 0,
                open ? field(TapLayout.CSUM_OFFSET) : 0);
    }

    private int field(int offset) {
        return Short.toUnsignedInt(in.get(SHORT, offset));
    }

    /** The interface has gone, with whoever deleted it: the cable is unplugged from now on. */
    private void fail(int errno) {
        failed = true;
        LOG.log(
                System.Logger.Level.WARNING,
                "network interface {0}: {1}: nothing is sent or received any more",
                tap.name(),
                Errno.describe(errno));
    }

    @Override
    public void close() {
        tap.close();
        arena.close();
    }
}
