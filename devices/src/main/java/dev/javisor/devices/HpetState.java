package dev.javisor.devices;

import java.util.List;

/**
 * An HPET, saved.
 *
 * @param configuration general configuration: bit 0 counting, bit 1 legacy replacement
 * @param status general interrupt status
 * @param counter the main counter at the moment of saving
 */
public record HpetState(int configuration, int status, long counter, List<Timer> timers) {
    public HpetState {
        timers = List.copyOf(timers);
        StateCheck.range("configuration", configuration, 0, 3);
        StateCheck.range("status", status, 0, (1 << Hpet.TIMERS) - 1);
        StateCheck.size("timers", timers, Hpet.TIMERS);
    }

    /**
     * One timer.
     *
     * @param configuration bits 0 to 31 of the configuration register
     * @param fsbRoute message address (high half) and data (low half)
     */
    public record Timer(int configuration, long comparator, long period, long fsbRoute) {}
}
