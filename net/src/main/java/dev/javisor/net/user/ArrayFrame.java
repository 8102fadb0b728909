package dev.javisor.net.user;

import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import java.lang.foreign.MemorySegment;

/** A frame in an array: one that was put together from fragments. */
record ArrayFrame(byte[] bytes, FrameOffload offload) implements Frame {
    @Override
    public int sizeBytes() {
        return bytes.length;
    }

    @Override
    public int copy(int from, byte[] to, int at, int sizeBytes) {
        int n = Math.max(0, Math.min(sizeBytes, bytes.length - from));
        System.arraycopy(bytes, Math.min(from, bytes.length), to, at, n);
        return n;
    }

    @Override
    public MemorySegment[] slices(int from, int sizeBytes) {
        return new MemorySegment[] {MemorySegment.ofArray(bytes).asSlice(from, sizeBytes)};
    }
}
