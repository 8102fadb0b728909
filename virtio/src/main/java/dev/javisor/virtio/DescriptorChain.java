package dev.javisor.virtio;

import dev.javisor.hypervisor.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One descriptor chain, copied out of the ring and checked: every part lies in RAM, readable parts
 * come before writable ones. Drivers may split a request into parts as they like (VIRTIO 1.2
 * §2.7.4), so contents are addressed by offset from the start of the readable or the writable
 * bytes. Reused for many chains. Belongs to one thread at a time.
 */
public final class DescriptorChain {
    /** Most descriptors of a chain that we take: as many as Linux ever puts into one table. */
    public static final int MAX_DESCRIPTORS = 1024;

    private static final int INITIAL_CAPACITY = 8;

    private @Nullable GuestMemory memory;
    private int head;
    private int count;

    /** Parts before this one are readable, the others writable. */
    private int firstWritable;

    private long readableBytes;
    private long writableBytes;
    private long[] addresses = new long[INITIAL_CAPACITY];
    private long[] offsets = new long[INITIAL_CAPACITY];
    private long[] lengths = new long[INITIAL_CAPACITY];

    /** Empty; a {@link Virtqueue} fills it. */
    public DescriptorChain() {}

    void begin(GuestMemory in, int newHead) {
        memory = in;
        head = newHead;
        count = 0;
        firstWritable = 0;
        readableBytes = 0;
        writableBytes = 0;
    }

    /** Appends a part; null if it is well. */
    @Nullable String add(long address, int length, boolean writable) {
        long bytes = length & 0xFFFF_FFFFL;
        if (bytes == 0) {
            return null;
        }
        long offset = memory().offsetOf(address, bytes);
        if (offset < 0) {
            return "buffer outside RAM";
        }
        if (count == MAX_DESCRIPTORS) {
            return "too many descriptors in a chain";
        }
        if (!writable && writableBytes != 0) {
            return "readable buffer after a writable one";
        }
        if (count == addresses.length) {
            int capacity = 2 * count;
            addresses = Arrays.copyOf(addresses, capacity);
            offsets = Arrays.copyOf(offsets, capacity);
            lengths = Arrays.copyOf(lengths, capacity);
        }
        addresses[count] = address;
        offsets[count] = offset;
        lengths[count] = bytes;
        count++;
        if (writable) {
            writableBytes += bytes;
        } else {
            readableBytes += bytes;
            firstWritable = count;
        }
        return null;
    }

    private GuestMemory memory() {
        GuestMemory in = memory;
        if (in == null) {
            throw new IllegalStateException("no chain was polled into this");
        }
        return in;
    }

    /** Index of the first descriptor, which names the chain. */
    public int head() {
        return head;
    }

    public long readableBytes() {
        return readableBytes;
    }

    public long writableBytes() {
        return writableBytes;
    }

    /** How many parts its writable bytes have. */
    public int writableParts() {
        return count - firstWritable;
    }

    /** Where a writable part is in the guest. */
    public long writableAddress(int part) {
        return addresses[firstWritable + Objects.checkIndex(part, writableParts())];
    }

    /** The size of a writable part. */
    public long writableBytes(int part) {
        return lengths[firstWritable + Objects.checkIndex(part, writableParts())];
    }

    /**
     * Copies from the readable bytes.
     *
     * @return bytes copied, fewer than asked only at the end
     */
    public int read(long from, byte[] to, int at, int sizeBytes) {
        MemorySegment backing = memory().backing();
        long skip = from;
        int done = 0;
        for (int i = 0; i < firstWritable && done < sizeBytes; i++) {
            if (skip >= lengths[i]) {
                skip -= lengths[i];
                continue;
            }
            int n = (int) Math.min(lengths[i] - skip, sizeBytes - done);
            MemorySegment.copy(backing, ValueLayout.JAVA_BYTE, offsets[i] + skip, to, at + done, n);
            done += n;
            skip = 0;
        }
        return done;
    }

    /**
     * Copies into the writable bytes and reports the write.
     *
     * @return bytes copied, fewer than asked only at the end
     */
    public int write(long to, byte[] from, int at, int sizeBytes) {
        MemorySegment backing = memory().backing();
        long skip = to;
        int done = 0;
        for (int i = firstWritable; i < count && done < sizeBytes; i++) {
            if (skip >= lengths[i]) {
                skip -= lengths[i];
                continue;
            }
            int n = (int) Math.min(lengths[i] - skip, sizeBytes - done);
            MemorySegment.copy(
                    from, at + done, backing, ValueLayout.JAVA_BYTE, offsets[i] + skip, n);
            memory().written(addresses[i] + skip, n);
            done += n;
            skip = 0;
        }
        return done;
    }

    /**
     * Copies into the writable bytes and reports the write.
     *
     * @return bytes copied, fewer than asked only at the end
     */
    public long write(long to, MemorySegment from, long at, long sizeBytes) {
        MemorySegment backing = memory().backing();
        long skip = to;
        long done = 0;
        for (int i = firstWritable; i < count && done < sizeBytes; i++) {
            if (skip >= lengths[i]) {
                skip -= lengths[i];
                continue;
            }
            long n = Math.min(lengths[i] - skip, sizeBytes - done);
            MemorySegment.copy(from, at + done, backing, offsets[i] + skip, n);
            memory().written(addresses[i] + skip, n);
            done += n;
            skip = 0;
        }
        return done;
    }

    /**
     * Copies from the writable bytes, as they are now.
     *
     * @return bytes copied, fewer than asked only at the end
     */
    public int readWritable(long from, byte[] to, int at, int sizeBytes) {
        MemorySegment backing = memory().backing();
        long skip = from;
        int done = 0;
        for (int i = firstWritable; i < count && done < sizeBytes; i++) {
            if (skip >= lengths[i]) {
                skip -= lengths[i];
                continue;
            }
            int n = (int) Math.min(lengths[i] - skip, sizeBytes - done);
            MemorySegment.copy(backing, ValueLayout.JAVA_BYTE, offsets[i] + skip, to, at + done, n);
            done += n;
            skip = 0;
        }
        return done;
    }

    /** Writes one byte of the writable part. */
    public void writeByte(long to, int value) {
        long skip = to;
        for (int i = firstWritable; i < count; i++) {
            if (skip < lengths[i]) {
                memory().backing().set(ValueLayout.JAVA_BYTE, offsets[i] + skip, (byte) value);
                memory().written(addresses[i] + skip, 1);
                return;
            }
            skip -= lengths[i];
        }
    }

    /** Views of a range of the readable bytes, for direct I/O. */
    public MemorySegment[] readableSlices(long from, long sizeBytes) {
        return slices(0, firstWritable, from, sizeBytes);
    }

    /** Views of a range of the writable bytes; {@link #written} follows once they were filled. */
    public MemorySegment[] writableSlices(long from, long sizeBytes) {
        return slices(firstWritable, count, from, sizeBytes);
    }

    private MemorySegment[] slices(int first, int end, long from, long sizeBytes) {
        MemorySegment backing = memory().backing();
        MemorySegment[] found = new MemorySegment[end - first];
        int n = 0;
        long skip = from;
        long left = sizeBytes;
        for (int i = first; i < end && left > 0; i++) {
            if (skip >= lengths[i]) {
                skip -= lengths[i];
                continue;
            }
            long take = Math.min(lengths[i] - skip, left);
            found[n++] = backing.asSlice(offsets[i] + skip, take);
            left -= take;
            skip = 0;
        }
        return n == found.length ? found : Arrays.copyOf(found, n);
    }

    /** Reports that a range of the writable bytes was filled through {@link #writableSlices}. */
    public void written(long from, long sizeBytes) {
        long skip = from;
        long left = sizeBytes;
        for (int i = firstWritable; i < count && left > 0; i++) {
            if (skip >= lengths[i]) {
                skip -= lengths[i];
                continue;
            }
            long take = Math.min(lengths[i] - skip, left);
            memory().written(addresses[i] + skip, take);
            left -= take;
            skip = 0;
        }
    }
}
