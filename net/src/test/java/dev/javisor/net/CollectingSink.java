package dev.javisor.net;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** A guest's receive buffers: room for a number of frames. */
public final class CollectingSink implements FrameSink {
    private final ByteArrayOutputStream frame = new ByteArrayOutputStream();
    private byte[] direct = {};
    private boolean open;

    public final List<byte[]> frames = new ArrayList<>();
    public final List<FrameOffload> offloads = new ArrayList<>();

    /** Frames that still fit. */
    public int free;

    public CollectingSink(int free) {
        this.free = free;
    }

    @Override
    public boolean begin(int maxBytes) {
        if (open) {
            throw new IllegalStateException("a frame is open");
        }
        if (free == 0) {
            return false;
        }
        open = true;
        frame.reset();
        return true;
    }

    @Override
    public void put(byte[] from, int at, int sizeBytes) {
        frame.write(from, at, sizeBytes);
    }

    @Override
    public void put(MemorySegment from, long at, long sizeBytes) {
        frame.writeBytes(from.asSlice(at, sizeBytes).toArray(ValueLayout.JAVA_BYTE));
    }

    @Override
    public MemorySegment[] room(int sizeBytes) {
        direct = new byte[sizeBytes];
        int half = sizeBytes / 2;
        MemorySegment all = MemorySegment.ofArray(direct);
        return new MemorySegment[] {all.asSlice(0, half), all.asSlice(half)};
    }

    @Override
    public void filled(int sizeBytes) {
        frame.write(direct, 0, sizeBytes);
    }

    @Override
    public void end(FrameOffload offload) {
        open = false;
        free--;
        frames.add(frame.toByteArray());
        offloads.add(offload);
    }

    @Override
    public void cancel() {
        open = false;
    }
}
