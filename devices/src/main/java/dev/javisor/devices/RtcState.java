package dev.javisor.devices;

import java.util.List;

/**
 * A real time clock, saved.
 *
 * @param index the register that port 0x71 shows
 * @param registers all 128 bytes; those of the time count only while the clock is stopped
 * @param seconds the civil time it shows, in seconds since 1970
 * @param phaseNanos nanoseconds of the running second
 * @param weekdayShift days by which the guest set the weekday off from the date's
 */
public record RtcState(
        int index,
        boolean nmiMasked,
        List<Integer> registers,
        long seconds,
        long phaseNanos,
        int weekdayShift) {
    public RtcState {
        registers = List.copyOf(registers);
        StateCheck.range("index", index, 0, 127);
        StateCheck.size("registers", registers, 128);
        for (int value : registers) {
            StateCheck.byteValue("register", value);
        }
        // About 30000 years either way: more than the registers can say.
        StateCheck.range("seconds", seconds, -1_000_000_000_000L, 1_000_000_000_000L);
        StateCheck.range("phaseNanos", phaseNanos, 0, 999_999_999);
        StateCheck.range("weekdayShift", weekdayShift, 0, 6);
    }
}
