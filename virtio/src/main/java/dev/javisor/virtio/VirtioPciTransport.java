package dev.javisor.virtio;

import static dev.javisor.virtio.VirtioPciLayout.*;

import dev.javisor.hypervisor.VirtualMachine.DoorbellAddress;
import dev.javisor.hypervisor.VirtualMachine.DoorbellHandler;
import dev.javisor.hypervisor.VirtualMachine.DoorbellRegistration;
import dev.javisor.hypervisor.VirtualMachine.Space;
import dev.javisor.machine.MmioDevice;
import dev.javisor.machine.MsiSink;
import dev.javisor.machine.PciBarKind;
import dev.javisor.machine.PciConfigSpace;
import dev.javisor.machine.PciDevice;
import dev.javisor.machine.PciFunction;
import dev.javisor.machine.PciIdentity;
import dev.javisor.machine.PciLayout;
import dev.javisor.machine.PciMsix;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * virtio over PCI, modern only (VIRTIO 1.2 §4.1): one memory BAR with the common, ISR, device and
 * notification structures, another with MSI-X. Registers are accessed by vCPU threads; interrupts
 * come from any.
 */
public final class VirtioPciTransport implements PciDevice, MmioDevice, AutoCloseable {
    /** Makes doorbells of an accelerator, such as {@code VirtualMachine::bindDoorbell}. */
    @FunctionalInterface
    public interface DoorbellBinder {
        DoorbellRegistration bind(DoorbellAddress address, DoorbellHandler handler);
    }

    private static final int ISR_QUEUE = 1;
    private static final int ISR_CONFIG = 2;

    private final VirtioEndpoint endpoint;
    private final PciFunction function;
    private final PciMsix msix;
    private final @Nullable DoorbellBinder binder;
    private final int pciCfgAt;

    /** Guards {@link #isr} and the order of its line. */
    private final Object isrLock = new Object();

    private int isr;

    /** Written under the endpoint's monitor by vCPUs, read by whoever interrupts. */
    private volatile int configVector = NO_VECTOR;

    /** Replaced as a whole, so that readers need no lock. */
    private volatile int[] queueVectors;

    /** Guarded by {@code this}. */
    private final List<DoorbellRegistration> doorbells = new ArrayList<>();

    /** Where the notification structure is, or -1. Guarded by {@code this}. */
    private long notifyAddress = -1;

    /**
     * @param msi where MSI-X messages go
     * @param binder null to take every notification as a plain write
     */
    public VirtioPciTransport(
            VirtioEndpoint endpoint, MsiSink msi, @Nullable DoorbellBinder binder) {
        this.endpoint = endpoint;
        this.binder = binder;
        VirtioDevice device = endpoint.device();
        function =
                new PciFunction(
                        new PciIdentity(
                                VENDOR,
                                DEVICE_BASE + device.deviceId(),
                                device.pciClassCode(),
                                1,
                                VENDOR,
                                DEVICE_BASE + device.deviceId()));
        function.useInterruptPin();
        function.addBar(BAR, PciBarKind.MEMORY_32, BAR_BYTES, this, this::moved);
        msix = function.addMsix(MSIX_BAR, endpoint.queueCount() + 1, msi);
        addCapability(CAP_COMMON, COMMON_AT, COMMON_BYTES, 0);
        int notify =
                addCapability(CAP_NOTIFY, NOTIFY_AT, endpoint.queueCount() * NOTIFY_MULTIPLIER, 4);
        function.config().set(notify + CAP_EXTRA_AT, 4, NOTIFY_MULTIPLIER);
        addCapability(CAP_ISR, ISR_AT, 1, 0);
        if (device.configBytes() != 0) {
            addCapability(CAP_DEVICE, DEVICE_AT, device.configBytes(), 0);
        }
        pciCfgAt = addCapability(CAP_PCI, 0, 0, 4);
        PciConfigSpace config = function.config();
        config.setWritable(pciCfgAt + CAP_BAR_AT, 1, 0xFF);
        config.setWritable(pciCfgAt + CAP_OFFSET_AT, 4, -1);
        config.setWritable(pciCfgAt + CAP_SIZE_AT, 4, -1);
        config.setWritable(pciCfgAt + CAP_EXTRA_AT, 4, -1);
        function.setConfigHook(new PciCfgWindow());
        queueVectors = noVectors();
        endpoint.setInterrupts(new Interrupts());
    }

    private int[] noVectors() {
        int[] vectors = new int[endpoint.queueCount()];
        Arrays.fill(vectors, NO_VECTOR);
        return vectors;
    }

    private int addCapability(int type, int offset, int sizeBytes, int extraBytes) {
        PciConfigSpace config = function.config();
        int length = CAP_BYTES + extraBytes;
        int at = config.addCapability(PciLayout.CAPABILITY_VENDOR, length);
        config.set(at + CAP_LENGTH_AT, 1, length);
        config.set(at + CAP_TYPE_AT, 1, type);
        config.set(at + CAP_BAR_AT, 1, BAR);
        config.set(at + CAP_OFFSET_AT, 4, offset);
        config.set(at + CAP_SIZE_AT, 4, sizeBytes);
        return at;
    }

    public VirtioEndpoint endpoint() {
        return endpoint;
    }

    @Override
    public PciFunction function() {
        return function;
    }

    @Override
    public void reset() {
        endpoint.reset();
    }

    @Override
    public void close() {
        unbind();
        endpoint.close();
    }

    // Doorbells.

    /** Where each queue's notifications go now; empty while the BAR is not mapped. */
    public synchronized List<DoorbellAddress> doorbells() {
        List<DoorbellAddress> addresses = new ArrayList<>();
        if (notifyAddress >= 0) {
            for (int i = 0; i < endpoint.queueCount(); i++) {
                addresses.add(doorbell(i));
            }
        }
        return addresses;
    }

    private DoorbellAddress doorbell(int queue) {
        return new DoorbellAddress(
                Space.MMIO, notifyAddress + (long) queue * NOTIFY_MULTIPLIER, 2, false, 0);
    }

    /** The BAR moved: under the PCI bus's lock. */
    private synchronized void moved(int bar, long address) {
        unbind();
        notifyAddress = address < 0 ? -1 : address + NOTIFY_AT;
        if (binder != null && notifyAddress >= 0) {
            for (int i = 0; i < endpoint.queueCount(); i++) {
                int queue = i;
                doorbells.add(binder.bind(doorbell(i), () -> endpoint.notifyQueue(queue)));
            }
        }
    }

    private synchronized void unbind() {
        for (DoorbellRegistration registration : doorbells) {
            registration.close();
        }
        doorbells.clear();
    }

    // The BAR.

    @Override
    public long readMemory(long offset, int sizeBytes) {
        if (sizeBytes == 8) {
            return readMemory(offset, 4) & 0xFFFF_FFFFL | readMemory(offset + 4, 4) << 32;
        }
        int in = (int) offset & (PAGE_BYTES - 1);
        return switch ((int) offset & -PAGE_BYTES) {
            case COMMON_AT -> readCommon(in, sizeBytes);
            case ISR_AT -> in == 0 ? takeIsr() : 0;
            case DEVICE_AT -> readDevice(in, sizeBytes);
            default -> 0;
        };
    }

    @Override
    public void writeMemory(long offset, int sizeBytes, long value) {
        int in = (int) offset & (PAGE_BYTES - 1);
        switch ((int) offset & -PAGE_BYTES) {
            case COMMON_AT -> writeCommon(in, sizeBytes, value);
            case DEVICE_AT -> writeDevice(in, sizeBytes, value);
            // The address says which queue; the value is the same unless the driver errs.
            case NOTIFY_AT -> endpoint.notifyQueue(in / NOTIFY_MULTIPLIER);
            default -> {}
        }
    }

    private int readDevice(int offset, int sizeBytes) {
        VirtioDevice device = endpoint.device();
        return offset + sizeBytes <= device.configBytes()
                ? device.readConfig(offset, sizeBytes)
                : 0;
    }

    private void writeDevice(int offset, int sizeBytes, long value) {
        VirtioDevice device = endpoint.device();
        if (offset + sizeBytes <= device.configBytes() && sizeBytes <= 4) {
            device.writeConfig(offset, sizeBytes, (int) value);
        }
    }

    /** No register has a side effect on reading, so an odd access is part of an aligned one. */
    private long readCommon(int offset, int sizeBytes) {
        int dword = readCommonDword(offset & ~3);
        return (dword & 0xFFFF_FFFFL) >>> ((offset & 3) * 8) & (-1L >>> (64 - 8 * sizeBytes));
    }

    private int readCommonDword(int offset) {
        return switch (offset) {
            case DEVICE_FEATURE_SELECT -> endpoint.deviceFeatureSelect();
            case DEVICE_FEATURE -> endpoint.deviceFeatures();
            case DRIVER_FEATURE_SELECT -> endpoint.driverFeatureSelect();
            case DRIVER_FEATURE -> endpoint.driverFeatures();
            case CONFIG_MSIX_VECTOR -> configVector | endpoint.queueCount() << 16;
            case DEVICE_STATUS ->
                    endpoint.status()
                            | endpoint.configGeneration() << 8
                            | endpoint.queueSelect() << 16;
            default -> readQueueDword(offset);
        };
    }

    private int readQueueDword(int offset) {
        QueueState queue = endpoint.selectedQueue();
        int select = endpoint.queueSelect();
        if (queue == null || select >= queueVectors.length) {
            // §4.1.4.3.1: size 0 says that there is no such queue.
            return offset == QUEUE_SIZE ? NO_VECTOR << 16 : 0;
        }
        return switch (offset) {
            case QUEUE_SIZE -> queue.size() | queueVectors[select] << 16;
            case QUEUE_ENABLE -> (queue.enabled() ? 1 : 0) | select << 16;
            case QUEUE_DESC -> (int) queue.descriptors();
            case QUEUE_DESC + 4 -> (int) (queue.descriptors() >>> 32);
            case QUEUE_DRIVER -> (int) queue.available();
            case QUEUE_DRIVER + 4 -> (int) (queue.available() >>> 32);
            case QUEUE_DEVICE -> (int) queue.used();
            case QUEUE_DEVICE + 4 -> (int) (queue.used() >>> 32);
            default -> 0;
        };
    }

    /** Fields are written whole, 64-bit ones also by halves (§4.1.3.1); the rest is ignored. */
    private void writeCommon(int offset, int sizeBytes, long value) {
        if (offset == DEVICE_STATUS) {
            // May wait for the I/O thread, which needs the monitor.
            if (sizeBytes == 1) {
                endpoint.writeStatus((int) value & 0xFF);
            }
            return;
        }
        synchronized (endpoint) {
            switch (offset) {
                case CONFIG_MSIX_VECTOR,
                        QUEUE_SELECT,
                        QUEUE_SIZE,
                        QUEUE_MSIX_VECTOR,
                        QUEUE_ENABLE -> {
                    if (sizeBytes == 2) {
                        writeCommonShort(offset, (int) value & 0xFFFF);
                    }
                }
                default -> {
                    if (sizeBytes >= 4 && (offset & 3) == 0) {
                        writeCommonDword(offset, (int) value);
                        if (sizeBytes == 8) {
                            writeCommonDword(offset + 4, (int) (value >>> 32));
                        }
                    }
                }
            }
        }
    }

    private void writeCommonShort(int offset, int value) {
        switch (offset) {
            case CONFIG_MSIX_VECTOR -> configVector = vector(value);
            case QUEUE_SELECT -> endpoint.setQueueSelect(value);
            case QUEUE_SIZE -> endpoint.setQueueSize(value);
            case QUEUE_MSIX_VECTOR -> {
                int select = endpoint.queueSelect();
                if (select < queueVectors.length) {
                    int[] changed = queueVectors.clone();
                    changed[select] = vector(value);
                    queueVectors = changed;
                }
            }
            case QUEUE_ENABLE -> endpoint.enableQueue(value);
            default -> throw new IllegalStateException("not a 16-bit register: " + offset);
        }
    }

    /** A vector that does not exist reads back as none (§4.1.5.1.2.1). */
    private int vector(int value) {
        return value < msix.vectors() ? value : NO_VECTOR;
    }

    private void writeCommonDword(int offset, int value) {
        switch (offset) {
            case DEVICE_FEATURE_SELECT -> endpoint.setDeviceFeatureSelect(value);
            case DRIVER_FEATURE_SELECT -> endpoint.setDriverFeatureSelect(value);
            case DRIVER_FEATURE -> endpoint.setDriverFeatures(value);
            case QUEUE_DESC,
                    QUEUE_DESC + 4,
                    QUEUE_DRIVER,
                    QUEUE_DRIVER + 4,
                    QUEUE_DEVICE,
                    QUEUE_DEVICE + 4 -> {
                QueueState queue = endpoint.selectedQueue();
                if (queue != null) {
                    writeQueueAddress(queue, offset, value);
                }
            }
            default -> {}
        }
    }

    private void writeQueueAddress(QueueState queue, int offset, int value) {
        boolean high = (offset & 4) != 0;
        switch (offset & ~4) {
            case QUEUE_DESC ->
                    endpoint.setQueueDescriptors(merge(queue.descriptors(), value, high));
            case QUEUE_DRIVER -> endpoint.setQueueAvailable(merge(queue.available(), value, high));
            case QUEUE_DEVICE -> endpoint.setQueueUsed(merge(queue.used(), value, high));
            default -> throw new IllegalStateException("not an address register: " + offset);
        }
    }

    private static long merge(long old, int half, boolean high) {
        return high
                ? old & 0xFFFF_FFFFL | (long) half << 32
                : old & ~0xFFFF_FFFFL | half & 0xFFFF_FFFFL;
    }

    // Interrupts (§4.1.4.5, §4.1.5.3, §4.1.5.4).

    private int takeIsr() {
        synchronized (isrLock) {
            int was = isr;
            isr = 0;
            function.setInterrupt(false);
            return was;
        }
    }

    private void raiseIsr(int bit, boolean line) {
        synchronized (isrLock) {
            isr |= bit;
            if (line) {
                function.setInterrupt(true);
            }
        }
    }

    private final class Interrupts implements VirtioEndpoint.Interrupts {
        @Override
        public void queue(int index) {
            if (msix.isEnabled()) {
                msix.signal(queueVectors[index]);
            } else {
                raiseIsr(ISR_QUEUE, true);
            }
        }

        @Override
        public void config() {
            boolean byMessage = msix.isEnabled();
            raiseIsr(ISR_CONFIG, !byMessage);
            if (byMessage) {
                msix.signal(configVector);
            }
        }

        @Override
        public void reset() {
            configVector = NO_VECTOR;
            queueVectors = noVectors();
            takeIsr();
        }
    }

    /**
     * The window into the BARs from configuration space (§4.1.4.9), for firmware that cannot map
     * them. Under the PCI bus's lock, which comes before the endpoint's.
     */
    private final class PciCfgWindow implements PciFunction.ConfigHook {
        private boolean touches(int offset, int sizeBytes) {
            int data = pciCfgAt + CAP_EXTRA_AT;
            return offset < data + 4 && offset + sizeBytes > data;
        }

        /** Bytes to access, or 0 if the driver programmed nonsense. */
        private int lengthBytes() {
            PciConfigSpace config = function.config();
            int bar = config.read(pciCfgAt + CAP_BAR_AT, 1);
            int offset = config.read(pciCfgAt + CAP_OFFSET_AT, 4);
            int length = config.read(pciCfgAt + CAP_SIZE_AT, 4);
            boolean fits = offset >= 0 && offset <= BAR_BYTES - 4;
            return bar == BAR
                            && fits
                            && (length == 1 || length == 2 || length == 4)
                            && (offset & (length - 1)) == 0
                    ? length
                    : 0;
        }

        @Override
        public void beforeRead(int offset, int sizeBytes) {
            int length = touches(offset, sizeBytes) ? lengthBytes() : 0;
            if (length != 0) {
                int at = function.config().read(pciCfgAt + CAP_OFFSET_AT, 4);
                function.config()
                        .set(pciCfgAt + CAP_EXTRA_AT, length, (int) readMemory(at, length));
            }
        }

        @Override
        public void afterWrite(int offset, int sizeBytes) {
            int length = touches(offset, sizeBytes) ? lengthBytes() : 0;
            if (length != 0) {
                int at = function.config().read(pciCfgAt + CAP_OFFSET_AT, 4);
                int value = function.config().read(pciCfgAt + CAP_EXTRA_AT, length);
                writeMemory(at, length, value & 0xFFFF_FFFFL);
            }
        }
    }

    /** The transport's own state; the function and the endpoint save theirs. */
    public VirtioPciTransportState save() {
        synchronized (isrLock) {
            return new VirtioPciTransportState(configVector, queueVectors.clone(), isr);
        }
    }

    public void restore(VirtioPciTransportState state) {
        synchronized (endpoint) {
            configVector = vector(state.configVector());
            int[] vectors = noVectors();
            for (int i = 0; i < Math.min(vectors.length, state.queueVectors().length); i++) {
                vectors[i] = vector(state.queueVectors()[i]);
            }
            queueVectors = vectors;
        }
        synchronized (isrLock) {
            isr = state.isr() & (ISR_QUEUE | ISR_CONFIG);
        }
    }
}
