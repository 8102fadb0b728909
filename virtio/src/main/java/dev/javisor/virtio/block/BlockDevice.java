package dev.javisor.virtio.block;

import static dev.javisor.virtio.block.BlockLayout.*;

import dev.javisor.block.BlockBackend;
import dev.javisor.block.BlockException;
import dev.javisor.block.DiskErrors;
import dev.javisor.virtio.VirtioConfig;
import dev.javisor.virtio.VirtioContext;
import dev.javisor.virtio.VirtioDevice;
import dev.javisor.virtio.VirtioDeviceState;
import dev.javisor.virtio.Virtqueue;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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

    /** Sent by nobody but the endpoint, which sends all signals when the machine goes on. */
    private static final long RETRY = 1L << (VirtioContext.DEVICE_SIGNALS + 1);

    private final BlockBackend backend;
    private final BlockConfig settings;
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
                public boolean failed(boolean read, BlockException error) {
                    // A guest may try again for ever: one line says it.
                    boolean first = hostErrors.getAndIncrement() == 0;
                    DiskErrors errors = settings.errors();
                    if ((read ? errors.reads() : errors.writes()).keeps(error)) {
                        settings.stopper().accept(error);
                        return true;
                    }
                    if (first) {
                        LOG.log(System.Logger.Level.WARNING, error.getMessage());
                    }
                    return false;
                }
            };

    private final AtomicLong hostErrors = new AtomicLong();
    private @Nullable VirtioContext connected;

    /** Chains of each queue that are in flight, kept ones included. */
    private final int[] inFlight;

    /** Queues that have more chains than can be in flight. */
    private long crowded;

    private final List<BlockRequest> kept = new ArrayList<>();
    private boolean stopping;
    private long negotiated;

    /** Written by vCPUs, read by the I/O thread. */
    private volatile boolean writeback = true;

    /**
     * @param backend closed with this device
     */
    public BlockDevice(BlockBackend backend, BlockConfig settings) {
        this.backend = backend;
        this.settings = settings;
        inFlight = new int[settings.queues()];
        long offered = F_SIZE_MAX | F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_CONFIG_WCE;
        VirtioConfig.write(config, CAPACITY, 8, backend.sizeBytes() >>> SECTOR_SHIFT);
        VirtioConfig.write(config, SIZE_MAX, 4, SEGMENT_BYTES);
        VirtioConfig.write(config, SEG_MAX, 4, MAX_SEGMENTS);
        VirtioConfig.write(config, BLK_SIZE, 4, backend.blockSizeBytes());
        VirtioConfig.write(config, NUM_QUEUES, 2, settings.queues());
        if (settings.queues() > 1) {
            offered |= F_MQ;
        }
        int alignment = backend.blockSizeBytes() >>> SECTOR_SHIFT;
        if (backend.isReadOnly()) {
            offered |= F_RO;
        } else {
            offered |= F_WRITE_ZEROES;
            VirtioConfig.write(config, MAX_WRITE_ZEROES_SECTORS, 4, MAX_RANGE_SECTORS);
            VirtioConfig.write(config, MAX_WRITE_ZEROES_SEG, 4, 1);
            VirtioConfig.write(config, WRITE_ZEROES_MAY_UNMAP, 1, backend.canDiscard() ? 1 : 0);
            if (backend.canDiscard()) {
                offered |= F_DISCARD;
                VirtioConfig.write(config, MAX_DISCARD_SECTORS, 4, MAX_RANGE_SECTORS);
                VirtioConfig.write(config, MAX_DISCARD_SEG, 4, 1);
                VirtioConfig.write(config, DISCARD_SECTOR_ALIGNMENT, 4, alignment);
            }
        }
        features = offered;
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
        int[] sizes = new int[settings.queues()];
        Arrays.fill(sizes, QUEUE_SIZE);
        return sizes;
    }

    @Override
    public int configBytes() {
        return CONFIG_BYTES;
    }

    @Override
    public int readConfig(int offset, int sizeBytes) {
        int value;
        synchronized (config) {
            value = VirtioConfig.read(config, offset, sizeBytes);
        }
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

    /** The backend has grown: tells the driver. From any thread. */
    public void resized() {
        long sectors = backend.sizeBytes() >>> SECTOR_SHIFT;
        context()
                .configChanged(() -> {
                    synchronized (config) {
                        VirtioConfig.write(config, CAPACITY, 8, sectors);
                    }
                });
    }

    public BlockBackend backend() {
        return backend;
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
        crowded = 0;
        stopping = false;
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
        long rung = (signals | crowded | complete(context)) & (1L << inFlight.length) - 1;
        if ((signals & RETRY) != 0 && context.isServing()) {
            retry(context);
        }
        while (rung != 0) {
            int index = Long.numberOfTrailingZeros(rung);
            rung &= rung - 1;
            if (context.isServing() && context.hasQueue(index)) {
                submit(context, index);
            }
        }
        // What completed at once.
        crowded |= complete(context);
    }

    private void submit(VirtioContext context, int index) {
        Virtqueue queue = context.queue(index);
        boolean writethrough = isWritethrough();
        crowded &= ~(1L << index);
        do {
            queue.disableNotifications();
            while (true) {
                if (inFlight[index] == queue.size()) {
                    crowded |= 1L << index;
                    return;
                }
                BlockRequest request = unused();
                Virtqueue.Poll poll = queue.poll(request.chain);
                if (poll != Virtqueue.Poll.CHAIN) {
                    free.push(request);
                    if (poll == Virtqueue.Poll.FAULT) {
                        context.guestFault("block: " + queue.fault());
                        return;
                    }
                    break;
                }
                inFlight[index]++;
                request.queue = index;
                if (!isWell(context, request, request.start(writethrough))) {
                    return;
                }
            }
        } while (queue.enableNotifications());
    }

    /** There are as many as ever were in flight. */
    private BlockRequest unused() {
        BlockRequest request = free.poll();
        return request == null ? new BlockRequest(backend, listener) : request;
    }

    private boolean isWell(VirtioContext context, BlockRequest request, @Nullable String broken) {
        if (broken == null) {
            return true;
        }
        inFlight[request.queue]--;
        free.push(request);
        context.guestFault("block: " + broken);
        return false;
    }

    private void retry(VirtioContext context) {
        List<BlockRequest> again = List.copyOf(kept);
        kept.clear();
        for (BlockRequest request : again) {
            if (!isWell(context, request, request.retry(isWritethrough()))) {
                return;
            }
        }
    }

    /** Returns what is done to the driver. The queues to which that happened. */
    private long complete(VirtioContext context) {
        BlockRequest newest = done.getAndSet(null);
        // Oldest first, so that none waits for ever.
        BlockRequest oldest = null;
        while (newest != null) {
            BlockRequest before = newest.next;
            newest.next = oldest;
            oldest = newest;
            newest = before;
        }
        long touched = 0;
        while (oldest != null) {
            BlockRequest request = oldest;
            oldest = request.next;
            request.next = null;
            if (request.isKept() && !stopping) {
                kept.add(request);
                continue;
            }
            context.queue(request.queue).push(request.chain, request.complete());
            touched |= 1L << request.queue;
            free.push(request);
            inFlight[request.queue]--;
        }
        for (long left = touched; left != 0; left &= left - 1) {
            context.queue(Long.numberOfTrailingZeros(left)).notifyDriver();
        }
        return touched;
    }

    @Override
    public void stop() {
        writeback = true;
        stopping = true;
        for (BlockRequest request : kept) {
            inFlight[request.queue]--;
            free.push(request);
        }
        kept.clear();
    }

    @Override
    public boolean isIdle() {
        int all = 0;
        for (int each : inFlight) {
            all += each;
        }
        return all == kept.size();
    }

    @Override
    public VirtioDeviceState save() {
        return new BlockState(
                writeback,
                kept.stream()
                        .map(each -> new BlockState.Kept(each.queue, each.chain.head()))
                        .toList());
    }

    @Override
    public void restore(VirtioDeviceState state) {
        if (!(state instanceof BlockState saved)) {
            throw new IllegalArgumentException("not a state of a block device: " + state);
        }
        writeback = saved.writeback();
        VirtioContext context = context();
        for (BlockState.Kept each : saved.kept()) {
            int index = each.queue();
            if (index < 0 || index >= inFlight.length || !context.hasQueue(index)) {
                throw new IllegalArgumentException("no queue for " + each);
            }
            BlockRequest request = unused();
            String broken = context.queue(index).retake(request.chain, each.head());
            if (broken != null) {
                throw new IllegalArgumentException(each + ": " + broken);
            }
            request.queue = index;
            request.keep();
            inFlight[index]++;
            kept.add(request);
        }
    }

    @Override
    public void close() {
        backend.close();
    }
}
