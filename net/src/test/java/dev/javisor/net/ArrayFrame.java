package dev.javisor.net;

import java.lang.foreign.MemorySegment;

/** A frame in an array, as a guest might send it. */
public record ArrayFrame(byte[] bytes, FrameOffload offload) implements Frame {
    public static ArrayFrame of(byte[] bytes) {
        return new ArrayFrame(bytes, FrameOffload.NONE);
    }

    @Override
    public int sizeBytes() {
        return bytes.length;
    }

    @Override
    public int copy(int from, byte[] to, int at, int sizeBytes) {
        int count = Math.clamp(bytes.length - from, 0, sizeBytes);
        if (count > 0) {
            System.arraycopy(bytes, from, to, at, count);
        }
        return count;
    }

    @Override
    public MemorySegment[] slices(int from, int sizeBytes) {
        return new MemorySegment[] {MemorySegment.ofArray(bytes).asSlice(from, sizeBytes)};
    }
}
