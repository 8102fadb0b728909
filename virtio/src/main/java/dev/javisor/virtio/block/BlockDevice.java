package dev.javisor.virtio.block;

import static dev.javisor.virtio.block.BlockLayout.*;

import dev.javisor.block.BlockBackend;
import dev.javisor.block.BlockException;
import dev.javisor.virtio.VirtioConfig;
import dev.javisor.virtio.VirtioContext;
import dev.javisor.virtio.VirtioDevice;
import dev.javisor.virtio.VirtioDeviceState;
import dev.javisor.virtio.Virtqueue;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The block device (VIRTIO 1.2 §5.2) over a {@link BlockBackend}. The I/O thread takes requests and
 * completes them; in between the backend works on many at once, in any order.
 */
public final class BlockDevice implements VirtioDevice {
    private static final System.Logger LOG = System.getLogger(BlockDevice.class.getName());

    private static final int DEVICE_ID = 2;
    private static final int PCI_CLASS_SCSI = 0x010000;
    private static final int QUEUE_SIZE = 256;

    /** Largest segment that a driver should send. */
    private static final int SEGMENT_BYTES = 1 << 20;

    /** A chain as long as the queue, less header and status. */
    private static final int MAX_SEGMENTS = QUEUE_SIZE - 2;

    static final long MAX_TRANSFER_BYTES = (long) MAX_SEGMENTS * SEGMENT_BYTES;

    /** Most sectors to discard or zero in one request: 32 MiB, to keep other requests moving. */
    static final int MAX_RANGE_SECTORS = 1 << 16;

    private static final int SIGNAL_DONE = 0;

    private final BlockBackend backend;
    private final long features;
    private final byte[] config = new byte[CONFIG_BYTES];
    private final ArrayDeque<BlockRequest> free = new ArrayDeque<>();

    /** Requests that are done, newest first. */
    private final AtomicReference<@Nullable BlockRequest> done = new AtomicReference<>();

    private final BlockRequest.Listener listener =
            new BlockRequest.Listener() {
                @Override
                public void done(BlockRequest request) {
                    BlockDevice.this.done(request);
                }

                @Override
                public void failed(BlockException error) {
                    // A guest may try again for ever: one line says it.
                    if (hostErrors.getAndIncrement() == 0) {
                        LOG.log(System.Logger.Level.WARNING, error.getMessage());
                    }
                }
            };

    private final AtomicLong hostErrors = new AtomicLong();
    private @Nullable VirtioContext connected;
    private int inFlight;
    private long negotiated;

    /** Written by vCPUs, read by the I/O thread. */
    private volatile boolean writeback = true;

    /**
     * @param backend closed with this device
     */
    public BlockDevice(BlockBackend backend) {
        this.backend = backend;
        long offered = F_SIZE_MAX | F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_CONFIG_WCE;
        VirtioConfig.write(config, CAPACITY, 8, backend.sizeBytes() >>> SECTOR_SHIFT);
        VirtioConfig.write(config, SIZE_MAX, 4, SEGMENT_BYTES);
        VirtioConfig.write(config, SEG_MAX, 4, MAX_SEGMENTS);
        VirtioConfig.write(config, BLK_SIZE, 4, backend.blockSizeBytes());
        VirtioConfig.write(config, NUM_QUEUES, 2, 1);
        int alignment = backend.blockSizeBytes() >>> SECTOR_SHIFT;
        if (backend.isReadOnly()) {
            offered |= F_RO;
        } else {
            offered |= F_WRITE_ZEROES;
            VirtioConfig.write(config, MAX_WRITE_ZEROES_SECTORS, 4, MAX_RANGE_SECTORS);
            VirtioConfig.write(config, MAX_WRITE_ZEROES_SEG, 4, 1);
            VirtioConfig.write(config, WRITE_ZEROES_MAY_UNMAP, 1, 0);
            if (backend.canDiscard()) {
                offered |= F_DISCARD;
                VirtioConfig.write(config, MAX_DISCARD_SECTORS, 4, MAX_RANGE_SECTORS);
                VirtioConfig.write(config, MAX_DISCARD_SEG, 4, 1);
                VirtioConfig.write(config, DISCARD_SECTOR_ALIGNMENT, 4, alignment);
            }
        }
        features = offered;
        for (int i = 0; i < QUEUE_SIZE; i++) {
            free.add(new BlockRequest(backend, listener));
        }
    }

    @Override
    public int deviceId() {
        return DEVICE_ID;
    }

    @Override
    public int pciClassCode() {
        return PCI_CLASS_SCSI;
    }

    @Override
    public long features() {
        return features;
    }

    @Override
    public int[] queueSizes() {
        return new int[] {QUEUE_SIZE};
    }

    @Override
    public int configBytes() {
        return CONFIG_BYTES;
    }

    @Override
    public int readConfig(int offset, int sizeBytes) {
        int value = VirtioConfig.read(config, offset, sizeBytes);
        int in = WRITEBACK - offset;
        if (in >= 0 && in < sizeBytes && writeback) {
            value |= 1 << (8 * in);
        }
        return value;
    }

    @Override
    public void writeConfig(int offset, int sizeBytes, int value) {
        if (offset == WRITEBACK && sizeBytes == 1) {
            writeback = (value & 1) != 0;
        }
    }

    @Override
    public void connect(VirtioContext context) {
        connected = context;
    }

    private VirtioContext context() {
        VirtioContext context = connected;
        if (context == null) {
            throw new IllegalStateException("not connected");
        }
        return context;
    }

    @Override
    public void start(long features) {
        negotiated = features;
    }

    /** §5.2.5.2, §5.2.6.2: without a way to flush, a completed write must be durable. */
    private boolean isWritethrough() {
        if ((negotiated & F_CONFIG_WCE) != 0) {
            return !writeback;
        }
        return (negotiated & F_FLUSH) == 0;
    }

    /** Requests that the backend could not do. */
    public long hostErrors() {
        return hostErrors.get();
    }

    /** Any thread: a request is done. */
    private void done(BlockRequest request) {
        BlockRequest head;
        do {
            head = done.get();
            request.next = head;
        } while (!done.compareAndSet(head, request));
        if (head == null) {
            context().signal(SIGNAL_DONE);
        }
    }

    @Override
    public void process(long signals) {
        VirtioContext context = context();
        if (!context.hasQueue(0)) {
            return;
        }
        Virtqueue queue = context.queue(0);
        complete(queue);
        if (context.isServing()) {
            submit(context, queue);
            // What completed at once.
            complete(queue);
        }
    }

    private void submit(VirtioContext context, Virtqueue queue) {
        boolean writethrough = isWritethrough();
        do {
            queue.disableNotifications();
            while (true) {
                // As many as the queue has: there is one for every chain that can be in flight.
                BlockRequest request = free.poll();
                if (request == null) {
                    throw new IllegalStateException("more chains in flight than the queue has");
                }
                Virtqueue.Poll poll = queue.poll(request.chain);
                if (poll != Virtqueue.Poll.CHAIN) {
                    free.push(request);
                    if (poll == Virtqueue.Poll.FAULT) {
                        context.guestFault("block: " + queue.fault());
                        return;
                    }
                    break;
                }
                inFlight++;
                String broken = request.start(writethrough);
                if (broken != null) {
                    inFlight--;
                    free.push(request);
                    context.guestFault("block: " + broken);
                    return;
                }
                if (inFlight == queue.size()) {
                    break;
                }
            }
        } while (inFlight < queue.size() && queue.enableNotifications());
    }

    private void complete(Virtqueue queue) {
        BlockRequest newest = done.getAndSet(null);
        if (newest == null) {
            return;
        }
        // Oldest first, so that none waits for ever.
        BlockRequest oldest = null;
        while (newest != null) {
            BlockRequest before = newest.next;
            newest.next = oldest;
            oldest = newest;
            newest = before;
        }
        while (oldest != null) {
            BlockRequest after = oldest.next;
            oldest.next = null;
            queue.push(oldest.chain, oldest.complete());
            free.push(oldest);
            inFlight--;
            oldest = after;
        }
        queue.notifyDriver();
    }

    @Override
    public void stop() {
        writeback = true;
    }

    @Override
    public boolean isIdle() {
        return inFlight == 0;
    }

    @Override
    public VirtioDeviceState save() {
        return new BlockState(writeback);
    }

    @Override
    public void restore(VirtioDeviceState state) {
        if (!(state instanceof BlockState saved)) {
            throw new IllegalArgumentException("not a state of a block device: " + state);
        }
        writeback = saved.writeback();
    }

    @Override
    public void close() {
        backend.close();
    }
}
