package dev.javisor.machine;

/**
 * What the ACPI tables describe besides {@link PlatformLayout}.
 *
 * @param cpus processors, whose APIC ids are 0 to {@code cpus - 1}
 * @param ramBytes decides where the 64-bit PCI window lies
 * @param hpet whether there is an HPET
 * @param keyboardController whether there is an i8042
 */
public record AcpiConfig(int cpus, long ramBytes, boolean hpet, boolean keyboardController) {
    /** More processors than this would not fit the tables' place. */
    public static final int MAX_CPUS = 1024;

    public AcpiConfig {
        if (cpus < 1 || cpus > MAX_CPUS) {
            throw new IllegalArgumentException("cpus out of range 1.." + MAX_CPUS + ": " + cpus);
        }
    }
}
