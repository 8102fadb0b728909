package dev.javisor.machine;

import dev.javisor.hypervisor.GuestMemory.Region;
import java.util.ArrayList;
import java.util.List;

/**
 * Where everything is in the machine's address spaces: q35-like, so that guests and firmware find
 * what they know. Addresses are guest-physical, sizes are bytes.
 *
 * <pre>
 * 0x00000000  low RAM, up to 0xB0000000
 *   0x0009FC00  reserved up to 1 MiB: EBDA, legacy VGA window, ACPI tables
 *   0x00100000  RAM again
 * 0xB0000000  PCI Express configuration space (ECAM), 256 MiB
 * 0xC0000000  32-bit PCI memory window
 * 0xFEC00000  I/O APIC, 0xFED00000 HPET, 0xFEE00000 local APIC
 * 0x100000000 high RAM, then the 64-bit PCI memory window (a multiple of 32 GiB)
 * </pre>
 */
public final class PlatformLayout {
    private static final long MIB = 1L << 20;
    private static final long GIB = 1L << 30;

    /** First byte that is not conventional memory: the EBDA, then the legacy window. */
    public static final long CONVENTIONAL_MEMORY_END = 0x9_FC00;

    /** Where extended memory starts. Everything between the two is reserved to the guest. */
    public static final long EXTENDED_MEMORY_START = MIB;

    /** ACPI tables; the RSDP is at its start (ACPI 6.5 §5.2.5.1 makes guests scan it). */
    public static final AddressRange ACPI_TABLES = new AddressRange(0xE_0000, 0x2_0000);

    /** RAM below 4 GiB ends here at the latest. */
    public static final long LOW_RAM_LIMIT = 0xB000_0000L;

    /** RAM that does not fit below {@link #LOW_RAM_LIMIT} starts here. */
    public static final long HIGH_RAM_START = 4 * GIB;

    /** PCI Express enhanced configuration access, decoded for buses 0 to 255. */
    public static final AddressRange ECAM = new AddressRange(0xB000_0000L, 256 * MIB);

    /**
     * Last bus that the guest is told of. Linux looks for 32 devices on each, by two port accesses:
     * 16,384 of 20,454 accesses of its boot would be for 256 buses.
     */
    public static final int LAST_PCI_BUS = 15;

    /** BARs below 4 GiB. */
    public static final AddressRange PCI_MEMORY_32 = new AddressRange(0xC000_0000L, 0x3EC0_0000L);

    public static final AddressRange IO_APIC = new AddressRange(0xFEC0_0000L, 0x1000);
    public static final AddressRange HPET = new AddressRange(0xFED0_0000L, 0x400);

    /** The local APIC's default page; it belongs to the vCPU, no device claims it. */
    public static final AddressRange LOCAL_APIC = new AddressRange(0xFEE0_0000L, 0x1000);

    private static final long PCI_MEMORY_64_ALIGNMENT = 32 * GIB;
    private static final long PCI_MEMORY_64_BYTES = 32 * GIB;

    // I/O ports.
    public static final AddressRange PIC_MASTER = new AddressRange(0x20, 2);
    public static final AddressRange PIC_SLAVE = new AddressRange(0xA0, 2);
    public static final AddressRange PIC_ELCR = new AddressRange(0x4D0, 2);
    public static final AddressRange PIT = new AddressRange(0x40, 4);

    /** System control port B: PIT channel 2 gate, speaker. */
    public static final AddressRange SYSTEM_CONTROL_B = new AddressRange(0x61, 1);

    public static final AddressRange I8042_DATA = new AddressRange(0x60, 1);
    public static final AddressRange I8042_COMMAND = new AddressRange(0x64, 1);
    public static final AddressRange RTC = new AddressRange(0x70, 2);

    /** System control port A: fast A20 and reset. */
    public static final AddressRange SYSTEM_CONTROL_A = new AddressRange(0x92, 1);

    public static final AddressRange COM1 = new AddressRange(0x3F8, 8);
    public static final AddressRange DEBUG_EXIT = new AddressRange(0xF4, 4);
    public static final AddressRange DEBUG_CONSOLE = new AddressRange(0xE9, 1);

    /** ACPI PM1a event (4), PM1a control (2), PM timer (4): see the offsets below. */
    public static final AddressRange ACPI_PM = new AddressRange(0x600, 0x10);

    public static final int ACPI_PM1_EVENT = 0x600;
    public static final int ACPI_PM1_CONTROL = 0x604;
    public static final int ACPI_PM_TIMER = 0x608;

    /** ACPI GPE0: 4 status bytes, then 4 enable bytes. */
    public static final AddressRange ACPI_GPE0 = new AddressRange(0x620, 8);

    /** The SLP_TYPa value of S5, soft off. */
    public static final int ACPI_SLEEP_TYPE_S5 = 5;

    /**
     * PCI configuration mechanism 1, address register. One port long although the register has four
     * bytes: an access reaches the claim of its first port, and 0xCF9 is another device's.
     */
    public static final AddressRange PCI_CONFIG_ADDRESS = new AddressRange(0xCF8, 1);

    public static final AddressRange RESET_CONTROL = new AddressRange(0xCF9, 1);
    public static final AddressRange PCI_CONFIG_DATA = new AddressRange(0xCFC, 4);

    /** BARs in the port space. */
    public static final AddressRange PCI_PORTS = new AddressRange(0x1000, 0xF000);

    // Interrupts. An ISA IRQ n is GSI n, except IRQ 0, which is GSI 2.
    public static final int IRQ_PIT = 0;
    public static final int IRQ_KEYBOARD = 1;
    public static final int IRQ_COM1 = 4;
    public static final int IRQ_RTC = 8;

    /** ACPI's SCI: level-triggered, active high. */
    public static final int IRQ_SCI = 9;

    public static final int GSI_PIT = 2;

    /** I/O APIC pins. */
    public static final int GSI_COUNT = 24;

    private static final int GSI_PCI_FIRST = 16;

    private PlatformLayout() {}

    /**
     * The GSI of a PCI device's interrupt pin on bus 0.
     *
     * @param device 0 to 31
     * @param pin 0 for INTA# to 3 for INTD#
     */
    public static int pciGsi(int device, int pin) {
        return GSI_PCI_FIRST + ((device + pin) & 7);
    }

    /** The GSI of an ISA IRQ, 0 to 15. */
    public static int isaGsi(int irq) {
        return irq == IRQ_PIT ? GSI_PIT : irq;
    }

    /** RAM bytes below 4 GiB. */
    public static long lowRamBytes(long ramBytes) {
        return Math.min(ramBytes, LOW_RAM_LIMIT);
    }

    /** RAM bytes from 4 GiB on. */
    public static long highRamBytes(long ramBytes) {
        return ramBytes - lowRamBytes(ramBytes);
    }

    /**
     * Where RAM lies. The backing is contiguous.
     *
     * @param ramBytes a multiple of the page size
     */
    public static List<Region> ramRegions(long ramBytes) {
        List<Region> regions = new ArrayList<>();
        long low = lowRamBytes(ramBytes);
        regions.add(new Region(0, 0, low));
        if (ramBytes > low) {
            regions.add(new Region(HIGH_RAM_START, low, ramBytes - low));
        }
        return List.copyOf(regions);
    }

    /** BARs above 4 GiB, behind high RAM. */
    public static AddressRange pciMemory64(long ramBytes) {
        long ramEnd = HIGH_RAM_START + highRamBytes(ramBytes);
        long start =
                (ramEnd + PCI_MEMORY_64_ALIGNMENT - 1)
                        / PCI_MEMORY_64_ALIGNMENT
                        * PCI_MEMORY_64_ALIGNMENT;
        return new AddressRange(start, PCI_MEMORY_64_BYTES);
    }
}
