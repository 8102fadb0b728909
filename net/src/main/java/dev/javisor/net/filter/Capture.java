package dev.javisor.net.filter;

import dev.javisor.base.TimeSource;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameSink;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetBackend;
import dev.javisor.net.NetException;
import dev.javisor.net.NetOffloads;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Writes every frame that passes an interface, in either direction, into a pcap file
 * (draft-ietf-opsawg-pcap, nanosecond variant), as the guest sent or got it: large segments are not
 * cut and open checksums are not filled in. On the interface's I/O thread.
 *
 * <p>The network does not depend on the file: when it cannot be written any more, the capture ends.
 */
public final class Capture implements NetBackend {
    private static final System.Logger LOG = System.getLogger(Capture.class.getName());

    private static final int BUFFER_BYTES = 1 << 16;

    private final NetBackend inner;
    private final PcapFile file;
    private final TimeSource time;
    private final byte[] scratch = new byte[Frame.MAX_BYTES];
    private boolean ended;

    /**
     * @throws NetException if the file cannot be made
     */
    public static Capture to(Path path, NetBackend inner, TimeSource time) {
        try {
            OutputStream out = Files.newOutputStream(path);
            try {
                return new Capture(inner, new PcapFile(out, BUFFER_BYTES), time);
            } catch (IOException e) {
                out.close();
                throw e;
            }
        } catch (IOException e) {
            throw new NetException("capture file %s cannot be written: %s".formatted(path, e), e);
        }
    }

    Capture(NetBackend inner, PcapFile file, TimeSource time) {
        this.inner = inner;
        this.file = file;
        this.time = time;
    }

    @Override
    public int mtuBytes() {
        return inner.mtuBytes();
    }

    @Override
    public NetOffloads accepted() {
        return inner.accepted();
    }

    @Override
    public void connect(Runnable wake) {
        inner.connect(wake);
    }

    @Override
    public void start(MacAddress mac, NetOffloads guest) {
        inner.start(mac, guest);
    }

    @Override
    public void change(NetOffloads guest) {
        inner.change(guest);
    }

    @Override
    public void stop() {
        inner.stop();
    }

    @Override
    public boolean send(Frame frame) {
        // Copied before: what the guest writes meanwhile is not what was sent.
        int sizeBytes = ended ? 0 : frame.copy(0, scratch, 0, scratch.length);
        if (!inner.send(frame)) {
            return false;
        }
        record(sizeBytes);
        return true;
    }

    @Override
    public void receive(FrameSink sink) {
        inner.receive(ended ? sink : new Recording(sink));
        try {
            if (!ended) {
                file.flush();
            }
        } catch (IOException e) {
            end(e);
        }
    }

    @Override
    public void close() {
        try {
            file.close();
        } catch (IOException e) {
            end(e);
        }
        inner.close();
    }

    private void record(int sizeBytes) {
        if (ended) {
            return;
        }
        try {
            file.write(time.wallMillis(), time.nanos(), scratch, sizeBytes);
        } catch (IOException e) {
            end(e);
        }
    }

    private void end(IOException why) {
        if (!ended) {
            ended = true;
            LOG.log(System.Logger.Level.WARNING, "network capture ends here: {0}", why.toString());
        }
    }

    /** Copies what is put into the guest's buffers. */
    private final class Recording implements FrameSink {
        private final FrameSink guest;
        private int sizeBytes;
        private MemorySegment[] room = {};

        Recording(FrameSink guest) {
            this.guest = guest;
        }

        @Override
        public boolean begin(int maxBytes) {
            return begin(maxBytes, 0);
        }

        @Override
        public boolean begin(int maxBytes, int flow) {
            sizeBytes = 0;
            return guest.begin(maxBytes, flow);
        }

        @Override
        public void put(byte[] from, int at, int count) {
            guest.put(from, at, count);
            keep(MemorySegment.ofArray(from), at, count);
        }

        @Override
        public void put(MemorySegment from, long at, long count) {
            guest.put(from, at, count);
            keep(from, at, count);
        }

        @Override
        public MemorySegment[] room(int count) {
            room = guest.room(count);
            return room;
        }

        @Override
        public void filled(int count) {
            long left = count;
            for (MemorySegment part : room) {
                long here = Math.min(left, part.byteSize());
                keep(part, 0, here);
                left -= here;
            }
            guest.filled(count);
        }

        @Override
        public void end(FrameOffload offload) {
            guest.end(offload);
            record(sizeBytes);
        }

        @Override
        public void cancel() {
            guest.cancel();
        }

        private void keep(MemorySegment from, long at, long count) {
            int fits = (int) Math.min(count, scratch.length - sizeBytes);
            MemorySegment.copy(from, ValueLayout.JAVA_BYTE, at, scratch, sizeBytes, fits);
            sizeBytes += fits;
        }
    }
}
