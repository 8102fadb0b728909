package dev.javisor.machine;

import dev.javisor.hypervisor.VcpuBus;
import java.util.Arrays;
import java.util.concurrent.atomic.LongAdder;

/**
 * The port and memory spaces of one machine: who claims which addresses. Look-up is a binary search
 * in an immutable snapshot, so vCPUs read without a lock while a BAR moves.
 */
public final class MachineBus implements VcpuBus {
    /** The 8259 pair, as the bus needs it. */
    public interface InterruptAcknowledge {
        /** See {@link VcpuBus#acknowledgeExternalInterrupt()}. */
        int acknowledge();
    }

    /** The I/O APIC, as the bus needs it. */
    public interface EndOfInterrupt {
        /** See {@link VcpuBus#endOfInterrupt(int)}. */
        void endOfInterrupt(int vector);
    }

    private record Map(long[] starts, long[] ends, Object[] devices) {
        static final Map EMPTY = new Map(new long[0], new long[0], new Object[0]);

        /** Index of the claim that holds {@code address}, or -1. */
        int find(long address) {
            int low = 0;
            int high = starts.length - 1;
            while (low <= high) {
                int mid = (low + high) >>> 1;
                if (address < starts[mid]) {
                    high = mid - 1;
                } else if (address >= ends[mid]) {
                    low = mid + 1;
                } else {
                    return mid;
                }
            }
            return -1;
        }

        boolean isFree(AddressRange range) {
            for (int i = 0; i < starts.length; i++) {
                if (starts[i] < range.end() && range.start() < ends[i]) {
                    return false;
                }
            }
            return true;
        }

        Map with(AddressRange range, Object device) {
            if (!isFree(range)) {
                throw new IllegalArgumentException(
                        "range %#x +%#x of %s is taken"
                                .formatted(range.start(), range.sizeBytes(), device));
            }
            int n = starts.length;
            int at = 0;
            while (at < n && starts[at] < range.start()) {
                at++;
            }
            long[] s = new long[n + 1];
            long[] e = new long[n + 1];
            Object[] d = new Object[n + 1];
            System.arraycopy(starts, 0, s, 0, at);
            System.arraycopy(ends, 0, e, 0, at);
            System.arraycopy(devices, 0, d, 0, at);
            s[at] = range.start();
            e[at] = range.end();
            d[at] = device;
            System.arraycopy(starts, at, s, at + 1, n - at);
            System.arraycopy(ends, at, e, at + 1, n - at);
            System.arraycopy(devices, at, d, at + 1, n - at);
            return new Map(s, e, d);
        }

        Map without(long start) {
            int at = Arrays.binarySearch(starts, start);
            if (at < 0) {
                return this;
            }
            int n = starts.length;
            long[] s = new long[n - 1];
            long[] e = new long[n - 1];
            Object[] d = new Object[n - 1];
            System.arraycopy(starts, 0, s, 0, at);
            System.arraycopy(ends, 0, e, 0, at);
            System.arraycopy(devices, 0, d, 0, at);
            System.arraycopy(starts, at + 1, s, at, n - 1 - at);
            System.arraycopy(ends, at + 1, e, at, n - 1 - at);
            System.arraycopy(devices, at + 1, d, at, n - 1 - at);
            return new Map(s, e, d);
        }
    }

    /** Replaced as a whole under {@code this}; volatile so that vCPUs see a moved BAR. */
    private volatile Map ports = Map.EMPTY;

    private volatile Map memory = Map.EMPTY;
    private volatile InterruptAcknowledge pic = () -> -1;
    private volatile EndOfInterrupt ioApic = vector -> {};
    private final LongAdder unclaimed = new LongAdder();

    /** A bus without claims. */
    public MachineBus() {}

    /**
     * @throws IllegalArgumentException if part of the range is taken
     */
    public synchronized void claimPorts(AddressRange range, PortDevice device) {
        ports = ports.with(range, device);
    }

    /** Claims if the whole range is free; for ranges that the guest chooses. */
    public synchronized boolean tryClaimPorts(AddressRange range, PortDevice device) {
        if (!ports.isFree(range)) {
            return false;
        }
        ports = ports.with(range, device);
        return true;
    }

    public synchronized void releasePorts(AddressRange range) {
        ports = ports.without(range.start());
    }

    /**
     * @throws IllegalArgumentException if part of the range is taken
     */
    public synchronized void claimMemory(AddressRange range, MmioDevice device) {
        memory = memory.with(range, device);
    }

    /** Claims if the whole range is free; for ranges that the guest chooses. */
    public synchronized boolean tryClaimMemory(AddressRange range, MmioDevice device) {
        if (!memory.isFree(range)) {
            return false;
        }
        memory = memory.with(range, device);
        return true;
    }

    public synchronized void releaseMemory(AddressRange range) {
        memory = memory.without(range.start());
    }

    /** Whether a range is free of claims. */
    public boolean isMemoryFree(AddressRange range) {
        return memory.isFree(range);
    }

    public void connectPic(InterruptAcknowledge pair) {
        pic = pair;
    }

    public void connectIoApic(EndOfInterrupt target) {
        ioApic = target;
    }

    /** Accesses so far that nobody claimed. */
    public long unclaimedAccesses() {
        return unclaimed.sum();
    }

    @Override
    public int readPort(int port, int sizeBytes) {
        Map map = ports;
        int at = map.find(port);
        if (at < 0) {
            unclaimed.increment();
            return -1 >>> (32 - 8 * sizeBytes);
        }
        return ((PortDevice) map.devices[at]).readPort(port, sizeBytes)
                & (-1 >>> (32 - 8 * sizeBytes));
    }

    @Override
    public void writePort(int port, int sizeBytes, int value) {
        Map map = ports;
        int at = map.find(port);
        if (at < 0) {
            unclaimed.increment();
            return;
        }
        ((PortDevice) map.devices[at]).writePort(port, sizeBytes, value);
    }

    @Override
    public long readMemory(long address, int sizeBytes) {
        Map map = memory;
        int at = map.find(address);
        if (at < 0) {
            unclaimed.increment();
            return -1L >>> (64 - 8 * sizeBytes);
        }
        return ((MmioDevice) map.devices[at]).readMemory(address - map.starts[at], sizeBytes)
                & (-1L >>> (64 - 8 * sizeBytes));
    }

    @Override
    public void writeMemory(long address, int sizeBytes, long value) {
        Map map = memory;
        int at = map.find(address);
        if (at < 0) {
            unclaimed.increment();
            return;
        }
        ((MmioDevice) map.devices[at]).writeMemory(address - map.starts[at], sizeBytes, value);
    }

    @Override
    public int acknowledgeExternalInterrupt() {
        return pic.acknowledge();
    }

    @Override
    public void endOfInterrupt(int vector) {
        ioApic.endOfInterrupt(vector);
    }
}
