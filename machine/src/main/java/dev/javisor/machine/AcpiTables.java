package dev.javisor.machine;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.machine.AcpiTable.Space;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The machine's ACPI tables (ACPI 6.5 §5.2), placed in {@link PlatformLayout#ACPI_TABLES}. The
 * machine is in ACPI mode from the start: there is no SMI command port.
 */
public final class AcpiTables {
    /** What a guest writes to {@link PlatformLayout#RESET_CONTROL} to reset. */
    private static final int FULL_RESET = 0x06;

    private static final int RSDP_BYTES = 36;
    private static final int FACS_BYTES = 64;

    /** Processors beyond this id need an x2APIC entry (§5.2.12.12). */
    private static final int LAST_XAPIC_ID = 254;

    private final Map<String, byte[]> tables = new LinkedHashMap<>();
    private final Map<Long, byte[]> placed = new TreeMap<>();
    private final long rsdpAddress;
    private long next;

    private AcpiTables(AcpiConfig config) {
        rsdpAddress = PlatformLayout.ACPI_TABLES.start();
        next = rsdpAddress + RSDP_BYTES;
        long facs = place("FACS", 64, facs());
        AcpiTable dsdt = new AcpiTable("DSDT", 2).raw(AcpiDsdt.definition(config));
        long dsdtAddress = place("DSDT", 16, dsdt.finish());
        long fadt = place("FACP", 16, fadt(config, facs, dsdtAddress));
        long madt = place("APIC", 16, madt(config));
        long mcfg = place("MCFG", 16, mcfg());
        AcpiTable xsdt = new AcpiTable("XSDT", 1).word64(fadt).word64(madt).word64(mcfg);
        if (config.hpet()) {
            xsdt.word64(place("HPET", 16, hpet()));
        }
        long xsdtAddress = place("XSDT", 16, xsdt.finish());
        byte[] rsdp = rsdp(xsdtAddress);
        tables.put("RSDP", rsdp);
        placed.put(rsdpAddress, rsdp);
        if (next > PlatformLayout.ACPI_TABLES.end()) {
            throw new IllegalStateException(
                    "ACPI tables take %d bytes".formatted(next - rsdpAddress));
        }
    }

    /** Makes and places the tables. */
    public static AcpiTables build(AcpiConfig config) {
        return new AcpiTables(config);
    }

    /** Guest-physical address of the RSDP. */
    public long rsdpAddress() {
        return rsdpAddress;
    }

    /** What the tables take, to be reserved in the guest's memory map. */
    public AddressRange range() {
        return new AddressRange(rsdpAddress, next - rsdpAddress);
    }

    /** Signatures of the tables; the FADT's is {@code FACP}, the MADT's {@code APIC}. */
    public List<String> signatures() {
        return List.copyOf(tables.keySet());
    }

    /**
     * One table's bytes; the caller's own copy.
     *
     * @throws IllegalArgumentException if there is none of that signature
     */
    public byte[] table(String signature) {
        byte[] bytes = tables.get(signature);
        if (bytes == null) {
            throw new IllegalArgumentException("no table " + signature);
        }
        return bytes.clone();
    }

    /** Writes all tables to their places. */
    public void writeTo(GuestMemory memory) {
        placed.forEach(memory::write);
    }

    private long place(String signature, int alignment, byte[] bytes) {
        long address = Math.ceilDiv(next, (long) alignment) * alignment;
        next = address + bytes.length;
        tables.put(signature, bytes);
        placed.put(address, bytes);
        return address;
    }

    /** §5.2.5.3, revision 2. */
    private static byte[] rsdp(long xsdt) {
        byte[] bytes = new byte[RSDP_BYTES];
        byte[] signature = "RSD PTR ".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(signature, 0, bytes, 0, 8);
        byte[] oem = AcpiTable.oemId().getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(oem, 0, bytes, 9, 6);
        bytes[15] = 2;
        System.arraycopy(Aml.littleEndian(RSDP_BYTES, 4), 0, bytes, 20, 4);
        System.arraycopy(Aml.littleEndian(xsdt, 8), 0, bytes, 24, 8);
        bytes[8] = AcpiTable.checksum(bytes, 20);
        bytes[32] = AcpiTable.checksum(bytes, RSDP_BYTES);
        return bytes;
    }

    /** §5.2.10: no header checksum, version 2. */
    private static byte[] facs() {
        byte[] bytes = new byte[FACS_BYTES];
        System.arraycopy("FACS".getBytes(StandardCharsets.US_ASCII), 0, bytes, 0, 4);
        bytes[4] = FACS_BYTES;
        bytes[32] = 2;
        return bytes;
    }

    /** §5.2.9, revision 6. */
    private static byte[] fadt(AcpiConfig config, long facs, long dsdt) {
        int gpe0Bytes = (int) PlatformLayout.ACPI_GPE0.sizeBytes();
        long gpe0 = PlatformLayout.ACPI_GPE0.start();
        // IAPC_BOOT_ARCH: legacy devices, 8042, no VGA.
        int bootArchitecture = 0x01 | (config.keyboardController() ? 0x02 : 0) | 0x04;
        // WBINVD, C1 on all processors, no fixed sleep button, no fixed RTC wake, 32-bit PM timer,
        // reset register. Bit 4 clear: the power button is a fixed feature.
        int flags = 1 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 10;
        AcpiTable table = new AcpiTable("FACP", 6);
        table.word32(facs).word32(dsdt);
        table.byte8(0).byte8(0);
        table.word16(PlatformLayout.IRQ_SCI);
        table.word32(0).zeros(4);
        table.word32(PlatformLayout.ACPI_PM1_EVENT).word32(0);
        table.word32(PlatformLayout.ACPI_PM1_CONTROL).word32(0);
        table.word32(0);
        table.word32(PlatformLayout.ACPI_PM_TIMER);
        table.word32(gpe0).word32(0);
        table.byte8(4).byte8(2).byte8(0).byte8(4).byte8(gpe0Bytes).byte8(0).byte8(0).byte8(0);
        // C2 and C3 latencies that say "not supported"; no flush, no throttling.
        table.word16(0xFFF).word16(0xFFF).zeros(4).zeros(2);
        // No day or month alarm; the century is in CMOS byte 0x32.
        table.byte8(0).byte8(0).byte8(0x32);
        table.word16(bootArchitecture).byte8(0).word32(flags);
        table.address(Space.PORTS, 8, 1, PlatformLayout.RESET_CONTROL.start());
        table.byte8(FULL_RESET).word16(0).byte8(5);
        // The 32-bit FACS address is used, so the 64-bit one must be zero.
        table.word64(0).word64(dsdt);
        table.address(Space.PORTS, 32, 2, PlatformLayout.ACPI_PM1_EVENT).zeros(12);
        table.address(Space.PORTS, 16, 2, PlatformLayout.ACPI_PM1_CONTROL).zeros(12);
        table.zeros(12);
        table.address(Space.PORTS, 32, 4, PlatformLayout.ACPI_PM_TIMER);
        table.address(Space.PORTS, gpe0Bytes * 8, 1, gpe0).zeros(12);
        // Sleep control and status registers are for hardware-reduced machines.
        table.zeros(24);
        table.ascii("JAVISOR\0");
        return table.finish();
    }

    /** §5.2.12. */
    private static byte[] madt(AcpiConfig config) {
        AcpiTable table = new AcpiTable("APIC", 5);
        // PCAT_COMPAT: there are 8259s too.
        table.word32(PlatformLayout.LOCAL_APIC.start()).word32(1);
        for (int cpu = 0; cpu < config.cpus(); cpu++) {
            if (cpu <= LAST_XAPIC_ID) {
                table.byte8(0).byte8(8).byte8(cpu).byte8(cpu).word32(1);
            } else {
                table.byte8(9).byte8(16).word16(0).word32(cpu).word32(1).word32(cpu);
            }
        }
        table.byte8(1).byte8(12).byte8(0).byte8(0);
        table.word32(PlatformLayout.IO_APIC.start()).word32(0);
        // Source overrides; flags 0 conform to the bus, 0x0D is active high and level.
        table.byte8(2).byte8(10).byte8(0).byte8(PlatformLayout.IRQ_PIT);
        table.word32(PlatformLayout.GSI_PIT).word16(0);
        table.byte8(2).byte8(10).byte8(0).byte8(PlatformLayout.IRQ_SCI);
        table.word32(PlatformLayout.IRQ_SCI).word16(0x0D);
        // NMI is LINT1 of all processors.
        table.byte8(4).byte8(6).byte8(0xFF).word16(0).byte8(1);
        if (config.cpus() - 1 > LAST_XAPIC_ID) {
            table.byte8(10).byte8(12).word16(0).word32(0xFFFF_FFFFL).byte8(1).zeros(3);
        }
        return table.finish();
    }

    /** PCI Firmware 3.3 §4.1.2. */
    private static byte[] mcfg() {
        AddressRange ecam = PlatformLayout.ECAM;
        AcpiTable table = new AcpiTable("MCFG", 1).zeros(8);
        table.word64(ecam.start()).word16(0).byte8(0).byte8(PlatformLayout.LAST_PCI_BUS);
        return table.zeros(4).finish();
    }

    /** IA-PC HPET 1.0a §3.2.4: 3 comparators, 64 bits, legacy replacement. */
    private static byte[] hpet() {
        AcpiTable table = new AcpiTable("HPET", 1).word32(0x8086_A201L);
        table.address(Space.MEMORY, 64, 0, PlatformLayout.HPET.start());
        // Number 0; at least 1000 ticks of 10 ns between interrupts; no page protection.
        return table.byte8(0).word16(1000).byte8(0).finish();
    }
}
