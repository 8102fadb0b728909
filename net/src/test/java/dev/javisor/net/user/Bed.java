package dev.javisor.net.user;

import dev.javisor.fixtures.VirtualTimeSource;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameSink;
import dev.javisor.net.NetOffloads;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.BiConsumer;

/** A network whose guest, clock and outside the test plays. */
final class Bed implements AutoCloseable {
    final VirtualTimeSource time = new VirtualTimeSource();
    final FakeOutside outside = new FakeOutside();
    final UserNetwork network;
    private boolean woken;

    /** Frames that the guest has buffers for; the rest waits in the stack. */
    int guestBuffers = Integer.MAX_VALUE;

    /** Takes what arrives at the guest; else it is kept in {@link #frames}. */
    BiConsumer<byte[], FrameOffload> guest =
            (frame, offload) -> {
                frames().add(frame);
                offloads().add(offload);
            };

    final List<byte[]> frames = new ArrayList<>();
    final List<FrameOffload> offloads = new ArrayList<>();

    Bed(UserNetworkConfig config, NetOffloads offloads) {
        network = new UserNetwork(config, time, outside, new Random(1));
        network.connect(() -> woken = true);
        network.listen();
        network.start(Wire.GUEST_MAC, offloads);
    }

    static Bed standard() {
        Bed bed = new Bed(UserNetworkConfig.standard(), NetOffloads.ALL);
        bed.run();
        bed.forget();
        return bed;
    }

    private List<byte[]> frames() {
        return frames;
    }

    private List<FrameOffload> offloads() {
        return offloads;
    }

    void forget() {
        frames.clear();
        offloads.clear();
    }

    /** The guest sends a frame whose checksums are complete. */
    void send(byte[] frame) {
        send(frame, FrameOffload.NONE);
    }

    void send(byte[] frame, FrameOffload offload) {
        if (!network.send(new ArrayFrame(frame, offload))) {
            throw new AssertionError("refused");
        }
        woken = true;
    }

    /** Until nobody has anything to do at this time. */
    void run() {
        run(0);
    }

    /** As {@link #run}, but of the sockets only the latest is looked at. */
    void runLatest() {
        run(Math.max(0, outside.peers.size() - 1));
    }

    private void run(int firstPeer) {
        time.runDue();
        for (int i = 0; i < 100_000; i++) {
            boolean busy = outside.fire(firstPeer);
            if (woken) {
                woken = false;
                network.receive(sink);
                busy = true;
            }
            if (!busy) {
                return;
            }
            if (guestBuffers == 0) {
                // Nothing more can move towards the guest.
                if (!woken && !outside.fire(firstPeer)) {
                    return;
                }
            }
        }
        throw new AssertionError("never quiet");
    }

    /** Lets time pass, doing what is due on the way. */
    void advance(long nanos) {
        long until = time.nanos() + nanos;
        run();
        while (time.armedTimers() > 0 && time.nextDeadlineNanos() <= until) {
            time.advanceTo(Math.max(time.nanos(), time.nextDeadlineNanos()));
            run();
        }
        time.advanceTo(until);
        run();
    }

    /** More buffers for the guest. */
    void giveBuffers(int count) {
        guestBuffers = count;
        woken = true;
        run();
    }

    /** The one TCP segment that arrived; forgets all. */
    Wire.Segment only() {
        if (frames.size() != 1) {
            throw new AssertionError(frames.size() + " frames instead of one");
        }
        Wire.Segment segment = Wire.segment(frames.getFirst(), offloads.getFirst());
        forget();
        return segment;
    }

    private final FrameSink sink =
            new FrameSink() {
                private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
                private int most;

                @Override
                public boolean begin(int maxBytes) {
                    if (maxBytes > Frame.MAX_BYTES) {
                        throw new AssertionError("frame of " + maxBytes);
                    }
                    if (guestBuffers == 0) {
                        return false;
                    }
                    guestBuffers--;
                    most = maxBytes;
                    bytes.reset();
                    return true;
                }

                @Override
                public void put(byte[] from, int at, int sizeBytes) {
                    bytes.write(from, at, sizeBytes);
                }

                @Override
                public void put(MemorySegment from, long at, long sizeBytes) {
                    bytes.writeBytes(from.asSlice(at, sizeBytes).toArray(ValueLayout.JAVA_BYTE));
                }

                @Override
                public MemorySegment[] room(int sizeBytes) {
                    throw new UnsupportedOperationException();
                }

                @Override
                public void filled(int sizeBytes) {
                    throw new UnsupportedOperationException();
                }

                @Override
                public void end(FrameOffload offload) {
                    if (bytes.size() > most) {
                        throw new AssertionError("more than was said");
                    }
                    guest.accept(bytes.toByteArray(), offload);
                }

                @Override
                public void cancel() {
                    guestBuffers++;
                }
            };

    @Override
    public void close() {
        network.close();
    }
}
