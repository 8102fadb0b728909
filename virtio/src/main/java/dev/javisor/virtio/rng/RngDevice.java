package dev.javisor.virtio.rng;

import dev.javisor.virtio.DescriptorChain;
import dev.javisor.virtio.VirtioContext;
import dev.javisor.virtio.VirtioDevice;
import dev.javisor.virtio.VirtioDeviceState;
import dev.javisor.virtio.Virtqueue;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/** The entropy device (VIRTIO 1.2 §5.4): fills what the driver gives with random bytes. */
public final class RngDevice implements VirtioDevice {
    /** Most bytes for one request, so that one buffer of 4 GiB does not keep us for minutes. */
    public static final int MAX_BYTES = 4096;

    private static final int DEVICE_ID = 4;
    private static final int PCI_CLASS_OTHER = 0x00FF00;
    private static final int QUEUE_SIZE = 8;

    private final RandomGenerator random;
    private final byte[] bytes = new byte[MAX_BYTES];
    private final DescriptorChain chain = new DescriptorChain();
    private @Nullable VirtioContext connected;

    /**
     * @param random must be one for cryptography, such as {@link java.security.SecureRandom},
     *     except in tests and replays
     */
    public RngDevice(RandomGenerator random) {
        this.random = random;
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
        return 0;
    }

    @Override
    public int[] queueSizes() {
        return new int[] {QUEUE_SIZE};
    }

    @Override
    public int configBytes() {
        return 0;
    }

    @Override
    public int readConfig(int offset, int sizeBytes) {
        return 0;
    }

    @Override
    public void writeConfig(int offset, int sizeBytes, int value) {}

    @Override
    public void connect(VirtioContext newContext) {
        connected = newContext;
    }

    @Override
    public void start(long features) {}

    @Override
    public void process(long signals) {
        VirtioContext context = connected;
        if (context == null || !context.isServing() || !context.hasQueue(0)) {
            return;
        }
        Virtqueue queue = context.queue(0);
        do {
            queue.disableNotifications();
            Virtqueue.Poll poll;
            while ((poll = queue.poll(chain)) == Virtqueue.Poll.CHAIN) {
                fill(queue);
            }
            queue.notifyDriver();
            if (poll == Virtqueue.Poll.FAULT) {
                context.guestFault("rng: " + queue.fault());
                return;
            }
        } while (queue.enableNotifications());
    }

    private void fill(Virtqueue queue) {
        int n = (int) Math.min(chain.writableBytes(), MAX_BYTES);
        random.nextBytes(bytes);
        queue.push(chain, chain.write(0, bytes, 0, n));
    }

    @Override
    public void stop() {}

    @Override
    public boolean isIdle() {
        return true;
    }

    @Override
    public VirtioDeviceState save() {
        return new RngState();
    }

    @Override
    public void restore(VirtioDeviceState state) {
        if (!(state instanceof RngState)) {
            throw new IllegalArgumentException("not a state of an entropy device: " + state);
        }
    }

    @Override
    public void close() {}
}
