package dev.javisor.virtio.balloon;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.virtio.DescriptorChain;
import dev.javisor.virtio.VirtioConfig;
import dev.javisor.virtio.VirtioContext;
import dev.javisor.virtio.VirtioDevice;
import dev.javisor.virtio.VirtioDeviceState;
import dev.javisor.virtio.Virtqueue;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The memory balloon (VIRTIO 1.2 §5.5): what the driver puts into it, and the free pages that it
 * reports, goes back to the host. A page that is used again is there again, zeroed.
 *
 * <p>The guest can lose no memory but its own: addresses are checked, and a page may come twice.
 */
public final class BalloonDevice implements VirtioDevice {
    /** Most pages of one request: Linux sends 256. */
    static final int MAX_PAGES = 1 << 16;

    private static final int DEVICE_ID = 5;
    private static final int PCI_CLASS_OTHER = 0x00FF00;
    private static final int QUEUE_SIZE = 128;
    private static final int ASK = 0;
    private static final long ASK_SIGNAL = 1L << (VirtioContext.DEVICE_SIGNALS + ASK);

    private final GuestMemory memory;
    private final byte[] numbers = new byte[4096];
    private final DescriptorChain chain = new DescriptorChain();
    private final AtomicLong discardedBytes = new AtomicLong();
    private @Nullable VirtioContext connected;

    // The configuration, by any thread.
    private volatile int targetPages;
    private volatile int actualPages;
    private volatile int poison;

    private volatile @Nullable BalloonStatistics statistics;

    /** The I/O thread's. */
    private long features;

    public BalloonDevice(GuestMemory memory) {
        this.memory = memory;
    }

    /**
     * Asks the driver to leave the guest no more than this, from any thread. It takes its time, and
     * keeps what it cannot do without.
     *
     * @param guestBytes up to the size of the memory
     */
    public void setTarget(long guestBytes) {
        long pages = Math.max(0, memory.sizeBytes() - guestBytes) >>> BalloonLayout.PAGE_SHIFT;
        targetPages = (int) Math.min(pages, 0xFFFF_FFFFL);
        VirtioContext context = connected;
        if (context != null) {
            context.configChanged();
        }
    }

    /** What the balloon is to hold. */
    public long targetBytes() {
        return (targetPages & 0xFFFF_FFFFL) << BalloonLayout.PAGE_SHIFT;
    }

    /** What the driver says that the balloon holds. */
    public long balloonBytes() {
        return Math.min(
                (actualPages & 0xFFFF_FFFFL) << BalloonLayout.PAGE_SHIFT, memory.sizeBytes());
    }

    /** What went back to the host so far, some of it again and again. */
    public long discardedBytes() {
        return discardedBytes.get();
    }

    /** What the driver said last. */
    public Optional<BalloonStatistics> statistics() {
        return Optional.ofNullable(statistics);
    }

    /** Asks the driver for {@link #statistics}, from any thread. */
    public void askForStatistics() {
        VirtioContext context = connected;
        if (context != null) {
            context.signal(ASK);
        }
    }

    @Override
    public int deviceId() {
        return DEVICE_ID;
    }

    @Override
    public int pciClassCode() {
        return PCI_CLASS_OTHER;
    }

    @Override
    public long features() {
        long always = BalloonLayout.F_STATS_VQ | BalloonLayout.F_DEFLATE_ON_OOM;
        // Without F_PAGE_POISON, a guest that fills free memory does not report it.
        long reporting = BalloonLayout.F_PAGE_POISON | BalloonLayout.F_PAGE_REPORTING;
        return memory.isDiscardable() ? always | reporting : always;
    }

    @Override
    public int[] queueSizes() {
        int[] sizes = new int[BalloonLayout.QUEUES];
        Arrays.fill(sizes, QUEUE_SIZE);
        return sizes;
    }

    @Override
    public int configBytes() {
        return BalloonLayout.CONFIG_BYTES;
    }

    @Override
    public int readConfig(int offset, int sizeBytes) {
        int field =
                switch (offset & ~3) {
                    case BalloonLayout.NUM_PAGES -> targetPages;
                    case BalloonLayout.ACTUAL -> actualPages;
                    case BalloonLayout.POISON_VAL -> poison;
                    default -> 0;
                };
        int shifted = field >>> 8 * (offset & 3);
        return sizeBytes == 4 ? shifted : shifted & (1 << 8 * sizeBytes) - 1;
    }

    /** Drivers write whole fields. */
    @Override
    public void writeConfig(int offset, int sizeBytes, int value) {
        if (sizeBytes != 4) {
            return;
        }
        switch (offset) {
            case BalloonLayout.ACTUAL -> actualPages = value;
            case BalloonLayout.POISON_VAL -> poison = value;
            default -> {
                // Read-only.
            }
        }
    }

    @Override
    public void connect(VirtioContext newContext) {
        connected = newContext;
    }

    @Override
    public void start(long negotiated) {
        features = negotiated;
    }

    private boolean has(long feature) {
        return (features & feature) != 0;
    }

    @Override
    public void process(long signals) {
        VirtioContext context = connected;
        if (context == null) {
            return;
        }
        for (int i = 0; i < BalloonLayout.QUEUES && context.isServing(); i++) {
            if (!context.hasQueue(i)) {
                continue;
            }
            Virtqueue queue = context.queue(i);
            if (i == BalloonLayout.QUEUE_STATISTICS && has(BalloonLayout.F_STATS_VQ)) {
                if ((signals & (1L << i | ASK_SIGNAL)) != 0) {
                    statistics(context, queue, (signals & ASK_SIGNAL) != 0);
                }
            } else if ((signals & 1L << i) != 0) {
                serve(context, queue, i);
            }
        }
    }

    private void serve(VirtioContext context, Virtqueue queue, int index) {
        do {
            queue.disableNotifications();
            Virtqueue.Poll poll;
            while ((poll = queue.poll(chain)) == Virtqueue.Poll.CHAIN) {
                String broken = take(index);
                if (broken != null) {
                    context.guestFault("balloon: " + broken);
                    return;
                }
                queue.push(chain, 0);
            }
            queue.notifyDriver();
            if (poll == Virtqueue.Poll.FAULT) {
                context.guestFault("balloon: " + queue.fault());
                return;
            }
        } while (queue.enableNotifications());
    }

    /** Does what the chain asks for; null if it is well. */
    private @Nullable String take(int index) {
        return switch (index) {
            case BalloonLayout.QUEUE_INFLATE -> inflate();
            // Pages come back by being touched.
            case BalloonLayout.QUEUE_DEFLATE -> null;
            // DEVIATION: any of the others. Linux counts only the queues that it uses, the
            // specification gives each its number (§5.5.2); free page hints are not offered.
            default -> {
                report();
                yield null;
            }
        };
    }

    /** The chain lists numbers of pages, 32 bits each. */
    private @Nullable String inflate() {
        long listBytes = chain.readableBytes();
        if ((listBytes & 3) != 0 || listBytes > 4L * MAX_PAGES) {
            return "list of " + listBytes + " bytes";
        }
        long start = 0;
        long end = 0;
        for (long at = 0; at < listBytes; at += numbers.length) {
            int n = chain.read(at, numbers, 0, numbers.length);
            for (int i = 0; i < n; i += 4) {
                long page =
                        (VirtioConfig.read(numbers, i, 4) & 0xFFFF_FFFFL)
                                << BalloonLayout.PAGE_SHIFT;
                if (!memory.contains(page, GuestMemory.PAGE_BYTES)) {
                    return "page %#x is not in RAM".formatted(page);
                }
                // Linux takes neighbours, upwards or downwards: one call for all of them.
                if (page == end && end > start) {
                    end += GuestMemory.PAGE_BYTES;
                } else if (page == start - GuestMemory.PAGE_BYTES && end > start) {
                    start = page;
                } else {
                    discard(start, end - start);
                    start = page;
                    end = page + GuestMemory.PAGE_BYTES;
                }
            }
        }
        discard(start, end - start);
        return null;
    }

    /** The chain's buffers are free pages, until it is returned. */
    private void report() {
        if (!has(BalloonLayout.F_PAGE_REPORTING)
                || has(BalloonLayout.F_PAGE_POISON) && poison != 0) {
            // The guest relies on what it filled free pages with (§5.5.6.7.2).
            return;
        }
        for (int i = 0; i < chain.writableParts(); i++) {
            discard(chain.writableAddress(i), chain.writableBytes(i));
        }
    }

    private void discard(long address, long sizeBytes) {
        if (sizeBytes > 0 && memory.discard(address, sizeBytes)) {
            discardedBytes.addAndGet(sizeBytes);
        }
    }

    /** The driver's one buffer stays in the queue, filled; to return it asks for new numbers. */
    private void statistics(VirtioContext context, Virtqueue queue, boolean ask) {
        Virtqueue.Poll poll = queue.poll(chain);
        if (poll == Virtqueue.Poll.CHAIN) {
            int n = (int) Math.min(chain.readableBytes(), BalloonStatistics.MAX_BYTES);
            statistics = BalloonStatistics.parse(numbers, chain.read(0, numbers, 0, n));
            if (!ask) {
                queue.unpoll(chain);
                return;
            }
            queue.push(chain, 0);
            queue.notifyDriver();
            if (queue.enableNotifications()) {
                statistics(context, queue, false);
            }
        } else if (poll == Virtqueue.Poll.FAULT) {
            context.guestFault("balloon: " + queue.fault());
        }
    }

    /** A driver that is gone holds nothing; what was wanted of it is wanted of the next one. */
    @Override
    public void stop() {
        actualPages = 0;
        poison = 0;
        statistics = null;
    }

    @Override
    public boolean isIdle() {
        return true;
    }

    @Override
    public VirtioDeviceState save() {
        return new BalloonState(targetPages, actualPages, poison);
    }

    @Override
    public void restore(VirtioDeviceState state) {
        if (!(state instanceof BalloonState saved)) {
            throw new IllegalArgumentException("not a state of a balloon: " + state);
        }
        targetPages = saved.targetPages();
        actualPages = saved.actualPages();
        poison = saved.poison();
    }

    @Override
    public void close() {}
}
