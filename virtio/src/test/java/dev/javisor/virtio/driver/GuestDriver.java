package dev.javisor.virtio.driver;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.machine.MachineBus;
import dev.javisor.machine.PciAddress;
import dev.javisor.machine.PlatformLayout;
import java.util.HashMap;
import java.util.Map;

/**
 * The guest's side of virtio over PCI: finds the structures by the capability list, as a kernel
 * does, and sees the device through the machine's bus only.
 */
public final class GuestDriver {
    public static final int ACKNOWLEDGE = 1;
    public static final int DRIVER = 2;
    public static final int DRIVER_OK = 4;
    public static final int FEATURES_OK = 8;

    public final GuestMemory memory;
    public final MachineBus bus;
    private final long config;
    private final Map<Integer, Long> structures = new HashMap<>();
    private final Map<Integer, Integer> structureBytes = new HashMap<>();
    public final Map<Integer, Integer> capabilities = new HashMap<>();
    public int notifyMultiplier;
    private static final long FIRST_FREE = 0x10000;
    private long nextFree = FIRST_FREE;
    public long negotiated;

    public GuestDriver(GuestMemory memory, MachineBus bus, PciAddress at) {
        this.memory = memory;
        this.bus = bus;
        config = PlatformLayout.ECAM.start() + ((long) at.device() << 15);
        writeConfig(4, 2, 6);
        int cap = readConfig(0x34, 1);
        while (cap != 0) {
            if (readConfig(cap, 1) == 9) {
                int type = readConfig(cap + 3, 1);
                int bar = readConfig(cap + 4, 1);
                long base = readConfig(0x10 + 4 * bar, 4) & 0xFFFF_FFF0L;
                structures.put(type, base + (readConfig(cap + 8, 4) & 0xFFFF_FFFFL));
                structureBytes.put(type, readConfig(cap + 12, 4));
                capabilities.put(type, cap);
                if (type == 2) {
                    notifyMultiplier = readConfig(cap + 16, 4);
                }
            } else {
                capabilities.put(0x100 | readConfig(cap, 1), cap);
            }
            cap = readConfig(cap + 1, 1);
        }
    }

    public int readConfig(int register, int sizeBytes) {
        return (int) bus.readMemory(config + register, sizeBytes);
    }

    public void writeConfig(int register, int sizeBytes, int value) {
        bus.writeMemory(config + register, sizeBytes, value & 0xFFFF_FFFFL);
    }

    public boolean hasStructure(int type) {
        return structures.containsKey(type);
    }

    public long structure(int type) {
        return structures.getOrDefault(type, -1L);
    }

    public int structureBytes(int type) {
        return structureBytes.getOrDefault(type, -1);
    }

    public int common(int register, int sizeBytes) {
        return (int) bus.readMemory(structure(1) + register, sizeBytes);
    }

    public void setCommon(int register, int sizeBytes, long value) {
        bus.writeMemory(structure(1) + register, sizeBytes, value);
    }

    public int device(int register, int sizeBytes) {
        return (int) bus.readMemory(structure(4) + register, sizeBytes);
    }

    public void setDevice(int register, int sizeBytes, int value) {
        bus.writeMemory(structure(4) + register, sizeBytes, value & 0xFFFF_FFFFL);
    }

    public int isr() {
        return (int) bus.readMemory(structure(3), 1);
    }

    public int status() {
        return common(0x14, 1);
    }

    public void addStatus(int bit) {
        setCommon(0x14, 1, status() | bit);
    }

    public long offered() {
        setCommon(0, 4, 0);
        long low = common(4, 4) & 0xFFFF_FFFFL;
        setCommon(0, 4, 1);
        return low | (long) common(4, 4) << 32;
    }

    public void setFeatures(long features) {
        setCommon(8, 4, 0);
        setCommon(12, 4, features & 0xFFFF_FFFFL);
        setCommon(8, 4, 1);
        setCommon(12, 4, features >>> 32);
    }

    /** Up to FEATURES_OK (VIRTIO 1.2 §3.1.1, steps 1 to 6). */
    public boolean negotiate(long wanted) {
        setCommon(0x14, 1, 0);
        addStatus(ACKNOWLEDGE);
        addStatus(DRIVER);
        negotiated = offered() & wanted;
        setFeatures(negotiated);
        addStatus(FEATURES_OK);
        return (status() & FEATURES_OK) != 0;
    }

    /** Everything that the device offers. */
    public boolean negotiateAll() {
        return negotiate(-1);
    }

    /** Frees everything that was allocated, for tests of many rounds. */
    public void rewind() {
        long bytes = nextFree - FIRST_FREE;
        memory.write(FIRST_FREE, new byte[(int) bytes]);
        nextFree = FIRST_FREE;
    }

    public long allocate(int sizeBytes, int alignment) {
        long at = (nextFree + alignment - 1) & -alignment;
        nextFree = at + sizeBytes;
        return at;
    }

    public DriverQueue setUpQueue(int index, int size) {
        DriverQueue queue = new DriverQueue(this, index, size);
        setCommon(0x16, 2, index);
        setCommon(0x18, 2, size);
        setCommon(0x20, 4, queue.descriptors & 0xFFFF_FFFFL);
        setCommon(0x24, 4, queue.descriptors >>> 32);
        setCommon(0x28, 4, queue.available & 0xFFFF_FFFFL);
        setCommon(0x2C, 4, queue.available >>> 32);
        setCommon(0x30, 4, queue.used & 0xFFFF_FFFFL);
        setCommon(0x34, 4, queue.used >>> 32);
        int off = common(0x1E, 2);
        queue.doorbell = structure(2) + (long) off * notifyMultiplier;
        setCommon(0x1C, 2, 1);
        return queue;
    }

    public void driverOk() {
        addStatus(DRIVER_OK);
    }
}
