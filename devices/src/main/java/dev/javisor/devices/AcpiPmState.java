package dev.javisor.devices;

/**
 * ACPI power management registers, saved.
 *
 * @param timerTicks the PM timer as 64 bits at the moment of saving
 */
public record AcpiPmState(
        int pm1Status,
        int pm1Enable,
        int pm1Control,
        int gpe0Status,
        int gpe0Enable,
        long timerTicks) {
    public AcpiPmState {
        StateCheck.range("pm1Status", pm1Status, 0, 0xFFFF);
        StateCheck.range("pm1Enable", pm1Enable, 0, 0xFFFF);
        StateCheck.range("pm1Control", pm1Control, 0, 0xFFFF);
        StateCheck.range("timerTicks", timerTicks, 0, Long.MAX_VALUE >>> 10);
    }
}
