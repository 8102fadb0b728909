package dev.javisor.net;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** A network that keeps what a guest sends, and hands over what a test put in. */
public final class ScriptedBackend implements NetBackend {
    public final List<byte[]> sent = new ArrayList<>();
    public final Deque<byte[]> arriving = new ArrayDeque<>();

    /** Whether what the guest sends cannot be taken now. */
    public boolean refuses;

    /** Whether frames are written into the guest's buffers instead of being put. */
    public boolean direct;

    public boolean closed;

    public ScriptedBackend() {}

    @Override
    public int mtuBytes() {
        return 1500;
    }

    @Override
    public NetOffloads accepted() {
        return NetOffloads.ALL;
    }

    @Override
    public void connect(Runnable wake) {}

    @Override
    public void start(MacAddress mac, NetOffloads guest) {}

    @Override
    public void change(NetOffloads guest) {}

    @Override
    public void stop() {}

    @Override
    public boolean send(Frame frame) {
        if (refuses) {
            return false;
        }
        byte[] bytes = new byte[frame.sizeBytes()];
        frame.copy(0, bytes, 0, bytes.length);
        sent.add(bytes);
        return true;
    }

    @Override
    public void receive(FrameSink sink) {
        while (!arriving.isEmpty()) {
            byte[] frame = arriving.peek();
            if (!sink.begin(frame.length)) {
                return;
            }
            arriving.remove();
            if (direct) {
                int at = 0;
                for (MemorySegment part : sink.room(frame.length)) {
                    part.copyFrom(MemorySegment.ofArray(frame).asSlice(at, part.byteSize()));
                    at += (int) part.byteSize();
                }
                sink.filled(frame.length);
            } else {
                sink.put(frame, 0, frame.length);
            }
            sink.end(FrameOffload.NONE);
        }
    }

    @Override
    public void close() {
        closed = true;
    }
}
