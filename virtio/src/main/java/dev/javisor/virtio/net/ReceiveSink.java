package dev.javisor.virtio.net;

import static dev.javisor.virtio.net.NetLayout.*;

import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameSink;
import dev.javisor.virtio.DescriptorChain;
import dev.javisor.virtio.VirtioConfig;
import dev.javisor.virtio.VirtioContext;
import dev.javisor.virtio.Virtqueue;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Frames on their way into the driver's receive buffers (VIRTIO 1.2 §5.1.6.3, §5.1.6.4): one buffer
 * each, or as many as it takes where they can be merged. On the I/O thread.
 */
final class ReceiveSink implements FrameSink {
    /** Of a frame, enough for the filter. */
    private static final int FILTERED_BYTES = 18;

    private final VirtioContext context;
    private final NetFilter filter;
    private final byte[] header = new byte[HEADER_BYTES];
    private final byte[] head = new byte[FILTERED_BYTES];

    /** Reused; grows to what the largest frame has needed. */
    private DescriptorChain[] chains = {new DescriptorChain()};

    private int[] lengths = new int[1];
    private int queues = 1;
    private boolean mergeable;
    private boolean checksums;

    // Of the frame at hand.
    private int queueIndex;
    private int count;
    private boolean dropping;
    private boolean open;

    /** Bytes so far, header included. */
    private int written;

    /** Chain that takes the next byte, and how many it has taken. */
    private int current;

    private long inCurrent;

    private long frames;
    private long bytes;
    private long dropped;

    ReceiveSink(VirtioContext context, NetFilter filter) {
        this.context = context;
        this.filter = filter;
    }

    void start(boolean nowMergeable, boolean nowChecksums) {
        mergeable = nowMergeable;
        checksums = nowChecksums;
        queues = 1;
        open = false;
    }

    /** Queue pairs in use. */
    void setQueues(int pairs) {
        queues = pairs;
    }

    long frames() {
        return frames;
    }

    long bytes() {
        return bytes;
    }

    /** Frames that the driver's buffers could never take, or that it did not want. */
    long dropped() {
        return dropped;
    }

    @Override
    public boolean begin(int maxBytes) {
        return begin(maxBytes, 0);
    }

    @Override
    public boolean begin(int maxBytes, int flow) {
        if (open) {
            throw new IllegalStateException("a frame is open already");
        }
        if (maxBytes > Frame.MAX_BYTES) {
            throw new IllegalArgumentException("frame of " + maxBytes);
        }
        queueIndex = 2 * Math.floorMod(flow, queues);
        if (!context.isServing() || !context.hasQueue(queueIndex)) {
            return false;
        }
        count = 0;
        written = 0;
        current = 0;
        inCurrent = 0;
        dropping = false;
        Virtqueue queue = context.queue(queueIndex);
        if (!gather(queue, HEADER_BYTES + maxBytes)) {
            return false;
        }
        open = true;
        if (!dropping) {
            skip(HEADER_BYTES);
        }
        return true;
    }

    /** Takes chains until they have room for that many bytes. */
    private boolean gather(Virtqueue queue, long neededBytes) {
        long room = 0;
        while (room < neededBytes) {
            if (count == queue.size() || count == 1 && !mergeable) {
                // All that it could ever give us is not enough.
                giveBack(queue, 0);
                dropping = true;
                return true;
            }
            if (count == chains.length) {
                grow();
            }
            switch (queue.poll(chains[count])) {
                case CHAIN -> {
                    room += chains[count].writableBytes();
                    count++;
                    if (count == 1 && chains[0].writableBytes() < HEADER_BYTES) {
                        context.guestFault("net: receive buffer without room for the header");
                        return false;
                    }
                }
                case EMPTY -> {
                    // While all are taken: the driver is to ring for what it adds behind them.
                    if (!queue.enableNotifications()) {
                        giveBack(queue, 0);
                        return false;
                    }
                }
                case FAULT -> {
                    context.guestFault("net: receive: " + queue.fault());
                    return false;
                }
            }
        }
        queue.disableNotifications();
        return true;
    }

    private void grow() {
        int size = Math.min(2 * chains.length, Virtqueue.MAX_SIZE);
        DescriptorChain[] more = new DescriptorChain[size];
        System.arraycopy(chains, 0, more, 0, chains.length);
        for (int i = chains.length; i < size; i++) {
            more[i] = new DescriptorChain();
        }
        chains = more;
        lengths = new int[size];
    }

    /** Returns the chains from an index on to the ring, as if they had not been taken. */
    private void giveBack(Virtqueue queue, int from) {
        while (count > from) {
            queue.unpoll(chains[--count]);
        }
    }

    private void skip(long size) {
        written += (int) size;
        inCurrent += size;
    }

    @Override
    public void put(byte[] from, int at, int sizeBytes) {
        if (dropping) {
            return;
        }
        int done = 0;
        while (done < sizeBytes) {
            int n = chain().write(inCurrent, from, at + done, sizeBytes - done);
            skip(n);
            done += n;
        }
    }

    @Override
    public void put(MemorySegment from, long at, long sizeBytes) {
        if (dropping) {
            return;
        }
        long done = 0;
        while (done < sizeBytes) {
            long n = chain().write(inCurrent, from, at + done, sizeBytes - done);
            skip(n);
            done += n;
        }
    }

    /** The chain with room for the next byte. */
    private DescriptorChain chain() {
        while (inCurrent == chains[current].writableBytes()) {
            current++;
            inCurrent = 0;
            if (current == count) {
                throw new IllegalStateException("frame larger than it was said to be");
            }
        }
        return chains[current];
    }

    @Override
    public MemorySegment[] room(int sizeBytes) {
        if (dropping) {
            return new MemorySegment[0];
        }
        List<MemorySegment> found = new ArrayList<>();
        long left = sizeBytes;
        long from = inCurrent;
        for (int i = current; i < count && left > 0; i++) {
            long n = Math.min(left, chains[i].writableBytes() - from);
            if (n > 0) {
                found.addAll(List.of(chains[i].writableSlices(from, n)));
            }
            left -= n;
            from = 0;
        }
        return found.toArray(MemorySegment[]::new);
    }

    @Override
    public void filled(int sizeBytes) {
        long left = sizeBytes;
        while (left > 0 && !dropping) {
            DescriptorChain chain = chain();
            long n = Math.min(left, chain.writableBytes() - inCurrent);
            chain.written(inCurrent, n);
            skip(n);
            left -= n;
        }
    }

    @Override
    public void end(FrameOffload offload) {
        if (!open) {
            throw new IllegalStateException("no frame is open");
        }
        open = false;
        Virtqueue queue = context.queue(queueIndex);
        if (dropping || !isWanted()) {
            dropped++;
            giveBack(queue, 0);
            return;
        }
        int used = current + 1;
        giveBack(queue, used);
        writeHeader(offload, used);
        chains[0].write(0, header, 0, HEADER_BYTES);
        for (int i = 0; i < used - 1; i++) {
            lengths[i] = (int) chains[i].writableBytes();
        }
        lengths[used - 1] = (int) inCurrent;
        queue.push(chains, used, lengths);
        frames++;
        bytes += written - HEADER_BYTES;
        count = 0;
    }

    private boolean isWanted() {
        int n = 0;
        long skipped = HEADER_BYTES;
        for (int i = 0; i <= current && n < FILTERED_BYTES; i++) {
            n += chains[i].readWritable(skipped, head, n, FILTERED_BYTES - n);
            skipped = Math.max(0, skipped - chains[i].writableBytes());
        }
        return filter.accepts(head, Math.min(n, written - HEADER_BYTES));
    }

    private void writeHeader(FrameOffload offload, int buffers) {
        int flags = 0;
        if (offload.needsChecksum()) {
            flags |= HDR_F_NEEDS_CSUM;
        } else if (offload.dataValid() && checksums) {
            flags |= HDR_F_DATA_VALID;
        }
        int gso =
                switch (offload.segmentation()) {
                    case NONE -> GSO_NONE;
                    case TCP4 -> GSO_TCPV4;
                    case TCP6 -> GSO_TCPV6;
                };
        VirtioConfig.write(header, FLAGS, 1, flags);
        VirtioConfig.write(header, GSO_TYPE, 1, gso);
        VirtioConfig.write(header, HDR_LEN, 2, offload.headerBytes());
        VirtioConfig.write(header, GSO_SIZE, 2, offload.segmentBytes());
        VirtioConfig.write(header, CSUM_START, 2, offload.checksumStart());
        VirtioConfig.write(header, CSUM_OFFSET, 2, offload.checksumOffset());
        VirtioConfig.write(header, NUM_BUFFERS, 2, buffers);
    }

    @Override
    public void cancel() {
        open = false;
        if (context.isServing() && context.hasQueue(queueIndex)) {
            giveBack(context.queue(queueIndex), 0);
        }
    }

    /** Interrupts the driver for what it was given. */
    void notifyDriver() {
        for (int i = 0; i < queues; i++) {
            if (context.hasQueue(2 * i)) {
                context.queue(2 * i).notifyDriver();
            }
        }
    }
}
