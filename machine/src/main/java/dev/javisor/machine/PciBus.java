package dev.javisor.machine;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * PCI bus 0: its functions, configuration access through ports 0xCF8/0xCFC (PCI 3.0 §3.2.2.3.2) and
 * through ECAM (PCI Express Base 3.0 §7.2.2), and the wiring of INTx. Guards itself: one lock for
 * all configuration accesses, taken before a device's own.
 */
public final class PciBus implements PortDevice {
    /** Slots of a bus. */
    public static final int SLOTS = 32;

    /** Interrupt lines behind the bus. */
    public static final int PIRQS = 8;

    /** First slot handed out by {@link #attach(PciDevice)}. */
    private static final int FIRST_FREE_SLOT = 1;

    private static final int CONFIG_ADDRESS = (int) PlatformLayout.PCI_CONFIG_ADDRESS.start();
    private static final int ADDRESS_ENABLE = 1 << 31;

    /** Enable, bus, device, function, dword. */
    private static final int ADDRESS_WRITABLE = 0x80FF_FFFC;

    private final MachineBus bus;
    private final WiredOr[] pirqs = new WiredOr[PIRQS];
    private final @Nullable PciDevice[] devices = new PciDevice[SLOTS * 8];
    private int address;

    /**
     * @param lines the {@link #PIRQS} level-triggered interrupt lines from {@link
     *     PlatformLayout#pciGsi} of slot 0, INTA# upwards
     */
    public PciBus(MachineBus bus, List<InterruptLine> lines) {
        if (lines.size() != PIRQS) {
            throw new IllegalArgumentException("need 8 lines, not " + lines.size());
        }
        this.bus = bus;
        for (int i = 0; i < PIRQS; i++) {
            pirqs[i] = new WiredOr(lines.get(i));
        }
        // A dword access at 0xCF8 is ours; the byte at 0xCF9 is the chipset's reset control.
        bus.claimPorts(PlatformLayout.PCI_CONFIG_ADDRESS, this);
        bus.claimPorts(PlatformLayout.PCI_CONFIG_DATA, this);
        bus.claimMemory(PlatformLayout.ECAM, new Ecam());
    }

    /** The line of {@link PlatformLayout#pciGsi}. */
    private WiredOr pirq(int slot, int pin) {
        return pirqs[PlatformLayout.pciGsi(slot, pin) - PlatformLayout.pciGsi(0, 0)];
    }

    /** Puts a device into the first free slot. */
    public synchronized PciAddress attach(PciDevice device) {
        for (int slot = FIRST_FREE_SLOT; slot < SLOTS; slot++) {
            if (devices[slot * 8] == null) {
                return attach(device, new PciAddress(0, slot, 0));
            }
        }
        throw new IllegalStateException("all PCI slots are taken");
    }

    /** Puts a device where it is wanted. */
    public synchronized PciAddress attach(PciDevice device, PciAddress at) {
        int index = at.device() * 8 + at.function();
        if (at.bus() != 0 || devices[index] != null) {
            throw new IllegalArgumentException("PCI address " + at + " is taken or not here");
        }
        PciFunction function = device.function();
        if (at.function() != 0) {
            PciDevice first = devices[at.device() * 8];
            if (first == null) {
                throw new IllegalArgumentException("function 0 of " + at + " comes first");
            }
            first.function().config().set(PciLayout.HEADER_TYPE, 1, 0x80);
        }
        devices[index] = device;
        if (function.usesInterruptPin()) {
            int pin = function.config().read(PciLayout.INTERRUPT_PIN, 1) - 1;
            function.config()
                    .set(PciLayout.INTERRUPT_LINE, 1, PlatformLayout.pciGsi(at.device(), pin));
            function.attached(pirq(at.device(), pin).input());
        } else {
            function.attached(InterruptLine.NONE);
        }
        return at;
    }

    /** Gives every BAR an address and turns decoding on, so that a kernel finds them programmed. */
    public synchronized void assignBars(PciAllocator allocator) {
        record Want(PciFunction function, PciBar bar) {}
        List<Want> wants = new ArrayList<>();
        for (PciDevice device : devices) {
            if (device != null) {
                for (PciBar bar : device.function().bars()) {
                    wants.add(new Want(device.function(), bar));
                }
            }
        }
        // Largest first leaves no gaps; the sort is stable, so addresses follow the slots.
        wants.sort(Comparator.comparingLong((Want want) -> want.bar.sizeBytes()).reversed());
        for (Want want : wants) {
            want.bar.assign(allocator.allocate(want.bar.kind(), want.bar.sizeBytes()));
        }
        for (Want want : wants) {
            want.function.assigned(bus);
        }
    }

    /** The machine resets: every function and device to its state after {@link #assignBars}. */
    public synchronized void reset() {
        address = 0;
        for (PciDevice device : devices) {
            if (device != null) {
                device.reset();
                device.function().reset(bus);
            }
        }
        settle();
    }

    /** After some BAR moved: maps those whose place was taken. */
    private void settle() {
        for (PciDevice device : devices) {
            if (device != null) {
                device.function().remap(bus);
            }
        }
    }

    private @Nullable PciFunction function(int busNumber, int deviceAndFunction) {
        PciDevice device = busNumber == 0 ? devices[deviceAndFunction] : null;
        return device == null ? null : device.function();
    }

    /** All ones where there is no function, as a master abort gives (PCI 3.0 §6.1). */
    private synchronized int readConfig(int busNumber, int devfn, int register, int sizeBytes) {
        PciFunction function = function(busNumber, devfn);
        return function == null ? -1 : function.readConfig(register, sizeBytes);
    }

    private synchronized void writeConfig(
            int busNumber, int devfn, int register, int sizeBytes, int value) {
        PciFunction function = function(busNumber, devfn);
        if (function != null && function.writeConfig(bus, register, sizeBytes, value)) {
            settle();
        }
    }

    @Override
    public int readPort(int port, int sizeBytes) {
        int latched;
        synchronized (this) {
            latched = address;
        }
        if (port == CONFIG_ADDRESS) {
            return sizeBytes == 4 ? latched : -1;
        }
        if ((latched & ADDRESS_ENABLE) == 0 || (port & 3) + sizeBytes > 4) {
            return -1;
        }
        return readConfig(
                latched >>> 16 & 0xFF,
                latched >>> 8 & 0xFF,
                (latched & 0xFC) + (port & 3),
                sizeBytes);
    }

    @Override
    public void writePort(int port, int sizeBytes, int value) {
        int latched;
        synchronized (this) {
            if (port == CONFIG_ADDRESS) {
                // Only a dword write reaches the address register.
                if (sizeBytes == 4) {
                    address = value & ADDRESS_WRITABLE;
                }
                return;
            }
            latched = address;
        }
        if ((latched & ADDRESS_ENABLE) != 0 && (port & 3) + sizeBytes <= 4) {
            writeConfig(
                    latched >>> 16 & 0xFF,
                    latched >>> 8 & 0xFF,
                    (latched & 0xFC) + (port & 3),
                    sizeBytes,
                    value);
        }
    }

    /** The address latched in port 0xCF8, for a saved state. */
    public synchronized int saveAddress() {
        return address;
    }

    public synchronized void restoreAddress(int saved) {
        address = saved & ADDRESS_WRITABLE;
    }

    /** Saves one function. */
    public synchronized PciFunctionState save(PciDevice device) {
        return device.function().save();
    }

    /** Restores one function and maps its BARs as they were. */
    public synchronized void restore(PciDevice device, PciFunctionState state) {
        device.function().restore(bus, state);
        settle();
    }

    private final class Ecam implements MmioDevice {
        @Override
        public long readMemory(long offset, int sizeBytes) {
            if (sizeBytes == 8) {
                return readMemory(offset, 4) & 0xFFFF_FFFFL | readMemory(offset + 4, 4) << 32;
            }
            return readConfig(
                            (int) (offset >>> 20),
                            (int) (offset >>> 12) & 0xFF,
                            (int) offset & 0xFFF,
                            sizeBytes)
                    & 0xFFFF_FFFFL;
        }

        @Override
        public void writeMemory(long offset, int sizeBytes, long value) {
            if (sizeBytes == 8) {
                writeMemory(offset, 4, value);
                writeMemory(offset + 4, 4, value >>> 32);
                return;
            }
            writeConfig(
                    (int) (offset >>> 20),
                    (int) (offset >>> 12) & 0xFF,
                    (int) offset & 0xFFF,
                    sizeBytes,
                    (int) value);
        }
    }

    /** Several pins on one line: asserted while any is. */
    private static final class WiredOr {
        private final InterruptLine line;
        private int asserted;

        WiredOr(InterruptLine line) {
            this.line = line;
        }

        InterruptLine input() {
            return new InterruptLine() {
                private boolean level;

                @Override
                public void set(boolean to) {
                    synchronized (WiredOr.this) {
                        if (level != to) {
                            level = to;
                            asserted += to ? 1 : -1;
                            // Under the lock, so that the line sees changes in their order.
                            line.set(asserted != 0);
                        }
                    }
                }
            };
        }
    }
}
