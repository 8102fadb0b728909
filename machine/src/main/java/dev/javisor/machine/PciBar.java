package dev.javisor.machine;

import org.jspecify.annotations.Nullable;

/** One base address register and where it is mapped now. Guarded by the bus's lock. */
final class PciBar {
    private final PciConfigSpace config;
    private final int index;
    private final PciBarKind kind;
    private final long sizeBytes;
    private final MmioDevice device;
    private final PciFunction.@Nullable BarListener listener;

    /** Null while not mapped. */
    private @Nullable AddressRange mapped;

    PciBar(
            PciConfigSpace config,
            int index,
            PciBarKind kind,
            long sizeBytes,
            MmioDevice device,
            PciFunction.@Nullable BarListener listener) {
        long smallest = kind == PciBarKind.IO ? 4 : 16;
        long largest =
                switch (kind) {
                    case IO -> 1L << 8;
                    case MEMORY_32 -> 1L << 31;
                    case MEMORY_64 -> 1L << 46;
                };
        if (Long.bitCount(sizeBytes) != 1 || sizeBytes < smallest || sizeBytes > largest) {
            throw new IllegalArgumentException("bad BAR size %#x".formatted(sizeBytes));
        }
        this.config = config;
        this.index = index;
        this.kind = kind;
        this.sizeBytes = sizeBytes;
        this.device = device;
        this.listener = listener;
        // The bits below the size are hard-wired, which is also how the guest learns the size.
        long mask = -sizeBytes;
        config.set(offset(), 4, kind.bits());
        config.setWritable(offset(), 4, (int) mask);
        if (kind == PciBarKind.MEMORY_64) {
            config.setWritable(offset() + 4, 4, (int) (mask >>> 32));
        }
    }

    private int offset() {
        return PciLayout.BAR_0 + 4 * index;
    }

    int index() {
        return index;
    }

    int lastIndex() {
        return kind == PciBarKind.MEMORY_64 ? index + 1 : index;
    }

    PciBarKind kind() {
        return kind;
    }

    long sizeBytes() {
        return sizeBytes;
    }

    MmioDevice device() {
        return device;
    }

    /** The programmed address. */
    long address() {
        long low = config.read(offset(), 4) & -sizeBytes & 0xFFFF_FFFFL;
        return kind == PciBarKind.MEMORY_64 ? low | (long) config.read(offset() + 4, 4) << 32 : low;
    }

    /** Programs the address, as firmware does. */
    void assign(long address) {
        config.set(offset(), 4, (int) address | kind.bits());
        if (kind == PciBarKind.MEMORY_64) {
            config.set(offset() + 4, 4, (int) (address >>> 32));
        }
    }

    /**
     * Moves to the programmed place. Stays unmapped while the place is taken or cannot be.
     *
     * @return whether it left a place or wants one that is taken
     */
    boolean remap(MachineBus bus, int command) {
        AddressRange wanted = wanted(command);
        AddressRange old = mapped;
        if (wanted == null ? old == null : wanted.equals(old)) {
            return false;
        }
        if (old != null) {
            mapped = null;
            if (kind == PciBarKind.IO) {
                bus.releasePorts(old);
            } else {
                bus.releaseMemory(old);
            }
        }
        if (wanted != null
                && (kind == PciBarKind.IO
                        ? bus.tryClaimPorts(wanted, new Ports(wanted.start(), device))
                        : bus.tryClaimMemory(wanted, device))) {
            mapped = wanted;
        }
        AddressRange now = mapped;
        if (listener != null && (old != null || now != null)) {
            listener.moved(index, now == null ? -1 : now.start());
        }
        return old != null;
    }

    /** Null if not decoding, or at an address that no access can reach. Zero means unassigned. */
    private @Nullable AddressRange wanted(int command) {
        int enable = kind == PciBarKind.IO ? PciLayout.COMMAND_IO : PciLayout.COMMAND_MEMORY;
        if ((command & enable) == 0) {
            return null;
        }
        long address = address();
        long limit =
                switch (kind) {
                    case IO -> 1L << 16;
                    case MEMORY_32 -> 1L << 32;
                    case MEMORY_64 -> 1L << 52;
                };
        return address <= 0 || address > limit - sizeBytes
                ? null
                : new AddressRange(address, sizeBytes);
    }

    /** Ports as offsets. */
    private record Ports(long base, MmioDevice device) implements PortDevice {
        @Override
        public int readPort(int port, int sizeBytes) {
            return (int) device.readMemory(port - base, sizeBytes);
        }

        @Override
        public void writePort(int port, int sizeBytes, int value) {
            device.writeMemory(port - base, sizeBytes, value & 0xFFFF_FFFFL);
        }
    }
}
