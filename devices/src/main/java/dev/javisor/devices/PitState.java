package dev.javisor.devices;

import java.util.List;

/**
 * An 8254 with port 0x61, saved. Times are ticks of 1193182 Hz relative to the moment of saving.
 *
 * @param systemControl bits 0 to 3 of port 0x61
 */
public record PitState(List<Channel> channels, int systemControl) {
    public PitState {
        channels = List.copyOf(channels);
        StateCheck.size("channels", channels, 3);
        StateCheck.range("systemControl", systemControl, 0, 0x0F);
    }

    /**
     * One counter.
     *
     * @param access 1 low byte, 2 high byte, 3 both
     * @param count the initial count in use, 1 to 65536, or 0 before one was written
     * @param nextCount an initial count that waits for the end of the cycle or a trigger, or 0
     * @param elapsed ticks since the count was loaded; -1 in the clock that loads it
     * @param switchIn ticks until {@code nextCount} takes over (modes 2 and 3)
     * @param switchToLow whether it then starts with the low half (mode 3)
     * @param pendingLow low byte of a count whose high byte is still to be written
     */
    public record Channel(
            int mode,
            int access,
            boolean bcd,
            boolean gate,
            boolean counting,
            boolean triggered,
            boolean paused,
            int count,
            int nextCount,
            long elapsed,
            long switchIn,
            boolean switchToLow,
            boolean writeHighNext,
            boolean readHighNext,
            int pendingLow,
            boolean countLatched,
            int latchedCount,
            boolean statusLatched,
            int latchedStatus) {
        public Channel {
            StateCheck.range("mode", mode, 0, 5);
            StateCheck.range("access", access, 1, 3);
            StateCheck.range("count", count, counting ? 1 : 0, 65536);
            StateCheck.range("nextCount", nextCount, 0, 65536);
            StateCheck.range("elapsed", elapsed, -1, Long.MAX_VALUE >>> 2);
            // A whole cycle, and the clock that loads the first one.
            StateCheck.range("switchIn", switchIn, 0, 65537);
            StateCheck.byteValue("pendingLow", pendingLow);
            StateCheck.range("latchedCount", latchedCount, 0, 0xFFFF);
            StateCheck.byteValue("latchedStatus", latchedStatus);
        }
    }
}
