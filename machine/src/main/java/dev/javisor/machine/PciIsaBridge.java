package dev.javisor.machine;

/**
 * The ISA bridge at 00:1f.0: identifies as the ICH9's LPC interface (document 316972, §13.1),
 * behind which software expects the legacy devices.
 */
public final class PciIsaBridge implements PciDevice {
    /** Its place. */
    public static final PciAddress ADDRESS = new PciAddress(0, 0x1F, 0);

    private static final int PMBASE = 0x40;
    private static final int PMBASE_IO = 1;
    private static final int ACPI_CNTL = 0x44;
    private static final int ACPI_CNTL_ENABLE = 0x80;

    /** PMBASE decodes 128 ports. */
    private static final int PM_PORTS = 128;

    private final PciFunction function =
            new PciFunction(new PciIdentity(0x8086, 0x2918, 0x060100, 2, 0, 0));

    /**
     * @param pmBase first of the 128 ports of power management, which the FADT names too; 0 if the
     *     machine has none
     */
    public PciIsaBridge(int pmBase) {
        if ((pmBase & ~0xFFFF) != 0 || pmBase % PM_PORTS != 0) {
            throw new IllegalArgumentException("bad PMBASE %#x".formatted(pmBase));
        }
        if (pmBase != 0) {
            // DEVIATION: read-only. The ports do not move; the chipset lets firmware place them.
            function.config().set(PMBASE, 4, pmBase | PMBASE_IO);
            function.config().set(ACPI_CNTL, 1, ACPI_CNTL_ENABLE);
        }
    }

    @Override
    public PciFunction function() {
        return function;
    }

    @Override
    public void reset() {}
}
