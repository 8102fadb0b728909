package dev.javisor.devices;

import java.util.List;

/**
 * An I/O APIC, saved.
 *
 * @param lines levels of the pins, bit n is pin n
 * @param redirections one entry a pin, with delivery status and remote IRR
 */
public record IoApicState(int select, int id, int lines, List<Long> redirections) {
    public IoApicState {
        redirections = List.copyOf(redirections);
        StateCheck.byteValue("select", select);
        StateCheck.range("id", id, 0, 0x0F);
        StateCheck.range("lines", lines, 0, (1 << IoApic.PINS) - 1);
        StateCheck.size("redirections", redirections, IoApic.PINS);
    }
}
