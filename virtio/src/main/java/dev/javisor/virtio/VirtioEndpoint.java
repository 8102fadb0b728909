package dev.javisor.virtio;

import dev.javisor.hypervisor.GuestMemory;
import java.lang.System.Logger;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * One virtio device between its transport and its {@link VirtioDevice}: status, features, queue
 * registers (VIRTIO 1.2 §2, §3). vCPU threads write registers under the monitor; at DRIVER_OK the
 * live queues are made and handed to the I/O loop, which owns them until the device is reset.
 */
public final class VirtioEndpoint implements VirtioContext, AutoCloseable {
    /** How the driver is interrupted; the transport's part. From any thread, must not block. */
    interface Interrupts {
        void queue(int index);

        void config();

        /** The device was reset: vectors and status clear. */
        void reset();
    }

    private static final Logger LOG = System.getLogger(VirtioEndpoint.class.getName());

    private static final long QUEUE_SIGNALS = (1L << DEVICE_SIGNALS) - 1;
    private static final int LAST_DEVICE_SIGNAL = 9;
    private static final long DEVICE_MASK =
            ((1L << (DEVICE_SIGNALS + LAST_DEVICE_SIGNAL + 1)) - 1) & ~QUEUE_SIGNALS;
    private static final long START = 1L << 58;
    private static final long STOP = 1L << 59;
    private static final long PAUSE = 1L << 60;
    private static final long RESUME = 1L << 61;
    private static final long DRAIN = 1L << 62;

    /** How long a vCPU waits at most for its reset of a device. */
    private static final long RESET_WAIT_NANOS = 20_000_000;

    /** What the driver made, from DRIVER_OK on. */
    private record Live(long features, @Nullable Virtqueue[] queues) {}

    /** The registers of one queue. */
    private static final class Registers {
        private final int maxSize;
        private QueueState state;

        Registers(int maxSize) {
            this.maxSize = maxSize;
            state = initial(maxSize);
        }

        static QueueState initial(int size) {
            return new QueueState(size, false, 0, 0, 0, 0, 0);
        }
    }

    private final VirtioDevice device;
    private final GuestMemory memory;
    private final IoLoop loop;
    private final long offered;
    private final Registers[] queues;
    private final VirtioStatus status = new VirtioStatus();
    private final LongAdder guestFaults = new LongAdder();
    private Interrupts interrupts =
            new Interrupts() {
                @Override
                public void queue(int index) {}

                @Override
                public void config() {}

                @Override
                public void reset() {}
            };

    private long driverFeatures;
    private int deviceFeatureSelect;
    private int driverFeatureSelect;
    private int queueSelect;
    private int configGeneration;

    /** Set under the monitor, taken by the I/O loop. */
    private volatile @Nullable Live live;

    private volatile @Nullable String lastFault;

    /** Set by the I/O loop while it holds still. */
    private volatile boolean paused;

    /** Set by the I/O loop once it has looked at all queues for {@link #drain}. */
    private volatile boolean drained;

    /** Set by the I/O loop once it has started the device. */
    private volatile boolean begun;

    /** Mirrors {@link VirtioStatus#isLive} for doorbells. */
    private volatile boolean ringable;

    // Below: the I/O loop's.
    private @Nullable Live serving;
    private boolean faulted;
    private boolean stopping;
    private boolean pausing;

    /**
     * @param loop started here, ended by {@link #close}
     */
    public VirtioEndpoint(VirtioDevice device, GuestMemory memory, IoLoop loop) {
        this.device = device;
        this.memory = memory;
        this.loop = loop;
        offered = device.features() | VirtioFeatures.TRANSPORT;
        int[] sizes = device.queueSizes();
        if (sizes.length > DEVICE_SIGNALS) {
            throw new IllegalArgumentException("too many queues: " + sizes.length);
        }
        queues = new Registers[sizes.length];
        for (int i = 0; i < sizes.length; i++) {
            queues[i] = new Registers(sizes[i]);
        }
        device.connect(this);
        loop.start(this::handle);
    }

    void setInterrupts(Interrupts newInterrupts) {
        interrupts = newInterrupts;
    }

    public VirtioDevice device() {
        return device;
    }

    /** How often a driver broke the protocol, refused register writes included. */
    public long guestFaults() {
        return guestFaults.sum();
    }

    /** What the latest guest fault was, for a person. */
    public @Nullable String lastFault() {
        return lastFault;
    }

    int queueCount() {
        return queues.length;
    }

    // Registers: vCPU threads.

    synchronized int status() {
        return status.value();
    }

    /**
     * Drivers should wait until the status reads 0 after a reset (§2.4.2), but firmware does not:
     * so a reset is finished before the write returns, unless the backend takes its time.
     */
    void writeStatus(int value) {
        if (changeStatus(value)) {
            loop.await(this::isResetFinished, RESET_WAIT_NANOS);
        }
    }

    private synchronized boolean isResetFinished() {
        return !status.isResetting();
    }

    /** Answers whether the device now stops. */
    private synchronized boolean changeStatus(int value) {
        boolean acceptable =
                (driverFeatures & ~offered) == 0
                        && (driverFeatures & VirtioFeatures.VERSION_1) != 0;
        switch (status.write(value, acceptable)) {
            case NONE -> {}
            case ILLEGAL -> countFault("illegal device status %#x".formatted(value));
            case RESET -> clear();
            case STARTED -> goLive();
            case STOPPING -> {
                ringable = false;
                loop.signal(STOP);
                return true;
            }
        }
        return false;
    }

    private void goLive() {
        @Nullable Virtqueue[] made = new Virtqueue[queues.length];
        for (int i = 0; i < queues.length; i++) {
            QueueState state = queues[i].state;
            if (state.enabled()) {
                int index = i;
                made[i] =
                        Virtqueue.from(
                                state, memory, driverFeatures, () -> interrupts.queue(index));
                if (made[i] == null) {
                    countFault("queue %d is not in RAM or misshapen: %s".formatted(i, state));
                    status.needsReset();
                }
            }
        }
        live = new Live(driverFeatures, made);
        ringable = status.isLive();
        loop.signal(START);
        if (!ringable) {
            interrupts.config();
        }
    }

    /** The registers' reset values (§4.1.4.3.1). */
    private void clear() {
        ringable = false;
        live = null;
        driverFeatures = 0;
        deviceFeatureSelect = 0;
        driverFeatureSelect = 0;
        queueSelect = 0;
        for (Registers queue : queues) {
            queue.state = Registers.initial(queue.maxSize);
        }
        interrupts.reset();
    }

    private void countFault(String why) {
        guestFaults.increment();
        lastFault = why;
    }

    synchronized int deviceFeatureSelect() {
        return deviceFeatureSelect;
    }

    synchronized void setDeviceFeatureSelect(int select) {
        deviceFeatureSelect = select;
    }

    synchronized int deviceFeatures() {
        return half(offered, deviceFeatureSelect);
    }

    synchronized int driverFeatureSelect() {
        return driverFeatureSelect;
    }

    synchronized void setDriverFeatureSelect(int select) {
        driverFeatureSelect = select;
    }

    synchronized int driverFeatures() {
        return half(driverFeatures, driverFeatureSelect);
    }

    private static int half(long features, int select) {
        return switch (select) {
            case 0 -> (int) features;
            case 1 -> (int) (features >>> 32);
            default -> 0;
        };
    }

    synchronized void setDriverFeatures(int bits) {
        if (!status.featuresNegotiable()) {
            countFault("features written out of turn");
            return;
        }
        switch (driverFeatureSelect) {
            case 0 -> driverFeatures = driverFeatures & ~0xFFFF_FFFFL | bits & 0xFFFF_FFFFL;
            case 1 -> driverFeatures = driverFeatures & 0xFFFF_FFFFL | (long) bits << 32;
            default -> {
                // Features beyond 63 that the driver wants are ones that we do not have.
                if (bits != 0) {
                    countFault("feature beyond 63 accepted");
                }
            }
        }
    }

    synchronized int configGeneration() {
        return configGeneration & 0xFF;
    }

    synchronized int queueSelect() {
        return queueSelect;
    }

    synchronized void setQueueSelect(int select) {
        queueSelect = select & 0xFFFF;
    }

    /** The selected queue's registers; null if there is no such queue. */
    synchronized @Nullable QueueState selectedQueue() {
        return queueSelect < queues.length ? queues[queueSelect].state : null;
    }

    /** Changes the selected queue's registers, in the one phase in which that is legal. */
    private @Nullable Registers configurable(String what) {
        if (!status.queuesConfigurable()
                || queueSelect >= queues.length
                || queues[queueSelect].state.enabled()) {
            countFault(what + " of queue " + queueSelect + " written out of turn");
            return null;
        }
        return queues[queueSelect];
    }

    synchronized void setQueueSize(int size) {
        Registers queue = configurable("size");
        if (queue == null) {
            return;
        }
        if (size < 1 || size > queue.maxSize || Integer.bitCount(size) != 1) {
            countFault("bad queue size " + size);
            return;
        }
        QueueState s = queue.state;
        queue.state = new QueueState(size, false, s.descriptors(), s.available(), s.used(), 0, 0);
    }

    synchronized void setQueueDescriptors(long address) {
        Registers queue = configurable("descriptor area");
        if (queue != null) {
            QueueState s = queue.state;
            queue.state = new QueueState(s.size(), false, address, s.available(), s.used(), 0, 0);
        }
    }

    synchronized void setQueueAvailable(long address) {
        Registers queue = configurable("driver area");
        if (queue != null) {
            QueueState s = queue.state;
            queue.state = new QueueState(s.size(), false, s.descriptors(), address, s.used(), 0, 0);
        }
    }

    synchronized void setQueueUsed(long address) {
        Registers queue = configurable("device area");
        if (queue != null) {
            QueueState s = queue.state;
            queue.state =
                    new QueueState(s.size(), false, s.descriptors(), s.available(), address, 0, 0);
        }
    }

    synchronized void enableQueue(int value) {
        if (value != 1) {
            // §4.1.4.3.2: the driver must not write 0.
            countFault("queue_enable written with " + value);
            return;
        }
        Registers queue = configurable("enable");
        if (queue != null) {
            QueueState s = queue.state;
            queue.state =
                    new QueueState(s.size(), true, s.descriptors(), s.available(), s.used(), 0, 0);
        }
    }

    /** A doorbell. From any thread, does not allocate. */
    public void notifyQueue(int index) {
        if (ringable && index >= 0 && index < queues.length) {
            loop.signal(1L << index);
        }
    }

    // The device's side.

    @Override
    public void signal(int number) {
        loop.signal(1L << (DEVICE_SIGNALS + number));
    }

    @Override
    public Virtqueue queue(int index) {
        Live now = serving;
        Virtqueue queue = now == null ? null : now.queues[index];
        if (queue == null) {
            throw new IllegalStateException("queue " + index + " is not live");
        }
        return queue;
    }

    @Override
    public boolean hasQueue(int index) {
        Live now = serving;
        return now != null && now.queues[index] != null;
    }

    @Override
    public boolean isServing() {
        return serving != null && !faulted && !stopping && !pausing;
    }

    @Override
    public void guestFault(String why) {
        faulted = true;
        synchronized (this) {
            countFault(why);
            status.needsReset();
            ringable = false;
            if (status.isDriverOk()) {
                interrupts.config();
            }
        }
    }

    @Override
    public void configChanged(Runnable change) {
        synchronized (this) {
            change.run();
            configGeneration++;
            if (status.isDriverOk()) {
                interrupts.config();
            }
        }
    }

    // The I/O loop.

    private void handle(long signals) {
        try {
            work(signals);
        } catch (RuntimeException e) {
            // A defect of ours in one device: it must not take the machine down. The driver is told
            // that the device is broken, the defect goes to the log with its trace.
            LOG.log(Logger.Level.ERROR, "virtio device " + device.deviceId() + " failed", e);
            guestFault("internal failure: " + e);
        }
        if ((signals & DRAIN) != 0) {
            drained = true;
        }
    }

    private void work(long signals) {
        if ((signals & START) != 0) {
            begin();
        }
        if ((signals & PAUSE) != 0) {
            pausing = true;
        }
        long now = signals & DEVICE_MASK;
        long queueSignals = signals & QUEUE_SIGNALS;
        if ((signals & RESUME) != 0) {
            pausing = false;
            paused = false;
            now = DEVICE_MASK;
            queueSignals = QUEUE_SIGNALS;
        }
        if ((signals & (START | DRAIN)) != 0) {
            // Rings from before we started to listen are not lost.
            queueSignals = QUEUE_SIGNALS;
        }
        if (isServing()) {
            now |= queueSignals;
        }
        if (serving != null && now != 0) {
            device.process(now);
        }
        if ((signals & STOP) != 0 && !stopping) {
            stopping = true;
            if (serving != null) {
                device.stop();
            }
        }
        if (stopping && (serving == null || device.isIdle())) {
            finishStop();
        }
        if (pausing && (serving == null || device.isIdle())) {
            paused = true;
        }
    }

    private void begin() {
        Live now = live;
        if (now != null) {
            serving = now;
            synchronized (this) {
                faulted = !status.isLive();
            }
            device.start(now.features);
            begun = true;
        }
    }

    private void finishStop() {
        serving = null;
        stopping = false;
        faulted = false;
        synchronized (this) {
            if (status.isResetting()) {
                status.finishReset();
                clear();
            }
        }
    }

    // The machine's side.

    /** Resets and waits until nothing is in flight. Not from a vCPU thread. */
    public void reset() {
        writeStatus(0);
        loop.await(this::isResetFinished, IoLoop.FOREVER);
    }

    /** Takes no more chains and waits until none is in flight. vCPUs are paused. */
    public void pause() {
        loop.signal(PAUSE);
        loop.await(() -> paused, IoLoop.FOREVER);
    }

    /**
     * Looks at all queues once more and waits until their chains were offered to the device. With
     * the driver held still, before the machine ends. From one thread at a time.
     */
    public void drain() {
        drained = false;
        loop.signal(DRAIN);
        loop.await(() -> drained, IoLoop.FOREVER);
    }

    /** Goes on after {@link #pause}. */
    public void resume() {
        loop.signal(RESUME);
        // A pause that came at once would be undone by the same wake-up.
        loop.await(() -> !paused, IoLoop.FOREVER);
    }

    /** Only while paused. */
    public synchronized VirtioState save() {
        List<QueueState> states = new ArrayList<>();
        Live now = live;
        for (int i = 0; i < queues.length; i++) {
            Virtqueue queue = now == null ? null : now.queues[i];
            states.add(queue == null ? queues[i].state : queue.save());
        }
        return new VirtioState(
                status.value(),
                driverFeatures,
                deviceFeatureSelect,
                driverFeatureSelect,
                queueSelect,
                configGeneration,
                states,
                device.save());
    }

    /**
     * Takes a saved state over. Only while freshly made or reset, and paused.
     *
     * @throws IllegalArgumentException if a device of this kind cannot be in it
     */
    public void restore(VirtioState state) {
        boolean started;
        synchronized (this) {
            restoreRegisters(state);
            started = status.isDriverOk();
            if (started) {
                begun = false;
                goLive();
            }
        }
        if (started) {
            loop.await(() -> begun, IoLoop.FOREVER);
        }
        device.restore(state.device());
    }

    private void restoreRegisters(VirtioState state) {
        if (state.queues().size() != queues.length || !status.restore(state.status())) {
            throw new IllegalArgumentException("not a state of this device: " + state);
        }
        driverFeatures = state.driverFeatures();
        deviceFeatureSelect = state.deviceFeatureSelect();
        driverFeatureSelect = state.driverFeatureSelect();
        queueSelect = state.queueSelect() & 0xFFFF;
        configGeneration = state.configGeneration();
        for (int i = 0; i < queues.length; i++) {
            QueueState queue = state.queues().get(i);
            if (queue.size() > queues[i].maxSize) {
                throw new IllegalArgumentException("queue too large: " + queue);
            }
            queues[i].state = queue;
        }
    }

    @Override
    public void close() {
        loop.close();
        device.close();
    }
}
